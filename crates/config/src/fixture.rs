//! A configuration that is all right, and vendors that do nothing.
#![allow(clippy::unwrap_used)]

use std::io;
use std::path::Path;
use std::time::Duration;

use otter_domain::{Channel, Locale, ProviderName};
use otter_provider::{
    Capabilities, ChannelAbility, Fields, Problem as VendorProblem, Provider, Registration,
};
use toml::Table;

use crate::{Loaded, Problem, Sources, load};

pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PEPPER: &str = "101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f";
const SEALING: &str = "303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f";
const TOKEN: &str = "505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f";

pub(crate) const GOOD: &str = r#"
[install]
key = { env = "INSTALL_KEY" }

[keys]
pepper = [{ id = 2, secret = { env = "PEPPER" } }, { id = 1, secret = { env = "INSTALL_KEY_2" } }]
sealing = [{ id = 1, secret = { file = "/secrets/sealing" } }]
token = [{ id = 1, secret = { env = "TOKEN" } }]

[providers.acme-eu]
kind = "acme"
account = "A1"
auth_token = { env = "ACME_TOKEN" }

[providers.chat]
kind = "chat"
auth_token = { env = "ACME_TOKEN" }

[routes.login]
steps = [
    { channel = "sms", providers = ["acme-eu"] },
    { channel = "whatsapp", providers = [{ name = "chat", weight = 7 }], ranking = "weighted" },
    { channel = "voice", providers = ["acme-eu"], succeed_on = "verified", wait = "60s", max_queue_wait = "10s" },
]

[tenants.shop]
brand = "ExampleCo"
countries = ["DE", "FR"]
limits.rate = { per_second = 2.5, burst = 10 }
api_keys = [
    { id = "backend", digest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", scopes = ["send", "check"], expires = 2027-01-31T00:00:00Z },
]
whatsapp_templates = [{ locale = "en", name = "otp", language = "en", send_ttl = "120s" }]
texts = [{ purpose = "login", locale = "en", channel = "sms", text = "{code} is your {brand} code." }]

[tenants.shop.purposes.login]
route = "login"

[tenants.shop.purposes.transfer]
route = "login"
payment = true
codes = "same"
ttl = "10m"
check_budget = 3
locale = "de"
"#;

pub(crate) fn environment() -> Vec<(String, String)> {
    let second = format!("{}{}", &PEPPER[32..], &PEPPER[..32]);
    [
        ("INSTALL_KEY", KEY),
        ("PEPPER", PEPPER),
        ("INSTALL_KEY_2", &second),
        ("TOKEN", TOKEN),
        ("ACME_TOKEN", "sesame"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

pub(crate) fn read_file(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("/secrets/sealing") => Ok(format!("{SEALING}\n")),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

pub(crate) fn loaded(file: &str) -> Result<Loaded, Vec<Problem>> {
    loaded_with(file, &[])
}

pub(crate) fn loaded_with(file: &str, overrides: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let mut environment = environment();
    environment.extend(overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    load(&Sources { file: Some(file), environment, read_file: &read_file }, &REGISTRATIONS)
}

/// The configuration that is all right, with one part of it changed.
pub(crate) fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from} is not in the fixture");
    GOOD.replacen(from, to, 1)
}

pub(crate) const REGISTRATIONS: [Registration; 3] = [
    Registration { kind: "acme", configure: acme },
    Registration { kind: "chat", configure: chat },
    Registration { kind: "mute", configure: mute },
];

fn acme(_: &ProviderName, table: &Table) -> Result<Provider, Vec<VendorProblem>> {
    let mut fields = Fields::new(table);
    fields.text("account");
    fields.required_secret("auth_token");
    fields.finish()?;
    let mut provider = provider(&[Channel::Sms, Channel::Voice], true);
    provider.capabilities.languages =
        ["de", "en", "fr"].map(|tag| Locale::parse(tag).ok()).into_iter().collect();
    Ok(provider)
}

fn chat(_: &ProviderName, table: &Table) -> Result<Provider, Vec<VendorProblem>> {
    let mut fields = Fields::new(table);
    fields.required_secret("auth_token");
    fields.finish()?;
    Ok(provider(&[Channel::WhatsApp], true))
}

fn mute(_: &ProviderName, table: &Table) -> Result<Provider, Vec<VendorProblem>> {
    Fields::new(table).finish()?;
    Ok(provider(&[Channel::Sms], false))
}

fn provider(channels: &[Channel], receipts: bool) -> Provider {
    let ability = |channel: &Channel| ChannelAbility {
        channel: *channel,
        revocable: false,
        idempotent: false,
        receipts,
    };
    let capabilities = Capabilities {
        channels: channels.iter().map(ability).collect(),
        countries: None,
        concurrency: 1,
        rate: None,
        timeout: Duration::from_secs(10),
        languages: None,
    };
    Provider { capabilities, sender: None, revoker: None, receipts: None }
}
