//! Outcomes that routing, waits, breakers and dashboards learn from.

use std::fmt;
use std::time::Duration;

use crate::{Channel, Country, FailureClass, Moment, ProviderName};

/// Upper edges, in seconds, of the bins in which times to deliver and to verify are counted; what takes longer is in
/// one more bin.
pub const LATENCY_BINS: [u64; 16] = [1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];

/// The bin that a time belongs to, from 0 to `LATENCY_BINS.len()`.
pub fn latency_bin(took: Duration) -> u8 {
    LATENCY_BINS.iter().take_while(|edge| took > Duration::from_secs(**edge)).count() as u8
}

/// What outcomes are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Segment {
    /// Who sent.
    pub provider: ProviderName,
    /// Over which channel.
    pub channel: Channel,
    /// To which country.
    pub country: Country,
}

/// What one breaker guards; a failure opens the one that it speaks of (see [`crate::SpeaksOf`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BreakerScope {
    /// An account with everything that it sends.
    Account(ProviderName),
    /// An account's way over a channel to a country, from the sender that it has there.
    Way(Segment),
    /// One text or template on that way.
    Text(Segment, TextName),
}

impl BreakerScope {
    /// Every scope that a send on this way with this text passes, widest first.
    pub fn all(way: &Segment, text: Option<&TextName>) -> Vec<Self> {
        let mut scopes = vec![Self::Account(way.provider.clone()), Self::Way(way.clone())];
        scopes.extend(text.map(|text| Self::Text(way.clone(), text.clone())));
        scopes
    }

    /// Whose account it is about.
    pub fn provider(&self) -> &ProviderName {
        match self {
            Self::Account(provider) => provider,
            Self::Way(way) | Self::Text(way, _) => &way.provider,
        }
    }
}

/// Names one text or template in one language, for operators and as a key: a tenant's text as `shop/login/de`, a
/// template as the vendor knows it, `login_code/en_US`. Never empty, without blanks and `|`, at most 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextName(String);

impl TextName {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 200;

    /// Joins the parts of a name with `/`; what a name cannot hold becomes `_`, what is too long is cut.
    pub fn of(parts: &[&str]) -> Self {
        let mut name: String = parts.join("/");
        name = name
            .chars()
            .map(|letter| if letter.is_ascii_graphic() && letter != '|' { letter } else { '_' })
            .collect();
        name.truncate(Self::LONGEST);
        if name.is_empty() { Self("_".to_owned()) } else { Self(name) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Where it belongs.
    pub segment: Segment,
    /// The moment of the attempt's claim: all outcomes of an attempt are counted in the bucket of this moment, so that
    /// ratios within a bucket mean something.
    pub attempted_at: Moment,
    /// What is counted.
    pub measure: Measure,
}

/// What is counted, once per attempt and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// The provider took it.
    Accepted,
    /// It failed. Ambiguous sends are counted here too; a later receipt or check counts on top.
    Failed(FailureClass),
    /// A receipt said that it arrived, in this latency bin.
    Delivered(u8),
    /// A receipt said that it will not arrive.
    Undelivered,
    /// Its code was entered, in this latency bin.
    Verified(u8),
    /// Other attempts that may have arrived carry its code too, or nobody said whose code was entered: it cannot be told
    /// whether it worked (RTE-04). Counted on top of the outcome of the send, at most once per attempt and never with
    /// [`Self::Verified`]: it takes the attempt out of both terms of conversion.
    Uncredited,
    /// It was not handed over, because a breaker was open or the account too busy.
    Skipped,
}

impl Measure {
    /// A short key for records: `a`, `f:rejected`, `d:3`, `u`, `v:3`, `n`, `s`.
    pub fn key(self) -> String {
        match self {
            Self::Accepted => "a".to_owned(),
            Self::Failed(class) => format!("f:{class}"),
            Self::Delivered(bin) => format!("d:{bin}"),
            Self::Undelivered => "u".to_owned(),
            Self::Verified(bin) => format!("v:{bin}"),
            Self::Uncredited => "n".to_owned(),
            Self::Skipped => "s".to_owned(),
        }
    }

    /// Reads the key of [`Self::key`].
    pub fn parse(key: &str) -> Option<Self> {
        let bin = |text: &str| text.parse().ok().filter(|bin| usize::from(*bin) <= LATENCY_BINS.len());
        match key.split_once(':') {
            None if key == "a" => Some(Self::Accepted),
            None if key == "u" => Some(Self::Undelivered),
            None if key == "n" => Some(Self::Uncredited),
            None if key == "s" => Some(Self::Skipped),
            Some(("f", class)) => FailureClass::parse(class).map(Self::Failed),
            Some(("d", text)) => bin(text).map(Self::Delivered),
            Some(("v", text)) => bin(text).map(Self::Verified),
            None | Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_text_name_can_be_a_key_whatever_it_is_made_of() {
        assert_eq!(TextName::of(&["shop", "login", "de"]).as_str(), "shop/login/de");
        assert_eq!(TextName::of(&["a|b c", "ü"]).as_str(), "a_b_c/_");
        assert_eq!(TextName::of(&[]).as_str(), "_");
        assert_eq!(TextName::of(&[&"x".repeat(999)]).as_str().len(), TextName::LONGEST);
    }

    #[test]
    fn a_time_falls_into_the_bin_whose_edge_it_does_not_pass() {
        let check =
            |millis: u64, bin: u8| assert_eq!(latency_bin(Duration::from_millis(millis)), bin, "{millis}");
        check(0, 0);
        check(1_000, 0);
        check(1_001, 1);
        check(600_000, 15);
        check(600_001, 16);
    }

    #[test]
    fn every_measure_reads_its_own_key() {
        let measures = [
            Measure::Accepted,
            Measure::Undelivered,
            Measure::Delivered(16),
            Measure::Verified(0),
            Measure::Uncredited,
            Measure::Skipped,
        ];
        let failures = FailureClass::ALL.map(Measure::Failed);
        for measure in measures.into_iter().chain(failures) {
            assert_eq!(Measure::parse(&measure.key()), Some(measure));
        }
        assert_eq!(Measure::parse("d:17"), None);
        assert_eq!(Measure::parse("x"), None);
    }
}
