//! One account's settings.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Channel, ProviderName, Secret};
use otter_provider::{
    Capabilities, ChannelAbility, Fields, Problem, Provider, ReceiptDecoder, Revoker, Sender,
};
use otter_provider_http::{Authorizer, Client, HttpRevoker, HttpSender};
use toml::Table;

use crate::codec::AgentMessages;
use crate::receipts::WebhookEvents;
use crate::service_account::ServiceAccount;
use crate::tokens::Tokens;

/// The host that belongs to no region. Agents live in one, so it serves only until `region` is read.
const ANY_REGION: &str = "https://rcsbusinessmessaging.googleapis.com";
/// Where Google hands out tokens.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
const REGIONS: [&str; 3] = ["us", "europe", "asia"];

const CONCURRENCY: u16 = 32;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads one account's settings; see `docs/providers/rbm.md`.
pub(crate) fn configure(_name: &ProviderName, table: &Table) -> Result<Provider, Vec<Problem>> {
    let mut fields = Fields::new(table);
    let agent_id = agent_id(&mut fields);
    let region = region(&mut fields);
    let given_base_url = fields.text("base_url").is_some();
    let base_url = fields.base_url("base_url", region.as_deref().unwrap_or(ANY_REGION));
    let account = service_account(&mut fields);
    let client_token = fields.token("client_token");
    if table.contains_key("service_account") {
        if region.is_none() && !given_base_url && !table.contains_key("region") {
            fields.problem("region", "is missing; must be the agent's region: us, europe or asia");
        }
    } else if client_token.is_none() && !table.contains_key("client_token") {
        let message = "is missing; must be the JSON of a service account's key, best as { file = \"PATH\" }, unless \
                       client_token is set and this process only reads receipts";
        fields.problem("service_account", message);
    }
    let capabilities = capabilities(&mut fields);
    fields.finish()?;

    let messages = AgentMessages { base_url, agent_id };
    let (sender, revoker) = account.map(|account| wire(messages, account, capabilities.timeout)).unzip();
    Ok(Provider { capabilities, sender, revoker, receipts: client_token.map(decoder) })
}

fn wire(
    messages: AgentMessages,
    account: ServiceAccount,
    timeout: Duration,
) -> (Arc<dyn Sender>, Arc<dyn Revoker>) {
    let client = Client::new();
    let tokens: Arc<dyn Authorizer> = Arc::new(Tokens::new(account));
    let sender =
        HttpSender::new(client.clone(), messages.clone(), timeout).with_authorizer(Arc::clone(&tokens));
    let revoker = HttpRevoker::new(client, messages, timeout).with_authorizer(tokens);
    (Arc::new(sender), Arc::new(revoker))
}

fn decoder(client_token: Secret) -> Arc<dyn ReceiptDecoder> {
    Arc::new(WebhookEvents { client_token })
}

fn agent_id(fields: &mut Fields<'_>) -> String {
    let id = fields.required_text("agent_id");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !id.bytes().all(plain) {
        fields.problem(
            "agent_id",
            "must be the agent's id without @rbm.goog: letters, digits, '_', '-' and '.'",
        );
    }
    id
}

/// The address of the region, if one that exists is set.
fn region(fields: &mut Fields<'_>) -> Option<String> {
    let region = fields.text("region")?;
    if !REGIONS.contains(&region.as_str()) {
        fields.problem("region", "must be the agent's region: us, europe or asia");
        return None;
    }
    Some(format!("https://{region}-rcsbusinessmessaging.googleapis.com"))
}

fn service_account(fields: &mut Fields<'_>) -> Option<ServiceAccount> {
    let token_url = fields.text("token_url").map(|_| fields.base_url("token_url", TOKEN_URL));
    let key = fields.document("service_account")?;
    match ServiceAccount::parse(&key, token_url) {
        Ok(account) => Some(account),
        Err(invalid) => {
            fields.problem("service_account", &invalid.to_string());
            None
        }
    }
}

