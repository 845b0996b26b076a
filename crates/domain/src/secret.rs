//! What nobody may read by accident.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::typed::Typed;

/// The text is not a code that we would send.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be 6 to 10 ASCII digits")]
pub struct InvalidCode;

/// The text is not a code as somebody would type it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be 6 to 10 digits, with nothing but blanks and dashes between them")]
pub struct UnreadableCode;

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

    /// The longest typed text that is looked at, in characters.
    pub const MAX_TYPED: usize = 64;

    /// Reads a code as people type and paste it: digits of any script, with blanks, dashes, dots and what cannot be seen
    /// around and between them.
    pub fn read(typed: &str) -> Result<Self, UnreadableCode> {
        if typed.chars().take(Self::MAX_TYPED + 1).count() > Self::MAX_TYPED {
            return Err(UnreadableCode);
        }
        let mut digits = Zeroizing::new(String::with_capacity(Self::MAX_TYPED));
        for letter in typed.chars() {
            match Typed::of(letter) {
                Typed::Digit(digit) => digits.push(char::from(b'0' + digit)),
                Typed::Between | Typed::Invisible => {}
                Typed::Plus | Typed::Letter | Typed::Other => return Err(UnreadableCode),
            }
        }
        Self::parse(&digits).map_err(|_| UnreadableCode)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_typed() {
        let check = |typed: &str, expected: &str| {
            assert_eq!(
                Code::read(typed).map(|code| code.reveal().to_owned()).as_deref(),
                Ok(expected),
                "{typed:?}"
            );
        };
        check("042137", "042137");
        check("042 137", "042137");
        check(" 042-137\n", "042137");
        check("042\u{a0}137", "042137");
        check("042\u{2013}137", "042137");
        check("0 4 2 1 3 7", "042137");
        check("042.137", "042137");
        check("\u{200e}042137\u{200f}", "042137");
        check("\u{660}\u{664}\u{662}\u{661}\u{663}\u{667}", "042137");
        check("\u{6f0}\u{6f4}\u{6f2} \u{6f1}\u{6f3}\u{6f7}", "042137");
        check("\u{966}\u{96a}\u{968}\u{967}\u{969}\u{96d}", "042137");
        check("\u{ff10}\u{ff14}\u{ff12}\u{ff11}\u{ff13}\u{ff17}", "042137");
        check("0123456789", "0123456789");
    }

    #[test]
    fn what_is_no_code_is_refused_without_repeating_it() {
        for typed in ["", " ", "12345", "12345678901", "12345a", "+123456", "123456!", "G-123456", "123,456"]
        {
            assert_eq!(Code::read(typed), Err(UnreadableCode), "{typed:?}");
        }
        assert_eq!(Code::read(&"1 ".repeat(1 << 16)), Err(UnreadableCode));
        assert!(Code::parse("042 137").is_err());
        assert!(Code::parse("\u{660}\u{664}\u{662}\u{661}\u{663}\u{667}").is_err());
    }
}
