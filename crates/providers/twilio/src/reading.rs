//! How long a call takes to read what it says.
//!
//! Twilio tells the length of a call and nothing of what was said in it, so whether the code was heard follows from how
//! long its first reading takes. The figures are those of the built-in voices, to a second or two.

use std::time::Duration;

use otter_domain::Spoken;

use crate::languages::Speaker;

/// A digit and the silence after it, in milliseconds: the first time, the second time.
const MARKED_UP: [(u64, u64); 2] = [(500, 450), (700, 650)];

/// The same for voices without markup, which get every digit as words of their own.
const PLAIN: [(u64, u64); 2] = [(500, 450), (500, 1250)];

/// The silence before either reading and before the end.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// How long Twilio takes to begin once the phone is picked up.
const START: Duration = Duration::from_millis(500);

/// What Twilio needs between two pieces, and what a slow voice or a long number in an amount may add.
const SLACK: Duration = Duration::from_secs(8);

/// How long a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Until the code was said once, in full seconds: who listened that long has heard it.
    pub(crate) heard: Duration,
    /// After this nothing is left to say, however slow the voice is.
    pub(crate) limit: Duration,
}

impl Reading {
    /// Estimates it from the words, the number of digits and the kind of voice.
    pub(crate) fn of(spoken: &Spoken, speaker: Speaker<'_>) -> Self {
        let [first, second] = if speaker.understands_ssml() { MARKED_UP } else { PLAIN };
        let count = spoken.code.reveal().chars().count() as u64;
        let digits = |(digit, silence): (u64, u64)| {
            Duration::from_millis(count * digit + count.saturating_sub(1) * silence)
        };
        let heard = START + PAUSE + words(&spoken.intro) + digits(first);
        let rest = PAUSE + words(&spoken.again) + digits(second) + PAUSE + words(&spoken.goodbye);
        let limit = (heard + rest) * 5 / 4 + SLACK;
        Self { heard: Duration::from_secs(heard.as_secs()), limit: Duration::from_secs(limit.as_secs()) }
    }
}

/// How long it takes to say a text and to draw breath after it.
fn words(text: &str) -> Duration {
    Duration::from_millis(text.chars().map(letter).sum::<u64>() + 500)
}

/// What a character takes on average. Scripts that write syllables or words take longer for each.
fn letter(letter: char) -> u64 {
    match letter {
        // Said as words, with the currency and its hundredths.
        digit if digit.is_numeric() => 400,
        '.' | '!' | '?' | ':' | ';' | ',' | '。' | '、' | '，' | '：' | '।' | '،' => 300,
        '\u{3040}'..='\u{30ff}' => 140,
        '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => 230,
        '\u{ac00}'..='\u{d7af}' => 180,
        '\u{0590}'..='\u{06ff}' | '\u{0900}'..='\u{0eff}' => 95,
        space if space.is_whitespace() => 30,
        letter if letter.is_alphabetic() => 70,
        _ => 200,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{Code, Locale};
    use proptest::prelude::*;

    use super::*;

    const POLLY: Speaker<'static> = Speaker { language: "en-US", voice: "Polly.Joanna" };

    fn spoken(intro: &str, code: &str, again: &str, goodbye: &str) -> Spoken {
        Spoken {
            locale: Locale::english(),
            intro: intro.into(),
            code: Code::parse(code).unwrap(),
            again: again.into(),
            goodbye: goodbye.into(),
        }
    }

    #[test]
    fn six_digits_are_heard_after_eight_to_eleven_seconds_in_every_language() {
        for (intro, again, goodbye) in [
            ("Your ExampleCo code is", "Again", "Goodbye"),
            ("Dein ExampleCo-Code lautet", "Noch einmal", "Auf Wiederhören"),
            ("رمز ExampleCo الخاص بك هو", "مرة أخرى", "مع السلامة"),
            ("आपका ExampleCo कोड है", "दोबारा", "धन्यवाद"),
            ("您的ExampleCo验证码是", "再说一遍", "再见"),
            ("ExampleCoの認証コードは", "繰り返します", "失礼いたします"),
        ] {
            let reading = Reading::of(&spoken(intro, "042137", again, goodbye), POLLY);
            assert!((8..=11).contains(&reading.heard.as_secs()), "{intro}: {reading:?}");
            assert!((30..=50).contains(&reading.limit.as_secs()), "{intro}: {reading:?}");
        }
    }

    #[test]
    fn a_payment_is_heard_later_and_may_last_longer() {
        for (intro, again, goodbye) in [
            (
                "You are paying 1,249.90 EUR to Long Name Trading Ltd with ExampleCo. Your code is",
                "Again",
                "Goodbye",
            ),
            (
                "Du zahlst 1.249,90 EUR an Lange Namen Handels-GmbH mit ExampleCo. Dein Code lautet",
                "Noch einmal",
                "Auf Wiederhören",
            ),
            ("您正通过ExampleCo向长名称贸易有限公司支付1249.90元。您的验证码是", "再说一遍", "再见"),
        ] {
            let reading = Reading::of(&spoken(intro, "0421370421", again, goodbye), POLLY);
            assert!((17..=26).contains(&reading.heard.as_secs()), "{intro}: {reading:?}");
            assert!((48..=75).contains(&reading.limit.as_secs()), "{intro}: {reading:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_call_ends_after_it_was_heard_and_more_words_take_no_less_time(
            intro in ".{0,200}",
            more in ".{0,50}",
            code in "[0-9]{6,10}",
            voice in prop_oneof![Just("alice"), Just("Polly.Joanna")],
        ) {
            let speaker = Speaker { language: "en-US", voice };
            let one = Reading::of(&spoken(&intro, &code, "again", "bye"), speaker);
            let other = Reading::of(&spoken(&format!("{intro}{more}"), &code, "again", "bye"), speaker);
            prop_assert!(one.heard < one.limit);
            prop_assert!(one.heard <= other.heard && one.limit <= other.limit);
        }
    }
}
