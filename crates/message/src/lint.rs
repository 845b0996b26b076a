//! What a text must keep to, so that people can read it and phones can find the code in it.

use crate::autofill;
use crate::builtin::{Kind, Medium};
use crate::compose::{Frame, MAX_MINUTES};
use crate::problem::Flaw;
use crate::settings::WhatsAppTemplate;
use crate::template::{Slot, Template, Values};

/// How far into a text the code may end, in characters (FMT-15).
const CODE_WITHIN: usize = 30;

/// The languages that are written from right to left.
const RIGHT_TO_LEFT: [&str; 11] = ["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"];

/// Everything that is wrong with a text of the operator's.
pub(crate) fn text_flaws(template: &Template, kind: Kind, medium: Medium, frame: &Frame) -> Vec<Flaw> {
    let mut flaws = slot_flaws(template, kind, medium);
    if let Some((form, number)) = template.missing_form(1..=MAX_MINUTES) {
        let language = template.language().to_owned();
        flaws.push(Flaw::MissingPlural { form: form.as_str(), language, number });
    }
    flaws.extend(wording_flaws(template));
    match medium {
        Medium::Sms | Medium::Rcs if template.count(Slot::Code) > 0 => {
            flaws.extend(place_flaws(template, frame));
        }
        Medium::Sms | Medium::Rcs | Medium::Voice => {}
    }
    if medium == Medium::Sms {
        flaws.extend(length_flaw(frame, std::slice::from_ref(template)));
    }
    flaws
}

/// Why none of the wordings fits with the longest values (FMT-04, FMT-13).
pub(crate) fn length_flaw(frame: &Frame, wordings: &[Template]) -> Option<Flaw> {
    let longest = frame.longest(wordings);
    let (measurement, max_parts) = (longest.measurement, frame.max_parts);
    if measurement.parts > usize::from(max_parts) {
        let (encoding, units, parts) = (measurement.encoding, measurement.units, measurement.parts);
        return Some(Flaw::TooManyParts { encoding, units, parts, max_parts });
    }
    frame.too_many_bytes(&longest).then(|| Flaw::TooManyBytes(longest.text.reveal().len()))
}

/// Whether a name can stand in a text without changing what the rest of it says or does: on one line, without what
/// turns the direction of writing or cannot be seen, without braces, and no address with a scheme (FMT-15).
pub fn is_plain_name(name: &str) -> bool {
    let harmful = |letter: char| {
        letter.is_control()
            || matches!(letter, '{' | '}' | '\u{ad}' | '\u{61c}' | '\u{feff}')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    !name.contains(harmful) && !name.contains("://")
}

/// What is wrong with a brand.
pub(crate) fn brand_flaws(brand: &str) -> Vec<Flaw> {
    let shaped = (1..=32).contains(&brand.chars().count()) && brand.trim() == brand;
    let mut flaws = Vec::new();
    if !shaped || !is_plain_name(brand) {
        flaws.push(Flaw::BrandShape);
    }
    flaws.extend(group_of_digits(brand).map(|digits| Flaw::OtherDigits(digits.to_owned())));
    flaws
}

/// What is wrong with the description of an approved template.
pub(crate) fn approved_flaws(template: &WhatsAppTemplate, kind: Kind) -> Vec<Flaw> {
    let name_byte = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let language_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut flaws = Vec::new();
    if kind == Kind::Payment {
        flaws.push(Flaw::PaymentOverWhatsApp);
    }
    if !(1..=512).contains(&template.name.len()) || !template.name.bytes().all(name_byte) {
        flaws.push(Flaw::TemplateName);
    }
    if !(2..=15).contains(&template.language.len()) || !template.language.bytes().all(language_byte) {
        flaws.push(Flaw::TemplateLanguage);
    }
    if !(30..=900).contains(&template.send_ttl.as_secs()) {
        flaws.push(Flaw::SendTtl(template.send_ttl));
    }
    flaws
}

/// What is wrong with the lines for autofill.
pub(crate) fn host_flaw(host: &str) -> Option<Flaw> {
    (!autofill::is_host(host)).then_some(Flaw::HostShape)
}

/// What is wrong with an app's hash.
pub(crate) fn hash_flaw(hash: &str) -> Option<Flaw> {
    (!autofill::is_app_hash(hash)).then_some(Flaw::HashShape)
}

fn slot_flaws(template: &Template, kind: Kind, medium: Medium) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let found = template.count(Slot::Code);
    let (times, wanted) = match medium {
        Medium::Sms | Medium::Rcs => (1, "once"),
        Medium::Voice => (2, "twice, for the two readings"),
    };
    if found != times {
        flaws.push(Flaw::CodeCount { found, wanted });
    }
    for slot in [Slot::Amount, Slot::Payee] {
        match (kind, template.count(slot)) {
            (Kind::Payment, 0) => flaws.push(Flaw::MissingInPayment(slot.as_str())),
            (Kind::Plain, 1..) => flaws.push(Flaw::OnlyInPayment(slot.as_str())),
            (Kind::Payment | Kind::Plain, _) => {}
        }
    }
    flaws
}

