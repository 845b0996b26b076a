//! The settings of one Twilio account.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Channel, Locale, ProviderName, Secret};
use otter_provider::{
    Capabilities, ChannelAbility, Fields, Problem, Provider, ReceiptDecoder, Revoker, Sender,
};
use otter_provider_http::{Client, HttpRevoker, HttpSender};
use toml::Table;

use crate::account::Account;
use crate::hangup::HangupCodec;
use crate::languages::Voices;
use crate::receipts::Receipts;
use crate::send::{Caller, MessageSender, SendCodec};
use crate::signature::SigningKeys;

const CHANNELS: [Channel; 2] = [Channel::Sms, Channel::Voice];
const CONCURRENCY: u16 = 32;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the settings of one account and reports every problem at once.
pub(crate) fn configure(_: &ProviderName, table: &Table) -> Result<Provider, Vec<Problem>> {
    let mut fields = Fields::new(table);
    let base_url = fields.base_url("base_url", "https://api.twilio.com");
    let sid = sid(&mut fields, "account_sid", "AC");
    if sid.is_none() && !table.contains_key("account_sid") {
        fields.problem("account_sid", "is missing; must be the account's SID, AC and 32 hex digits");
    }
    let credentials = credentials(&mut fields, sid.as_deref().unwrap_or_default());
    let messages = message_sender(&mut fields);
    let calls = caller(&mut fields);
    let channels = channels(&mut fields, table, messages.is_some(), calls.is_some());
    let countries = fields.countries();
    let concurrency = fields.number("concurrency", 1..=1000).and_then(|number| u16::try_from(number).ok());
    let rate = fields.number("rate", 1..=10_000);
    let timeout = fields.span("timeout", Duration::from_secs(1)..=Duration::from_secs(60)).unwrap_or(TIMEOUT);
    fields.finish()?;

    let capabilities = Capabilities {
        channels: channels.iter().copied().map(ability).collect(),
        countries,
        concurrency: concurrency.unwrap_or(CONCURRENCY),
        rate,
        timeout,
        languages: calls.as_ref().map(|caller| caller.voices.languages()),
    };
    let Credentials { sending, verifying } = credentials;
    let client = Client::new();
    let account =
        sending.map(|(user, password)| Account::new(base_url, sid.unwrap_or_default(), &user, &password));
    let revoker = account.clone().filter(|_| channels.contains(&Channel::Voice)).map(|account| {
        Arc::new(HttpRevoker::new(client.clone(), HangupCodec { account }, timeout)) as Arc<dyn Revoker>
    });
    let sender = account.map(|account| {
        let codec = SendCodec {
            account,
            messages: messages.filter(|_| channels.contains(&Channel::Sms)),
            calls: calls.filter(|_| channels.contains(&Channel::Voice)),
        };
        Arc::new(HttpSender::new(client, codec, timeout)) as Arc<dyn Sender>
    });
    let receipts = verifying.map(|keys| Arc::new(Receipts::new(keys)) as Arc<dyn ReceiptDecoder>);
    Ok(Provider { capabilities, sender, revoker, receipts })
}

fn ability(channel: Channel) -> ChannelAbility {
    ChannelAbility { channel, revocable: channel == Channel::Voice, idempotent: false, receipts: true }
}

/// What this process may do: send, verify callbacks, or both. Twilio signs with the auth token only, and the auth token
/// can send too; an API key can send and nothing else, so workers are better off with one.
struct Credentials {
    sending: Option<(String, Secret)>,
    verifying: Option<SigningKeys>,
}

fn credentials(fields: &mut Fields<'_>, account_sid: &str) -> Credentials {
    let key_sid = sid(fields, "api_key_sid", "SK");
    let key_secret = fields.token("api_key_secret");
    let token = fields.hex_token("auth_token", 32);
    let next = fields.hex_token("auth_token_next", 32);
    if key_secret.as_ref().is_some_and(|secret| is_sid(secret.reveal(), "SK")) {
        fields.problem(
            "api_key_secret",
            "is the SID of an API key; must be the secret that was shown with it, once",
        );
    }
    match (&key_sid, &key_secret, &token) {
        (Some(_), None, _) if fields.has("api_key_secret") => {}
        (None, Some(_), _) if fields.has("api_key_sid") => {}
        (None, None, None)
            if ["api_key_sid", "api_key_secret", "auth_token"].iter().any(|key| fields.has(key)) => {}
        (Some(_), None, _) => {
            fields.problem("api_key_secret", "is missing; must be the secret of api_key_sid")
        }
        (None, Some(_), _) => {
            fields.problem("api_key_sid", "is missing; must be the SID that belongs to api_key_secret")
        }
        (None, None, None) => {
            fields.problem(
                "auth_token",
                "is missing; give api_key_sid and api_key_secret to send, auth_token to verify callbacks",
            );
        }
        (Some(_), Some(_), _) | (None, None, Some(_)) => {}
    }
    if next.is_some() && !fields.has("auth_token") {
        fields.problem("auth_token_next", "needs auth_token, whose successor it is");
    }
    let sending = match (key_sid.zip(key_secret), &token) {
        (Some(key), _) => Some(key),
        (None, Some(token)) => Some((account_sid.to_owned(), token.clone())),
        (None, None) => None,
    };
    Credentials { sending, verifying: token.map(|token| SigningKeys::new(token, next)) }
}

