//! What happens to a verification, what has to be done about it, and what others are told.

use crate::{
    AttemptEnd, AttemptNumber, Channel, ChannelClass, Ending, ErrorClass, ExpiryReason, Failure,
    FailureClass, Moment, Observation, Origin, ProviderName, ProviderReference, ReceiptStatus, TenantId,
    VerificationId,
};

/// Something that happened to a verification and may change it. A repeated event changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker finished a send.
    Sent {
        /// Which attempt it held.
        attempt: AttemptNumber,
        /// Which try of the attempt it was: what an earlier claim learnt says nothing of a later one.
        tries: u8,
        /// What came of it.
        outcome: Result<Option<ProviderReference>, Failure>,
    },
    /// A worker gave up a claim before anything left, because the process is stopping or the deadline passed.
    Released {
        /// Which attempt it held.
        attempt: AttemptNumber,
        /// Which try of the attempt it was.
        tries: u8,
    },
    /// A worker did not try, because the provider's breaker is open or its account is too busy.
    Skipped {
        /// Which attempt it held.
        attempt: AttemptNumber,
        /// Which try of the attempt it was.
        tries: u8,
        /// Until when the account is too busy; `None` for an open breaker.
        busy_until: Option<Moment>,
    },
    /// An instant has come at which somebody must look.
    Due,
    /// A receipt was merged into the attempt.
    ReceiptMerged {
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// The caller took the verification back.
    Cancelled,
    /// The caller checked the code elsewhere and reports how it went.
    Reported {
        /// Whether the code was right.
        verified: bool,
        /// The attempt whose code was entered, if known.
        attempt: Option<AttemptNumber>,
    },
    /// A message was taken back, or it is known to be too late.
    RevokeSettled {
        /// Which attempt.
        attempt: AttemptNumber,
    },
}

/// Something to be carried out in the same commit as the change that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Put a pointer on a provider's lane.
    Dispatch {
        /// Whose lane.
        provider: ProviderName,
        /// Which attempt.
        attempt: AttemptNumber,
        /// What the worker has to do.
        job: JobKind,
    },
    /// Count an outcome.
    Observe(Observation),
    /// Tell whoever listens.
    Publish(HappeningKind),
}

/// What a pointer on a lane asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Send the attempt's message.
    Send,
    /// Take the attempt's message back.
    Revoke,
}

impl JobKind {
    /// The word used in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Revoke => "revoke",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Send, Self::Revoke].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Something that happened, as told to the tenant and to operators. Holds neither code nor number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Which verification.
    pub verification: VerificationId,
    /// Whose.
    pub tenant: TenantId,
    /// When it was booked.
    pub at: Moment,
    /// What.
    pub kind: HappeningKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HappeningKind {
    /// The verification was accepted and is durable.
    Opened,
    /// A send was put on a lane.
    AttemptQueued {
        /// Its number.
        attempt: AttemptNumber,
        /// Whose lane.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
        /// Why it was made.
        origin: Origin,
        /// For failovers: what the attempt before it ended with; `None` when it stayed silent.
        because: Option<FailureClass>,
    },
    /// A send failed, known not sent, and will be tried once more as the same attempt.
    AttemptRetrying {
        /// Its number.
        attempt: AttemptNumber,
        /// Whose lane.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
        /// What stopped it.
        because: FailureClass,
    },
    /// The provider took it.
    AttemptAccepted {
        /// Its number.
        attempt: AttemptNumber,
        /// Who took it.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
    },
    /// The provider may have taken it.
    AttemptAmbiguous {
        /// Its number.
        attempt: AttemptNumber,
        /// Who may have taken it.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
        /// What happened.
        error: ErrorClass,
    },
    /// It ended without a message.
    AttemptEnded {
        /// Its number.
        attempt: AttemptNumber,
        /// Whose lane it was on.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
        /// Why.
        how: AttemptEnd,
    },
    /// A receipt said more than was known before.
    ReceiptMerged {
        /// Which attempt.
        attempt: AttemptNumber,
        /// Who reported.
        provider: ProviderName,
        /// Over which channel.
        channel: Channel,
        /// What it says.
        status: ReceiptStatus,
    },
    /// A wrong code was entered.
    CheckFailed {
        /// How many checks are left.
        remaining: u8,
    },
    /// An operator had failed checks forgotten, of which this verification had the last.
    ChecksLifted {
        /// Of which class of channel.
        class: ChannelClass,
        /// How many in a row there had been.
        failures: u16,
        /// Who ordered it.
        author: String,
        /// Why, in the operator's words.
        reason: String,
    },
    /// The verification ended.
    Ended {
        /// How.
        how: Ending,
        /// Why its time ran out, if that is how it ended.
        because: Option<ExpiryReason>,
    },
}
