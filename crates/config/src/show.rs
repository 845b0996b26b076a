//! The effective configuration as it may be shown.

use toml::{Table, Value};

use crate::secret::{is_reference, is_secret_name};
use crate::settings::Settings;

/// What stands in place of a secret.
const MASK: &str = "[masked]";

/// The merged layers without their secrets. References to secrets stay: they are none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown(Table);

impl Shown {
    pub(crate) fn of(merged: &Table) -> Self {
        Self(masked_table(merged))
    }
}

impl Settings {
    /// The effective configuration as TOML, secrets masked.
    pub fn show(&self) -> String {
        self.shown.0.to_string()
    }
}

fn masked_table(table: &Table) -> Table {
    table.iter().map(|(key, value)| (key.clone(), masked(key, value))).collect()
}

fn masked(key: &str, value: &Value) -> Value {
    match value {
        Value::Table(table) if is_reference(table) => value.clone(),
        Value::Table(table) => Value::Table(masked_table(table)),
        Value::Array(items) => Value::Array(items.iter().map(|item| masked(key, item)).collect()),
        Value::String(_) if is_secret_name(key) => Value::String(MASK.to_owned()),
        Value::String(text) => Value::String(without_password(text)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            if is_secret_name(key) { Value::String(MASK.to_owned()) } else { value.clone() }
        }
    }
}

/// Hides what stands before the host of an address.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rfind('@')) {
        (Some((scheme, rest)), Some(at)) if at > scheme.len() => {
            let host = &rest[rest.rfind('@').map_or(0, |at| at + 1)..];
            format!("{scheme}://{MASK}@{host}")
        }
        (Some(_) | None, _) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn secrets_are_masked_and_references_are_not() {
        let file = r#"
            [store]
            url = "redis://user:sesame@host:6379/0"
            [install]
            key = "sesame"
            [keys]
            pepper = [{ id = 1, secret = "sesame" }, { id = 2, secret = { env = "PEPPER" } }]
            [providers.a]
            auth_token = "sesame"
            account_sid = "AC1"
        "#;
        let shown = Shown::of(&file.parse().unwrap()).0.to_string();
        assert!(!shown.contains("sesame"), "{shown}");
        for kept in ["PEPPER", "AC1", "host:6379/0"] {
            assert!(shown.contains(kept), "{kept} in {shown}");
        }
    }
}
