//! Why a call is refused.

use std::time::Duration;

use otter_decision::admission::NumberRefusal;
use otter_decision::lifecycle::ResendRefusal;
use otter_domain::{LimitRule, Plan, ShutClass};

use crate::BooksError;

/// Why a call is refused. Nothing was changed, unless the store's answer was lost.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// The tenant is not configured (any more).
    UnknownTenant,
    /// The tenant has no such purpose.
    UnknownPurpose,
    /// The purpose is about payments and the call names none.
    PaymentMissing,
    /// The purpose is not about payments and the call names one.
    PaymentUnexpected,
    /// Codes are not sent to this number.
    Number(NumberRefusal),
    /// The asked life of the code is out of bounds.
    Ttl {
        /// The shortest that is allowed.
        least: Duration,
        /// The longest that is allowed.
        most: Duration,
    },
    /// Nobody can send this code; the plan says why of everyone.
    NoRoute(Box<Plan>),
    /// Nobody is left whose code could be checked within its life; of which classes, and until when (SEC-05).
    Uncheckable(Vec<ShutClass>),
    /// The request id was used for another question.
    RequestReused,
    /// Too many sends to this recipient (SEC-17).
    RecipientLimited {
        /// The limit that is reached.
        rule: LimitRule,
        /// When one more is allowed.
        retry_after: Duration,
    },
    /// Too many sends by this tenant.
    TenantLimited {
        /// When one more is allowed.
        retry_after: Duration,
    },
    /// Everybody who could send has more waiting than can be sent in time; nothing was taken.
    Overloaded {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// The store does not answer, so nothing was asked of it.
    StoreStalled {
        /// When it makes sense to ask again.
        retry_after: Duration,
    },
    /// There is no such verification for this tenant.
    NotFound,
    /// No further message is sent now.
    Resend(ResendRefusal),
    /// The store could not be asked.
    Books(BooksError),
}

impl From<BooksError> for Refusal {
    fn from(error: BooksError) -> Self {
        Self::Books(error)
    }
}