/// Flaws of the words themselves, looked for in every plural form. Brand, amount and payee are taken as harmless: the
/// first has its own check and the others are given.
fn wording_flaws(template: &Template) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    for minutes in 1..=MAX_MINUTES {
        let values = Values { brand: "Brand", minutes, amount: "EUR 1.00", payee: "Shop" };
        let segments = template.segments(values);
        for (before, after) in segments.iter().zip(&segments[1..]) {
            if before.ends_with(|c: char| c.is_ascii_digit())
                || after.starts_with(|c: char| c.is_ascii_digit())
            {
                flaws.push(Flaw::DigitsBesideCode);
            }
        }
        let digits = segments.iter().filter_map(|segment| group_of_digits(segment));
        flaws.extend(digits.map(|digits| Flaw::OtherDigits(digits.to_owned())));
        let text = segments.join("code");
        flaws.extend(text.chars().find(|c| c.is_numeric() && !c.is_ascii()).map(Flaw::ForeignDigit));
        flaws.extend(text.chars().find(|c| c.is_control() && *c != '\n').map(Flaw::ControlCharacter));
        flaws.extend(address(&text).map(|url| Flaw::Url(url.chars().take(60).collect())));
        if text.ends_with(char::is_whitespace) {
            flaws.push(Flaw::EndsWithSpace);
        }
    }
    let mut distinct = Vec::new();
    for flaw in flaws {
        if !distinct.contains(&flaw) {
            distinct.push(flaw);
        }
    }
    distinct
}

fn place_flaws(template: &Template, frame: &Frame) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let ends = frame.code_ends_at(template);
    if ends > CODE_WITHIN {
        flaws.push(Flaw::CodeTooLate { ends });
    }
    if RIGHT_TO_LEFT.contains(&template.language()) {
        let values = Values { brand: &frame.brand, minutes: 1, amount: "", payee: "" };
        let segments = template.segments(values);
        let alone = segments[0].ends_with('\n') && (segments[1].is_empty() || segments[1].starts_with('\n'));
        if !segments[0].is_empty() && !alone {
            flaws.push(Flaw::CodeInsideRightToLeft);
        }
    }
    flaws
}

/// The first group of 4 to 10 ASCII digits (FMT-12).
fn group_of_digits(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).find(|digits| (4..=10).contains(&digits.len()))
}

/// The first thing in a text that a phone would make a link of (FMT-15).
fn address(text: &str) -> Option<&str> {
    text.split(|c: char| c.is_whitespace() || !c.is_ascii())
        .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .find(|word| is_address(word))
}

