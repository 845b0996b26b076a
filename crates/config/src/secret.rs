//! Secrets: by reference to a variable or a file, or, with a warning, as they are.

use std::path::Path;

use otter_domain::Secret;
use toml::{Table, Value};

use crate::layers::Sources;
use crate::problem::{Notes, Origin, below};
use crate::section::Section;

/// How a secret may be written.
pub(crate) const EXPECTED: &str = "a secret as { env = \"NAME\" } or { file = \"PATH\" }";

/// Reads a secret. `None` if it is not there, and after a problem.
pub(crate) fn read(section: &Section<'_>, key: &'static str, sources: &Sources<'_>) -> Option<Secret> {
    let path = section.path(key);
    let notes = section.notes();
    match section.value(key)? {
        Value::String(text) if text.is_empty() => {
            notes.problem(path, format!("is empty; must be {EXPECTED}"));
            None
        }
        Value::String(text) => {
            warn_if_inline(&path, notes);
            Some(Secret::new(text.clone()))
        }
        Value::Table(reference) => resolve(reference, &path, sources, notes),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
            notes.problem(path, format!("must be {EXPECTED}"));
            None
        }
    }
}

/// A copy of a vendor's table with every reference replaced by what it names.
pub(crate) fn resolve_all(table: &Table, path: &str, sources: &Sources<'_>, notes: &Notes) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let path = below(path, key);
            if value.is_str() && is_secret_name(key) {
                warn_if_inline(&path, notes);
            }
            (key.clone(), resolved(value, &path, sources, notes))
        })
        .collect()
}

fn resolved(value: &Value, path: &str, sources: &Sources<'_>, notes: &Notes) -> Value {
    match value {
        Value::Table(table) if is_reference(table) => match resolve(table, path, sources, notes) {
            Some(secret) => Value::String(secret.reveal().to_owned()),
            None => value.clone(),
        },
        Value::Table(table) => Value::Table(resolve_all(table, path, sources, notes)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            Value::Array(
                items
                    .map(|(place, item)| resolved(item, &format!("{path}[{place}]"), sources, notes))
                    .collect(),
            )
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            value.clone()
        }
    }
}

/// Whether a table stands for a secret instead of being one of settings.
pub(crate) fn is_reference(table: &Table) -> bool {
    !table.is_empty() && table.keys().all(|key| key == "env" || key == "file")
}

/// Whether a setting of this name usually holds a secret: such values are never shown.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let parts = ["secret", "token", "password", "passphrase", "credential", "private", "service_account"];
    key == "key" || key.ends_with("_key") || parts.iter().any(|part| key.contains(part))
}

fn resolve(reference: &Table, path: &str, sources: &Sources<'_>, notes: &Notes) -> Option<Secret> {
    let texts: Vec<_> = reference.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let found = match texts.as_slice() {
        [("env", Some(name))] => match sources.variable(name) {
            Some(value) => Ok(value.to_owned()),
            None => Err(format!("names the variable {name:?}, which is not set")),
        },
        [("file", Some(file))] => match (sources.read_file)(Path::new(file)) {
            Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
            Err(error) => Err(format!("names the file {file:?}, which cannot be read: {}", error.kind())),
        },
        _ => Err(format!("must be {EXPECTED}")),
    };
    match found {
        Ok(text) if text.is_empty() => {
            notes.problem(path, "names something that is empty; put the secret there");
            None
        }
        Ok(text) => Some(Secret::new(text)),
        Err(message) => {
            notes.problem(path, message);
            None
        }
    }
}

fn warn_if_inline(path: &str, notes: &Notes) {
    if !matches!(notes.origin(path), Some(Origin::Variable(_))) {
        let advice = "stands in the file for everybody who may read it; better { env = \"NAME\" } or { file = \"PATH\" }";
        notes.warning(path, advice);
    }
}
