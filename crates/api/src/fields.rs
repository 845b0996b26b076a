//! Reads the fields of a request and remembers all that are wrong, so that they are told together.

use std::fmt::Display;

use otter_contract::v1::ErrorReason;
use tonic::Status;

use crate::error::Problem;

/// What is wrong with a request so far. Descriptions say what would be right and never repeat the value.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(ErrorReason, &'static str, String)>);

impl Fields {
    /// Whether anything was noted.
    pub(crate) fn has_bad(&self) -> bool {
        !self.0.is_empty()
    }

    /// Notes a field that is missing or not of its form.
    pub(crate) fn bad(&mut self, field: &'static str, description: impl Into<String>) {
        self.because(ErrorReason::InvalidFields, field, description);
    }

    /// Notes a field that is wrong for a reason of its own.
    pub(crate) fn because(
        &mut self,
        reason: ErrorReason,
        field: &'static str,
        description: impl Into<String>,
    ) {
        self.0.push((reason, field, description.into()));
    }

    /// Keeps what could be read, and notes what could not.
    pub(crate) fn read<T, E: Display>(&mut self, field: &'static str, read: Result<T, E>) -> Option<T> {
        read.map_err(|error| self.bad(field, error.to_string())).ok()
    }

    /// The same for a field that has to be there.
    pub(crate) fn required<T, E: Display>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if text.is_empty() {
            self.bad(field, "is required");
            return None;
        }
        self.read(field, parse(text))
    }

    /// The same for a field that may be empty.
    pub(crate) fn optional<T, E: Display>(
        &mut self,
        field: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if text.is_empty() { None } else { self.read(field, parse(text)) }
    }

    /// Whether everything was right so far; otherwise everything that was not.
    pub(crate) fn verdict(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::fields(self.0).into()) }
    }
}

/// Why a field that was read is there: [`Fields::verdict`] has said so.
pub(crate) const READ: &str = "a field that could not be read makes the verdict an error";
