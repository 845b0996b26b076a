//! Error reasons as they travel.

use crate::v1::ErrorReason;

const PREFIX: &str = "ERROR_REASON_";

impl ErrorReason {
    /// The reason of the `google.rpc.ErrorInfo`: the value's name without its prefix, for example `RESEND_TOO_EARLY`.
    pub fn reason(self) -> &'static str {
        let name = self.as_str_name();
        name.strip_prefix(PREFIX).unwrap_or(name)
    }

    /// Reads the name of [`Self::reason`]. `None` for reasons that are newer than this contract.
    pub fn from_reason(reason: &str) -> Option<Self> {
        Self::from_str_name(&format!("{PREFIX}{reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_travels_without_its_prefix_and_is_read_back() {
        assert_eq!(ErrorReason::ResendTooEarly.reason(), "RESEND_TOO_EARLY");
        assert_eq!(ErrorReason::from_reason("RESEND_TOO_EARLY"), Some(ErrorReason::ResendTooEarly));
        assert_eq!(ErrorReason::from_reason("ERROR_REASON_RESEND_TOO_EARLY"), None);
    }
}
