//! Attempts and code slots; moments are milliseconds since the verification's `created_at`.

use std::time::Duration;

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Channel, ChannelClass, CodeSlot, Digest, ErrorClass, Failure,
    FailureClass, KeyId, Moment, Origin, Phase, ProviderName, ProviderReference, Receipt, ReceiptStatus,
    Revocation, SpeaksOf, SucceedOn, VendorCode, WorkerId,
};
use serde::{Deserialize, Serialize};

use super::{at, field, letters, offset, some};
use crate::Error;

letters!(
    /// A channel.
    ChannelRecord for Channel { Sms = "s", WhatsApp = "w", Rcs = "r", Voice = "v" }
);
letters!(
    /// A class of channels.
    ClassRecord for ChannelClass { Pstn = "p", App = "a" }
);
letters!(
    /// Why an attempt was made.
    OriginRecord for Origin { First = "f", Failover = "o", Resend = "r" }
);
letters!(
    /// Whether a message has to be taken back.
    RevocationRecord for Revocation { Impossible = "i", Possible = "p", Wanted = "w", Settled = "s" }
);
letters!(
    /// What a failure speaks of.
    SpeaksOfRecord for SpeaksOf {
        Account = "a", Channel = "c", Sender = "s", Template = "t", Person = "p"
    }
);
letters!(
    /// What counts as success.
    SucceedOnRecord for SucceedOn { Accepted = "a", Delivered = "d", Verified = "v" }
);

/// One send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// From 1.
    pub number: u8,
    /// Whose account and lane.
    pub provider: String,
    /// Over which channel.
    pub channel: ChannelRecord,
    /// Which candidate of the plan, from 0.
    pub candidate: u8,
    /// Why it was made.
    pub origin: OriginRecord,
    /// When it was queued.
    pub queued_at: i64,
    /// When it was first claimed.
    pub claimed_at: Option<i64>,
    /// Where the send stands.
    pub phase: PhaseRecord,
    /// The strongest report.
    pub receipt: Option<ReceiptRecord>,
    /// What the vendor calls it.
    pub reference: Option<String>,
    /// How often it was handed over.
    pub tries: u8,
    /// Whether it has to be taken back.
    pub revocation: RevocationRecord,
    /// What counts as success.
    pub succeed_on: SucceedOnRecord,
    /// How long success may take, in milliseconds.
    pub wait: u64,
    /// What is known of tries before the last. It stays the last field, because it is left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryRecord>,
}

impl AttemptRecord {
    /// The record of an attempt of a verification that was created at `base`.
    pub fn of(attempt: &Attempt, base: Moment) -> Self {
        Self {
            number: attempt.number.get(),
            provider: attempt.provider.as_str().to_owned(),
            channel: attempt.channel.into(),
            candidate: attempt.candidate,
            origin: attempt.origin.into(),
            queued_at: offset(base, attempt.queued_at),
            claimed_at: attempt.claimed_at.map(|moment| offset(base, moment)),
            phase: PhaseRecord::of(&attempt.phase, base),
            receipt: attempt.receipt.map(|receipt| ReceiptRecord::of(&receipt, base)),
            reference: attempt.reference.as_ref().map(|reference| reference.as_str().to_owned()),
            tries: attempt.tries,
            revocation: attempt.revocation.into(),
            succeed_on: attempt.succeed_on.into(),
            wait: attempt.wait.as_millis() as u64,
            retry: RetryRecord::of(attempt, base),
        }
    }

    /// The attempt of a verification that was created at `base`.
    pub fn attempt(&self, base: Moment) -> Result<Attempt, Error> {
        let reference = self.reference.as_deref().map(ProviderReference::parse).transpose();
        Ok(Attempt {
            number: some("attempt", AttemptNumber::new(self.number))?,
            provider: field("provider", ProviderName::parse(&self.provider))?,
            channel: self.channel.into(),
            candidate: self.candidate,
            origin: self.origin.into(),
            queued_at: at(base, self.queued_at),
            claimed_at: self.claimed_at.map(|moment| at(base, moment)),
            phase: self.phase.phase(base)?,
            receipt: self.receipt.as_ref().map(|receipt| receipt.receipt(base)).transpose()?,
            reference: field("reference", reference)?,
            tries: self.tries,
            revocation: self.revocation.into(),
            succeed_on: self.succeed_on.into(),
            wait: Duration::from_millis(self.wait),
            refused: self.retry.as_ref().and_then(|retry| retry.refused()).transpose()?,
            again_at: self.retry.as_ref().and_then(|retry| retry.again_at).map(|moment| at(base, moment)),
        })
    }
}

/// Tries before the last. Its fields have names, because scripts cannot pack a list again in which something is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryRecord {
    /// The class that one was refused with.
    #[serde(rename = "c", default)]
    pub refused: Option<String>,
    /// When the provider was or can be asked once more.
    #[serde(rename = "a", default)]
    pub again_at: Option<i64>,
}

