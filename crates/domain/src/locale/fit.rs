//! Which of several tags suits a wish best: by language, then script, then region.
//!
//! The order follows the language matching of CLDR (UTS 35, part 1, "Language Matching", data of release 48, read on
//! 2026-11-30) with one difference: a tag of the wished language in another script is still better than nothing, because
//! what comes after nothing is another language.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use icu_locale::subtags::{Language, Region, Script, language};
use icu_locale::{LanguageIdentifier, LocaleCanonicalizer, LocaleExpander};

use super::Locale;

/// How far a tag is from a wish; less is better, and the default is a tag that says what the wish says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Distance {
    /// 0: the same language. 1: one that its readers read as well.
    language: u8,
    /// 0: the same script. 1: another one.
    script: u8,
    /// 0: the same region. Up to 5, see [`region`].
    region: u8,
    /// 0: the same tag. 1: more or fewer subtags, such as variants.
    rest: u8,
}

impl Distance {
    /// Whether it is another language or another script than was wished.
    pub fn is_far(self) -> bool {
        self.language > 0 || self.script > 0
    }
}

/// A tag with its language in today's code and with the script that it most likely means: `zh-TW` is `zh-Hant`, `iw` is
/// `he`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Likely {
    language: Language,
    script: Option<Script>,
    /// As the tag says.
    said: Option<Region>,
    /// As the tag says, or where most speakers are.
    region: Option<Region>,
}

impl Likely {
    /// Reads a tag that has the form of one; extensions say nothing.
    pub(super) fn of(tag: &str) -> Self {
        let Ok(id) = LanguageIdentifier::try_from_locale_bytes(tag.as_bytes()) else {
            let main = tag.split('-').next().and_then(|main| Language::try_from_str(main).ok());
            let language = main.unwrap_or(Language::UNKNOWN);
            return Self { language, script: None, said: None, region: None };
        };
        let mut id = canonical(id);
        let said = id.region;
        LocaleExpander::new_extended().maximize(&mut id);
        Self { language: id.language, script: id.script, said, region: id.region }
    }
}

/// It follows from the tag, so it tells no two locales apart.
impl PartialEq for Likely {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Likely {}

impl PartialOrd for Likely {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Likely {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Likely {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Today's codes in place of those that were given up: `iw`, `in`, `ji`, `mo`, `tl`, `sh`, `deu`, `UK`.
pub(super) fn canonical(id: LanguageIdentifier) -> LanguageIdentifier {
    let mut locale = icu_locale::Locale::from(id);
    LocaleCanonicalizer::new_extended().canonicalize(&mut locale);
    locale.id
}

/// Languages whose readers read the second as well, closely enough to take it for the first.
const READ_AS_WELL: [(Language, Language); 8] = [
    (language!("nb"), language!("no")),
    (language!("no"), language!("nb")),
    (language!("nn"), language!("nb")),
    (language!("nn"), language!("no")),
    (language!("nb"), language!("nn")),
    (language!("no"), language!("nn")),
    (language!("gsw"), language!("de")),
    (language!("yue"), language!("zh")),
];

/// Countries of the Americas where Spanish is written as in `es-419` (UN M.49, region 419, and the United States).
const LATIN_AMERICA: &str = "AR BO BZ CL CO CR CU DO EC GT HN MX NI PA PE PR PY SV US UY VE";

/// Countries that write English as the United States do (CLDR, `$enUS`, and Canada left to the rest).
const AMERICAN_ENGLISH: &str = "AS GU MH MP PH PR UM US VI";

impl Locale {
    /// Chooses among tags the one that fits a list of wishes best, the most wanted first: `zh-TW` takes `zh-Hant` before
    /// `zh-CN`, `es-MX` takes `es-419` before `es` before `es-ES`, `nn` takes `nb`, `iw` takes `he`.
    ///
    /// An earlier wish comes before a better fit of a later one, unless it could only be met in another script or in a
    /// related language. `None` if no tag is of a wished language; of equal tags the first is taken.
    pub fn best_fit<'a>(wishes: &[Self], tags: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        let fits = tags.into_iter().filter_map(|tag| {
            let distances = wishes.iter().enumerate().filter_map(|(place, wish)| {
                let distance = wish.distance(tag)?;
                Some((distance.is_far(), place, distance))
            });
            Some((distances.min()?, tag))
        });
        fits.min_by_key(|(distance, _)| *distance).map(|(_, tag)| tag)
    }

    /// How far a tag is from this wish; `None` if it is of another language.
    pub fn distance(&self, tag: &Self) -> Option<Distance> {
        if self.tag == tag.tag {
            return Some(Distance::default());
        }
        let (wish, offer) = (self.likely, tag.likely);
        let is_known = wish.language != Language::UNKNOWN;
        let language = if wish.language == offer.language && is_known {
            0
        } else if READ_AS_WELL.contains(&(wish.language, offer.language)) {
            1
        } else {
            return None;
        };
        let script = u8::from(wish.script != offer.script);
        Some(Distance { language, script, region: region(&wish, &offer), rest: 1 })
    }
}

/// How far the region of an offer is from that of a wish for the same language.
fn region(wish: &Likely, offer: &Likely) -> u8 {
    match (wish.said, offer.said) {
        (wished, offered) if wished == offered => 0,
        (Some(wished), Some(offered)) if contains(offered, wished) => 1,
        (_, None) => 2,
        (Some(_), Some(_)) if kind(wish).is_some_and(|one| kind(offer) == Some(one)) => 3,
        (_, Some(_)) if offer.region == most_speakers(offer) => 4,
        (_, Some(_)) => 5,
    }
}

/// Whether the larger region is one of several countries and has the other in it.
fn contains(larger: Region, country: Region) -> bool {
    match larger.as_str() {
        "419" => is_among(country, LATIN_AMERICA),
        "001" => true,
        _ => false,
    }
}

/// How a language is written there, where several countries share a way that is not everybody's.
fn kind(likely: &Likely) -> Option<u8> {
    let region = likely.region?;
    match likely.language.as_str() {
        "en" => Some(u8::from(is_among(region, AMERICAN_ENGLISH))),
        "es" => Some(u8::from(is_among(region, LATIN_AMERICA) || region.as_str() == "419")),
        "pt" => Some(u8::from(region.as_str() == "BR")),
        "zh" => Some(u8::from(is_among(region, "HK MO"))),
        _ => None,
    }
}

fn is_among(region: Region, countries: &str) -> bool {
    countries.split(' ').any(|country| country == region.as_str())
}

/// Where most speakers of the language in this script are.
fn most_speakers(likely: &Likely) -> Option<Region> {
    let mut id = LanguageIdentifier::UNKNOWN;
    id.language = likely.language;
    id.script = likely.script;
    LocaleExpander::new_extended().maximize(&mut id);
    id.region
}