fn capabilities(fields: &mut Fields<'_>) -> Capabilities {
    let concurrency = fields.number("concurrency", 1..=1000).and_then(|number| u16::try_from(number).ok());
    Capabilities {
        channels: vec![ChannelAbility {
            channel: Channel::Rcs,
            revocable: true,
            idempotent: true,
            receipts: true,
        }],
        countries: fields.countries(),
        concurrency: concurrency.unwrap_or(CONCURRENCY),
        rate: fields.number("rate", 1..=10_000),
        timeout: fields.span("timeout", Duration::from_secs(1)..=Duration::from_secs(60)).unwrap_or(TIMEOUT),
        languages: None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use toml::Value;

    use super::*;
    use crate::samples::SERVICE_ACCOUNT;

    fn settings(text: &str) -> Table {
        text.parse().unwrap()
    }

    fn sending() -> Table {
        let mut table = settings("kind = \"rbm\"\nagent_id = \"acme_otp_agent\"\nregion = \"europe\"");
        table.insert("service_account".to_owned(), Value::String(SERVICE_ACCOUNT.to_owned()));
        table
    }

    fn with(mut table: Table, more: &str) -> Table {
        table.extend(settings(more));
        table
    }

    fn configured(table: &Table) -> Result<Provider, Vec<String>> {
        let name = ProviderName::parse("rbm-eu").unwrap();
        configure(&name, table).map_err(|problems| problems.into_iter().map(|problem| problem.path).collect())
    }

    #[test]
    fn each_process_can_hold_only_the_secret_it_needs() {
        let check = |table: &Table, sends: bool, reads: bool| {
            let provider = configured(table).unwrap();
            assert_eq!((provider.sender.is_some(), provider.revoker.is_some()), (sends, sends));
            assert_eq!(provider.receipts.is_some(), reads);
        };
        check(&sending(), true, false);
        check(&with(sending(), "client_token = \"SJENCPGJESMGUFPY\""), true, true);
        check(&settings("agent_id = \"acme\"\nclient_token = \"SJENCPGJESMGUFPY\""), false, true);
    }

    #[test]
    fn an_account_can_take_back_repeat_and_report() {
        let table =
            with(sending(), "countries = [\"DE\", \"FR\"]\nconcurrency = 4\nrate = 50\ntimeout = \"3s\"");
        let capabilities = configured(&table).unwrap().capabilities;
        let ability = *capabilities.on(Channel::Rcs).unwrap();
        assert!(ability.revocable && ability.idempotent && ability.receipts);
        assert_eq!(capabilities.channels.len(), 1);
        assert_eq!(capabilities.countries.map(|countries| countries.len()), Some(2));
        assert_eq!((capabilities.concurrency, capabilities.rate), (4, Some(50)));
        assert_eq!(capabilities.timeout, Duration::from_secs(3));
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let check = |table: Table, expected: &[&str]| assert_eq!(configured(&table).unwrap_err(), expected);
        check(Table::new(), &["agent_id", "service_account"]);
        check(settings("agent_id = \"acme\"\nservice_account = \"{}\""), &["service_account", "region"]);
        check(settings("agent_id = \"acme\"\nclient_token = \"\""), &["client_token"]);
        check(with(sending(), "agent_id = \"acme@rbm.goog\"\nregion = \"mars\""), &["agent_id", "region"]);
        check(with(sending(), "base_url = \"ftp://x\"\ntoken_url = \"y\""), &["base_url", "token_url"]);
        check(with(sending(), "timeout = \"5m\"\nrate = 0\nsender = \"x\""), &["rate", "timeout", "sender"]);
    }

    #[test]
    fn a_base_url_stands_in_for_the_region() {
        let mut table =
            with(sending(), "base_url = \"http://127.0.0.1:9\"\ntoken_url = \"http://127.0.0.1:9/token\"");
        table.remove("region");
        assert!(configured(&table).unwrap().sender.is_some());
    }

    #[test]
    fn nothing_shows_a_secret() {
        let table = with(sending(), "client_token = \"SJENCPGJESMGUFPY\"");
        let shown = format!("{:?}", configured(&table).unwrap());
        assert!(!shown.contains("SJENC") && !shown.contains("PRIVATE") && !shown.contains("MII"), "{shown}");
        let problems =
            configure(&ProviderName::parse("rbm").unwrap(), &with(sending(), "service_account = \"sesame\""));
        assert!(!format!("{problems:?}").contains("sesame"));
    }
}
