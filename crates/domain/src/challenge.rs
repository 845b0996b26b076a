//! What is kept of a code, and what a check of one brings and learns.

use std::fmt;
use std::time::Duration;

use crate::{
    AttemptNumber, ChannelClass, Ending, Moment, RecipientRef, RequestId, Subject, TenantId, Verification,
    VerificationId,
};

/// How many codes of one verification can be valid at once (SEC-18).
pub const MAX_SLOTS: usize = 3;

/// Which of several keys made a digest, a seal or a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u8);

/// The keyed hash of a code bound to its verification, purpose and context (DOMAIN 1.3). Silent in `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

/// One valid code of a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeSlot {
    /// Which pepper made the digest (SEC-07).
    pub key: KeyId,
    /// The digest.
    pub digest: Digest,
    /// The code's own end; never after the verification's.
    pub until: Moment,
    /// The attempt that carries the code, unless several do.
    pub attempt: Option<AttemptNumber>,
    /// Which counter of failed checks its channel belongs to.
    pub class: ChannelClass,
}

/// The digest of what was typed, under one of the live peppers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentedDigest {
    /// Which pepper.
    pub key: KeyId,
    /// The digest.
    pub digest: Digest,
}

/// One submission of a code. The code itself stays in the process that received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSubmission {
    /// Which verification.
    pub id: VerificationId,
    /// Who asks; another tenant's verification is unknown to them.
    pub tenant: TenantId,
    /// The digests of the code under every live pepper.
    pub digests: Vec<PresentedDigest>,
    /// The caller's name for this call; the winner's is kept, so that its repeat learns the same.
    pub request_id: Option<RequestId>,
}

/// What a check learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckVerdict {
    /// The code is right, and this is the one success (or the winner's repeat).
    Verified {
        /// The attempt whose code was entered, where codes tell attempts apart (RTE-04).
        by: Option<AttemptNumber>,
        /// Whether this repeats the check that won.
        repeated: bool,
    },
    /// The code is wrong; it was counted.
    Wrong {
        /// How many checks are left.
        remaining: u8,
    },
    /// The verification has ended before; nothing was counted.
    Ended(Ending),
    /// Earlier failures of this recipient make the caller wait (SEC-05); nothing was counted.
    Waiting {
        /// How long; `None` when the channel class is locked.
        retry_after: Option<Duration>,
    },
    /// There is no such verification for this tenant.
    Unknown,
}

/// Consecutive failed checks of one (tenant, recipient, subject, class) (SEC-05).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedChecks {
    /// Whose.
    pub tenant: TenantId,
    /// Which number.
    pub recipient: RecipientRef,
    /// Which account, if the caller named one.
    pub subject: Option<Subject>,
    /// Which class of channel.
    pub class: ChannelClass,
    /// How many in a row.
    pub count: u16,
    /// When the last one was.
    pub last_at: Moment,
    /// In which verification: inside it the budget alone counts.
    pub last_in: VerificationId,
}

/// Whose failed checks are counted together (SEC-05).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckScope {
    /// Who calls.
    pub tenant: TenantId,
    /// Which number.
    pub recipient: RecipientRef,
    /// Which account behind it, if the caller named one.
    pub subject: Option<Subject>,
}

impl CheckScope {
    /// Where the failed checks of a verification count.
    pub fn of(verification: &Verification) -> Self {
        let Verification { tenant, recipient, subject, .. } = verification;
        Self { tenant: tenant.clone(), recipient: recipient.clone(), subject: subject.clone() }
    }
}

/// A class of channel whose codes could not be checked in time, because of earlier failures (SEC-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutClass {
    /// The class.
    pub class: ChannelClass,
    /// How long checks have to wait; `None` when the class is locked.
    pub retry_after: Option<Duration>,
}

/// An operator's order to forget failed checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lift {
    /// Whose.
    pub scope: CheckScope,
    /// Of which classes.
    pub classes: Vec<ChannelClass>,
    /// Who orders it.
    pub author: String,
    /// Why, in the operator's words.
    pub reason: String,
}
