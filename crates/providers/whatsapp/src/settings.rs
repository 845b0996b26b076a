//! The settings of one business number.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Channel, ProviderName};
use otter_provider::{Capabilities, ChannelAbility, Fields, Problem, Provider, ReceiptDecoder, Sender};
use otter_provider_http::{Client, HttpSender, bearer};
use toml::Table;

use crate::receipts::Receipts;
use crate::send::SendCodec;
use crate::signature::WebhookSecrets;

const CONCURRENCY: u16 = 32;
const TIMEOUT: Duration = Duration::from_secs(10);
const API_VERSION: &str = "v24.0";

/// Reads the settings of one account and reports every problem at once.
pub(crate) fn configure(_: &ProviderName, table: &Table) -> Result<Provider, Vec<Problem>> {
    let mut fields = Fields::new(table);
    let base_url = fields.base_url("base_url", "https://graph.facebook.com");
    let phone_number_id = phone_number_id(&mut fields);
    let version = api_version(&mut fields);
    let token = fields.token("access_token");
    let authorization = token.as_ref().and_then(bearer);
    let secrets = webhook_secrets(&mut fields);
    if token.is_none()
        && !table.contains_key("access_token")
        && secrets.is_none()
        && !table.contains_key("app_secret")
    {
        fields.problem(
            "access_token",
            "is missing; give it to send, app_secret and verify_token to read webhooks",
        );
    }
    let channels = fields.channels(&[Channel::WhatsApp]);
    let countries = fields.countries();
    let concurrency = fields.number("concurrency", 1..=1000).and_then(|number| u16::try_from(number).ok());
    let rate = fields.number("rate", 1..=10_000);
    let timeout = fields.span("timeout", Duration::from_secs(1)..=Duration::from_secs(60)).unwrap_or(TIMEOUT);
    fields.finish()?;

    let capabilities = Capabilities {
        channels: channels.into_iter().map(ability).collect(),
        countries,
        concurrency: concurrency.unwrap_or(CONCURRENCY),
        rate,
        timeout,
        languages: None,
    };
    let sender = authorization.map(|authorization| {
        let codec = SendCodec::new(&base_url, &version, &phone_number_id, authorization);
        Arc::new(HttpSender::new(Client::new(), codec, timeout)) as Arc<dyn Sender>
    });
    let receipts =
        secrets.map(|secrets| Arc::new(Receipts::new(secrets, phone_number_id)) as Arc<dyn ReceiptDecoder>);
    Ok(Provider { capabilities, sender, revoker: None, receipts })
}

fn ability(channel: Channel) -> ChannelAbility {
    ChannelAbility { channel, revocable: false, idempotent: false, receipts: true }
}

fn phone_number_id(fields: &mut Fields<'_>) -> String {
    let id = fields.required_text("phone_number_id");
    if !id.is_empty() && (id.len() > 32 || !id.bytes().all(|byte| byte.is_ascii_digit())) {
        fields.problem(
            "phone_number_id",
            "must be the digits that Meta shows as phone number ID, not the number itself",
        );
    }
    id
}

fn api_version(fields: &mut Fields<'_>) -> String {
    let Some(version) = fields.text("api_version") else { return API_VERSION.to_owned() };
    let numbers = version.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    let digits = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !numbers.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
        fields.problem("api_version", "must be a version of the Graph API such as v24.0");
    }
    version
}

/// Both or neither: the webhook cannot be registered without one and not be believed without the other.
fn webhook_secrets(fields: &mut Fields<'_>) -> Option<WebhookSecrets> {
    let app_secret = fields.hex_token("app_secret", 32);
    let verify_token = fields.secret("verify_token");
    match (app_secret, verify_token) {
        (Some(app_secret), Some(verify_token)) => Some(WebhookSecrets::new(app_secret, verify_token)),
        (Some(_), None) if !fields.has("verify_token") => {
            fields.problem("verify_token", "is missing; app_secret and verify_token go together");
            None
        }
        (None, Some(_)) if !fields.has("app_secret") => {
            fields.problem("app_secret", "is missing; app_secret and verify_token go together");
            None
        }
        (Some(_), None) | (None, Some(_) | None) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<Provider, Vec<Problem>> {
        configure(&ProviderName::parse("whatsapp-eu").unwrap(), &text.parse().unwrap())
    }

    fn problems(text: &str) -> Vec<String> {
        read(text).unwrap_err().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn a_worker_sends_and_cannot_verify() {
        let provider = read("phone_number_id = \"1065\"\naccess_token = \"sesame\"").unwrap();
        assert!(provider.sender.is_some() && provider.receipts.is_none() && provider.revoker.is_none());
        let ability = provider.capabilities.on(Channel::WhatsApp).unwrap();
        assert!(!ability.revocable && !ability.idempotent && ability.receipts);
        assert!(!format!("{provider:?}").contains("sesame"));
    }

    #[test]
    fn receipts_verify_and_cannot_send() {
        let provider = read("phone_number_id = \"1065\"\napp_secret = \"0123456789abcdef0123456789abcdef\"\nverify_token = \"v\"").unwrap();
        assert!(provider.sender.is_none() && provider.receipts.is_some());
    }

    #[test]
    fn settings_are_read() {
        let capabilities = read(
            "kind = \"whatsapp\"\nphone_number_id = \"1065\"\naccess_token = \"x\"\napi_version = \"v25.0\"\n\
             base_url = \"http://localhost:1/graph\"\nchannels = [\"whatsapp\"]\ncountries = [\"DE\", \"BR\"]\n\
             concurrency = 4\nrate = 80\ntimeout = \"3s\"",
        )
        .unwrap()
        .capabilities;
        assert_eq!((capabilities.concurrency, capabilities.rate), (4, Some(80)));
        assert_eq!(capabilities.timeout, Duration::from_secs(3));
        assert_eq!(capabilities.countries.unwrap().len(), 2);
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let check = |text: &str, expected: &[&str]| assert_eq!(problems(text), expected, "{text}");
        check("", &["phone_number_id", "access_token"]);
        check(
            "phone_number_id = \"+4915\"\napi_version = \"24\"\naccess_token = \"a\\nb\"\nchannels = [\"sms\"]\ntypo = 1",
            &["phone_number_id", "api_version", "access_token", "channels", "typo"],
        );
        check(
            "phone_number_id = \"1\"\napp_secret = \"0123456789abcdef0123456789abcdef\"",
            &["verify_token"],
        );
        for secret in ["", "sesame", "0123456789abcdef0123456789abcde", "1065123456789"] {
            let text = format!("phone_number_id = \"1\"\nverify_token = \"x\"\napp_secret = \"{secret}\"");
            check(&text, &["app_secret"]);
        }
        check("phone_number_id = \"1\"\naccess_token = \"Bearer EAAG\"", &["access_token"]);
        check("phone_number_id = \"1\"\nverify_token = \"x\"\naccess_token = \"y\"", &["app_secret"]);
    }
}
