//! Numbers of people, understood once and masked whenever shown.

mod line;
mod pasted;
mod plans;

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber as Parsed, PhoneNumberFormat, ValidationError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Country;

pub use line::LineType;

/// The text is not a number that anybody could be reached at (FRD-01): what is wrong, and what would be right. Never repeats
/// the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidNumber {
    /// No, too few or far too many digits.
    #[error("must be in E.164 form: + and 7 to 15 digits, country code first")]
    Malformed,
    /// Longer than [`PhoneNumber::MAX_INPUT`].
    #[error("must be one number of at most 64 characters: + and 7 to 15 digits, country code first")]
    Overlong,
    /// Digits only.
    #[error(
        "must begin with + and the country code, for example +49 for a number of Germany; it has no + in front"
    )]
    NoPlus,
    /// A number as it is dialled within a country.
    #[error(
        "must begin with + and the country code in place of the 0 that is dialled within a country, for example +49 151 for 0151"
    )]
    National,
    /// A prefix for calls abroad that only some countries dial.
    #[error(
        "must begin with + and the country code in place of the digits that are dialled for a call abroad"
    )]
    DialledAbroad,
    /// `+0`.
    #[error("must have the country code after the +; none begins with 0")]
    ZeroFirst,
    /// The plus sign stands behind the digits.
    #[error("must begin with the + that stands at its end")]
    PlusLast,
    /// The plus sign stands among the first digits.
    #[error("must begin with a single +; it has another one, or has it among its digits")]
    PlusInside,
    /// Two numbers in one text.
    #[error("must be one number; it seems to be more than one number")]
    Several,
    /// An extension, or digits to be dialled once connected.
    #[error("must be the number alone; it has an extension, to which no code can be sent")]
    Extension,
    /// Letters.
    #[error("must be + and digits; it contains letters")]
    Letters,
    /// Something else that is in no number.
    #[error(
        "must be + and digits, with blanks, dashes, dots, slashes or brackets between them; it contains another character"
    )]
    Character,
    /// A figure of a spreadsheet.
    #[error(
        "must be + and all digits; it is a figure as spreadsheets write it, rounded or with decimals: keep the column as text there"
    )]
    Figure,
    /// No country or network has this calling code.
    #[error("must begin with + and a country code that exists")]
    UnknownCallingCode,
    /// A digit too many, and it is known which.
    #[error("must be the number without the {digit} after +{calling_code}, which does not belong there")]
    SurplusDigit {
        /// The digit.
        digit: char,
        /// What it stands behind.
        calling_code: u16,
    },
    /// A digit too few, and it is known which.
    #[error("must have a {digit} after +{calling_code}, where it seems to be missing")]
    MissingDigit {
        /// The digit.
        digit: char,
        /// What it should stand behind.
        calling_code: u16,
    },
    /// Shorter than any number of that country.
    #[error("must have more digits; no number with +{calling_code} has so few")]
    TooShort {
        /// The country's.
        calling_code: u16,
    },
    /// Longer than any number of that country.
    #[error("must have fewer digits; no number with +{calling_code} has so many")]
    TooLong {
        /// The country's.
        calling_code: u16,
    },
    /// Neither, and still of no length that the country has.
    #[error("must be of a length that numbers with +{calling_code} have")]
    ImpossibleLength {
        /// The country's.
        calling_code: u16,
    },
}

/// The length of a number in E.164 form, `+` included.
const E164_LENGTH: std::ops::RangeInclusive<usize> = 8..=16;

/// A person's number in E.164 form, of a possible length, with its country and line type.
///
/// Shown masked everywhere: `Display` and `Debug` print `+49*********21` (CMP-18). It is wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber {
    e164: Zeroizing<String>,
    country: Country,
    calling_code: u16,
    line: LineType,
}

impl PhoneNumber {
    /// The longest text that is looked at, in characters.
    pub const MAX_INPUT: usize = 64;

