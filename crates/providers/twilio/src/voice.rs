//! What a call says, as TwiML (<https://www.twilio.com/docs/voice/twiml/say>).
//!
//! The code is read twice, digit by digit, slower the second time (FMT-50). A key press before it (FMT-51) is not
//! asked for: what Twilio does after a key has to be fetched from an address of ours, which would have to know the
//! code.

use std::collections::BTreeMap;
use std::fmt::Write;

use otter_domain::{Locale, Secret, Spoken};

/// What Twilio takes as inline TwiML, in characters.
pub(crate) const MAX_TWIML: usize = 4000;

/// Languages with their `language` attribute and a voice that speaks it and understands SSML. The first row of a
/// language serves its other regions. Twilio refuses to speak when voice and language do not belong together.
const VOICES: &[(&str, &str, &str)] = &[
    ("ar", "arb", "Polly.Zeina"),
    ("da", "da-DK", "Polly.Naja"),
    ("de", "de-DE", "Polly.Vicki"),
    ("en", "en-US", "Polly.Joanna"),
    ("en-AU", "en-AU", "Polly.Nicole"),
    ("en-GB", "en-GB", "Polly.Amy"),
    ("en-IN", "en-IN", "Polly.Raveena"),
    ("es", "es-ES", "Polly.Conchita"),
    ("es-MX", "es-MX", "Polly.Mia"),
    ("fr", "fr-FR", "Polly.Celine"),
    ("fr-CA", "fr-CA", "Polly.Chantal"),
    ("hi", "hi-IN", "Polly.Aditi"),
    ("id", "id-ID", "Google.id-ID-Standard-A"),
    ("it", "it-IT", "Polly.Carla"),
    ("ja", "ja-JP", "Polly.Mizuki"),
    ("ko", "ko-KR", "Polly.Seoyeon"),
    ("nb", "nb-NO", "Polly.Liv"),
    ("nl", "nl-NL", "Polly.Lotte"),
    ("pl", "pl-PL", "Polly.Ewa"),
    ("pt", "pt-BR", "Polly.Vitoria"),
    ("pt-PT", "pt-PT", "Polly.Ines"),
    ("ro", "ro-RO", "Polly.Carmen"),
    ("ru", "ru-RU", "Polly.Tatyana"),
    ("sv", "sv-SE", "Polly.Astrid"),
    ("tr", "tr-TR", "Polly.Filiz"),
    ("zh", "cmn-CN", "Polly.Zhiyu"),
];

/// Who speaks which language.
#[derive(Debug, Default)]
pub(crate) struct Voices {
    chosen: BTreeMap<Locale, String>,
}

impl Voices {
    /// The built-in voices, with the operator's choices before them.
    pub(crate) fn new(chosen: BTreeMap<Locale, String>) -> Self {
        Self { chosen }
    }

    /// The whole call. Contains the code.
    pub(crate) fn twiml(&self, spoken: &Spoken) -> Secret {
        let speaker = self.speaker(&spoken.locale);
        let (first, second) = if speaker.understands_ssml() {
            let slowly = spelled(spoken, r#", <break time="600ms"/>"#);
            (
                spelled(spoken, r#", <break time="400ms"/>"#),
                format!(r#"<prosody rate="slow">{slowly}</prosody>"#),
            )
        } else {
            // A full stop makes the longer pause.
            (spelled(spoken, ", "), spelled(spoken, ". "))
        };
        let say = speaker.opening_tag();
        Secret::new(format!(
            r#"<Response><Pause length="1"/>{say}{intro}: {first}.</Say><Pause length="1"/>{say}{again}: {second}. {goodbye}</Say></Response>"#,
            intro = escaped(&spoken.intro),
            again = escaped(&spoken.again),
            goodbye = escaped(&spoken.goodbye),
        ))
    }

    /// The operator's voice for a language or a less special form of it, else the built-in one. A language that
    /// nobody here speaks is named to Twilio as it is.
    fn speaker<'a>(&'a self, locale: &'a Locale) -> Speaker<'a> {
        let row = |tag: &str| VOICES.iter().find(|(own, _, _)| *own == tag);
        let chosen =
            locale.fallbacks().find_map(|tag| self.chosen.iter().find(|(own, _)| own.as_str() == tag));
        match (chosen, locale.fallbacks().find_map(row)) {
            (Some((own, voice)), _) => Speaker {
                language: row(own.as_str()).map_or(own.as_str(), |(_, language, _)| language),
                voice: Some(voice),
            },
            (None, Some((_, language, voice))) => Speaker { language, voice: Some(voice) },
            (None, None) => Speaker { language: locale.as_str(), voice: None },
        }
    }
}

struct Speaker<'a> {
    language: &'a str,
    voice: Option<&'a str>,
}

impl Speaker<'_> {
    fn opening_tag(&self) -> String {
        let voice = self.voice.map(|voice| format!(r#" voice="{}""#, escaped(voice))).unwrap_or_default();
        format!(r#"<Say{voice} language="{}">"#, escaped(self.language))
    }

    /// Whether the voice is of a maker whose voices know pauses and pace.
    fn understands_ssml(&self) -> bool {
        self.voice.is_some_and(|voice| voice.starts_with("Polly.") || voice.starts_with("Google."))
    }
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

    use otter_domain::Code;
    use proptest::prelude::*;

    use super::*;

    fn spoken(locale: &str, intro: &str) -> Spoken {
        Spoken {
            locale: Locale::parse(locale).unwrap(),
            intro: intro.into(),
            code: Code::parse("042137").unwrap(),
            again: "Again".into(),
            goodbye: "Goodbye.".into(),
        }
    }

    #[test]
    fn digits_are_spelled_twice_and_slower_the_second_time() {
        let twiml = Voices::default().twiml(&spoken("de-AT", "Ihr Code ist"));
        assert_eq!(twiml.reveal(), include_str!("../fixtures/call.twiml.xml").trim_end());
    }

    #[test]
    fn a_language_is_spoken_by_the_closest_voice() {
        let chosen = [("en", "Polly.Matthew"), ("sw", "Google.sw-KE-Standard-A"), ("nl", "alice")];
        let chosen = chosen.map(|(tag, voice)| (Locale::parse(tag).unwrap(), voice.to_owned()));
        let voices = Voices::new(chosen.into());
        let check = |locale: &str, expected: &str| {
            let twiml = voices.twiml(&spoken(locale, "x"));
            assert!(twiml.reveal().contains(expected), "{locale}: {expected}");
        };
        check("en-GB", r#"<Say voice="Polly.Matthew" language="en-US">"#);
        check("sw-KE", r#"<Say voice="Google.sw-KE-Standard-A" language="sw">"#);
        check("nl", r#"<Say voice="alice" language="nl-NL">x: 0, 4, 2, 1, 3, 7.</Say>"#);
        check("zh-Hant-TW", r#"<Say voice="Polly.Zhiyu" language="cmn-CN">"#);
        check("cy", r#"<Say language="cy">x: 0, 4, 2, 1, 3, 7.</Say>"#);
    }

    #[test]
    fn every_language_with_built_in_texts_has_a_voice() {
        for language in ["en", "de", "es", "fr", "pt", "it", "tr", "ar", "hi", "id", "zh", "ja"] {
            let locale = Locale::parse(language).unwrap();
            assert!(Voices::default().speaker(&locale).understands_ssml(), "{language}");
        }
    }

    #[test]
    fn texts_cannot_leave_their_element() {
        let twiml = Voices::default().twiml(&spoken("en", "</Say><Dial>+1</Dial> & \u{1} \"it's\""));
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
