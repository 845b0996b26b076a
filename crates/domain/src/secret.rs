//! What nobody may read by accident.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

/// The text is not a code that we would send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be 6 to 10 ASCII digits")]
pub struct InvalidCode;

/// A one-time passcode: 6 to 10 ASCII digits, kept as text so that `042137` keeps its zero (SEC-01).
///
/// It has no `Display`, a silent `Debug`, and is wiped from memory when dropped (SEC-10).
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Accepts 6 to 10 ASCII digits.
    pub fn parse(digits: &str) -> Result<Self, InvalidCode> {
        let fits = (6..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(digits.to_owned()))) } else { Err(InvalidCode) }
    }

    /// The digits. Call it only where they leave for the person or go into a digest.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A key, token or password from the configuration, or a text that contains a code. Silent in `Debug`, wiped when
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text. Call it only where it leaves for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
