//! How a send can fail, in the two sizes that people ask for.

use std::fmt;
use std::time::Duration;

/// What to do next after a send that did not succeed. Policy reads this and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// The content, the vendor's policy or its fraud control said no: another provider may say yes.
    Rejected,
    /// This person cannot be reached on this channel: another channel may work.
    Unroutable,
    /// Too fast, and known not processed.
    Throttled,
    /// The provider could not be reached before bytes left, or said in a documented way that it is down.
    Unavailable,
    /// Our account with the provider is wrong: credentials, balance, sender or template registration.
    Misconfigured,
    /// Bytes left and no usable answer came: the message may have been sent.
    Ambiguous,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Rejected,
        Self::Unroutable,
        Self::Throttled,
        Self::Unavailable,
        Self::Misconfigured,
        Self::Ambiguous,
    ];

    /// The word used in records, events and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unroutable => "unroutable",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What happened, as dashboards and alerts name it: a bounded label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The number does not exist or cannot have this kind of message.
    InvalidDestination,
    /// The person is off, away, or not on this channel.
    Unreachable,
    /// The person opted out, or somebody's fraud control stopped it.
    Blocked,
    /// Sent too fast.
    RateLimited,
    /// Credentials, permission, sender or template registration.
    Auth,
    /// The provider's own fault.
    Provider5xx,
    /// No answer in time.
    Timeout,
    /// No connection.
    Network,
    /// The text or template was refused.
    ContentRejected,
    /// The account's balance is used up.
    InsufficientFunds,
    /// The validity ended before the message was delivered.
    Expired,
    /// Nothing better is known.
    Unknown,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 12] = [
        Self::InvalidDestination,
        Self::Unreachable,
        Self::Blocked,
        Self::RateLimited,
        Self::Auth,
        Self::Provider5xx,
        Self::Timeout,
        Self::Network,
        Self::ContentRejected,
        Self::InsufficientFunds,
        Self::Expired,
        Self::Unknown,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidDestination => "invalid_destination",
            Self::Unreachable => "unreachable",
            Self::Blocked => "blocked",
            Self::RateLimited => "rate_limited",
            Self::Auth => "auth",
            Self::Provider5xx => "provider_5xx",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::ContentRejected => "content_rejected",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A send that did not succeed: both answers, and the little that may be told of the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What to do next.
    pub class: FailureClass,
    /// What happened.
    pub error: ErrorClass,
    /// The vendor's own code, if it is a short token without free text (for example `21610`).
    pub vendor_code: Option<u32>,
    /// How long the vendor asked to be left alone; only with [`FailureClass::Throttled`] or `Unavailable`.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a vendor code.
    pub fn new(class: FailureClass, error: ErrorClass) -> Self {
        Self { class, error, vendor_code: None, retry_after: None }
    }

    /// The same with the vendor's code.
    pub fn with_code(self, code: u32) -> Self {
        Self { vendor_code: Some(code), ..self }
    }

    /// The same with the vendor's wish to be left alone.
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }
}
