//! What a provider reports after a send.

use std::fmt;

use crate::{Failure, Moment};

/// What a provider says became of a message, in the order in which later words outrank earlier ones (RTE-01): a
/// delivery that is reported after a failure wins, a failure after a delivery changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptStatus {
    /// Handed on towards the person.
    Sent,
    /// Its validity ended first.
    Expired,
    /// It did not arrive.
    Undelivered,
    /// It arrived.
    Delivered,
    /// It was opened.
    Read,
}

impl ReceiptStatus {
    /// Every status, weakest first.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Expired, Self::Undelivered, Self::Delivered, Self::Read];

    /// The word used in records, events and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Expired => "expired",
            Self::Undelivered => "undelivered",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The strength of the word, from 1.
    pub fn rank(self) -> u8 {
        match self {
            Self::Sent => 1,
            Self::Expired => 2,
            Self::Undelivered => 3,
            Self::Delivered => 4,
            Self::Read => 5,
        }
    }

    /// The status of this strength.
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.rank() == rank)
    }

    /// Whether it says that the message arrived.
    pub fn is_positive(self) -> bool {
        self.rank() >= Self::Delivered.rank()
    }

    /// Whether it says that the message will not arrive.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::Expired | Self::Undelivered)
    }
}

impl fmt::Display for ReceiptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The strongest report on one attempt so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// What it says.
    pub status: ReceiptStatus,
    /// When it was merged, on the store's clock.
    pub at: Moment,
    /// For negative reports: why, as far as the vendor says.
    pub because: Option<Failure>,
}
