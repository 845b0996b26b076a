//! What callers and vendors asked of processes, and what they were answered.

use otter_decision::lifecycle::ResendRefusal;
use otter_delivery::{Refusal, Reported};
use otter_domain::{AttemptNumber, CheckVerdict, Moment, ProviderName, ReceiptStatus, State, VerificationId};

use crate::operations::{Body, Name};

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) asked: Asked,
    pub(crate) began: Moment,
    /// When it was answered, unless it was not.
    pub(crate) ended: Option<Moment>,
    /// Unknown if its process went away, or if the store could not be asked.
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    Send {
        person: usize,
        name: Name,
        body: Body,
    },
    Resend {
        person: usize,
        name: Name,
        id: VerificationId,
    },
    Check {
        id: VerificationId,
        name: Name,
        typed: Entered,
    },
    Cancel {
        id: VerificationId,
    },
    Report {
        id: VerificationId,
        verified: bool,
    },
    Look {
        id: VerificationId,
    },
    Receipt {
        id: VerificationId,
        attempt: AttemptNumber,
        by: ProviderName,
        status: ReceiptStatus,
        is_genuine: bool,
    },
}

/// A code as it is typed in: that of an attempt, or one that nobody was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entered {
    Of(AttemptNumber),
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Unknown,
    Sent {
        id: VerificationId,
        repeated: bool,
    },
    Resent,
    Checked(CheckVerdict),
    Seen(State),
    Reported(Reported),
    NameReused,
    Limited,
    NotNow(ResendRefusal),
    /// The code could not be checked within its life.
    Uncheckable,
    /// Nothing was asked of a store that does not answer.
    Stalled,
    /// A refusal that nothing in a run gives a reason for.
    Absurd(String),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        if let Refusal::Books(_) = refusal {
            Self::Unknown
        } else if let Refusal::RequestReused = refusal {
            Self::NameReused
        } else if let Refusal::RecipientLimited { .. } = refusal {
            Self::Limited
        } else if let Refusal::Uncheckable(_) = refusal {
            Self::Uncheckable
        } else if let Refusal::StoreStalled { .. } = refusal {
            Self::Stalled
        } else if let Refusal::Resend(refusal) = refusal {
            Self::NotNow(refusal)
        } else {
            Self::Absurd(format!("{refusal:?}"))
        }
    }
}
