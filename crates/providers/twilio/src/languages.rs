//! Who speaks which language (<https://www.twilio.com/docs/voice/say/text-speech>). Twilio does not speak at all when a
//! voice and its language do not belong together, or when a tag is not one of its own, which name a region.

use std::collections::BTreeMap;

use otter_domain::{Country, Locale};

/// Languages with their `language` attribute and a voice that speaks it and understands SSML, as the official library
/// `twilio-node` lists them (2026-07-30). Other regions get the nearest; of equally near ones the first.
const VOICES: &[(&str, &str, &str)] = &[
    ("af", "af-ZA", "Google.af-ZA-Standard-A"),
    ("am", "am-ET", "Google.am-ET-Standard-A"),
    ("ar", "arb", "Polly.Zeina"),
    ("ar-AE", "ar-AE", "Polly.Hala-Neural"),
    ("bg", "bg-BG", "Google.bg-BG-Standard-A"),
    ("bn", "bn-IN", "Google.bn-IN-Standard-A"),
    ("ca", "ca-ES", "Google.ca-ES-Standard-A"),
    ("cs", "cs-CZ", "Google.cs-CZ-Standard-A"),
    ("cy", "cy-GB", "Polly.Gwyneth"),
    ("da", "da-DK", "Polly.Naja"),
    ("de-DE", "de-DE", "Polly.Vicki"),
    ("de-AT", "de-AT", "Polly.Hannah-Neural"),
    ("el", "el-GR", "Google.el-GR-Standard-A"),
    ("en-GB", "en-GB", "Polly.Amy"),
    ("en-AU", "en-AU", "Polly.Nicole"),
    ("en-IE", "en-IE", "Polly.Niamh-Neural"),
    ("en-IN", "en-IN", "Polly.Raveena"),
    ("en-NZ", "en-NZ", "Polly.Aria-Neural"),
    ("en-US", "en-US", "Polly.Joanna"),
    ("en-ZA", "en-ZA", "Polly.Ayanda-Neural"),
    ("es-ES", "es-ES", "Polly.Conchita"),
    ("es-MX", "es-MX", "Polly.Mia"),
    ("es-US", "es-US", "Polly.Lupe"),
    ("fi", "fi-FI", "Google.fi-FI-Standard-A"),
    ("fil", "fil-PH", "Google.fil-PH-Standard-A"),
    ("fr-FR", "fr-FR", "Polly.Celine"),
    ("fr-BE", "fr-BE", "Polly.Isabelle-Neural"),
    ("fr-CA", "fr-CA", "Polly.Chantal"),
    ("gu", "gu-IN", "Google.gu-IN-Standard-A"),
    ("he", "he-IL", "Google.he-IL-Standard-A"),
    ("hi", "hi-IN", "Polly.Aditi"),
    ("hu", "hu-HU", "Google.hu-HU-Standard-A"),
    ("id", "id-ID", "Google.id-ID-Standard-A"),
    ("is", "is-IS", "Polly.Dora"),
    ("it", "it-IT", "Polly.Carla"),
    ("ja", "ja-JP", "Polly.Mizuki"),
    ("kn", "kn-IN", "Google.kn-IN-Standard-A"),
    ("ko", "ko-KR", "Polly.Seoyeon"),
    ("lv", "lv-LV", "Google.lv-LV-Standard-A"),
    ("ml", "ml-IN", "Google.ml-IN-Standard-A"),
    ("mr", "mr-IN", "Google.mr-IN-Standard-A"),
    ("ms", "ms-MY", "Google.ms-MY-Standard-A"),
    ("nb", "nb-NO", "Polly.Liv"),
    ("nl-NL", "nl-NL", "Polly.Lotte"),
    ("nl-BE", "nl-BE", "Google.nl-BE-Standard-A"),
    ("pa", "pa-IN", "Google.pa-IN-Standard-A"),
    ("pl", "pl-PL", "Polly.Ewa"),
    ("pt-BR", "pt-BR", "Polly.Vitoria"),
    ("pt-PT", "pt-PT", "Polly.Ines"),
    ("ro", "ro-RO", "Polly.Carmen"),
    ("ru", "ru-RU", "Polly.Tatyana"),
    ("sk", "sk-SK", "Google.sk-SK-Standard-A"),
    ("sr", "sr-RS", "Google.sr-RS-Standard-A"),
    ("sv", "sv-SE", "Polly.Astrid"),
    ("ta", "ta-IN", "Google.ta-IN-Standard-A"),
    ("te", "te-IN", "Google.te-IN-Standard-A"),
    ("th", "th-TH", "Google.th-TH-Standard-A"),
    ("tr", "tr-TR", "Polly.Filiz"),
    ("uk", "uk-UA", "Google.uk-UA-Standard-A"),
    ("vi", "vi-VN", "Google.vi-VN-Standard-A"),
    ("yue", "yue-HK", "Google.yue-HK-Standard-A"),
    ("zh-CN", "cmn-CN", "Polly.Zhiyu"),
    ("zh-HK", "yue-HK", "Google.yue-HK-Standard-A"),
    ("zh-TW", "cmn-TW", "Google.cmn-TW-Standard-A"),
];

