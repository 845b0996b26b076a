//! The built-in texts, read and ready to be filled in.

use otter_domain::{Channel, Locale};

use crate::builtin_texts::{TEXTS, Wordings};
use crate::template::Template;

/// What a text is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A code.
    Plain,
    /// A code that confirms a payment (CMP-21).
    Payment,
}

/// The channels whose texts are ours to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    Sms,
    Rcs,
    Voice,
}

impl Medium {
    pub(crate) const ALL: [Self; 3] = [Self::Sms, Self::Rcs, Self::Voice];

    /// The medium of a channel, unless the vendor writes the channel's texts (FMT-30).
    pub(crate) fn of(channel: Channel) -> Option<Self> {
        match channel {
            Channel::Sms => Some(Self::Sms),
            Channel::WhatsApp => None,
            Channel::Rcs => Some(Self::Rcs),
            Channel::Voice => Some(Self::Voice),
        }
    }

    pub(crate) fn channel(self) -> Channel {
        match self {
            Self::Sms => Channel::Sms,
            Self::Rcs => Channel::Rcs,
            Self::Voice => Channel::Voice,
        }
    }
}

/// The built-in texts of one language.
#[derive(Debug, Clone)]
pub(crate) struct Language {
    /// The language's own tag, the first of the table's.
    pub(crate) locale: Locale,
    tags: Vec<Locale>,
    plain: Media,
    payment: Media,
}

#[derive(Debug, Clone)]
struct Media {
    sms: Vec<Template>,
    rcs: Vec<Template>,
    voice: Vec<Template>,
}

impl Language {
    /// The wordings for a case, longest first; at least one.
    pub(crate) fn wordings(&self, kind: Kind, medium: Medium) -> &[Template] {
        let media = match kind {
            Kind::Plain => &self.plain,
            Kind::Payment => &self.payment,
        };
        match medium {
            Medium::Sms => &media.sms,
            Medium::Rcs => &media.rcs,
            Medium::Voice => &media.voice,
        }
    }

    /// Every tag that the language's texts stand under.
    pub(crate) fn locales(&self) -> impl Iterator<Item = &Locale> {
        self.tags.iter()
    }
}

/// The language that fits a wish best; `None` if there is none of it.
pub(crate) fn nearest<'a>(languages: &'a [Language], wish: &Locale) -> Option<&'a Language> {
    let tags = languages.iter().flat_map(Language::locales);
    let best = Locale::best_fit(std::slice::from_ref(wish), tags)?;
    languages.iter().find(|language| language.tags.contains(best))
}

/// Reads every built-in text, in the order of the table; English is the first.
pub(crate) fn languages() -> Vec<Language> {
    let language = |texts: &crate::builtin_texts::Texts| {
        let tag = |tag: &&str| Locale::parse(tag).expect("built-in tags are language tags");
        let tags: Vec<Locale> = texts.tags.iter().map(tag).collect();
        let locale = tags[0].clone();
        let media = |wordings: &Wordings| Media {
            sms: templates(wordings.sms, &locale),
            rcs: templates(&[wordings.rcs], &locale),
            voice: templates(&[wordings.voice], &locale),
        };
        let (plain, payment) = (media(&texts.plain), media(&texts.payment));
        Language { locale, tags, plain, payment }
    };
    TEXTS.iter().map(language).collect()
}

fn templates(texts: &[&str], locale: &Locale) -> Vec<Template> {
    let template = |text: &&str| {
        Template::parse(text, locale.language()).expect("built-in texts are read by a test, every one")
    };
    texts.iter().map(template).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autofill::Lines;
    use crate::compose::Frame;
    use crate::lint;
    use crate::problem::Flaw;

    fn frame(brand: &str, host: Option<&str>) -> Frame {
        let lines = Lines { host: host.map(str::to_owned), app_hash: None };
        Frame { brand: brand.into(), lines, max_parts: 1 }
    }

    #[test]
    fn every_text_keeps_to_the_rules_of_operators_texts() {
        // The last wording has to fit by itself; the longer ones may be left out for a long brand.
        let roomy = Frame { max_parts: 2, ..frame("Sixteen letters.", None) };
        for language in languages() {
            for kind in [Kind::Plain, Kind::Payment] {
                for medium in Medium::ALL {
                    for wording in language.wordings(kind, medium) {
                        let flaws = lint::text_flaws(wording, kind, medium, &roomy);
                        assert_eq!(flaws, [], "{} {kind:?} {medium:?}", language.locale);
                    }
                }
            }
        }
    }

    #[test]
    fn every_text_fits_one_part_with_a_brand_of_sixteen_characters_fmt_04() {
        for language in languages() {
            for kind in [Kind::Plain, Kind::Payment] {
                let wordings = language.wordings(kind, Medium::Sms);
                let flaw = lint::length_flaw(&frame("Sixteen letters.", None), wordings);
                assert_eq!(flaw, None, "{} {kind:?}", language.locale);
            }
        }
    }

    #[test]
    fn every_plain_text_has_room_for_a_short_autofill_line() {
        for language in languages() {
            let wordings = language.wordings(Kind::Plain, Medium::Sms);
            let site = frame("Sixteen letters.", Some("example.com"));
            let lines = Lines { host: Some("a.example".into()), app_hash: Some("FA+9qCX9VSu".into()) };
            let site_and_app = Frame { lines, ..frame("ExampleCo", None) };
            assert_eq!(lint::length_flaw(&site, wordings), None, "{}", language.locale);
            assert_eq!(lint::length_flaw(&site_and_app, wordings), None, "{}", language.locale);
        }
    }

    #[test]
    fn brand_outside_gsm_7_still_leaves_one_part() {
        for language in languages() {
            for kind in [Kind::Plain, Kind::Payment] {
                let wordings = language.wordings(kind, Medium::Sms);
                let flaw = lint::length_flaw(&frame("Škoda a Müšlí 16", None), wordings);
                assert_eq!(flaw, None, "{} {kind:?}", language.locale);
            }
        }
    }

    #[test]
    fn the_full_wording_is_used_with_an_ordinary_brand() {
        for language in languages() {
            let full = &language.wordings(Kind::Plain, Medium::Sms)[..1];
            let flaw: Option<Flaw> = lint::length_flaw(&frame("ExampleCo", None), full);
            assert_eq!(flaw, None, "{}", language.locale);
        }
    }

    #[test]
    fn english_is_first_and_no_tag_stands_twice() {
        let languages = languages();
        assert_eq!(languages[0].locale, Locale::english());
        let mut tags: Vec<&str> = languages.iter().flat_map(Language::locales).map(Locale::as_str).collect();
        let all = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), all);
        for tag in tags {
            assert_eq!(Locale::parse(tag).as_ref().map(Locale::as_str), Ok(tag));
        }
    }
}
