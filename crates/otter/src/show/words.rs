//! The contract's enums in words, and how good each is.

use otter_contract::admin::v1::{
    BreakerState, DeadLetterReason, LockState, ProviderHealth, ProviderState, RateWindow,
};
use otter_contract::v1::{
    AttemptOrigin, AttemptState, Channel, ChannelClass, CheckOutcome, ExpiryReason, FailureClass,
    ReceiptStatus, SucceedOn, VerificationState,
};

use super::Tone;

/// A value of the contract that people read as a word: its name without the enum's prefix, in lower case.
pub(crate) trait Word: Copy {
    /// The value's name in the `.proto` file.
    fn name(self) -> &'static str;

    /// What all names of the enum begin with.
    const PREFIX: &'static str;

    /// The word. Values that are newer than this program read "unspecified".
    fn word(self) -> String {
        let name = self.name();
        name.strip_prefix(Self::PREFIX).unwrap_or(name).to_lowercase().replace('_', " ")
    }
}

macro_rules! words {
    ($($enumeration:ty => $prefix:literal,)*) => {
        $(impl Word for $enumeration {
            const PREFIX: &'static str = $prefix;

            fn name(self) -> &'static str {
                self.as_str_name()
            }
        })*
    };
}

words! {
    AttemptOrigin => "ATTEMPT_ORIGIN_",
    AttemptState => "ATTEMPT_STATE_",
    BreakerState => "BREAKER_STATE_",
    Channel => "CHANNEL_",
    ChannelClass => "CHANNEL_CLASS_",
    CheckOutcome => "CHECK_OUTCOME_",
    DeadLetterReason => "DEAD_LETTER_REASON_",
    ExpiryReason => "EXPIRY_REASON_",
    FailureClass => "FAILURE_CLASS_",
    LockState => "LOCK_STATE_",
    ProviderHealth => "PROVIDER_HEALTH_",
    ProviderState => "PROVIDER_STATE_",
    ReceiptStatus => "RECEIPT_STATUS_",
    SucceedOn => "SUCCEED_ON_",
    VerificationState => "VERIFICATION_STATE_",
}

/// A window as it is typed and read: `1m`, `5m`, `1h`.
pub(crate) fn window(window: RateWindow) -> &'static str {
    match window {
        RateWindow::Unspecified => "",
        RateWindow::OneMinute => "1m",
        RateWindow::FiveMinutes => "5m",
        RateWindow::OneHour => "1h",
    }
}

/// How good it is that a verification stands there.
pub(crate) fn tone_of_verification(state: VerificationState) -> Tone {
    match state {
        VerificationState::Verified => Tone::Good,
        VerificationState::Pending => Tone::Open,
        VerificationState::Expired | VerificationState::Failed | VerificationState::Exhausted => Tone::Bad,
        VerificationState::Cancelled | VerificationState::Unspecified => Tone::Faint,
    }
}

/// How good it is that a send ended so.
pub(crate) fn tone_of_attempt(state: AttemptState) -> Tone {
    match state {
        AttemptState::Accepted => Tone::Good,
        AttemptState::Retrying | AttemptState::Ambiguous | AttemptState::Throttled => Tone::Open,
        AttemptState::Rejected
        | AttemptState::Unroutable
        | AttemptState::Unavailable
        | AttemptState::Misconfigured => Tone::Bad,
        AttemptState::Withdrawn => Tone::Faint,
        AttemptState::Queued | AttemptState::Claimed | AttemptState::Unspecified => Tone::Plain,
    }
}

/// How good it is that a provider reports so.
pub(crate) fn tone_of_receipt(status: ReceiptStatus) -> Tone {
    match status {
        ReceiptStatus::Delivered | ReceiptStatus::Read => Tone::Good,
        ReceiptStatus::Expired | ReceiptStatus::Undelivered => Tone::Bad,
        ReceiptStatus::Sent | ReceiptStatus::Unspecified => Tone::Plain,
    }
}

/// How good it is that a provider does so.
pub(crate) fn tone_of_health(health: ProviderHealth) -> Tone {
    match health {
        ProviderHealth::Healthy => Tone::Good,
        ProviderHealth::Degraded => Tone::Open,
        ProviderHealth::Down => Tone::Bad,
        ProviderHealth::Idle | ProviderHealth::Unspecified => Tone::Faint,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_words() {
        assert_eq!(Channel::Whatsapp.word(), "whatsapp");
        assert_eq!(BreakerState::HalfOpen.word(), "half open");
    }
}