/// Who speaks which language.
#[derive(Debug)]
pub(crate) struct Voices {
    /// The operator's: voice and `language` attribute.
    chosen: BTreeMap<Locale, (String, &'static str)>,
    /// The tags of [`VOICES`], in its order.
    built_in: Vec<Locale>,
}

/// A voice and the language that it is told to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speaker<'a> {
    /// The `language` attribute.
    pub(crate) language: &'a str,
    /// The `voice` attribute.
    pub(crate) voice: &'a str,
}

impl Voices {
    /// The built-in voices.
    pub(crate) fn built_in() -> Self {
        let tag = |(tag, _, _): &(&str, &str, &str)| Locale::parse(tag).expect("a test parses every one");
        Self { chosen: BTreeMap::new(), built_in: VOICES.iter().map(tag).collect() }
    }

    /// Puts a voice before the built-in ones for a language and its regions. False if Twilio does not speak the language.
    ///
    /// It is told to speak the language in its own name, if there is one, else that of the key.
    pub(crate) fn choose(&mut self, locale: Locale, voice: &str) -> bool {
        let named = voice.strip_prefix("Google.").unwrap_or_default();
        let is_named = |tag: &&str| named.strip_prefix(*tag).is_some_and(|rest| rest.starts_with('-'));
        let language = VOICES.iter().map(|(_, language, _)| *language).find(is_named);
        let language = language.or_else(|| self.nearest(&locale).map(|speaker| speaker.language));
        let Some(language) = language else { return false };
        self.chosen.insert(locale, (voice.to_owned(), language));
        true
    }

    /// The operator's voice for a language or a less special form of it, else the built-in one; `None` if nobody speaks
    /// it. Where the locale names no region the number's country does.
    pub(crate) fn speaker(&self, locale: &Locale, country: Country) -> Option<Speaker<'_>> {
        let local = (!names_region(locale)).then(|| Locale::parse(&format!("{locale}-{}", country.as_str())));
        let wish = local.and_then(Result::ok).unwrap_or_else(|| locale.clone());
        let chosen = wish.fallbacks().find_map(|tag| self.chosen.iter().find(|(own, _)| own.as_str() == tag));
        match chosen {
            Some((_, (voice, language))) => Some(Speaker { language, voice }),
            None => self.nearest(&wish),
        }
    }

    fn nearest(&self, wish: &Locale) -> Option<Speaker<'static>> {
        let best = Locale::best_fit(std::slice::from_ref(wish), &self.built_in)?;
        let (_, (_, language, voice)) = self.built_in.iter().zip(VOICES).find(|(own, _)| *own == best)?;
        Some(Speaker { language, voice })
    }

    /// The languages that are spoken; each covers its regions.
    pub(crate) fn languages(&self) -> Vec<Locale> {
        self.chosen.keys().chain(&self.built_in).cloned().collect()
    }
}

impl Speaker<'_> {
    /// Whether the voice is of a maker whose voices know pauses and pace.
    pub(crate) fn understands_ssml(&self) -> bool {
        let maker = self.voice.starts_with("Polly.") || self.voice.starts_with("Google.");
        maker && !self.voice.contains("-Chirp")
    }
}

