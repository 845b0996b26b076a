//! Plural forms of whole numbers, after CLDR (FMT-61).

use std::fmt;

/// A plural form of CLDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PluralForm {
    Zero,
    One,
    Two,
    Few,
    Many,
    Other,
}

impl PluralForm {
    const ALL: [Self; 6] = [Self::Zero, Self::One, Self::Two, Self::Few, Self::Many, Self::Other];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::One => "one",
            Self::Two => "two",
            Self::Few => "few",
            Self::Many => "many",
            Self::Other => "other",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.as_str() == word)
    }
}

impl fmt::Display for PluralForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The form that a language uses for a number, or `None` for a language that is not in the table.
///
/// The table holds for the numbers that a text shows, 1 to 10 minutes; rules that only differ at 0, in the millions or
/// for fractions are not told apart.
pub(crate) fn form(language: &str, number: u8) -> Option<PluralForm> {
    use PluralForm::{Few, Many, One, Other, Two, Zero};
    Some(match (language, number) {
        ("id" | "ja" | "jv" | "km" | "ko" | "lo" | "ms" | "my" | "su" | "th" | "vi" | "yue" | "zh", _) => {
            Other
        }
        ("ar", 1) | ("ga" | "he" | "iw" | "mt" | "cy" | "sl", 1) => One,
        ("ar" | "ga" | "he" | "iw" | "mt" | "cy" | "sl", 2) => Two,
        ("ar", 3..=10) | ("mt", 3..=10) | ("ga", 3..=6) | ("cy", 3) | ("sl", 3..=4) => Few,
        ("ga", 7..=10) | ("cy", 6) => Many,
        ("be" | "bs" | "cs" | "hr" | "lt" | "pl" | "ro" | "ru" | "sk" | "sr" | "uk", 1) => One,
        ("be" | "bs" | "cs" | "hr" | "pl" | "ru" | "sk" | "sr" | "uk", 2..=4) => Few,
        ("lt", 2..=9) | ("ro", 2..=10) => Few,
        ("be" | "pl" | "ru" | "uk", 5..=10) => Many,
        ("lv", 10) => Zero,
        ("fil" | "tl", 1..=3 | 5 | 7 | 8 | 10) => One,
        (known, 1) if WITH_SINGULAR.contains(&known) => One,
        (known, _) if WITH_SINGULAR.contains(&known) || WITH_TABLE_ROW.contains(&known) => Other,
        _ => return None,
    })
}

/// Languages that have a row in the table of forms.
const WITH_TABLE_ROW: [&str; 20] = [
    "ar", "be", "bs", "cs", "cy", "fil", "ga", "he", "hr", "iw", "lt", "mt", "pl", "ro", "ru", "sk", "sl",
    "sr", "tl", "uk",
];

/// Languages that only set the number one apart.
const WITH_SINGULAR: [&str; 57] = [
    "af", "am", "az", "bg", "bn", "ca", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "gl",
    "gu", "ha", "hi", "hu", "hy", "is", "it", "ka", "kk", "kn", "ky", "lb", "lv", "mk", "ml", "mn", "mr",
    "nb", "ne", "nl", "nn", "no", "or", "pa", "ps", "pt", "sd", "si", "so", "sq", "sv", "sw", "ta", "te",
    "tk", "tr", "ur", "uz", "xh", "zu",
];

#[cfg(test)]
mod tests {
    use super::*;
    use PluralForm::{Few, Many, One, Other, Two, Zero};

    #[test]
    fn forms_are_those_of_cldr_fmt_61() {
        let check = |language, number, expected| {
            assert_eq!(form(language, number), Some(expected), "{language} {number}");
        };
        for language in ["en", "de", "es", "fr", "pt", "it", "tr", "hi"] {
            check(language, 1, One);
            check(language, 2, Other);
            check(language, 10, Other);
        }
        for language in ["zh", "ja", "id"] {
            check(language, 1, Other);
            check(language, 7, Other);
        }
        check("ar", 1, One);
        check("ar", 2, Two);
        check("ar", 3, Few);
        check("ar", 10, Few);
        check("ru", 1, One);
        check("ru", 4, Few);
        check("ru", 5, Many);
        check("cs", 3, Few);
        check("cs", 5, Other);
        check("lt", 9, Few);
        check("lt", 10, Other);
        check("lv", 1, One);
        check("lv", 10, Zero);
        check("he", 2, Two);
        check("cy", 4, Other);
        check("fil", 4, Other);
        assert_eq!(form("tlh", 1), None);
    }
}
