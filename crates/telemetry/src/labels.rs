//! The bounded values of labels.

use otter_domain::{CheckVerdict, Country, Ending, ErrorClass, Failure, FailureClass};

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            /// The label's value.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }
        }
    };
}
pub(crate) use label;

label!(
    /// What became of a request for a code.
    RequestOutcome {
        /// A verification was created.
        Accepted = "accepted",
        /// It repeats an earlier request.
        Duplicate = "duplicate",
        /// A limit is reached.
        RateLimited = "rate_limited",
        /// It is malformed or names what does not exist.
        Invalid = "invalid",
        /// The process or the store is too busy.
        Shed = "shed",
    }
);

label!(
    /// What became of one try at a provider.
    AttemptOutcome {
        /// The provider took it.
        Accepted = "accepted",
        /// The provider refused it, or the person cannot be reached.
        Rejected = "rejected",
        /// The provider is down, throttles, or our account is wrong.
        Error = "error",
        /// It may have been sent: bytes left and no usable answer came.
        Timeout = "timeout",
        /// Not tried: the breaker is open.
        SkippedOpen = "skipped_open",
        /// Not tried: the account said that we are too fast, and somebody else could go.
        SkippedBusy = "skipped_busy",
        /// Not tried, or broken off: the code was too old, or the job waited too long.
        Expired = "expired",
    }
);

impl AttemptOutcome {
    /// The outcome of a send that failed.
    pub fn of(failure: &Failure) -> Self {
        Self::usual(failure.class, failure.error)
    }

    fn usual(class: FailureClass, error: ErrorClass) -> Self {
        match (class, error) {
            (FailureClass::Unavailable, ErrorClass::Expired) => Self::Expired,
            (FailureClass::Rejected | FailureClass::Unroutable, _) => Self::Rejected,
            (FailureClass::Throttled | FailureClass::Unavailable | FailureClass::Misconfigured, _) => {
                Self::Error
            }
            (FailureClass::Ambiguous, _) => Self::Timeout,
        }
    }
}

/// The pairs of outcome and error class that are common enough to exist at 0 before they happen.
pub(crate) const USUAL_ERRORS: [(AttemptOutcome, ErrorClass); 13] = [
    (AttemptOutcome::Rejected, ErrorClass::InvalidDestination),
    (AttemptOutcome::Rejected, ErrorClass::Unreachable),
    (AttemptOutcome::Rejected, ErrorClass::Blocked),
    (AttemptOutcome::Rejected, ErrorClass::ContentRejected),
    (AttemptOutcome::Error, ErrorClass::RateLimited),
    (AttemptOutcome::Error, ErrorClass::Auth),
    (AttemptOutcome::Error, ErrorClass::Provider5xx),
    (AttemptOutcome::Error, ErrorClass::Network),
    (AttemptOutcome::Error, ErrorClass::InsufficientFunds),
    (AttemptOutcome::Error, ErrorClass::Unknown),
    (AttemptOutcome::Timeout, ErrorClass::Timeout),
    (AttemptOutcome::Timeout, ErrorClass::Unknown),
    (AttemptOutcome::Expired, ErrorClass::Expired),
];

label!(
    /// What became of a message in the end.
    DeliveryOutcome {
        /// A receipt or a right code says that it arrived.
        Delivered = "delivered",
        /// Nobody could send it, or receipts say that it did not arrive.
        Failed = "failed",
        /// The code's life ended before anything was sent.
        Expired = "expired",
        /// It was sent and nothing was heard.
        Unconfirmed = "unconfirmed",
    }
);

label!(
    /// What became of a check.
    CheckOutcome {
        /// The code was right.
        Verified = "verified",
        /// A success was asked for again under its request id.
        Repeated = "repeated",
        /// The code was wrong.
        WrongCode = "wrong_code",
        /// It came too late.
        Expired = "expired",
        /// The budget is used up, or earlier failures make the caller wait.
        Locked = "locked",
        /// The verification had ended otherwise: verified before, failed, or cancelled.
        Ended = "ended",
        /// There is no such verification.
        UnknownRequest = "unknown_request",
    }
);

impl CheckOutcome {
    /// The outcome that a verdict is counted as.
    pub fn of(verdict: &CheckVerdict) -> Self {
        match verdict {
            CheckVerdict::Verified { repeated: false, .. } => Self::Verified,
            CheckVerdict::Verified { repeated: true, .. } => Self::Repeated,
            CheckVerdict::Wrong { .. } => Self::WrongCode,
            CheckVerdict::Waiting { .. } | CheckVerdict::Ended(Ending::Exhausted) => Self::Locked,
            CheckVerdict::Ended(Ending::Expired) => Self::Expired,
            CheckVerdict::Ended(Ending::Verified { .. } | Ending::Failed | Ending::Cancelled) => Self::Ended,
            CheckVerdict::Unknown => Self::UnknownRequest,
        }
    }
}

label!(
    /// Why a callback was refused.
    RejectedReceipt {
        /// The signature does not match.
        Signature = "signature",
        /// It is not of the vendor's form.
        Schema = "schema",
        /// The vendor does not call with this method.
        Method = "method",
        /// It names no message of ours.
        UnknownMessage = "unknown_message",
    }
);

/// The countries that are told apart; all others are `other`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Countries(pub(crate) Vec<Country>);

impl Countries {
    pub(crate) fn label(&self, country: Country) -> String {
        if self.0.contains(&country) { country.as_str().to_owned() } else { "other".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ambiguous_send_is_never_counted_as_an_error() {
        for error in ErrorClass::ALL {
            assert_eq!(
                AttemptOutcome::of(&Failure::new(FailureClass::Ambiguous, error)),
                AttemptOutcome::Timeout
            );
        }
    }

    #[test]
    fn a_send_that_came_too_late_is_expired() {
        let failure = Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
        assert_eq!(AttemptOutcome::of(&failure), AttemptOutcome::Expired);
    }

    #[test]
    fn countries_that_are_not_listed_are_other() {
        let germany = Country::parse("DE").expect("DE is a country");
        let countries = Countries(vec![germany]);
        assert_eq!(countries.label(germany), "DE");
        assert_eq!(countries.label(Country::NONE), "other");
    }
}