fn message_sender(fields: &mut Fields<'_>) -> Option<MessageSender> {
    let from = fields.text("from");
    let service = sid(fields, "messaging_service_sid", "MG");
    match (from, service) {
        (Some(_), Some(_)) => {
            fields.problem("from", "must not stand next to messaging_service_sid, which chooses the sender");
            None
        }
        (Some(from), None) if is_sender(&from) => Some(MessageSender::From(from)),
        (Some(_), None) => {
            fields.problem(
                "from",
                "must be a number such as +4915123456789, a short code, or 1 to 11 letters and digits",
            );
            None
        }
        (None, service) => service.map(MessageSender::Service),
    }
}

fn caller(fields: &mut Fields<'_>) -> Option<Caller> {
    let from = fields.text("voice_from");
    let voices = voices(fields);
    let detects_machines = fields.switch("machine_detection", true);
    match from {
        Some(from) if is_number(&from) => Some(Caller { from, voices, detects_machines }),
        Some(_) => {
            fields.problem("voice_from", "must be a number such as +4915123456789 that may place calls");
            None
        }
        None => None,
    }
}

fn voices(fields: &mut Fields<'_>) -> Voices {
    let mut voices = Voices::built_in();
    for (tag, voice) in fields.table("voices").into_iter().flatten() {
        match (Locale::parse(tag), voice.as_str().filter(|voice| !voice.is_empty())) {
            (Ok(locale), Some(voice)) => {
                if !voices.choose(locale, voice) {
                    fields.problem(
                        format!("voices.{tag}"),
                        "is for a language that Twilio does not speak; must be one of its own such as en-GB or fil",
                    );
                }
            }
            (Err(_), _) => {
                fields.problem(format!("voices.{tag}"), "must be a language tag such as en or pt-BR")
            }
            (Ok(_), None) => {
                fields.problem(format!("voices.{tag}"), "must name a voice such as \"Polly.Joanna\"")
            }
        }
    }
    voices
}

/// Unless said otherwise, the channels that have a sender.
fn channels(fields: &mut Fields<'_>, table: &Table, messages: bool, calls: bool) -> Vec<Channel> {
    let asked = fields.channels(&CHANNELS);
    let has_sender = |channel: &Channel| match channel {
        Channel::Sms => messages,
        Channel::Voice => calls,
        Channel::WhatsApp | Channel::Rcs => false,
    };
    if !table.contains_key("channels") {
        let served: Vec<_> = asked.into_iter().filter(has_sender).collect();
        let named =
            ["from", "messaging_service_sid", "voice_from"].iter().any(|key| table.contains_key(*key));
        if served.is_empty() && !named {
            fields.problem(
                "from",
                "is missing; give from or messaging_service_sid for sms, voice_from for voice",
            );
        }
        return served;
    }
    if asked.contains(&Channel::Sms) && !messages && !table.contains_key("from") {
        fields.problem("from", "is missing; the channel sms needs from or messaging_service_sid");
    }
    if asked.contains(&Channel::Voice) && !calls && !table.contains_key("voice_from") {
        fields.problem("voice_from", "is missing; the channel voice needs it");
    }
    asked
}

/// A Twilio SID of a kind: two letters and 32 hex digits.
fn sid(fields: &mut Fields<'_>, key: &'static str, kind: &str) -> Option<String> {
    let text = fields.text(key)?;
    if is_sid(&text, kind) {
        return Some(text);
    }
    fields.problem(key, &format!("must be {kind} and 32 hex digits"));
    None
}

