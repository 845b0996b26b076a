//! One send of a code on one provider and channel.

use std::time::Duration;

use crate::{
    AttemptNumber, Channel, ErrorClass, Failure, FailureClass, Moment, ProviderName, ProviderReference,
    Receipt, SucceedOn, WorkerId,
};

/// One send of a verification's code.
///
/// *Live* attempts ([`Phase::Queued`], [`Phase::Claimed`], [`Phase::Retrying`]) still lead to a message; *outstanding*
/// ones ([`Phase::Accepted`], [`Phase::Ambiguous`]) may have led to one: their codes stay valid and their receipts count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its number within the verification.
    pub number: AttemptNumber,
    /// The account that sends; also the name of the lane.
    pub provider: ProviderName,
    /// The way to the person.
    pub channel: Channel,
    /// Which candidate of the plan it is, from 0.
    pub candidate: u8,
    /// Why it was made.
    pub origin: Origin,
    /// When it was queued.
    pub queued_at: Moment,
    /// When the first worker claimed it; waits and evidence are counted from here.
    pub claimed_at: Option<Moment>,
    /// Where the send stands.
    pub phase: Phase,
    /// What the provider reported since; never goes back (RTE-01).
    pub receipt: Option<Receipt>,
    /// What the vendor calls the message.
    pub reference: Option<ProviderReference>,
    /// How often a worker claimed it: once, and once more for each retry or job that was given back. A claim that was
    /// passed over without asking the provider is taken off again.
    pub tries: u8,
    /// Whether the vendor's message has to be taken back when it is not needed any more.
    pub revocation: Revocation,
    /// What counts as success for this attempt, copied from its step.
    pub succeed_on: SucceedOn,
    /// How long success may take at most, counted from the claim; less if the code's life is short for those who follow.
    pub wait: Duration,
    /// What the provider refused an earlier try with, if it did: the outcome of the attempt unless a later try has one.
    pub refused: Option<FailureClass>,
    /// When its provider was, or can be, asked once more: the retry that it had, or, of an attempt that ended throttled,
    /// the one that is due if nobody else can go.
    pub again_at: Option<Moment>,
}

impl Attempt {
    /// Whether it still leads to a message.
    pub fn is_live(&self) -> bool {
        match self.phase {
            Phase::Queued { .. } | Phase::Claimed { .. } | Phase::Retrying { .. } => true,
            Phase::Accepted { .. } | Phase::Ambiguous { .. } | Phase::Ended { .. } => false,
        }
    }

    /// Whether its message may be on its way to the person or already there.
    pub fn is_outstanding(&self) -> bool {
        match self.phase {
            Phase::Accepted { .. } | Phase::Ambiguous { .. } => true,
            Phase::Queued { .. } | Phase::Claimed { .. } | Phase::Retrying { .. } | Phase::Ended { .. } => {
                false
            }
        }
    }
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The first of its verification.
    First,
    /// The one before it failed or stayed silent.
    Failover,
    /// The caller asked for another.
    Resend,
}

impl Origin {
    /// The word used in records and events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Failover => "failover",
            Self::Resend => "resend",
        }
    }
}

/// Where a send stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// On its provider's lane; withdrawn if nobody claims it by then.
    Queued {
        /// The end of the step's `max_queue_wait`.
        withdraw_at: Moment,
    },
    /// Held by a worker that renews its lease while the send runs.
    Claimed {
        /// Who holds it.
        by: WorkerId,
        /// When the lease ends unless renewed; then the outcome is unknown.
        lease_until: Moment,
    },
    /// Known not sent; goes back on the lane at that moment.
    Retrying {
        /// When it is queued again.
        at: Moment,
        /// What stopped the try before.
        because: FailureClass,
    },
    /// The provider took it.
    Accepted {
        /// When its answer was booked.
        at: Moment,
        /// The end of the step's wait.
        wait_until: Moment,
    },
    /// The provider may have taken it.
    Ambiguous {
        /// When the answer was given up.
        at: Moment,
        /// The end of the step's wait.
        wait_until: Moment,
        /// What happened.
        error: ErrorClass,
    },
    /// Nothing was sent, and nothing will be.
    Ended {
        /// When.
        at: Moment,
        /// Why.
        how: AttemptEnd,
    },
}

/// Why an attempt ended without a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The send failed, known not sent.
    Failed(Failure),
    /// It was taken back before a worker had it: not needed any more, or too late to be of use.
    Withdrawn,
}

/// Whether a vendor's message has to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The vendor cannot take a message back.
    Impossible,
    /// The vendor can; nobody has asked yet.
    Possible,
    /// Asked for and not answered yet.
    Wanted,
    /// Done, or known to be too late.
    Settled,
}
