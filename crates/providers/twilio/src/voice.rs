//! What a call says, as TwiML (<https://www.twilio.com/docs/voice/twiml/say>).
//!
//! The code is read twice, digit by digit, slower the second time (FMT-50). A key press before it (FMT-51) is not
//! asked for: what Twilio does after a key has to be fetched from an address of ours, which would have to know the
//! code.

use std::fmt::Write;

use otter_domain::{Secret, Spoken};

use crate::languages::Speaker;
use crate::reading::PAUSE;

/// What Twilio takes as inline TwiML, in characters.
pub(crate) const MAX_TWIML: usize = 4000;

/// The whole call. Contains the code.
///
/// No punctuation follows a digit at the end of a piece: `7.` is the seventh in many languages.
pub(crate) fn twiml(spoken: &Spoken, speaker: Speaker<'_>) -> Secret {
    let pause = format!(r#"<Pause length="{}"/>"#, PAUSE.as_secs());
    let say = Say { opening: opening_tag(speaker) };
    let (first, second) = if speaker.understands_ssml() {
        let slowly = spelled(spoken, r#", <break time="600ms"/>"#);
        let slowly = format!(r#"<prosody rate="slow">{slowly}</prosody>"#);
        let first = spelled(spoken, r#", <break time="400ms"/>"#);
        (say.words(&spoken.intro, &first), say.words(&spoken.again, &slowly))
    } else {
        // A digit that is said alone is no part of a number, no ordinal and no decimal in any language.
        let alone = |between: &str| spelled(spoken, &format!("</Say>{between}{}", say.opening));
        let piece =
            |text: &str, between: &str| format!("{}{}", say.words(text, ""), say.raw(&alone(between)));
        (piece(&spoken.intro, ""), piece(&spoken.again, &pause))
    };
    let goodbye = say.raw(&escaped(&spoken.goodbye));
    Secret::new(format!("<Response>{pause}{first}{pause}{second}{pause}{goodbye}</Response>"))
}

struct Say {
    opening: String,
}

impl Say {
    /// A text and what is read after it.
    fn words(&self, text: &str, then: &str) -> String {
        let between = if then.is_empty() { ":" } else { ": " };
        self.raw(&format!("{}{between}{then}", escaped(text)))
    }

    fn raw(&self, inner: &str) -> String {
        format!("{}{inner}</Say>", self.opening)
    }
}

fn opening_tag(speaker: Speaker<'_>) -> String {
    format!(r#"<Say voice="{}" language="{}">"#, escaped(speaker.voice), escaped(speaker.language))
}

/// The digits one by one, never as a number.
fn spelled(spoken: &Spoken, between: &str) -> String {
    let mut text = String::new();
    for (place, digit) in spoken.code.reveal().chars().enumerate() {
        let between = if place == 0 { "" } else { between };
        write!(text, "{between}{digit}").expect("writing to a string does not fail");
    }
    text
}

/// Text as XML holds it; characters that XML cannot hold become spaces.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{Code, Locale};
    use proptest::prelude::*;

    use super::*;

    const POLLY: Speaker<'static> = Speaker { language: "de-DE", voice: "Polly.Vicki" };
    const ALICE: Speaker<'static> = Speaker { language: "de-DE", voice: "alice" };

    fn spoken(intro: &str) -> Spoken {
        Spoken {
            locale: Locale::parse("de").unwrap(),
            intro: intro.into(),
            code: Code::parse("042137").unwrap(),
            again: "Noch einmal".into(),
            goodbye: "Auf Wiederhören".into(),
        }
    }

    #[test]
    fn digits_are_spelled_twice_and_slower_the_second_time() {
        let twiml = twiml(&spoken("Ihr Code ist"), POLLY);
        assert_eq!(twiml.reveal(), include_str!("../fixtures/call.twiml.xml").trim_end());
    }

    #[test]
    fn a_voice_without_markup_gets_every_digit_alone() {
        let twiml = twiml(&spoken("Ihr Code ist"), ALICE);
        let say = r#"<Say voice="alice" language="de-DE">"#;
        let digits = |between: &str| {
            ["0", "4", "2", "1", "3", "7"].map(|digit| format!("{say}{digit}</Say>")).join(between)
        };
        let (fast, slow) = (digits(""), digits(r#"<Pause length="1"/>"#));
        let pause = r#"<Pause length="1"/>"#;
        let expected = format!(
            "<Response>{pause}{say}Ihr Code ist:</Say>{fast}{pause}{say}Noch einmal:</Say>{slow}{pause}\
             {say}Auf Wiederhören</Say></Response>"
        );
        assert_eq!(twiml.reveal(), expected);
    }

    #[test]
    fn no_digit_becomes_an_ordinal_or_a_decimal() {
        for speaker in [POLLY, ALICE] {
            let twiml = twiml(&spoken("Ihr Code ist"), speaker);
            let said = twiml.reveal();
            for (place, _) in said.match_indices(|letter: char| "042137".contains(letter)) {
                let after = &said[place + 1..];
                assert!(!after.starts_with('.') && !after.starts_with(",0"), "{after}");
            }
        }
    }

    #[test]
    fn texts_cannot_leave_their_element() {
        let twiml = twiml(&spoken("</Say><Dial>+1</Dial> & \u{1} \"it's\""), POLLY);
        assert!(
            twiml.reveal().contains("&lt;/Say&gt;&lt;Dial&gt;+1&lt;/Dial&gt; &amp;   &quot;it&apos;s&quot;")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_text_makes_an_element_or_an_entity_of_its_own(text in any::<String>()) {
            let safe = escaped(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            prop_assert!(safe.chars().all(|letter| letter >= ' '));
            prop_assert_eq!(safe.matches('&').count(), safe.matches(';').count() - text.matches(';').count());
        }
    }
}
