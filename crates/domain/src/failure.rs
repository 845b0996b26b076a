//! How a send can fail, in the two sizes that people ask for.

use std::fmt;
use std::time::Duration;

use crate::VendorCode;

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

/// What a failure speaks of: the widest thing that will fail again, and the only thing that may be avoided because of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpeaksOf {
    /// The whole account with the vendor: credentials, balance, suspension. Every channel and country.
    Account,
    /// The account's way over this channel to this country.
    Channel,
    /// Who it is sent from on this channel: a number, a sender id, an agent, for this country.
    Sender,
    /// What is said: one text or template in one language, of one tenant.
    Template,
    /// The recipient. Says nothing about anybody else's messages.
    Person,
}

impl SpeaksOf {
    /// Everything that a failure can speak of, widest first.
    pub const ALL: [Self; 5] = [Self::Account, Self::Channel, Self::Sender, Self::Template, Self::Person];

    /// The word used in records, events and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Channel => "channel",
            Self::Sender => "sender",
            Self::Template => "template",
            Self::Person => "person",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.as_str() == word)
    }

    /// What a failure of this class speaks of where nobody knows better.
    pub fn usual(class: FailureClass) -> Self {
        match class {
            FailureClass::Rejected => Self::Template,
            FailureClass::Unroutable => Self::Person,
            FailureClass::Throttled | FailureClass::Misconfigured => Self::Account,
            FailureClass::Unavailable | FailureClass::Ambiguous => Self::Channel,
        }
    }
}

impl fmt::Display for SpeaksOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A send that did not succeed, or a report that a message will not arrive: what to do next, what happened, what it
/// speaks of, and the little that may be told of the vendor's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What to do next.
    pub class: FailureClass,
    /// What happened.
    pub error: ErrorClass,
    /// What will fail again.
    pub speaks_of: SpeaksOf,
    /// The vendor's own code.
    pub vendor_code: Option<VendorCode>,
    /// Whether the vendor's code stands in no table of ours, so that class and error are a guess from the HTTP status.
    /// Not kept in records.
    pub unlisted: bool,
    /// How long the vendor asked to be left alone; only with [`FailureClass::Throttled`] or `Unavailable`. Not kept in
    /// records.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure without a vendor code that speaks of what its class usually does.
    pub fn new(class: FailureClass, error: ErrorClass) -> Self {
        let speaks_of = SpeaksOf::usual(class);
        Self { class, error, speaks_of, vendor_code: None, unlisted: false, retry_after: None }
    }

    /// The same about something else.
    pub fn speaking_of(self, speaks_of: SpeaksOf) -> Self {
        Self { speaks_of, ..self }
    }

    /// The same with the vendor's code, a number.
    pub fn with_code(self, code: u32) -> Self {
        self.with_vendor_code(code.into())
    }

    /// The same with the vendor's code, whatever its form.
    pub fn with_vendor_code(self, code: VendorCode) -> Self {
        Self { vendor_code: Some(code), ..self }
    }

    /// What records keep of it.
    pub fn kept(self) -> Self {
        Self { unlisted: false, retry_after: None, ..self }
    }

    /// The same with the vendor's wish to be left alone.
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }
}
