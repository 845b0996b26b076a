//! Languages as people ask for them.

mod fit;
mod wish;

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

pub use fit::Distance;

use fit::Likely;

/// The text is not a language tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be a BCP 47 language tag such as en or pt-BR")]
pub struct InvalidLocale;

/// A BCP 47 language tag in canonical case: `en`, `pt-BR`, `zh-Hant-TW`.
///
/// What callers ask for is read by [`Locale::wishes`], which refuses nothing; which of several tags suits a wish is said
/// by [`Locale::best_fit`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale {
    tag: Arc<str>,
    /// What the tag most likely stands for; follows from it, and is kept so that comparing costs nothing.
    likely: Likely,
}

impl Locale {
    /// The longest tag, in characters.
    pub const MAX_TAG: usize = 35;

    /// Reads a tag of up to [`Self::MAX_TAG`] characters; `_` is taken for `-`. The language need not be one that we have
    /// texts for.
    pub fn parse(tag: &str) -> Result<Self, InvalidLocale> {
        if tag.len() > Self::MAX_TAG {
            return Err(InvalidLocale);
        }
        let mut canonical = String::with_capacity(tag.len());
        for (place, part) in tag.split(['-', '_']).enumerate() {
            let letters = part.bytes().all(|byte| byte.is_ascii_alphabetic());
            let shaped =
                (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if !shaped || (place == 0 && !(letters && (2..=3).contains(&part.len()))) {
                return Err(InvalidLocale);
            }
            if place > 0 {
                canonical.push('-');
            }
            match (place, part.len()) {
                (0, _) => canonical.push_str(&part.to_ascii_lowercase()),
                (_, 4) if letters => {
                    canonical.push_str(&part[..1].to_ascii_uppercase());
                    canonical.push_str(&part[1..].to_ascii_lowercase());
                }
                (_, 2) if letters => canonical.push_str(&part.to_ascii_uppercase()),
                _ => canonical.push_str(&part.to_ascii_lowercase()),
            }
        }
        Ok(Self { likely: Likely::of(&canonical), tag: canonical.into() })
    }

    /// English, the last resort (FMT-60).
    pub fn english() -> Self {
        Self { tag: "en".into(), likely: Likely::of("en") }
    }

    /// The canonical tag.
    pub fn as_str(&self) -> &str {
        &self.tag
    }

    /// The primary language, for example `pt` of `pt-BR`.
    pub fn language(&self) -> &str {
        self.tag.split('-').next().unwrap_or(&self.tag)
    }

    /// This tag and its ever shorter forms: `zh-Hant-TW`, `zh-Hant`, `zh` (BCP 47 lookup).
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.tag), |tag| tag.rfind('-').map(|end| &tag[..end]))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag)
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag)
    }
}

#[cfg(test)]
mod tests;
