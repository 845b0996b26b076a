#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

#[test]
fn a_number_knows_its_country_and_line() {
    let check = |text: &str, country: &str, line: LineType| {
        let number = PhoneNumber::parse(text).unwrap();
        assert_eq!((number.country().as_str(), number.line()), (country, line), "{text}");
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
fn ranges_that_hold_both_kinds_of_lines_tell_neither() {
    let check = |text: &str, country: &str| {
        let number = PhoneNumber::parse(text).unwrap();
        assert_eq!(
            (number.country().as_str(), number.line()),
            (country, LineType::FixedLineOrMobile),
            "{text}"
        );
    };
    check("+54 11 6907 1234", "AR");
    check("+54 11 4321 1234", "AR");
    check("+54 2966 612345", "AR");
    check("+1 658 555 1234", "JM");
    check("+1 876 922 1234", "JM");
    check("+1 787 234 5678", "PR");
    check("+1 246 421 1234", "BB");
    check("+52 55 1234 5678", "MX");
}

/// What is pasted, and the number that it is.
const PASTED: &[(&str, &str)] = &[
    ("+4915112345678", "+4915112345678"),
    // Blanks of every kind, dashes, dots, slashes, brackets.
    ("+49 151 12345678", "+4915112345678"),
    ("+49\u{a0}151\u{202f}1234\u{2009}5678", "+4915112345678"),
    ("+49\t151 12345678\r\n", "+4915112345678"),
    ("\u{3000}+49\u{3000}151\u{3000}12345678\u{3000}", "+4915112345678"),
    ("+49-151-12345678", "+4915112345678"),
    ("+49\u{2010}151\u{2011}1234\u{2013}5678", "+4915112345678"),
    ("+49\u{2014}151\u{2212}1234\u{ff0d}5678", "+4915112345678"),
    ("+49.151.12345678", "+4915112345678"),
    ("+49 (0)151/1234 5678", "+4915112345678"),
    ("+49 (151) 12345678", "+4915112345678"),
    ("(+49) 151 12345678", "+4915112345678"),
    ("[+49] 151 12345678", "+4915112345678"),
    ("+(49) 151 12345678", "+4915112345678"),
    ("\u{ff0b}49\u{ff08}0\u{ff09}151 12345678", "+4915112345678"),
    ("+ 49 151 12345678", "+4915112345678"),
    ("+33\u{b7}6\u{b7}12\u{b7}34\u{b7}56\u{b7}78", "+33612345678"),
    // What cannot be seen.
    ("\u{202a}+49 151 12345678\u{202c}", "+4915112345678"),
    ("\u{2068}+4915112345678\u{2069}", "+4915112345678"),
    ("\u{202d}+49\u{200e}151\u{200f}12345678\u{202c}", "+4915112345678"),
    ("\u{feff}+49\u{200b}151\u{200d}12345678\u{2060}", "+4915112345678"),
    ("+49\u{ad}151\u{ad}12345678", "+4915112345678"),
    ("+1\u{fe0d}-650-253-0000", "+16502530000"),
    ("+1\u{fffc} 650 253 0000", "+16502530000"),
    ("\u{61c}+966 50 123 4567", "+966501234567"),
    // Digits of other scripts and widths.
    (
        "\u{ff0b}\u{ff14}\u{ff19}\u{ff11}\u{ff15}\u{ff11}\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}\u{ff17}\u{ff18}",
        "+4915112345678",
    ),
    (
        "+\u{669}\u{666}\u{666} \u{665}\u{660}\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
        "+966501234567",
    ),
    (
        "\u{660}\u{660}\u{669}\u{666}\u{666}\u{665}\u{660}\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}",
        "+966501234567",
    ),
    (
        "+\u{6f9}\u{6f8} \u{6f9}\u{6f1}\u{6f2} \u{6f3}\u{6f4}\u{6f5} \u{6f6}\u{6f7}\u{6f8}\u{6f9}",
        "+989123456789",
    ),
    (
        "+\u{96f}\u{967} \u{96f}\u{96e}\u{96d}\u{96c}\u{96b}\u{96a}\u{969}\u{968}\u{967}\u{966}",
        "+919876543210",
    ),
    // A prefix in place of the plus, links, and what keeps a number from being a figure.
    ("0049 151 12345678", "+4915112345678"),
    ("(0049) 151 12345678", "+4915112345678"),
    ("0049 (0) 151 12345678", "+4915112345678"),
    ("0032474123456", "+32474123456"),
    ("0015417543010", "+15417543010"),
    ("+0049 151 12345678", "+4915112345678"),
    ("tel:+49-151-12345678", "+4915112345678"),
    ("TEL:+4915112345678", "+4915112345678"),
    ("sms:+4915112345678", "+4915112345678"),
    ("'+4915112345678", "+4915112345678"),
    ("\"+49 151 12345678\"", "+4915112345678"),
    ("=\"+4915112345678\"", "+4915112345678"),
    // Trunk prefixes.
    ("+44 (0) 7400 123456", "+447400123456"),
    ("+49 0151 12345678", "+4915112345678"),
    ("+33 (0)6 12 34 56 78", "+33612345678"),
    ("+7 (8) 912 345-67-89", "+79123456789"),
    ("+36 06 20 123 4567", "+36201234567"),
    ("+39 06 1234 5678", "+390612345678"),
];

#[test]
fn a_number_is_read_as_it_was_pasted() {
    for (text, expected) in PASTED {
        let read = PhoneNumber::parse(text).map(|number| number.reveal().to_owned());
        assert_eq!(read.as_deref(), Ok(*expected), "{text:?}");
    }
}

/// What cannot be understood for certain, and the hint for it.
const REFUSED: &[(&str, InvalidNumber)] = &[
    ("", InvalidNumber::Malformed),
    ("+", InvalidNumber::Malformed),
    ("\u{200b} \u{a0}", InvalidNumber::Malformed),
    ("+49", InvalidNumber::Malformed),
    ("4915112345678", InvalidNumber::NoPlus),
    ("(49) 151 12345678", InvalidNumber::NoPlus),
    ("\u{669}\u{666}\u{666}501234567", InvalidNumber::NoPlus),
    ("0151 12345678", InvalidNumber::National),
    ("06 12 34 56 78", InvalidNumber::National),
    ("011 49 151 12345678", InvalidNumber::DialledAbroad),
    ("0011 49 151 12345678", InvalidNumber::DialledAbroad),
    ("00 1234567", InvalidNumber::DialledAbroad),
    ("000 4915112345678", InvalidNumber::DialledAbroad),
    ("+0 151 12345678", InvalidNumber::ZeroFirst),
    ("4915112345678+", InvalidNumber::PlusLast),
    ("++4915112345678", InvalidNumber::PlusInside),
    ("+49+15112345678", InvalidNumber::PlusInside),
    ("00+4915112345678", InvalidNumber::PlusInside),
    ("+4915112345678 +4915112345679", InvalidNumber::Several),
    ("+4915112345678, +4915112345679", InvalidNumber::Several),
    ("+4915112345678 / +4915112345679", InvalidNumber::Several),
    ("+4915112345678;4915112345679", InvalidNumber::Several),
    ("+4915112345678 or 015112345679", InvalidNumber::Several),
    ("+4915112345678\n+4915112345679", InvalidNumber::Several),
    ("+1 650 253 0000 ext. 12", InvalidNumber::Extension),
    ("+1 650 253 0000x12", InvalidNumber::Extension),
    ("+1 650 253 0000#12", InvalidNumber::Extension),
    ("+1 650 253 0000,,12", InvalidNumber::Extension),
    ("tel:+1-650-253-0000;ext=12", InvalidNumber::Extension),
    ("+7 912 345-67-89 доб. 12", InvalidNumber::Extension),
    ("+1 800 FLOWERS", InvalidNumber::Letters),
    ("Tel. +4915112345678", InvalidNumber::Letters),
    ("+49151x2345678", InvalidNumber::Letters),
    ("mobile: +4915112345678", InvalidNumber::Letters),
    ("https://example.com/4915112345678", InvalidNumber::Letters),
    ("+49 151 1234567\u{b2}", InvalidNumber::Character),
    ("\u{1f4de} +4915112345678", InvalidNumber::Character),
    ("+49*151*12345678", InvalidNumber::Character),
    ("4.91511E+12", InvalidNumber::Figure),
    ("4.91511E12", InvalidNumber::Figure),
    ("4915112345678.0", InvalidNumber::Figure),
    ("+4915112345678.0", InvalidNumber::Figure),
    ("+4915112345678.00", InvalidNumber::Figure),
    ("+99912345678", InvalidNumber::UnknownCallingCode),
    ("+1234567", InvalidNumber::TooShort { calling_code: 1 }),
    ("+49151", InvalidNumber::Malformed),
    ("+4915112345678901234", InvalidNumber::TooLong { calling_code: 49 }),
    ("+1 650 253 00000", InvalidNumber::TooLong { calling_code: 1 }),
    ("+52 55 1234 567", InvalidNumber::TooShort { calling_code: 52 }),
    ("+48 0 512 345 678", InvalidNumber::SurplusDigit { digit: '0', calling_code: 48 }),
    ("+34 0 612 345 678", InvalidNumber::SurplusDigit { digit: '0', calling_code: 34 }),
    ("+39 6 1234 5678", InvalidNumber::MissingDigit { digit: '0', calling_code: 39 }),
    ("+56 6123 4567", InvalidNumber::MissingDigit { digit: '9', calling_code: 56 }),
];

#[test]
fn what_is_not_certain_is_refused_with_a_hint_that_does_not_repeat_it() {
    for (text, expected) in REFUSED {
        let error = PhoneNumber::parse(text).unwrap_err();
        assert_eq!(error, *expected, "{text:?}");
        let told = error.to_string();
        assert!(told.starts_with("must "), "{told}");
        assert!(!told.contains("12345678") && (!told.contains(text) || text.len() < 2), "{text:?}: {told}");
    }
}

#[test]
fn a_long_text_is_refused_before_it_is_read() {
    assert_eq!(PhoneNumber::parse(&"1".repeat(1 << 20)), Err(InvalidNumber::Overlong));
    assert_eq!(PhoneNumber::parse(&" ".repeat(65)), Err(InvalidNumber::Overlong));
    assert!(PhoneNumber::parse(&format!("{:>64}", "+4915112345678")).is_ok());
}

/// Former and other forms of one person's number, and today's.
const MOVED: &[(&str, &str)] = &[
    ("+52 1 55 1234 5678", "+525512345678"),
    ("+52 044 55 1234 5678", "+525512345678"),
    ("+52 045 55 1234 5678", "+525512345678"),
    ("+52 01 55 1234 5678", "+525512345678"),
    ("+52 55 1234 5678", "+525512345678"),
    ("+54 11 15 1234 5678", "+5491112345678"),
    ("+54 (011) 15 1234-5678", "+5491112345678"),
    ("+54 9 11 15 1234 5678", "+5491112345678"),
    ("+54 9 11 1234 5678", "+5491112345678"),
    ("+54 9 2966 15 612345", "+5492966612345"),
    ("+55 11 8123-4567", "+5511981234567"),
    ("+55 (11) 98123-4567", "+5511981234567"),
    ("+55 011 98123-4567", "+5511981234567"),
    ("+55 11 3123-4567", "+551131234567"),
    ("+84 120 123 4567", "+84701234567"),
    ("+84 169 123 4567", "+84391234567"),
    ("+84 0912 345 678", "+84912345678"),
    ("+225 07 12 34 56", "+2250707123456"),
    ("+225 44 12 34 56", "+2250544123456"),
    ("+225 01 23 45 67", "+2250101234567"),
    ("+229 97 12 34 56", "+2290197123456"),
    ("+237 97 12 34 56", "+237697123456"),
    ("+237 22 12 34 56", "+237222123456"),
];

#[test]
fn what_a_country_moved_is_read_as_todays_number() {
    for (text, expected) in MOVED {
        let read = PhoneNumber::parse(text).map(|number| number.reveal().to_owned());
        assert_eq!(read.as_deref(), Ok(*expected), "{text:?}");
    }
}

#[test]
fn one_person_has_one_identity_and_keeps_the_former_one() {
    let check = |text: &str, identity: &str, former: Option<&str>| {
        let number = PhoneNumber::parse(text).unwrap();
        assert_eq!(number.identity().as_str(), identity, "{text}");
        assert_eq!(number.former_identity().as_deref().map(String::as_str), former, "{text}");
    };
    check("+5215512345678", "+525512345678", Some("+5215512345678"));
    check("+525512345678", "+525512345678", Some("+5215512345678"));
    check("+54 11 6907 1234", "+5491169071234", Some("+541169071234"));
    check("+54 9 11 6907 1234", "+5491169071234", Some("+541169071234"));
    check("+54 11 15 6907 1234", "+5491169071234", Some("+541169071234"));
    check("+55 11 98123-4567", "+5511981234567", Some("+551181234567"));
    check("+55 11 93123-4567", "+5511931234567", None);
    check("+84701234567", "+84701234567", Some("+841201234567"));
    check("+84912345678", "+84912345678", None);
    check("+237697123456", "+237697123456", Some("+23797123456"));
    check("+2290197123456", "+2290197123456", None);
    check("+4915112345678", "+4915112345678", None);
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
    assert_eq!(number.to_string(), "+49*********21");
    assert_eq!(format!("{number:?}"), "+49*********21");
}

#[test]
fn masking_shows_country_code_and_two_digits_of_the_shortest_numbers_of_every_country_cmp_18() {
    let mut shortest = usize::MAX;
    let mut countries = 0;
    for code in PHONE_NUMBER_UTIL.get_supported_calling_codes() {
        let code = code.to_string();
        let numbers = (1..=14).flat_map(|length| {
            ["1", "2", "3", "4", "5", "6", "7", "8", "9"]
                .map(|first| format!("+{code}{first}{}", &"23456789123456"[..length - 1]))
        });
        let Some(number) = numbers.filter_map(|text| PhoneNumber::parse(&text).ok()).next() else { continue };
        let (text, masked) = (number.reveal(), number.masked());
        assert_eq!(masked.len(), text.len());
        let shown = masked.bytes().filter(|letter| *letter != b'*').count();
        assert_eq!(shown, 1 + number.calling_code().to_string().len() + 2, "{masked}");
        assert!(masked.contains('*') && masked.ends_with(&text[text.len() - 2..]), "{masked}");
        shortest = shortest.min(text.len());
        countries += 1;
    }
    assert!(countries > 200 && shortest <= 9, "{countries} calling codes, shortest of {shortest}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,70}") {
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

    #[test]
    fn what_stands_between_the_digits_makes_no_difference(
        digits in "(4915[0-9]{9}|1[2-9][0-9]{9}|55[1-9]{2}9[6-9][0-9]{7}|521[2-9][0-9]{9}|54[0-9]{10,11})",
        between in proptest::collection::vec("[ \u{a0}\u{2009}\u{200e}\u{202c}\u{2011}-]?", 16),
    ) {
        let spread: String = digits.chars().zip(&between).flat_map(|(digit, other)| [digit.to_string(), other.clone()]).collect();
        prop_assert_eq!(PhoneNumber::parse(&format!("+{spread}")), PhoneNumber::parse(&format!("+{digits}")));
    }
}
