//! Languages as people ask for them.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The text is not a language tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be a BCP 47 language tag such as en or pt-BR")]
pub struct InvalidLocale;

/// A BCP 47 language tag in canonical case: `en`, `pt-BR`, `zh-Hant-TW`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(Arc<str>);

impl Locale {
    /// Reads a tag of up to 35 characters; `_` is taken for `-`. The language need not be one that we have texts for.
    pub fn parse(tag: &str) -> Result<Self, InvalidLocale> {
        if tag.len() > 35 {
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
        Ok(Self(canonical.into()))
    }

    /// English, the last resort (FMT-60).
    pub fn english() -> Self {
        Self("en".into())
    }

    /// The canonical tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The primary language, for example `pt` of `pt-BR`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or(&self.0)
    }

    /// This tag and its ever shorter forms: `zh-Hant-TW`, `zh-Hant`, `zh` (BCP 47 lookup).
    pub fn fallbacks(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(&*self.0), |tag| tag.rfind('-').map(|end| &tag[..end]))
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