impl RetryRecord {
    fn of(attempt: &Attempt, base: Moment) -> Option<Self> {
        let refused = attempt.refused.map(|class| class.as_str().to_owned());
        let again_at = attempt.again_at.map(|moment| offset(base, moment));
        (refused.is_some() || again_at.is_some()).then_some(Self { refused, again_at })
    }

    fn refused(&self) -> Option<Result<FailureClass, Error>> {
        self.refused.as_deref().map(failure_class)
    }
}

/// Where a send stands. Classes and errors are the words of their `as_str`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseRecord {
    /// On its lane.
    #[serde(rename = "q")]
    Queued {
        /// When it is withdrawn.
        withdraw_at: i64,
    },
    /// Held by a worker.
    #[serde(rename = "c")]
    Claimed {
        /// Who.
        by: String,
        /// Until when.
        lease_until: i64,
    },
    /// Waits for its next try.
    #[serde(rename = "r")]
    Retrying {
        /// When.
        at: i64,
        /// What stopped the try before.
        because: String,
    },
    /// Taken by the provider.
    #[serde(rename = "a")]
    Accepted {
        /// When.
        at: i64,
        /// The end of the wait.
        wait_until: i64,
    },
    /// Perhaps taken by the provider.
    #[serde(rename = "m")]
    Ambiguous {
        /// When.
        at: i64,
        /// The end of the wait.
        wait_until: i64,
        /// What happened.
        error: String,
    },
    /// Over without a message.
    #[serde(rename = "e")]
    Ended {
        /// When.
        at: i64,
        /// Why.
        how: AttemptEndRecord,
    },
}

impl PhaseRecord {
    fn of(phase: &Phase, base: Moment) -> Self {
        match phase {
            Phase::Queued { withdraw_at } => Self::Queued { withdraw_at: offset(base, *withdraw_at) },
            Phase::Claimed { by, lease_until } => {
                Self::Claimed { by: by.as_str().to_owned(), lease_until: offset(base, *lease_until) }
            }
            Phase::Retrying { at, because } => {
                Self::Retrying { at: offset(base, *at), because: because.as_str().to_owned() }
            }
            Phase::Accepted { at, wait_until } => {
                Self::Accepted { at: offset(base, *at), wait_until: offset(base, *wait_until) }
            }
            Phase::Ambiguous { at, wait_until, error } => Self::Ambiguous {
                at: offset(base, *at),
                wait_until: offset(base, *wait_until),
                error: error.as_str().to_owned(),
            },
            Phase::Ended { at, how } => Self::Ended { at: offset(base, *at), how: how.into() },
        }
    }

    fn phase(&self, base: Moment) -> Result<Phase, Error> {
        Ok(match self {
            Self::Queued { withdraw_at } => Phase::Queued { withdraw_at: at(base, *withdraw_at) },
            Self::Claimed { by, lease_until } => Phase::Claimed {
                by: field("worker", WorkerId::parse(by))?,
                lease_until: at(base, *lease_until),
            },
            Self::Retrying { at: moment, because } => {
                Phase::Retrying { at: at(base, *moment), because: failure_class(because)? }
            }
            Self::Accepted { at: moment, wait_until } => {
                Phase::Accepted { at: at(base, *moment), wait_until: at(base, *wait_until) }
            }
            Self::Ambiguous { at: moment, wait_until, error } => Phase::Ambiguous {
                at: at(base, *moment),
                wait_until: at(base, *wait_until),
                error: error_class(error)?,
            },
            Self::Ended { at: moment, how } => Phase::Ended { at: at(base, *moment), how: how.end()? },
        })
    }
}

/// Why a send is over without a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptEndRecord {
    /// It failed.
    #[serde(rename = "f")]
    Failed {
        /// The class.
        class: String,
        /// What happened.
        error: String,
        /// The vendor's own code, if it is a number.
        vendor_code: Option<u32>,
        /// What it speaks of; what its class usually does where it is missing.
        #[serde(rename = "s", default)]
        speaks_of: Option<SpeaksOfRecord>,
        /// The vendor's own code, if it is no number.
        #[serde(rename = "v", default)]
        vendor_word: Option<String>,
    },
    /// It was taken back before a worker had it.
    #[serde(rename = "w")]
    Withdrawn,
}

impl From<&AttemptEnd> for AttemptEndRecord {
    fn from(end: &AttemptEnd) -> Self {
        match *end {
            AttemptEnd::Failed(failure) => Self::Failed {
                class: failure.class.as_str().to_owned(),
                error: failure.error.as_str().to_owned(),
                vendor_code: failure.vendor_code.and_then(|code| code.number()),
                speaks_of: unusual(&failure),
                vendor_word: failure
                    .vendor_code
                    .filter(|code| code.number().is_none())
                    .map(|code| code.to_string()),
            },
            AttemptEnd::Withdrawn => Self::Withdrawn,
        }
    }
}

