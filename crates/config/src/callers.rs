//! Who may call in a tenant's name: `api_keys` and `mtls_identities`.

use std::collections::BTreeSet;

use crate::moment::from_datetime;
use crate::section::{Section, one_of};
use crate::settings::{ApiKey, Scope};

pub(crate) fn api_keys(section: &Section<'_>) -> Vec<ApiKey> {
    let mut keys = Vec::new();
    let mut names = BTreeSet::new();
    for (_, entry) in section.tables("api_keys") {
        let key = api_key(&entry);
        if let Some(key) = key {
            if !names.insert(key.id.clone()) {
                entry.problem("id", "stands twice for this tenant; give each key a name of its own");
            }
            keys.push(key);
        }
        entry.done();
    }
    keys
}

fn api_key(entry: &Section<'_>) -> Option<ApiKey> {
    const NAME: &str = "a name of 1 to 40 characters of a-z, 0-9, - and _";
    if entry.value("id").is_none() {
        entry.missing("id", NAME);
    }
    let id = entry.parsed("id", NAME, |text| is_name(text).then(|| text.to_owned()));
    let digest = digest(entry);
    let expected = one_of(Scope::ALL.map(Scope::as_str));
    let scope = |text: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
    let mut scopes = entry.parsed_list("scopes", &expected, scope).unwrap_or_default();
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        entry.problem("scopes", format!("must be a list of at least {expected}"));
    }
    let expires = entry.value("expires").map(|value| {
        let moment = value.as_datetime().and_then(from_datetime);
        if moment.is_none() {
            entry.problem(
                "expires",
                "must be a date and time with offset, without quotes: 2027-01-31T00:00:00Z",
            );
        }
        moment.unwrap_or_default()
    });
    Some(ApiKey { id: id?, digest: digest?, scopes, expires })
}

/// Whoever puts the key itself here instead of its digest must not find it in a message.
fn digest(entry: &Section<'_>) -> Option<[u8; 32]> {
    const EXPECTED: &str =
        "the SHA-256 of the key as 64 hex digits, for example from `printf %s KEY | sha256sum`";
    let value = entry.value("digest");
    if value.is_none() {
        entry.missing("digest", EXPECTED);
    }
    let digest =
        value?.as_str().and_then(|text| hex::decode(text).ok()).and_then(|bytes| bytes.try_into().ok());
    if digest.is_none() {
        entry.problem("digest", format!("must be {EXPECTED}"));
    }
    digest
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=40).contains(&text.len()) && text.bytes().all(fits)
}

pub(crate) fn mtls_identities(section: &Section<'_>) -> Vec<String> {
    const EXPECTED: &str = "a DNS name or URI of the caller's certificate, up to 255 printable characters";
    let fits =
        |text: &str| (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    section
        .parsed_list("mtls_identities", EXPECTED, |text| fits(text).then(|| text.to_owned()))
        .unwrap_or_default()
}
