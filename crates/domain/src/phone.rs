//! Numbers of people, checked once and masked whenever shown.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberFormat, PhoneNumberType};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Country;

/// The text is not a number that anybody could be reached at (FRD-01). Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidNumber {
    /// Not `+` and digits.
    #[error("must be in E.164 form: + and 7 to 15 digits, country code first")]
    Malformed,
    /// No country or network has this calling code.
    #[error("starts with a country calling code that does not exist")]
    UnknownCallingCode,
    /// Shorter or longer than any number of that country.
    #[error("has a length that no number of its country has")]
    ImpossibleLength,
}

/// The length of a number in E.164 form, `+` included.
const E164_LENGTH: std::ops::RangeInclusive<usize> = 8..=16;

/// What a number is used for, as far as its range tells (FRD-02). Ranges know neither subscribers nor portings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineType {
    /// A mobile phone.
    Mobile,
    /// A land line.
    FixedLine,
    /// One of the two; the country's plan does not tell (for example +1).
    FixedLineOrMobile,
    /// Internet telephony.
    Voip,
    /// Forwards to wherever its owner is.
    PersonalNumber,
    /// Costs the caller more than a call.
    PremiumRate,
    /// The costs are shared.
    SharedCost,
    /// Free for the caller.
    TollFree,
    /// One number for a whole company.
    UniversalAccess,
    /// A pager.
    Pager,
    /// A mailbox.
    Voicemail,
    /// Of a possible length, but in no range that the metadata knows.
    Unknown,
}

/// A person's number in E.164 form, of a possible length, with its country and line type.
///
/// Shown masked everywhere: `Display` and `Debug` print `+4917*****21` (CMP-18). It is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    e164: Zeroizing<String>,
    country: Country,
    calling_code: u16,
    line: LineType,
}

impl PhoneNumber {
    /// The longest text that is looked at, in bytes.
    pub const MAX_INPUT: usize = 32;

