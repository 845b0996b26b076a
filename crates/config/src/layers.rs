//! The reference, the file over it, the environment over both.

use std::fmt;
use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::problem::{Notes, Origin, below};

/// The commented reference of every setting with the defaults: `config/default.toml`.
pub const REFERENCE: &str = include_str!("../../../config/default.toml");

/// What variables of the environment begin with to override a setting.
const PREFIX: &str = "OTTER__";

/// The tables whose keys are names: variables cannot contain `-`, so in these names `_` stands for it.
const NAMED: [&str; 4] = ["tenants", "purposes", "routes", "providers"];

/// Where settings come from.
pub struct Sources<'a> {
    /// The file's text; without one the reference and the environment are all there is.
    pub file: Option<&'a str>,
    /// The variables of the environment.
    pub environment: Vec<(String, String)>,
    /// Reads the file that a secret names.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Sources<'_> {
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Lays the layers over each other. What cannot be read at all is noted and left out.
pub(crate) fn merge(sources: &Sources<'_>, notes: &mut Notes) -> Table {
    let mut merged: Table = REFERENCE.parse().expect("the reference is TOML, as its test proves");
    if let Some(text) = sources.file {
        lay_over(&mut merged, parse(text, notes));
    }
    let mut overrides: Vec<_> =
        sources.environment.iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    overrides.sort();
    for (name, value) in overrides {
        override_by(&mut merged, name, value, notes);
    }
    merged
}

fn parse(text: &str, notes: &mut Notes) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        // The error's own display quotes the line, and there may be a secret in it.
        notes.problem_at(Origin::Line(line), "is not TOML here: check quotes, brackets and repeated keys");
    }
    remember_lines(document.get_ref(), "", text, notes);
    if errors.is_empty() { text.parse().unwrap_or_default() } else { Table::new() }
}

fn remember_lines(table: &DeTable<'_>, path: &str, text: &str, notes: &mut Notes) {
    for (key, value) in table.iter() {
        let path = below(path, key.get_ref());
        notes.came_from(path.clone(), Origin::Line(line_of(text, key.span().start)));
        remember_lines_of(value.get_ref(), &path, text, notes);
    }
}

fn remember_lines_of(value: &DeValue<'_>, path: &str, text: &str, notes: &mut Notes) {
    match value {
        DeValue::Table(table) => remember_lines(table, path, text, notes),
        DeValue::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                let path = format!("{path}[{place}]");
                notes.came_from(path.clone(), Origin::Line(line_of(text, item.span().start)));
                remember_lines_of(item.get_ref(), &path, text, notes);
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

fn line_of(text: &str, place: usize) -> usize {
    1 + text.as_bytes().iter().take(place).filter(|byte| **byte == b'\n').count()
}

fn lay_over(below: &mut Table, above: Table) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => lay_over(old, new),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn override_by(merged: &mut Table, name: &str, value: &str, notes: &mut Notes) {
    let origin = || Origin::Variable(name.to_owned());
    let segments: Vec<_> = name[PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    if segments.iter().any(String::is_empty) {
        notes.problem_at(origin(), "must be OTTER__SECTION__KEY with two underscores between its parts");
        return;
    }
    let mut path = String::new();
    let mut table = merged;
    for (depth, segment) in segments.iter().enumerate() {
        let named = depth > 0 && NAMED.contains(&segments[depth - 1].as_str());
        let key = if named { segment.replace('_', "-") } else { segment.clone() };
        path = below(&path, &key);
        if depth + 1 == segments.len() {
            notes.came_from(path, origin());
            table.insert(key, from_variable(value));
            return;
        }
        let next = table.entry(key).or_insert_with(empty);
        if !next.is_table() {
            *next = empty();
        }
        table = next.as_table_mut().expect("it was made a table one line above");
    }
}

fn empty() -> Value {
    Value::Table(Table::new())
}

/// A variable's value as TOML; what is not TOML is a text.
fn from_variable(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().filter(|table| table.len() == 1);
    parsed.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn merged(file: &str, environment: &[(&str, &str)]) -> (Table, Notes) {
        let mut notes = Notes::default();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let sources =
            Sources { file: Some(file), environment, read_file: &|_| Err(io::ErrorKind::NotFound.into()) };
        let table = merge(&sources, &mut notes);
        (table, notes)
    }

    fn at<'a>(table: &'a Table, path: &str) -> &'a Value {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        rest.split('.').filter(|key| !key.is_empty()).fold(&table[first], |value, key| &value[key])
    }

    #[test]
    fn the_file_is_laid_over_the_reference_and_the_environment_over_both() {
        let file = "[grpc]\nlisten = \"0.0.0.0:1\"\n[admin]\nlisten = \"0.0.0.0:2\"\n";
        let (table, _) = merged(file, &[("OTTER__ADMIN__LISTEN", "0.0.0.0:3"), ("PATH", "/bin")]);
        assert_eq!(at(&table, "grpc.listen").as_str(), Some("0.0.0.0:1"));
        assert_eq!(at(&table, "admin.listen").as_str(), Some("0.0.0.0:3"));
        assert!(at(&table, "shutdown.drain").is_str());
    }

    #[test]
    fn variables_are_read_as_toml_or_else_as_text() {
        let environment = [
            ("OTTER__STORE__PARTITIONS", "32"),
            ("OTTER__METRICS__COUNTRIES", "[\"DE\"]"),
            ("OTTER__TELEMETRY__LOG_FILTER", "otter=debug,warn"),
            ("OTTER__INSTALL__KEY__ENV", "NAME"),
        ];
        let (table, _) = merged("", &environment);
        assert_eq!(at(&table, "store.partitions").as_integer(), Some(32));
        assert!(at(&table, "metrics.countries").is_array());
        assert_eq!(at(&table, "telemetry.log_filter").as_str(), Some("otter=debug,warn"));
        assert_eq!(at(&table, "install.key.env").as_str(), Some("NAME"));
    }

    #[test]
    fn names_are_written_with_underscores_in_variables() {
        let (table, notes) = merged("", &[("OTTER__PROVIDERS__TWILIO_EU__AUTH_TOKEN", "x")]);
        assert_eq!(at(&table, "providers.twilio-eu.auth_token").as_str(), Some("x"));
        let origin = notes.origin("providers.twilio-eu.auth_token");
        assert_eq!(origin, Some(&Origin::Variable("OTTER__PROVIDERS__TWILIO_EU__AUTH_TOKEN".to_owned())));
    }

    #[test]
    fn every_place_that_is_not_toml_is_named_by_its_line_and_nothing_else() {
        let (_, notes) = merged("[grpc]\nlisten = sesame\n[install]\nkey = \"sesame\nx = 1\n", &[]);
        let (problems, _) = notes.into_findings();
        let lines: Vec<_> = problems.iter().map(|problem| problem.origin.clone().unwrap()).collect();
        assert!(lines.contains(&Origin::Line(2)) && lines.contains(&Origin::Line(4)), "{problems:?}");
        assert!(!format!("{problems:?}").contains("sesame"));
    }

    #[test]
    fn a_variable_without_a_name_is_a_problem() {
        let (_, notes) = merged("", &[("OTTER__", "x"), ("OTTER__GRPC____LISTEN", "y")]);
        assert_eq!(notes.into_findings().0.len(), 2);
    }
}