impl AttemptEndRecord {
    fn end(&self) -> Result<AttemptEnd, Error> {
        Ok(match self {
            Self::Failed { class, error, vendor_code, speaks_of, vendor_word } => {
                let word = vendor_word.as_deref().map(vendor_code_of).transpose()?;
                let code = word.or_else(|| vendor_code.map(VendorCode::from));
                AttemptEnd::Failed(failure(class, error, *speaks_of, code)?)
            }
            Self::Withdrawn => AttemptEnd::Withdrawn,
        })
    }
}

/// The strongest report on a send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// Its strength, [`ReceiptStatus::rank`].
    pub rank: u8,
    /// When it was merged.
    pub at: i64,
    /// Why, of a negative report.
    pub because: Option<FailureRecord>,
}

/// A failure as a list: the words of its class and its error class, what it speaks of where that is not what its class
/// usually does, and the vendor's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord(
    String,
    String,
    #[serde(default)] Option<SpeaksOfRecord>,
    #[serde(default)] Option<String>,
);

impl From<&Failure> for FailureRecord {
    fn from(failure: &Failure) -> Self {
        let code = failure.vendor_code.map(|code| code.to_string());
        // Scripts cannot pack a list again in which something before its end is missing.
        let speaks_of = code.as_ref().map(|_| failure.speaks_of.into()).or(unusual(failure));
        Self(failure.class.as_str().to_owned(), failure.error.as_str().to_owned(), speaks_of, code)
    }
}

impl FailureRecord {
    fn failure(&self) -> Result<Failure, Error> {
        let Self(class, error, speaks_of, code) = self;
        failure(class, error, *speaks_of, code.as_deref().map(vendor_code_of).transpose()?)
    }
}

impl ReceiptRecord {
    /// The record of a receipt of a verification that was created at `base`.
    pub fn of(receipt: &Receipt, base: Moment) -> Self {
        let because = receipt.because.as_ref().map(FailureRecord::from);
        Self { rank: receipt.status.rank(), at: offset(base, receipt.at), because }
    }

    /// The receipt of a verification that was created at `base`.
    pub fn receipt(&self, base: Moment) -> Result<Receipt, Error> {
        let because = self.because.as_ref().map(FailureRecord::failure).transpose()?;
        let status = some("receipt", ReceiptStatus::of_rank(self.rank))?;
        Ok(Receipt { status, at: at(base, self.at), because })
    }
}

/// The digest of one valid code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotRecord {
    /// Which pepper.
    pub key: u8,
    /// The digest.
    #[serde(with = "serde_bytes")]
    pub digest: [u8; 32],
    /// The code's own end.
    pub until: i64,
    /// The attempt that carries it.
    pub attempt: Option<u8>,
    /// Which counter of failed checks it belongs to.
    pub class: ClassRecord,
}

impl std::fmt::Debug for SlotRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlotRecord")
            .field("key", &self.key)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

impl SlotRecord {
    /// The record of a slot of a verification that was created at `base`.
    pub fn of(slot: &CodeSlot, base: Moment) -> Self {
        Self {
            key: slot.key.0,
            digest: slot.digest.0,
            until: offset(base, slot.until),
            attempt: slot.attempt.map(AttemptNumber::get),
            class: slot.class.into(),
        }
    }

    /// The slot of a verification that was created at `base`.
    pub fn slot(&self, base: Moment) -> Result<CodeSlot, Error> {
        let attempt = self.attempt.map(|number| some("slot", AttemptNumber::new(number))).transpose()?;
        Ok(CodeSlot {
            key: KeyId(self.key),
            digest: Digest(self.digest),
            until: at(base, self.until),
            attempt,
            class: self.class.into(),
        })
    }
}

/// What a failure speaks of, where its class does not tell.
fn unusual(failure: &Failure) -> Option<SpeaksOfRecord> {
    (failure.speaks_of != SpeaksOf::usual(failure.class)).then(|| failure.speaks_of.into())
}

fn failure(
    class: &str,
    error: &str,
    speaks_of: Option<SpeaksOfRecord>,
    vendor_code: Option<VendorCode>,
) -> Result<Failure, Error> {
    let failure = Failure { vendor_code, ..Failure::new(failure_class(class)?, error_class(error)?) };
    Ok(speaks_of.map_or(failure, |of| failure.speaking_of(of.into())))
}

fn vendor_code_of(text: &str) -> Result<VendorCode, Error> {
    field("vendor code", VendorCode::parse(text))
}

fn failure_class(word: &str) -> Result<FailureClass, Error> {
    some("class", FailureClass::parse(word))
}

fn error_class(word: &str) -> Result<ErrorClass, Error> {
    some("error", ErrorClass::parse(word))
}
