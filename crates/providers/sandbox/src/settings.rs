//! One account's settings.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Channel, ProviderName};
use otter_provider::{
    Capabilities, ChannelAbility, Fields, Problem, Provider, ReceiptDecoder, Revoker, Sender,
};
use otter_provider_http::{Client, HttpRevoker, HttpSender, bearer};
use toml::Table;

use crate::codec::Messages;
use crate::receipts::SignedReceipts;

const BASE_URL: &str = "http://127.0.0.1:7700";
const CONCURRENCY: u16 = 64;
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads one account's settings.
pub(crate) fn configure(_: &ProviderName, table: &Table) -> Result<Provider, Vec<Problem>> {
    let mut fields = Fields::new(table);
    let base_url = fields.base_url("base_url", BASE_URL);
    let account_key = fields.secret("account_key");
    let signing_key = fields.secret("signing_key");
    if !table.contains_key("account_key") && !table.contains_key("signing_key") {
        fields.problem("account_key", "is missing; must be the account's key, or signing_key must be set");
    }
    let authorization = account_key.as_ref().and_then(bearer);
    if account_key.is_some() && authorization.is_none() {
        fields.problem("account_key", "must be visible ASCII");
    }
    let channels = fields.channels(&Channel::ALL);
    let countries = fields.countries();
    let concurrency = fields.number("concurrency", 1..=1000).and_then(|number| u16::try_from(number).ok());
    let rate = fields.number("rate", 1..=100_000);
    let timeout = fields.span("timeout", Duration::from_millis(100)..=Duration::from_secs(60));
    fields.finish()?;

    let ability = |channel| ChannelAbility { channel, revocable: true, idempotent: true, receipts: true };
    let capabilities = Capabilities {
        channels: channels.into_iter().map(ability).collect(),
        countries,
        concurrency: concurrency.unwrap_or(CONCURRENCY),
        rate,
        timeout: timeout.unwrap_or(TIMEOUT),
        languages: None,
    };
    let messages = authorization.map(|authorization| Messages { base_url, authorization });
    let (sender, revoker) = messages.map(|messages| wire(messages, capabilities.timeout)).unzip();
    let receipts = signing_key.map(|key| Arc::new(SignedReceipts { key }) as Arc<dyn ReceiptDecoder>);
    Ok(Provider { capabilities, sender, revoker, receipts })
}

fn wire(messages: Messages, timeout: Duration) -> (Arc<dyn Sender>, Arc<dyn Revoker>) {
    let client = Client::new();
    let sender = HttpSender::new(client.clone(), messages.clone(), timeout);
    (Arc::new(sender), Arc::new(HttpRevoker::new(client, messages, timeout)))
}
