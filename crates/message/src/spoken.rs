//! Codes read aloud: digits one by one, never as a number (FMT-50).

use otter_domain::{Code, Secret, Spoken};

/// The digits with pauses between them, as every voice reads them: `0, 4, 2, 1, 3, 7`.
pub fn digits(code: &Code) -> Secret {
    let code = code.reveal();
    let mut spaced = String::with_capacity(code.len() * 3);
    for (place, digit) in code.chars().enumerate() {
        if place > 0 {
            spaced.push_str(", ");
        }
        spaced.push(digit);
    }
    Secret::new(spaced)
}

/// The whole call as plain words, for voices that know no markup: the code is said twice.
pub fn script(spoken: &Spoken) -> Secret {
    let Spoken { locale: _, intro, code, again, goodbye } = spoken;
    let digits = digits(code);
    let digits = digits.reveal();
    let mut script = String::with_capacity(intro.len() + again.len() + goodbye.len() + 2 * digits.len() + 10);
    for piece in [intro, ": ", digits, ". ", again, ": ", digits, ". ", goodbye, "."] {
        script.push_str(piece);
    }
    Secret::new(script)
}

/// A phrase without the white space and punctuation at its ends, which depend on what is said next to it.
pub(crate) fn phrase(text: &str) -> String {
    text.trim_matches(|c: char| c.is_whitespace() || ".,:;،。，：、।".contains(c)).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::Locale;

    use super::*;

    #[test]
    fn digits_are_said_one_by_one_and_twice_fmt_50() {
        let spoken = Spoken {
            locale: Locale::english(),
            intro: phrase("Your ExampleCo code is: "),
            code: Code::parse("042137").unwrap(),
            again: phrase(". Again: "),
            goodbye: phrase(". Goodbye."),
        };
        assert_eq!(
            script(&spoken).reveal(),
            "Your ExampleCo code is: 0, 4, 2, 1, 3, 7. Again: 0, 4, 2, 1, 3, 7. Goodbye."
        );
    }

    #[test]
    fn nothing_is_left_of_the_code_in_debug_output_sec_10() {
        let code = Code::parse("042137").unwrap();
        assert_eq!(format!("{:?}", digits(&code)), "[redacted]");
    }
}
