//! Reading a table so that every problem is found at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use otter_provider::parse_span;
use toml::{Table, Value};

use crate::problem::{Notes, below};

/// One table of the configuration. Whoever reads it asks for every key it may have; [`Self::done`] reports the others.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    table: Option<&'a Table>,
    asked: RefCell<BTreeSet<&'static str>>,
    notes: &'a Notes,
}

impl<'a> Section<'a> {
    pub(crate) fn new(path: String, table: Option<&'a Table>, notes: &'a Notes) -> Self {
        Self { path, table, asked: RefCell::default(), notes }
    }

    pub(crate) fn path(&self, key: &str) -> String {
        below(&self.path, key)
    }

    /// The path of the table itself.
    pub(crate) fn own_path(&self) -> &str {
        &self.path
    }

    /// The path of an item of a list.
    pub(crate) fn item_path(&self, key: &str, place: usize) -> String {
        format!("{}[{place}]", self.path(key))
    }

    pub(crate) fn notes(&self) -> &'a Notes {
        self.notes
    }

    /// The value as it stands.
    pub(crate) fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.table?.get(key)
    }

    /// A table below; an empty one if it is not there.
    pub(crate) fn section(&self, key: &'static str) -> Section<'a> {
        let table = self.optional_section(key).and_then(|section| section.table);
        Section::new(self.path(key), table, self.notes)
    }

    /// A table below.
    pub(crate) fn optional_section(&self, key: &'static str) -> Option<Section<'a>> {
        let value = self.value(key)?;
        match value.as_table() {
            Some(table) => Some(Section::new(self.path(key), Some(table), self.notes)),
            None => self.refused(key, "a table", value),
        }
    }

    /// The tables of a table whose keys are names.
    pub(crate) fn entries(self) -> Vec<(&'a str, Section<'a>)> {
        let mut entries = Vec::new();
        for (name, value) in self.table.into_iter().flatten() {
            match value.as_table() {
                Some(table) => {
                    let path = below(&self.path, name);
                    entries.push((name.as_str(), Section::new(path, Some(table), self.notes)));
                }
                None => self.problem(name, format!("must be a table, not {}", shown(value))),
            }
        }
        entries
    }

    /// The whole table, for readers that walk it themselves.
    pub(crate) fn table(&self) -> Option<&'a Table> {
        self.table
    }

    /// A list of tables, each with its place in the list.
    pub(crate) fn tables(&self, key: &'static str) -> Vec<(usize, Section<'a>)> {
        let mut sections = Vec::new();
        for (place, value) in self.items(key, "a list of tables").into_iter().flatten().enumerate() {
            let path = self.item_path(key, place);
            match value.as_table() {
                Some(table) => sections.push((place, Section::new(path, Some(table), self.notes))),
                None => self.notes.problem(path, format!("must be a table, not {}", shown(value))),
            }
        }
        sections
    }

    /// A list of anything; `expected` says of what.
    pub(crate) fn items(&self, key: &'static str, expected: &str) -> Option<&'a Vec<Value>> {
        let value = self.value(key)?;
        match value.as_array() {
            Some(items) => Some(items),
            None => self.refused(key, expected, value),
        }
    }

    /// A text that `parse` understands; `expected` says which are understood.
    pub(crate) fn parsed<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?;
        let parsed = value.as_str().and_then(parse);
        if parsed.is_none() {
            self.refused::<()>(key, expected, value);
        }
        parsed
    }

    /// A list of texts that `parse` understands; the others are problems.
    pub(crate) fn parsed_list<T>(
        &self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.items(key, &format!("a list, each {expected}"))?;
        let mut list = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match item.as_str().and_then(&parse) {
                Some(parsed) => list.push(parsed),
                None => {
                    let path = self.item_path(key, place);
                    self.notes.problem(path, format!("must be {expected}, not {}", shown(item)));
                }
            }
        }
        Some(list)
    }

    /// A text that is not empty.
    pub(crate) fn text(&self, key: &'static str) -> Option<&'a str> {
        let value = self.value(key)?;
        match value.as_str().filter(|text| !text.is_empty()) {
            Some(text) => Some(text),
            None => self.refused(key, "a text that is not empty", value),
        }
    }

    /// A whole number within bounds; `otherwise` if it is not given, which is a problem without.
    pub(crate) fn number<N>(&self, key: &'static str, bounds: RangeInclusive<N>, otherwise: Option<N>) -> N
    where
        N: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let read = |value: &Value| {
            value
                .as_integer()
                .and_then(|number| N::try_from(number).ok())
                .filter(|number| bounds.contains(number))
        };
        self.given(key, &expected, read, otherwise).unwrap_or(*bounds.start())
    }

    /// A number within bounds.
    pub(crate) fn real(&self, key: &'static str, bounds: RangeInclusive<f64>, otherwise: Option<f64>) -> f64 {
        let expected = format!("a number from {} to {}", bounds.start(), bounds.end());
        let read = |value: &Value| {
            let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
            number.filter(|number| bounds.contains(number))
        };
        self.given(key, &expected, read, otherwise).unwrap_or(*bounds.start())
    }

    /// A span such as `"10s"` within bounds.
    pub(crate) fn span(
        &self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        otherwise: Option<Duration>,
    ) -> Duration {
        let expected = format!(
            "a span such as \"90s\", \"500ms\", \"5m\" or \"24h\" from {} to {}",
            shown_span(*bounds.start()),
            shown_span(*bounds.end())
        );
        let read = |value: &Value| value.as_str().and_then(parse_span).filter(|span| bounds.contains(span));
        self.given(key, &expected, read, otherwise).unwrap_or(*bounds.start())
    }

    /// A switch.
    pub(crate) fn switch(&self, key: &'static str, otherwise: Option<bool>) -> bool {
        self.given(key, "true or false", Value::as_bool, otherwise).unwrap_or_default()
    }

    /// One of a few words.
    pub(crate) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)], otherwise: Option<T>) -> T {
        let expected = one_of(words.iter().map(|(word, _)| *word));
        let read = |value: &Value| {
            let text = value.as_str()?;
            words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning)
        };
        self.given(key, &expected, read, otherwise).unwrap_or(words[0].1)
    }

    pub(crate) fn problem(&self, key: &str, message: impl Into<String>) {
        self.notes.problem(self.path(key), message);
    }

    pub(crate) fn warning(&self, key: &str, message: impl Into<String>) {
        self.notes.warning(self.path(key), message);
    }

    /// Reports that a key is not there.
    pub(crate) fn missing(&self, key: &str, expected: &str) {
        self.problem(key, format!("is missing; must be {expected}"));
    }

    /// Ends reading: reports every key that nobody asked for.
    pub(crate) fn done(self) {
        let asked = self.asked.borrow();
        for key in self.table.into_iter().flat_map(Table::keys).filter(|key| !asked.contains(key.as_str())) {
            let known: Vec<_> = asked.iter().copied().collect();
            self.problem(key, format!("is not a setting; known here are: {}", known.join(", ")));
        }
    }

    fn given<T>(
        &self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
        otherwise: Option<T>,
    ) -> Option<T> {
        let Some(value) = self.value(key) else {
            if otherwise.is_none() {
                self.missing(key, expected);
            }
            return otherwise;
        };
        let read = read(value);
        if read.is_none() {
            self.refused::<()>(key, expected, value);
        }
        read
    }

    fn refused<T>(&self, key: &str, expected: &str, value: &Value) -> Option<T> {
        self.problem(key, format!("must be {expected}, not {}", shown(value)));
        None
    }
}

/// Words as a sentence names them.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [] => "nothing, for there is none".to_owned(),
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// A value as a problem may repeat it: short, on one line. Never called for secrets.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
        Value::String(text) => format!("a text of {} characters", text.chars().count()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => value.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}

/// A span as settings write it.
pub(crate) fn shown_span(span: Duration) -> String {
    let millis = span.as_millis();
    let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.into_iter().find(|(length, _)| millis >= *length && millis.is_multiple_of(*length)) {
        Some((length, unit)) => format!("{}{unit}", millis / length),
        None => format!("{millis}ms"),
    }
}