fn is_sid(text: &str, kind: &str) -> bool {
    let digits = text.strip_prefix(kind).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number, a short code, or a name (FMT-20).
fn is_sender(text: &str) -> bool {
    let short_code = (3..=8).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = (1..=11).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    is_number(text) || short_code || name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ACCOUNT: &str = "account_sid = \"ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n";
    const KEY: &str = "api_key_sid = \"SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\napi_key_secret = \"sesame\"\n";

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    const NEXT: &str = "FEDCBA9876543210FEDCBA9876543210";

    fn read(text: &str) -> Result<Provider, Vec<Problem>> {
        configure(&ProviderName::parse("twilio-eu").unwrap(), &text.parse().unwrap())
    }

    fn problems(text: &str) -> Vec<String> {
        read(text).unwrap_err().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn a_worker_sends_by_api_key_and_cannot_verify() {
        let provider =
            read(&format!("{ACCOUNT}{KEY}from = \"ExampleCo\"\nvoice_from = \"+15005550006\"")).unwrap();
        assert!(provider.sender.is_some() && provider.revoker.is_some() && provider.receipts.is_none());
        let channels: Vec<_> = provider.capabilities.channels.iter().map(|ability| ability.channel).collect();
        assert_eq!(channels, CHANNELS);
        assert!(!provider.capabilities.on(Channel::Sms).unwrap().revocable);
        assert!(provider.capabilities.on(Channel::Voice).unwrap().revocable);
    }

    #[test]
    fn the_auth_token_verifies_and_sends() {
        let provider = read(&format!(
            "{ACCOUNT}auth_token = \"{TOKEN}\"\nauth_token_next = \"{NEXT}\\n\"\nfrom = \"12345\""
        ))
        .unwrap();
        assert!(provider.sender.is_some() && provider.receipts.is_some());
        assert!(provider.revoker.is_none(), "messages cannot be taken back");
        assert!(!format!("{provider:?}").contains(TOKEN));
    }

    #[test]
    fn settings_are_read() {
        let text = format!(
            "{ACCOUNT}{KEY}kind = \"twilio\"\nmessaging_service_sid = \"MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n\
             channels = [\"sms\"]\ncountries = [\"DE\"]\nconcurrency = 4\nrate = 10\ntimeout = \"3s\"\n\
             base_url = \"https://api.dublin.ie1.twilio.com\"\n[voices]\nen = \"Polly.Joanna\""
        );
        let capabilities = read(&text).unwrap().capabilities;
        assert_eq!((capabilities.concurrency, capabilities.rate), (4, Some(10)));
        assert_eq!(capabilities.timeout, Duration::from_secs(3));
        assert_eq!(capabilities.countries.unwrap().len(), 1);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let check = |text: &str, expected: &[&str]| assert_eq!(problems(text), expected, "{text}");
        check("", &["account_sid", "auth_token", "from"]);
        check(
            "account_sid = \"AC1\"\napi_key_sid = \"SK../x\"\nfrom = \"far too long a name\"\nvoice_from = \"x\"\ntypo = 1",
            &["account_sid", "api_key_sid", "from", "voice_from", "typo"],
        );
        check(&format!("{ACCOUNT}api_key_secret = \"x\"\nfrom = \"12345\""), &["api_key_sid"]);
        check(&format!("{ACCOUNT}{KEY}auth_token_next = \"{NEXT}\"\nfrom = \"12345\""), &["auth_token_next"]);
        check(&format!("{ACCOUNT}{KEY}channels = [\"sms\", \"voice\"]"), &["from", "voice_from"]);
        check(&format!("{ACCOUNT}{KEY}channels = [\"rcs\"]"), &["channels"]);
        check(
            &format!(
                "{ACCOUNT}{KEY}from = \"12345\"\nmessaging_service_sid = \"MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
            ),
            &["from"],
        );
        check(
            &format!(
                "{ACCOUNT}{KEY}from = \"12345\"\n[voices]\n\"not a tag\" = \"x\"\nde = 1\nsw = \"alice\""
            ),
            &["voices.de", "voices.not a tag", "voices.sw"],
        );
    }

    #[test]
    fn credentials_have_the_form_that_the_console_shows() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(problems(&format!("{ACCOUNT}from = \"12345\"\n{text}")), expected, "{text}");
        };
        for token in ["", "sesame", "AC0123456789abcdef0123456789abcdef", &TOKEN[1..], &format!("'{TOKEN}'")]
        {
            check(&format!("auth_token = \"{token}\""), &["auth_token"]);
            check(&format!("auth_token = \"{TOKEN}\"\nauth_token_next = \"{token}\""), &["auth_token_next"]);
        }
        let sid = "SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        check(&format!("api_key_sid = \"{sid}\"\napi_key_secret = \"{sid}\""), &["api_key_secret"]);
        check(&format!("api_key_sid = \"{sid}\"\napi_key_secret = \"two words\""), &["api_key_secret"]);
        check(&format!("api_key_sid = \"{TOKEN}\"\napi_key_secret = \"sesame\""), &["api_key_sid"]);
    }

    #[test]
    fn no_problem_repeats_a_secret() {
        let text = "account_sid = \"hunter2\"\napi_key_sid = \"hunter2\"\napi_key_secret = \"hunter2\"\nfrom = \"hunter2hunter2\"";
        for problem in read(text).unwrap_err() {
            assert!(!problem.to_string().contains("hunter2"), "{problem}");
        }
    }
}
