//! Secrets: by reference to a variable or a file, or, with a warning, as they are.

use std::io;
use std::path::Path;

use otter_domain::Secret;
use otter_provider::{Lines, SecretFlaw, secret_in};
use toml::{Table, Value};

use crate::layers::Sources;
use crate::problem::{Notes, Origin, below};
use crate::section::Section;

/// How a secret may be written.
pub(crate) const EXPECTED: &str = "a secret as { env = \"NAME\" } or { file = \"PATH\" }";

/// Reads a secret. `None` if it is not there, and after a problem. What stands at its ends and is no part of it is cut
/// wherever it comes from.
pub(crate) fn read(
    section: &Section<'_>,
    key: &'static str,
    sources: &Sources<'_>,
    lines: Lines,
) -> Option<Secret> {
    let path = section.path(key);
    let notes = section.notes();
    match section.value(key)? {
        Value::String(text) => match secret_in(text, lines) {
            Ok(secret) => {
                warn_if_inline(&path, notes);
                Some(Secret::new(secret))
            }
            Err(SecretFlaw::Empty) => {
                notes.problem(path, format!("is empty; must be {EXPECTED}"));
                None
            }
            Err(flaw @ (SecretFlaw::LineBreak(_) | SecretFlaw::Invisible { .. })) => {
                notes.problem(path, flaw.to_string());
                None
            }
        },
        Value::Table(reference) => resolve(reference, &path, sources, notes, lines),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
            notes.problem(path, format!("must be {EXPECTED}"));
            None
        }
    }
}

/// A copy of a vendor's table with every reference replaced by what it names. How many lines that may have is for the
/// vendor to say, as only it knows which are documents.
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
        Value::Table(table) if is_reference(table) => {
            match resolve(table, path, sources, notes, Lines::Any) {
                Some(secret) => Value::String(secret.reveal().to_owned()),
                None => value.clone(),
            }
        }
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

fn resolve(
    reference: &Table,
    path: &str,
    sources: &Sources<'_>,
    notes: &Notes,
    lines: Lines,
) -> Option<Secret> {
    let texts: Vec<_> = reference.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let (place, found) = match texts.as_slice() {
        [("env", Some(name))] => {
            let value = sources.variable(name).map(Secret::new);
            (format!("the variable {name:?}"), value.ok_or_else(|| "is not set".to_owned()))
        }
        [("file", Some(file))] => {
            let text = (sources.read_file)(Path::new(file)).map(Secret::new);
            (format!("the file {file:?}"), text.map_err(|error| unreadable(&error)))
        }
        _ => {
            notes.problem(path, format!("must be {EXPECTED}"));
            return None;
        }
    };
    let secret = found.and_then(|text| match secret_in(text.reveal(), lines) {
        Ok(secret) => Ok(Secret::new(secret)),
        Err(flaw) => Err(flaw.to_string()),
    });
    match secret {
        Ok(secret) => {
            if is_quoted(secret.reveal()) {
                let advice = "begins and ends with quotation marks, which count as part of the secret";
                notes.warning(path, format!("names {place}, which {advice}"));
            }
            Some(secret)
        }
        Err(message) => {
            notes.problem(path, format!("names {place}, which {message}"));
            None
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::InvalidData {
        return "is not a text in UTF-8".to_owned();
    }
    format!("cannot be read: {}", error.kind())
}

/// Whether a shell's or an editor's quotation marks came along.
fn is_quoted(secret: &str) -> bool {
    ['"', '\''].iter().any(|mark| secret.len() > 1 && secret.starts_with(*mark) && secret.ends_with(*mark))
}

fn warn_if_inline(path: &str, notes: &Notes) {
    if !matches!(notes.origin(path), Some(Origin::Variable(_))) {
        let advice = "stands in the file for everybody who may read it; better { env = \"NAME\" } or { file = \"PATH\" }";
        notes.warning(path, advice);
    }
}
