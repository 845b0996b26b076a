//! Countries by their two letters.

mod table;

use std::fmt;

use thiserror::Error;

use crate::phone::main_country;
use table::{ALIASES, COUNTRIES, GROUPS};

/// The text is not a country's code. Tells what was probably meant, and never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidCountry {
    /// Nothing that resembles a country.
    #[error("must be a two-letter country code of ISO 3166-1 such as DE")]
    Unknown,
    /// Another way to write this country: its name, a longer code, a calling code, a code that it never had.
    #[error("must be a two-letter country code of ISO 3166-1 such as DE; did you mean {0}?")]
    Meant(Country),
    /// A group of countries.
    #[error(
        "must be a two-letter country code of ISO 3166-1 such as DE; name each country of a group by itself, or write countries = \"all\" without a list"
    )]
    Several,
    /// What stands for numbers of no country.
    #[error(
        "must be a two-letter country code of ISO 3166-1 such as DE; ZZ stands for numbers of no country"
    )]
    NoCountry,
}

/// A country as ISO 3166-1 alpha-2, or a region that has a numbering plan of its own and no code there (`AC`, `TA`,
/// `XK`), or "no country" for global services (written `ZZ`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// A number that belongs to no country.
    pub const NONE: Self = Self(*b"ZZ");

    /// Reads the code of a country that exists, in any case; not `ZZ`.
    pub fn parse(text: &str) -> Result<Self, InvalidCountry> {
        match Self::recorded(&text.to_ascii_uppercase()) {
            Some(country) if country.is_assigned() => Ok(country),
            Some(Self::NONE) => Err(InvalidCountry::NoCountry),
            Some(_) | None => Err(likely(text)),
        }
    }

    /// Reads what [`Self::as_str`] wrote, `ZZ` included: two upper-case letters. It takes codes that this version does not
    /// know, so that what one version stored another can read.
    pub fn recorded(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => Some(Self([*a, *b])),
            _ => None,
        }
    }

    /// The two upper-case letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("ZZ")
    }

    fn is_assigned(self) -> bool {
        COUNTRIES.binary_search_by_key(&self.as_str(), |(code, _, _)| code).is_ok()
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

/// What somebody probably meant who wrote this.
fn likely(text: &str) -> InvalidCountry {
    let text = text.trim();
    let word: String =
        text.chars().filter(|letter| letter.is_alphabetic()).flat_map(char::to_lowercase).collect();
    if GROUPS.contains(&word.as_str()) || text == "*" {
        return InvalidCountry::Several;
    }
    let meant = named(&word).or_else(|| of_tag(text)).or_else(|| of_calling_code(text));
    meant.map_or(InvalidCountry::Unknown, InvalidCountry::Meant)
}

/// The country of a code, a longer code, a name or another word for it, in lower case and letters only.
fn named(word: &str) -> Option<Country> {
    let letters = |name: &str| {
        name.chars().filter(|letter| letter.is_alphabetic()).flat_map(char::to_lowercase).eq(word.chars())
    };
    let listed =
        COUNTRIES.iter().find(|(code, long, name)| [code, long, name].into_iter().any(|name| letters(name)));
    let alias = || ALIASES.iter().find(|(_, words)| words.contains(&word)).map(|(code, _)| code);
    listed.map(|(code, _, _)| code).or_else(alias).and_then(|code| Country::recorded(code))
}

/// The country of a language tag (`en-GB`) or of a part of it (`US-CA`).
fn of_tag(text: &str) -> Option<Country> {
    let (first, rest) = text.split_once(['-', '_'])?;
    let region = if first.bytes().all(|byte| byte.is_ascii_lowercase()) {
        rest.rsplit(['-', '_']).next()?
    } else {
        first
    };
    Country::recorded(&region.to_ascii_uppercase()).filter(|country| country.is_assigned())
}

/// The country that a calling code such as `49`, `+49` or `0049` stands for, the main one where several share it.
fn of_calling_code(text: &str) -> Option<Country> {
    let digits = text.strip_prefix('+').or_else(|| text.strip_prefix("00")).unwrap_or(text);
    let code = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(main_country(code)).filter(|country| country.is_assigned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use rlibphonenumber::PHONE_NUMBER_UTIL;

    use super::*;

    #[test]
    fn codes_of_countries_are_read_in_any_case() {
        for (text, expected) in
            [("DE", "DE"), ("de", "DE"), ("Gb", "GB"), ("XK", "XK"), ("AC", "AC"), ("TA", "TA"), ("AQ", "AQ")]
        {
            assert_eq!(Country::parse(text).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn every_region_that_a_number_can_have_is_a_country() {
        let regions = PHONE_NUMBER_UTIL.get_supported_regions();
        assert!(regions.len() > 240, "{}", regions.len());
        for region in regions {
            let region = region.as_region_str();
            assert!(Country::parse(region.as_str()).is_ok(), "{}", region.as_str());
        }
    }

    #[test]
    fn the_table_is_in_order_and_no_word_means_two_countries() {
        assert!(COUNTRIES.is_sorted_by(|one, other| one.0 < other.0));
        for (code, long, name) in COUNTRIES {
            for word in [code, long, name] {
                let letters: String =
                    word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
                assert_eq!(
                    named(&letters).map(|country| country.to_string()),
                    Some(code.to_owned()),
                    "{word}"
                );
            }
        }
        for (code, words) in ALIASES {
            for word in words {
                assert_eq!(
                    Country::parse(word),
                    Err(InvalidCountry::Meant(Country::parse(code).unwrap())),
                    "{word}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_country_is_refused_with_what_was_probably_meant() {
        let check = |text: &str, expected: Option<&str>| {
            let expected = expected
                .map_or(InvalidCountry::Unknown, |code| InvalidCountry::Meant(Country::parse(code).unwrap()));
            assert_eq!(Country::parse(text), Err(expected), "{text}");
        };
        for text in [
            "UK",
            "uk",
            "EN",
            "GBR",
            "England",
            "Great Britain",
            "united-kingdom",
            "44",
            "+44",
            "0044",
            "en-GB",
            "en_GB",
        ] {
            check(text, Some("GB"));
        }
        for text in ["USA", "usa", "United States", "1", "+1", "US-CA", "en-US", " US", "US "] {
            check(text, Some("US"));
        }
        for (text, code) in [
            ("Germany", "DE"),
            ("Deutschland", "DE"),
            ("DEU", "DE"),
            ("49", "DE"),
            ("de-DE", "DE"),
            ("KOR", "KR"),
            ("JA", "JP"),
            ("zh-Hant-TW", "TW"),
            ("Türkiye", "TR"),
            ("Turkey", "TR"),
            ("Holland", "NL"),
            ("Côte d’Ivoire", "CI"),
            ("YU", "RS"),
            ("383", "XK"),
            ("247", "AC"),
            ("852", "HK"),
        ] {
            check(text, Some(code));
        }
        for text in ["", " ", "D", "XX", "AA", "QQ", "0", "999", "+", "00", "Atlantis", "D E S", "ß", "4９"]
        {
            check(text, None);
        }
    }

    #[test]
    fn groups_and_no_country_are_told_apart() {
        for text in ["EU", "eu", "EEA", "DACH", "Europe", "all", "*", "World"] {
            assert_eq!(Country::parse(text), Err(InvalidCountry::Several), "{text}");
        }
        assert_eq!(Country::parse("zz"), Err(InvalidCountry::NoCountry));
    }

    #[test]
    fn records_hold_what_they_were_given() {
        for text in ["DE", "ZZ", "XK", "QX"] {
            assert_eq!(Country::recorded(text).map(|country| country.to_string()), Some(text.to_owned()));
        }
        for text in ["de", "D", "DEU", "D1", "ÄÖ", ""] {
            assert_eq!(Country::recorded(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            if let Err(error) = Country::parse(&text) {
                prop_assert!(error.to_string().starts_with("must be a two-letter country code"));
            }
        }
    }
}