fn is_address(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    if lower.contains("://") || lower.starts_with("www.") {
        return true;
    }
    let (host, path) = lower.split_once('/').map_or((&*lower, false), |(host, _)| (host, true));
    let labels: Vec<&str> = host.split('.').collect();
    let shaped = |label: &&str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match labels.as_slice() {
        // Abbreviations such as `p.ej.` have a single letter here; hosts so short come with a path.
        [.., domain, top] => {
            let letters = top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic());
            labels.iter().all(shaped) && letters && (domain.len() >= 2 || path)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use otter_domain::Locale;
    use proptest::prelude::*;

    use super::*;
    use crate::autofill::Lines;
    use crate::sms::Encoding;

    fn frame() -> Frame {
        Frame { brand: "ExampleCo".into(), lines: Lines::default(), max_parts: 1 }
    }

    fn flaws_of(text: &str, language: &str, kind: Kind, medium: Medium) -> Vec<Flaw> {
        text_flaws(&Template::parse(text, language).unwrap(), kind, medium, &frame())
    }

    fn check(text: &str, expected: &[Flaw]) {
        assert_eq!(flaws_of(text, "en", Kind::Plain, Medium::Sms), expected, "{text}");
    }

    #[test]
    fn good_text_has_no_flaws() {
        check("{code} is your {brand} code. Valid {minutes} min, e.g. p.ej. z.B. 49.99.", &[]);
        check("G-{code} is your {brand} code.", &[]);
    }

    #[test]
    fn code_must_be_there_once() {
        check("Your {brand} code", &[Flaw::CodeCount { found: 0, wanted: "once" }]);
        check("{code} {code}", &[Flaw::CodeCount { found: 2, wanted: "once" }]);
    }

    #[test]
    fn code_must_be_within_the_first_thirty_characters_fmt_15() {
        check("This is a code of 20{brand} : {code}", &[Flaw::CodeTooLate { ends: 38 }]);
        check("Your {brand} code: {code}", &[]);
        check("Your code of {brand} is: {code}", &[Flaw::CodeTooLate { ends: 33 }]);
    }

    #[test]
    fn other_digits_are_refused_fmt_12() {
        check("{code} or call 08001234567890, 123", &[]);
        check("{code} or call 2024", &[Flaw::OtherDigits("2024".into())]);
        check("{code}1 x", &[Flaw::DigitsBesideCode]);
        check("1{code} x", &[Flaw::DigitsBesideCode]);
        check("{code} ٥ x", &[Flaw::ForeignDigit('٥')]);
        assert_eq!(brand_flaws("Shop 24"), []);
        assert_eq!(brand_flaws("Shop 2024"), [Flaw::OtherDigits("2024".into())]);
    }

    #[test]
    fn addresses_are_refused_fmt_15() {
        for address in
            ["https://example.com/x", "www.example.com", "example.com", "t.co/abc", "shop.example.co.uk"]
        {
            check(&format!("{{code}}: see {address}."), &[Flaw::Url(address.into())]);
            check(&format!("{{code}}，访问{address}查看"), &[Flaw::Url(address.into())]);
        }
    }

    #[test]
    fn text_ends_with_visible_text_on_lines_of_its_own() {
        check("{code} is your code\n", &[Flaw::EndsWithSpace]);
        check("{code} is your code ", &[Flaw::EndsWithSpace]);
        check("{code} is\tyour code", &[Flaw::ControlCharacter('\t')]);
        check("{code}\nis your code", &[]);
    }

    #[test]
    fn text_must_fit_with_its_longest_values_fmt_04() {
        let text = format!("{{code}} {{minutes}} {}", "a".repeat(146));
        check(&text, &[]);
        let too_long = Flaw::TooManyParts { encoding: Encoding::Gsm7, units: 161, parts: 2, max_parts: 1 };
        check(&format!("{text}a"), std::slice::from_ref(&too_long));
        assert_eq!(flaws_of(&format!("{text}a"), "en", Kind::Plain, Medium::Rcs), []);
        assert!(too_long.to_string().contains("raise max_sms_parts to 2"));
    }

    #[test]
    fn message_for_the_retriever_keeps_to_its_bytes_fmt_13() {
        let lines = Lines { host: None, app_hash: Some("FA+9qCX9VSu".into()) };
        let frame = Frame { lines, ..frame() };
        let flaw = |text: &str| length_flaw(&frame, &[Template::parse(text, "en").unwrap()]);
        assert_eq!(flaw(&format!("{{code}} {}", "ä".repeat(58))), None);
        assert_eq!(flaw(&format!("{{code}} {}", "ä".repeat(59))), Some(Flaw::TooManyBytes(141)));
    }

    #[test]
    fn payment_texts_and_only_they_show_amount_and_payee_cmp_21() {
        assert_eq!(
            flaws_of("{code} is your code", "en", Kind::Payment, Medium::Sms),
            [Flaw::MissingInPayment("amount"), Flaw::MissingInPayment("payee")]
        );
        assert_eq!(flaws_of("{code}: {amount} to {payee}", "en", Kind::Payment, Medium::Sms), []);
        check("{code}: {amount}", &[Flaw::OnlyInPayment("amount")]);
    }

    #[test]
    fn right_to_left_texts_put_the_code_first_fmt_61() {
        let check = |text, expected: &[Flaw]| {
            assert_eq!(flaws_of(text, "ar", Kind::Plain, Medium::Sms), expected, "{text}");
        };
        check("{code} رمز {brand}", &[]);
        check("رمز {brand}:\n{code}", &[]);
        check("رمز {brand}: {code}", &[Flaw::CodeInsideRightToLeft]);
    }

    #[test]
    fn plural_forms_are_complete_for_the_language_fmt_61() {
        let flaws = flaws_of("{code} {minutes, plural, other {# min}}", "en", Kind::Plain, Medium::Sms);
        assert_eq!(flaws, [Flaw::MissingPlural { form: "one", language: "en".into(), number: 1 }]);
    }

    #[test]
    fn voice_says_the_code_twice_fmt_50() {
        let check = |text, expected: &[Flaw]| {
            assert_eq!(flaws_of(text, "en", Kind::Plain, Medium::Voice), expected, "{text}");
        };
        check("Hello, this is {brand} speaking. Your code is: {code}. Again: {code}. Goodbye.", &[]);
        check("Your code is {code}", &[Flaw::CodeCount { found: 1, wanted: "twice, for the two readings" }]);
    }

    #[test]
    fn brands_fit_on_a_line() {
        let hostile = ["http://x.y", "\u{202e}abc", "{code}", "a\u{200b}b"];
        for wrong in ["", " x", "x ", "a\nb", &"x".repeat(33)].into_iter().chain(hostile) {
            assert_eq!(brand_flaws(wrong), [Flaw::BrandShape], "{wrong}");
        }
        assert_eq!(brand_flaws("Booking.com"), []);
    }

    #[test]
    fn approved_templates_are_described_as_the_vendor_does_fmt_32() {
        let good = WhatsAppTemplate {
            purpose: None,
            locale: Locale::english(),
            name: "otp_code".into(),
            language: "pt_BR".into(),
            send_ttl: Duration::from_secs(300),
        };
        assert_eq!(approved_flaws(&good, Kind::Plain), []);
        assert_eq!(approved_flaws(&good, Kind::Payment), [Flaw::PaymentOverWhatsApp]);
        let ttl = Duration::from_secs(901);
        let bad = WhatsAppTemplate { name: "Otp".into(), language: "pt-BR".into(), send_ttl: ttl, ..good };
        let expected = [Flaw::TemplateName, Flaw::TemplateLanguage, Flaw::SendTtl(ttl)];
        assert_eq!(approved_flaws(&bad, Kind::Plain), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_readable_text_can_be_judged(
            text in "([a-z0-9 .:/\n#]|\\{code\\}|\\{brand\\}|\\{payee\\}|\\{minutes, plural, other \\{#\\}\\}|я|٥){0,40}",
            language in "ar|en|ru|zh|tlh",
        ) {
            for medium in [Medium::Sms, Medium::Rcs, Medium::Voice] {
                for flaw in flaws_of(&text, &language, Kind::Plain, medium) {
                    prop_assert!(!flaw.to_string().is_empty());
                }
            }
        }
    }
}