    /// Reads `+` and digits; spaces, dots, dashes and parentheses between them are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidNumber> {
        let (parsed, e164) = settled(international_digits(text)?)?;
        if parsed.is_possible_with_reason().is_err() || !E164_LENGTH.contains(&e164.len()) {
            return Err(InvalidNumber::ImpossibleLength);
        }
        let region = parsed.get_region_code();
        let country = region
            .and_then(|region| Country::parse(region.as_region_str().as_str()).ok())
            .unwrap_or(Country::NONE);
        let calling_code =
            u16::try_from(parsed.country_code).map_err(|_| InvalidNumber::UnknownCallingCode)?;
        let country = if country == Country::NONE { main_country(calling_code) } else { country };
        let line = line_type(parsed.get_type());
        Ok(Self { e164, country, calling_code, line })
    }

    /// The number with `+`. Call it only where it leaves for the person's provider or goes into a keyed hash.
    pub fn reveal(&self) -> &str {
        &self.e164
    }

    /// The digits without `+`; the same care applies.
    pub fn reveal_digits(&self) -> &str {
        &self.e164[1..]
    }

    /// The country of the number's range, or of its calling code when no range matches.
    pub fn country(&self) -> Country {
        self.country
    }

    /// The country calling code, for example 49.
    pub fn calling_code(&self) -> u16 {
        self.calling_code
    }

    /// The line type of the number's range.
    pub fn line(&self) -> LineType {
        self.line
    }

    /// The number with only its first four and last two digits left.
    pub fn masked(&self) -> String {
        let text = self.e164.as_str();
        let hidden = text.len() - 7;
        format!("{}{}{}", &text[..5], "*".repeat(hidden), &text[text.len() - 2..])
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

fn international_digits(text: &str) -> Result<Zeroizing<String>, InvalidNumber> {
    let text = text.trim_matches(' ');
    let rest = text.strip_prefix('+').ok_or(InvalidNumber::Malformed)?;
    if text.len() > PhoneNumber::MAX_INPUT {
        return Err(InvalidNumber::Malformed);
    }
    let mut digits = Zeroizing::new(String::with_capacity(PhoneNumber::MAX_INPUT));
    digits.push('+');
    for letter in rest.chars() {
        match letter {
            '0'..='9' => digits.push(letter),
            ' ' | '-' | '.' | '(' | ')' => {}
            _ => return Err(InvalidNumber::Malformed),
        }
    }
    if E164_LENGTH.contains(&digits.len()) { Ok(digits) } else { Err(InvalidNumber::Malformed) }
}

/// Reads a number until its E.164 form reads as itself: each reading takes one trunk prefix away, and what is stored must
/// be the same number when it is read again.
fn settled(digits: Zeroizing<String>) -> Result<(Parsed, Zeroizing<String>), InvalidNumber> {
    let mut text = digits;
    for _ in 0..PhoneNumber::MAX_INPUT {
        let parsed = PHONE_NUMBER_UTIL.parse(&*text, None).map_err(|_| InvalidNumber::UnknownCallingCode)?;
        let e164 = Zeroizing::new(parsed.format_as(PhoneNumberFormat::E164).into_owned());
        if e164 == text {
            return Ok((parsed, e164));
        }
        text = e164;
    }
    Err(InvalidNumber::Malformed)
}

fn main_country(calling_code: u16) -> Country {
    PHONE_NUMBER_UTIL
        .get_region_for_country_code(i32::from(calling_code))
        .and_then(|region| Country::parse(region.as_region_str().as_str()).ok())
        .unwrap_or(Country::NONE)
}

fn line_type(kind: PhoneNumberType) -> LineType {
    match kind {
        PhoneNumberType::FixedLine => LineType::FixedLine,
        PhoneNumberType::Mobile => LineType::Mobile,
        PhoneNumberType::FixedLineOrMobile => LineType::FixedLineOrMobile,
        PhoneNumberType::TollFree => LineType::TollFree,
        PhoneNumberType::PremiumRate => LineType::PremiumRate,
        PhoneNumberType::SharedCost => LineType::SharedCost,
        PhoneNumberType::VoIP => LineType::Voip,
        PhoneNumberType::PersonalNumber => LineType::PersonalNumber,
        PhoneNumberType::Pager => LineType::Pager,
        PhoneNumberType::UAN => LineType::UniversalAccess,
        PhoneNumberType::VoiceMail => LineType::Voicemail,
        PhoneNumberType::Unknown => LineType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_knows_its_country_and_line() {
        let check = |text: &str, country: &str, line: LineType| {
            let number = PhoneNumber::parse(text).unwrap();
            assert_eq!((number.country().as_str(), number.line()), (country, line), "{country}");
        };
        check("+4915112345678", "DE", LineType::Mobile);
        check("+44 7400 123456", "GB", LineType::Mobile);
        check("+1 (650) 253-0000", "US", LineType::FixedLineOrMobile);
        check("+39 06 1234 5678", "IT", LineType::FixedLine);
        check("+33 6 12 34 56 78", "FR", LineType::Mobile);
        check("+44 70 1234 5678", "GB", LineType::PersonalNumber);
        check("+49 900 1 123456", "DE", LineType::PremiumRate);
    }

    #[test]
    fn what_cannot_be_a_number_is_refused_without_repeating_it() {
        let check = |text: &str, expected: InvalidNumber| {
            let error = PhoneNumber::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains(text) || text.is_empty());
        };
        check("", InvalidNumber::Malformed);
        check("4915112345678", InvalidNumber::Malformed);
        check("+49151x2345678", InvalidNumber::Malformed);
        check("+4915112345678901234", InvalidNumber::Malformed);
        check("+٤٩١٥١١٢٣٤٥٦٧٨", InvalidNumber::Malformed);
        check("+99912345678", InvalidNumber::UnknownCallingCode);
        check("+1234567", InvalidNumber::ImpossibleLength);
    }

    #[test]
    fn a_number_reads_as_itself_however_many_trunk_prefixes_it_came_with() {
        for zeros in ["+310000000", "+31000000000", "+4900000000", "+4300000"] {
            if let Ok(number) = PhoneNumber::parse(zeros) {
                assert_eq!(PhoneNumber::parse(number.reveal()), Ok(number));
            }
        }
    }

    #[test]
    fn a_number_is_shown_masked() {
        let number = PhoneNumber::parse("+4917612345621").unwrap();
        assert_eq!(number.to_string(), "+4917*******21");
        assert_eq!(format!("{number:?}"), "+4917*******21");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = PhoneNumber::parse(&text);
        }

        #[test]
        fn digits_never_make_it_panic_and_never_show(text in "\\+[0-9 ()-]{0,24}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                let shown = format!("{number:?}");
                prop_assert!(!shown.contains(number.reveal_digits()));
                prop_assert_eq!(PhoneNumber::parse(number.reveal()).unwrap(), number);
            }
        }
    }
}
