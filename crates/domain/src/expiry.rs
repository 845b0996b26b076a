//! Why a verification ran out of time.

use std::fmt;

use crate::{Attempt, Phase, Verification};

/// Why a verification ran out of time: how far the message that came furthest had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExpiryReason {
    /// No provider was given a message: it waited on a lane, for a retry, or every send failed.
    NotSent,
    /// A provider took a message and reported that it did not arrive.
    Undelivered,
    /// A provider may have a message; it gave no answer that could be used.
    MaybeSent,
    /// A provider took a message and did not report that it arrived.
    Unconfirmed,
    /// A message arrived, and nobody typed in its code.
    NotEntered,
}

impl ExpiryReason {
    /// Every reason, the one furthest from success first.
    pub const ALL: [Self; 5] =
        [Self::NotSent, Self::Undelivered, Self::MaybeSent, Self::Unconfirmed, Self::NotEntered];

    /// The word used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotSent => "not_sent",
            Self::Undelivered => "undelivered",
            Self::MaybeSent => "maybe_sent",
            Self::Unconfirmed => "unconfirmed",
            Self::NotEntered => "not_entered",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Why this verification expired, or would now.
    pub fn of(verification: &Verification) -> Self {
        verification.attempts.iter().map(reached).max().unwrap_or(Self::NotSent)
    }
}

impl fmt::Display for ExpiryReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far one attempt came. A report counts for more than the answer to the send: the answer may have been lost.
fn reached(attempt: &Attempt) -> ExpiryReason {
    match (attempt.receipt.map(|receipt| receipt.status), &attempt.phase) {
        (Some(status), _) if status.is_positive() => ExpiryReason::NotEntered,
        (Some(status), _) if status.is_negative() => ExpiryReason::Undelivered,
        (Some(_), _) | (None, Phase::Accepted { .. }) => ExpiryReason::Unconfirmed,
        (None, Phase::Claimed { .. } | Phase::Ambiguous { .. }) => ExpiryReason::MaybeSent,
        (None, Phase::Queued { .. } | Phase::Retrying { .. } | Phase::Ended { .. }) => ExpiryReason::NotSent,
    }
}