    /// Reads one international number as people paste it: digits of any script, `+` of any width or `00` in its place where
    /// that leads to a number that exists, a `tel:` link, and between the digits blanks, dashes, dots, slashes, brackets and
    /// what cannot be seen. Trunk prefixes such as `(0)` are dropped, and what its country moved is read as today's number
    /// (`+52 1 55…` as `+52 55…`).
    pub fn parse(text: &str) -> Result<Self, InvalidNumber> {
        let pasted = pasted::read(text)?;
        let (parsed, e164) = settled(pasted.digits)?;
        let (parsed, e164) = todays(&parsed).unwrap_or((parsed, e164));
        if !pasted.is_certain && !parsed.is_valid() {
            return Err(InvalidNumber::DialledAbroad);
        }
        let calling_code =
            u16::try_from(parsed.country_code).map_err(|_| InvalidNumber::UnknownCallingCode)?;
        refuse_what_is_not_whole(&parsed, &e164, calling_code)?;
        let region = parsed.get_region_code();
        let country = region
            .and_then(|region| Country::recorded(region.as_region_str().as_str()))
            .unwrap_or(Country::NONE);
        let country = if country == Country::NONE { main_country(calling_code) } else { country };
        let line = line::of_range(parsed.country_code, parsed.get_type());
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

    /// The person's name in keyed hashes: the same for all forms of a number that its country's plan gives to one
    /// subscriber. Argentina's 9 after +54 only says how to charge a call, so a number without it is the same person as with
    /// it, though a call has to be made as it was written. The same care as for [`Self::reveal`] applies.
    pub fn identity(&self) -> Zeroizing<String> {
        match self.argentine_subscriber() {
            Some(subscriber) => Zeroizing::new(format!("+549{subscriber}")),
            None => self.e164.clone(),
        }
    }

    /// The identity that a release before may have known the same person by: what was counted then is kept under it until it
    /// ends. The same care applies.
    pub fn former_identity(&self) -> Option<Zeroizing<String>> {
        let code = self.calling_code.to_string();
        let former = match self.argentine_subscriber() {
            Some(subscriber) => Some(subscriber.to_owned()),
            None => plans::former(self.calling_code, &self.e164[1 + code.len()..]),
        };
        former.map(|national| Zeroizing::new(format!("+{code}{national}")))
    }

    /// Area code and number, if it is one of Argentina.
    fn argentine_subscriber(&self) -> Option<&str> {
        let national = self.e164.strip_prefix("+54")?;
        let subscriber = if national.len() == 11 { national.strip_prefix('9')? } else { national };
        (subscriber.len() == 10 && !subscriber.starts_with('9')).then_some(subscriber)
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

    /// The number with only its country code and last two digits left, whatever its length.
    pub fn masked(&self) -> String {
        let code = self.calling_code.to_string();
        let hidden = self.e164.len().saturating_sub(1 + code.len() + 2);
        format!("+{code}{}{}", "*".repeat(hidden), &self.e164[self.e164.len() - 2..])
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

/// Reads a number until its E.164 form reads as itself: each reading takes one trunk prefix away, and what is stored must
/// be the same number when it is read again.
fn settled(digits: Zeroizing<String>) -> Result<(Parsed, Zeroizing<String>), InvalidNumber> {
    let mut text = digits;
    for _ in 0..PhoneNumber::MAX_INPUT {
        let parsed = PHONE_NUMBER_UTIL.parse(&*text, None).map_err(|_| unreadable(&text))?;
        let e164 = Zeroizing::new(parsed.format_as(PhoneNumberFormat::E164).into_owned());
        if e164 == text {
            return Ok((parsed, e164));
        }
        text = e164;
    }
    Err(InvalidNumber::Malformed)
}

/// Why there is nothing to be read: no such country, or too many digits for any.
fn unreadable(digits: &str) -> InvalidNumber {
    if digits.len() > *E164_LENGTH.end() {
        InvalidNumber::Malformed
    } else {
        InvalidNumber::UnknownCallingCode
    }
}

/// The number that its country made of it; `None` if it is as it was.
fn todays(parsed: &Parsed) -> Option<(Parsed, Zeroizing<String>)> {
    if parsed.is_valid() {
        return None;
    }
    let national = Zeroizing::new(parsed.get_national_significant_number());
    let code = u16::try_from(parsed.country_code).ok()?;
    plans::today(code, &national).and_then(|today| valid(code, &today)).or_else(|| argentina(code, &national))
}

/// `+54 9`, area code, `15` and the rest: two signs of a mobile phone, of which one is enough. Where the area code ends is
/// in the metadata, which reads the number without its 9.
fn argentina(calling_code: u16, national: &str) -> Option<(Parsed, Zeroizing<String>)> {
    let rest = national.strip_prefix('9').filter(|rest| calling_code == 54 && rest.len() == 12)?;
    valid(calling_code, rest)
}

/// The number with this calling code, if its country's plan has it.
fn valid(calling_code: u16, national: &str) -> Option<(Parsed, Zeroizing<String>)> {
    let text = Zeroizing::new(format!("+{calling_code}{national}"));
    settled(text).ok().filter(|(parsed, _)| parsed.is_valid())
}

/// Refuses a number with a digit too many or too few, naming it if only one can be meant.
fn refuse_what_is_not_whole(parsed: &Parsed, e164: &str, calling_code: u16) -> Result<(), InvalidNumber> {
    let possible = parsed.is_possible_with_reason();
    let fits = possible.is_ok() && E164_LENGTH.contains(&e164.len());
    if fits && parsed.is_valid() {
        return Ok(());
    }
    let national = Zeroizing::new(parsed.get_national_significant_number());
    if let Some(hint) = digit_at_fault(calling_code, &national, fits) {
        return Err(hint);
    }
    match possible {
        Ok(_) if fits => Ok(()),
        Err(ValidationError::TooShort) => Err(InvalidNumber::TooShort { calling_code }),
        Err(ValidationError::TooLong) => Err(InvalidNumber::TooLong { calling_code }),
        Ok(_) | Err(_) => Err(InvalidNumber::ImpossibleLength { calling_code }),
    }
}

/// The first digit of a national number that is one too many, or the one that is missing there. A number of a possible
/// length may be of a range that is newer than the metadata; then only a 0 is certain to be wrong, or to be missing.
fn digit_at_fault(calling_code: u16, national: &str, is_possible: bool) -> Option<InvalidNumber> {
    let surplus = if is_possible { "0" } else { "0189" };
    let missing = match calling_code {
        // Mobile numbers begin with 3; of the rest these are not the beginning of anything else.
        39 if national.starts_with(['1', '2', '6']) => "0",
        56 if !is_possible => "9",
        _ => "",
    };
    let first = national.chars().next()?;
    if surplus.contains(first) && valid(calling_code, &national[1..]).is_some() {
        return Some(InvalidNumber::SurplusDigit { digit: first, calling_code });
    }
    let digit = missing.chars().find(|digit| valid(calling_code, &format!("{digit}{national}")).is_some())?;
    Some(InvalidNumber::MissingDigit { digit, calling_code })
}

/// The country that a calling code stands for, the main one where several share it; none for global services.
pub(crate) fn main_country(calling_code: u16) -> Country {
    PHONE_NUMBER_UTIL
        .get_region_for_country_code(i32::from(calling_code))
        .and_then(|region| Country::recorded(region.as_region_str().as_str()))
        .unwrap_or(Country::NONE)
}

#[cfg(test)]
mod tests;