fn names_region(locale: &Locale) -> bool {
    let is_region =
        |part: &str| part.len() == 2 || (part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_digit()));
    locale.as_str().split('-').skip(1).any(is_region)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    /// `SayLanguage` of the official library `twilio-node`, 2026-07-30.
    const LISTED: &str = "af-ZA am-ET ar-AE ar-XA arb bg-BG bn-IN ca-ES cmn-CN cmn-TW cs-CZ cy-GB da-DK de-AT de-DE \
        el-GR en-AU en-CA en-GB en-GB-WLS en-IE en-IN en-NZ en-US en-ZA es-ES es-MX es-US fi-FI fil-PH fr-CA fr-FR fr-BE \
        gu-IN he-IL hi-IN hu-HU id-ID is-IS it-IT ja-JP kn-IN ko-KR lv-LV ml-IN mr-IN ms-MY nb-NO nl-BE nl-NL pa-IN pl-PL \
        pt-BR pt-PT ro-RO ru-RU sk-SK sr-RS sv-SE ta-IN te-IN th-TH tr-TR uk-UA vi-VN yue-HK zh-CN zh-HK zh-TW";

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    fn voices() -> Voices {
        let mut voices = Voices::built_in();
        for (tag, voice) in [
            ("en", "Polly.Matthew"),
            ("it", "Google.it-IT-Chirp3-HD-Aoede"),
            ("nl", "alice"),
            ("fr", "Google.fr-CA-Standard-B"),
        ] {
            assert!(voices.choose(Locale::parse(tag).unwrap(), voice), "{tag}");
        }
        assert!(!voices.choose(Locale::parse("sw").unwrap(), "alice"));
        voices
    }

    #[test]
    fn every_language_tag_is_one_that_twilio_lists() {
        let listed: BTreeSet<_> = LISTED.split_whitespace().collect();
        for (tag, language, voice) in VOICES {
            assert!(listed.contains(language), "{tag}");
            assert_eq!(Locale::parse(tag).unwrap().as_str(), *tag);
            if let Some(named) = voice.strip_prefix("Google.") {
                assert!(named.starts_with(language), "{voice} {language}");
            }
        }
    }

    #[test]
    fn a_language_is_spoken_by_the_closest_voice() {
        let voices = voices();
        let check = |locale: &str, expected: Option<(&str, &str)>| {
            let locale = Locale::parse(locale).unwrap();
            let speaker = voices.speaker(&locale, country("DE"));
            assert_eq!(speaker.map(|speaker| (speaker.voice, speaker.language)), expected, "{locale}");
        };
        check("en-GB", Some(("Polly.Matthew", "en-US")));
        check("fr", Some(("Google.fr-CA-Standard-B", "fr-CA")));
        check("nl", Some(("alice", "nl-NL")));
        check("zh-Hant-TW", Some(("Google.cmn-TW-Standard-A", "cmn-TW")));
        check("cs", Some(("Google.cs-CZ-Standard-A", "cs-CZ")));
        check("de-CH", Some(("Polly.Vicki", "de-DE")));
        check("sw", None);
    }

    #[test]
    fn the_region_is_the_number_s_where_the_locale_names_none() {
        let check = |locale: &str, from: &str, expected: &str| {
            let voices = Voices::built_in();
            let speaker = voices.speaker(&Locale::parse(locale).unwrap(), country(from)).unwrap();
            assert_eq!(speaker.language, expected, "{locale} {from}");
        };
        check("en", "GB", "en-GB");
        check("en", "US", "en-US");
        check("en", "KE", "en-GB");
        check("en", "IN", "en-IN");
        check("en-US", "GB", "en-US");
        check("es", "MX", "es-MX");
        check("es", "AR", "es-MX");
        check("es", "ES", "es-ES");
        check("pt", "PT", "pt-PT");
        check("pt", "MZ", "pt-PT");
        check("pt", "BR", "pt-BR");
        check("de", "AT", "de-AT");
        check("fr", "CA", "fr-CA");
        check("zh", "HK", "yue-HK");
        check("zh-Hant", "HK", "yue-HK");
        check("zh-Hant", "TW", "cmn-TW");
        check("zh", "CN", "cmn-CN");
        check("zh-Hant", "US", "cmn-TW");
        check("ar", "EG", "arb");
        check("nn", "NO", "nb-NO");
        check("es-419", "CL", "es-MX");
    }

    #[test]
    fn voices_without_markup_are_known() {
        let voices = voices();
        let speaks = |tag: &str| {
            voices.speaker(&Locale::parse(tag).unwrap(), country("DE")).unwrap().understands_ssml()
        };
        assert!(speaks("en") && speaks("de"));
        assert!(!speaks("nl") && !speaks("it"));
        for language in ["en", "de", "es", "fr", "pt", "it", "tr", "ar", "hi", "id", "zh", "ja"] {
            let locale = Locale::parse(language).unwrap();
            let built_in = Voices::built_in();
            assert!(built_in.speaker(&locale, country("DE")).unwrap().understands_ssml(), "{language}");
        }
    }
}
