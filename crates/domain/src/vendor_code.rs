//! The code that a vendor gives a failure.

use std::fmt;

use thiserror::Error;

/// The longest code that is kept, in characters.
const LONGEST: usize = 48;

/// As many digits in a row could be a passcode or part of a number; no vendor's code has so many.
const TOO_MANY_DIGITS: usize = 8;

/// A vendor's own code for a failure as the vendor writes it, for example `21610`, `100/33` or `ThrottlingException`:
/// 1 to 48 letters, digits and `_ - . / :` without eight digits in a row, so that neither a number nor a text can hide in
/// it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VendorCode {
    length: u8,
    text: [u8; LONGEST],
}

/// A text that is not of a vendor code's form. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a vendor code is 1 to {LONGEST} letters, digits and _ - . / : without {TOO_MANY_DIGITS} digits in a row"
)]
pub struct InvalidVendorCode;

impl VendorCode {
    /// Reads a code.
    pub fn parse(text: &str) -> Result<Self, InvalidVendorCode> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:".contains(&byte);
        let digits = text.split(|letter: char| !letter.is_ascii_digit()).map(str::len).max().unwrap_or(0);
        let is_code = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits);
        if !is_code || digits >= TOO_MANY_DIGITS {
            return Err(InvalidVendorCode);
        }
        let mut bytes = [0; LONGEST];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { length: text.len() as u8, text: bytes })
    }

    /// The code as the vendor writes it.
    pub fn as_str(&self) -> &str {
        let text = &self.text[..usize::from(self.length)];
        std::str::from_utf8(text).expect("only ASCII is taken in")
    }

    /// The code as a number, if it is a plain one.
    pub fn number(&self) -> Option<u32> {
        let text = self.as_str();
        let is_plain = text == "0" || !text.starts_with('0');
        if is_plain && text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
    }
}

impl From<u32> for VendorCode {
    /// A number of eight or more digits, which no vendor has, is kept as `-`.
    fn from(number: u32) -> Self {
        Self::parse(&number.to_string()).unwrap_or_else(|_| Self::parse("-").expect("a dash is a code"))
    }
}

impl fmt::Debug for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VendorCode({})", self.as_str())
    }
}

impl fmt::Display for VendorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_code_is_a_short_token_that_can_hold_no_number() {
        for text in [
            "0",
            "21610",
            "131026",
            "100/33",
            "ThrottlingException",
            "REJECTED_NOT_ENOUGH_CREDITS",
            "1-2.3:4",
        ] {
            assert_eq!(VendorCode::parse(text).unwrap().as_str(), text);
        }
        let long = "x".repeat(LONGEST + 1);
        for text in
            ["", "two words", "+4915112345678", "15112345678", "a12345678b", "\u{663}", "a\nb", long.as_str()]
        {
            assert_eq!(VendorCode::parse(text), Err(InvalidVendorCode), "{text}");
        }
    }

    #[test]
    fn a_number_stays_one() {
        assert_eq!(VendorCode::from(21610).number(), Some(21610));
        assert_eq!(VendorCode::from(0).number(), Some(0));
        assert_eq!(VendorCode::parse("0021").unwrap().number(), None);
        assert_eq!(VendorCode::parse("100/33").unwrap().number(), None);
        assert_eq!(VendorCode::from(415_112_345).as_str(), "-");
    }
}
