//! The steps chosen for one verification, and why.

use std::time::Duration;

use crate::{Channel, ProviderName, Ranking, RouteName, SucceedOn};

/// The candidates chosen for one verification in the order in which they are tried, with everything that is needed to
/// explain and to repeat the choice (RTE-14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The route it was made from.
    pub route: RouteName,
    /// What the draws were made with.
    pub seed: u64,
    /// Who is tried, in order.
    pub candidates: Vec<Candidate>,
    /// Everyone who was considered, chosen or not, in the route's order.
    pub considered: Vec<Considered>,
}

/// One provider on one channel that will be tried when its turn comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Whose account.
    pub provider: ProviderName,
    /// The way to the person.
    pub channel: Channel,
    /// Which step of the route it belongs to, from 0.
    pub step: u8,
    /// What counts as success.
    pub succeed_on: SucceedOn,
    /// How long success may take at most, counted from the claim.
    pub wait: Duration,
    /// How long the job may wait in the lane at most.
    pub max_queue_wait: Duration,
    /// Whether the vendor can take a message back.
    pub revocable: bool,
    /// Whether the vendor recognises a repeat of the same message id, so that a repeat after an ambiguous send is safe.
    pub idempotent: bool,
}

/// One provider that planning looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Considered {
    /// Whose account.
    pub provider: ProviderName,
    /// The way to the person.
    pub channel: Channel,
    /// Which step of the route it stands in, from 0.
    pub step: u8,
    /// What became of it.
    pub reason: ChoiceReason,
}

/// Why a provider has its place in the plan, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceReason {
    /// Chosen: its place in the configured order.
    Priority {
        /// The place in its step, from 1.
        place: u8,
    },
    /// Chosen by a draw that its weight took part in.
    Drawn {
        /// Its weight.
        weight: u16,
        /// The sum of the weights that were left in this draw.
        total: u32,
        /// How many others were drawn before it.
        after: u8,
    },
    /// Chosen although its breaker is open: all others are open too, and it is the least bad (RTE-21).
    LeastBad {
        /// Which way the order was made.
        ranking: Ranking,
    },
    /// Not chosen.
    Excluded(Exclusion),
}

/// Why a provider is not in the plan (RTE-10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// The caller does not allow the channel.
    ChannelNotAllowed,
    /// The provider cannot do this channel.
    ChannelUnsupported,
    /// The provider does not serve the recipient's country.
    CountryUnsupported,
    /// The kind of line cannot be reached on this channel (FRD-02).
    LineUnsuitable,
    /// No text or template fits: language, payment details or template lifetime (FMT-32, CMP-23).
    NoContent,
    /// After wrong codes, checks of this class of channel are locked until an operator lifts it (SEC-05).
    ChecksLocked,
    /// After wrong codes, checks of this class of channel have to wait until its code would be of no use (SEC-05).
    ChecksWaiting,
    /// An operator paused it.
    Paused,
    /// Its breaker is open.
    BreakerOpen,
    /// More waits in its lane than it sends in time.
    LaneFull,
    /// The life of the code is too short even for a message that goes at once (RTE-33).
    NoTime,
    /// The verification may not have more attempts (SEC-19). Only in records of earlier versions: the limit is looked at
    /// when a candidate's turn comes.
    TooManyAttempts,
}

impl Exclusion {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::ChannelNotAllowed,
        Self::ChannelUnsupported,
        Self::CountryUnsupported,
        Self::LineUnsuitable,
        Self::NoContent,
        Self::ChecksLocked,
        Self::ChecksWaiting,
        Self::Paused,
        Self::BreakerOpen,
        Self::LaneFull,
        Self::NoTime,
        Self::TooManyAttempts,
    ];

    /// The word used in records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChannelNotAllowed => "channel_not_allowed",
            Self::ChannelUnsupported => "channel_unsupported",
            Self::CountryUnsupported => "country_unsupported",
            Self::LineUnsuitable => "line_unsuitable",
            Self::NoContent => "no_content",
            Self::ChecksLocked => "checks_locked",
            Self::ChecksWaiting => "checks_waiting",
            Self::Paused => "paused",
            Self::BreakerOpen => "breaker_open",
            Self::LaneFull => "lane_full",
            Self::NoTime => "no_time",
            Self::TooManyAttempts => "too_many_attempts",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}
