//! Reads a wish for a language in whatever form a phone, a browser, a shell or a database wrote it.

use icu_locale::LanguageIdentifier;
use icu_locale::subtags::{Language, Region, Script, Variant};
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use super::{Locale, fit};

/// How much of a wish is looked at, in characters.
const LONGEST: usize = 512;

/// How many languages of a list are kept.
const MOST: usize = 16;

/// The weight of a language that names none, in thousandths (RFC 9110, 12.4.2).
const FULL: u16 = 1000;

impl Locale {
    /// Reads the languages that a text asks for, the most wanted first; whatever it says, it is no error.
    ///
    /// Understood are tags of BCP 47, lists as in `Accept-Language` with their weights, what POSIX, Java, .NET and ICU make
    /// of them (`de_DE.UTF-8`, `sr_RS@latin`, `zh_CN_#Hans`, `zh-CHT`) and codes that were given up (`iw` is `he`, `in` is
    /// `id`). `*`, weights of 0 and what is no language ask for nothing; extensions and private subtags are left out.
    /// At most the first 512 characters count, and 16 languages.
    pub fn wishes(text: &str) -> Vec<Self> {
        let plain: String = text.chars().take(LONGEST).filter_map(plain).collect();
        let mut wanted: Vec<(Self, u16)> = Vec::new();
        for entry in plain.split([',', ':', '|', '\n']) {
            let words = || entry.split(|letter: char| !is_of_a_tag(letter)).filter(|word| !word.is_empty());
            let weight = words().find_map(weight).unwrap_or(FULL);
            let languages = words().filter(|word| !is_parameter(word)).filter_map(language);
            let room = MOST - wanted.len();
            wanted.extend(languages.map(|found| (found, weight)).take(room));
        }
        wanted.retain(|(_, weight)| *weight > 0);
        wanted.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        let mut wishes: Vec<Self> = Vec::with_capacity(wanted.len());
        for (wish, _) in wanted {
            if !wishes.contains(&wish) {
                wishes.push(wish);
            }
        }
        wishes
    }
}

/// The letter that is meant: full-width forms are plain ones, every dash is a hyphen, and what is invisible is not there.
fn plain(letter: char) -> Option<char> {
    let letter = match u32::from(letter) {
        wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFF01 + 0x21).unwrap_or(letter),
        _ => letter,
    };
    if letter.is_ascii() {
        return Some(letter);
    }
    let kind = CodePointMapData::<GeneralCategory>::new().get(letter);
    if kind == GeneralCategory::Format {
        return None;
    }
    let is_dash = [GeneralCategory::DashPunctuation, GeneralCategory::MathSymbol].contains(&kind);
    Some(if is_dash { '-' } else { letter })
}

/// Letters of tags and of what programs add to them; everything else separates.
fn is_of_a_tag(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.@#=".contains(letter)
}

/// Whether a word is a parameter of the language before it.
fn is_parameter(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| !name.contains('@'))
}

/// The weight that `q=0.8` gives to the language before it, in thousandths. One that cannot be read takes nothing away.
fn weight(word: &str) -> Option<u16> {
    let (_, value) = word.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("q"))?;
    let share = value.parse::<f32>().ok().filter(|share| share.is_finite())?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000 fits")]
    Some((share.clamp(0.0, 1.0) * f32::from(FULL)) as u16)
}

/// The language of one word, in canonical form.
fn language(word: &str) -> Option<Locale> {
    let (word, modifier) = word.split_once('@').unwrap_or((word, ""));
    let modifier = modifier.split(['=', '.']).next().unwrap_or(modifier);
    let word = word.split('.').next().unwrap_or(word);
    let mut parts = word.split(['-', '_', '#']).filter(|part| !part.is_empty());
    let main = parts.next().filter(|main| (2..=3).contains(&main.len()))?;
    let mut id = LanguageIdentifier::UNKNOWN;
    id.language = Language::try_from_str(main).ok().filter(|language| *language != Language::UNKNOWN)?;
    // An extension or a private subtag ends what is of interest.
    for part in parts.take_while(|part| part.len() > 1) {
        take(&mut id, part);
    }
    if id.script.is_none() {
        id.script = script_of(modifier);
    }
    let id = fit::canonical(id);
    Locale::parse(&id.to_string()).or_else(|_| Locale::parse(id.language.as_str())).ok()
}

/// Adds a subtag. Order does not matter (Java puts scripts last); what is no subtag or comes twice is left out.
fn take(id: &mut LanguageIdentifier, part: &str) {
    let is_word = part.bytes().all(|letter| letter.is_ascii_alphabetic());
    match part.len() {
        // How .NET named the two ways to write Chinese.
        3 if part.eq_ignore_ascii_case("chs") => id.script = Script::try_from_str("Hans").ok(),
        3 if part.eq_ignore_ascii_case("cht") => id.script = Script::try_from_str("Hant").ok(),
        // The spoken kinds of Chinese, as an extended language subtag.
        3 if is_word && id.language.as_str() == "zh" => {
            let spoken = ["cmn", "yue"].into_iter().find(|kind| part.eq_ignore_ascii_case(kind));
            id.language = spoken.and_then(|kind| Language::try_from_str(kind).ok()).unwrap_or(id.language);
        }
        4 if is_word => id.script = id.script.or(Script::try_from_str(part).ok()),
        2 | 3 => id.region = id.region.or(Region::try_from_str(part).ok()),
        _ if part.eq_ignore_ascii_case("posix") => {}
        _ => {
            if let Ok(variant) = Variant::try_from_str(part) {
                id.variants.push(variant);
            }
        }
    }
}

/// The script that the C library names after `@`.
fn script_of(modifier: &str) -> Option<Script> {
    let script = match modifier.to_ascii_lowercase().as_str() {
        "latin" | "iqtelif" => "Latn",
        "cyrillic" => "Cyrl",
        "devanagari" => "Deva",
        _ => return None,
    };
    Script::try_from_str(script).ok()
}
