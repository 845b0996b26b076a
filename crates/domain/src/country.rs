//! Countries by their two letters.

use std::fmt;

use thiserror::Error;

/// The text is not a country code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be two letters of ISO 3166-1, for example DE")]
pub struct InvalidCountry;

/// A country as ISO 3166-1 alpha-2, or "no country" for global services (written `ZZ`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// A number that belongs to no country.
    pub const NONE: Self = Self(*b"ZZ");

    /// Accepts two ASCII letters in any case.
    pub fn parse(text: &str) -> Result<Self, InvalidCountry> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Ok(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => Err(InvalidCountry),
        }
    }

    /// The two upper-case letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
