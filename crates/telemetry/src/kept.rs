//! The fields of an event or span that may be told.

use std::fmt;

use tracing::field::{Field, Visit};

use crate::redaction::{Telling, masked, telling};

/// One value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Whole(i128),
    Real(f64),
    Switch(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Switch(on) => on.fmt(f),
        }
    }
}

/// The fields that may be told, in their order. A field that is recorded again replaces itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Kept {
    /// The constant text of an event.
    pub(crate) message: Option<String>,
    /// Name and value.
    pub(crate) fields: Vec<(&'static str, Value)>,
}

impl Kept {
    fn keep(&mut self, field: &Field, value: Value) {
        let value = match telling(field.name()) {
            None => return,
            Some(Telling::Plain) => value,
            Some(Telling::Masked) => hidden(value),
        };
        match self.fields.iter_mut().find(|(name, _)| *name == field.name()) {
            Some((_, old)) => *old = value,
            None => self.fields.push((field.name(), value)),
        }
    }
}

fn hidden(value: Value) -> Value {
    let text = value.to_string();
    let told = masked(&text);
    if told == text { value } else { Value::Text(told.into_owned()) }
}

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = Some(masked(&format!("{value:?}")).into_owned());
        } else if telling(field.name()).is_some() {
            self.keep(field, Value::Text(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = Some(masked(value).into_owned());
        } else {
            self.keep(field, Value::Text(value.to_owned()));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Value::Whole(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Value::Whole(value.into()));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.keep(field, Value::Whole(value));
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.keep(field, Value::Text(value.to_string()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Value::Real(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Value::Switch(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.keep(field, Value::Text(value.to_string()));
    }
}
