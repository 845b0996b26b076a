//! Messages as JSON, by the mapping that the protobuf documentation defines.

use std::sync::LazyLock;

use otter_contract::FILE_DESCRIPTOR_SET;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};

use super::Shown;

static CONTRACT: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build compiled the contract with its imports")
});

/// The message as one line of JSON. Fields keep their places whatever their values: zeroes, empty texts and empty lists
/// are written too; only what the contract calls absent is left out. 64-bit integers are texts.
pub(crate) fn object<M: Shown>(message: &M) -> String {
    let descriptor = CONTRACT.get_message_by_name(M::NAME).expect("every shown message is of the contract");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).expect("a message is readable by its own description");
    let mut line = Vec::new();
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic
        .serialize_with_options(&mut serde_json::Serializer::new(&mut line), &options)
        .expect("a message of the contract is JSON, and memory takes every byte");
    String::from_utf8(line).expect("JSON is UTF-8")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_contract::v1;
    use serde_json::{Value, json};

    use super::*;

    fn value(message: &impl Shown) -> Value {
        serde_json::from_str(&object(message)).unwrap()
    }

    #[test]
    fn answers_keep_their_fields_whatever_the_values() {
        let answer = v1::CheckOtpResponse {
            outcome: v1::CheckOutcome::WrongCode.into(),
            checks_remaining: 0,
            state: v1::VerificationState::Pending.into(),
            verified_attempt: 0,
        };
        assert_eq!(
            value(&answer),
            json!({
                "outcome": "CHECK_OUTCOME_WRONG_CODE",
                "checksRemaining": 0,
                "state": "VERIFICATION_STATE_PENDING",
                "verifiedAttempt": 0
            })
        );
    }

    #[test]
    fn times_are_texts_and_what_is_absent_is_left_out() {
        let answer = v1::ResendOtpResponse {
            attempt: None,
            resend_allowed_time: Some(prost_types::Timestamp { seconds: 1_785_153_600, nanos: 250_000_000 }),
            attempts_remaining: 2,
        };
        assert_eq!(
            value(&answer),
            json!({ "resendAllowedTime": "2026-07-27T12:00:00.250Z", "attemptsRemaining": 2 })
        );
    }
}
