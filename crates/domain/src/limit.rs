//! Limits on how much may be sent.

use std::time::Duration;

/// What a limit counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// Sends to one number by one tenant.
    Recipient,
    /// Sends by one tenant.
    Tenant,
}

impl LimitKind {
    /// The word used in errors and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Tenant => "tenant",
        }
    }
}

/// At most this many in any window of this length (sliding).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRule {
    /// How many are allowed, at least 1.
    pub max: u32,
    /// The length of the window.
    pub window: Duration,
}
