//! What Twilio reports about messages and calls.

use std::time::Duration;

use http::Method;
use otter_domain::{ErrorClass, Failure, FailureClass, ProviderReference, ReceiptStatus};
use otter_provider::{Callback, CallbackRefusal, Decoded, Locator, ReceiptDecoder, Report};

use crate::errors;
use crate::signature::{Parameter, SigningKeys};

/// A call shorter than this ended before the code was read once (FMT-50): a second of silence, the introduction and
/// six digits take longer.
const ONE_READING: Duration = Duration::from_secs(8);

/// Reads status callbacks. The token is in the path of the URL that each message was sent with.
#[derive(Debug)]
pub(crate) struct Receipts {
    keys: SigningKeys,
}

impl Receipts {
    /// A decoder that trusts these keys.
    pub(crate) fn new(keys: SigningKeys) -> Self {
        Self { keys }
    }
}

impl ReceiptDecoder for Receipts {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        let parameters = Parameters(self.keys.verify(callback)?);
        let reports = callback.token.and_then(|token| report(token, &parameters)).into_iter().collect();
        Ok(Decoded { reports, ..Decoded::default() })
    }
}

fn report(token: &str, parameters: &Parameters) -> Option<Report> {
    let message = parameters.get("MessageStatus").or_else(|| parameters.get("SmsStatus"));
    let (sid, (status, because)) = match (parameters.get("CallStatus"), message) {
        (Some(status), _) => ("CallSid", call_outcome(status, parameters)?),
        (None, Some(status)) => ("MessageSid", message_outcome(status, parameters.error_code())?),
        (None, None) => return None,
    };
    Some(Report {
        locator: Locator::Token(token.to_owned()),
        status,
        because,
        reference: parameters.get(sid).and_then(|sid| ProviderReference::parse(sid).ok()),
        occurred_at: None,
    })
}

type Outcome = (ReceiptStatus, Option<Failure>);

/// `None` for what says nothing new: the message still waits at Twilio, or is one that somebody sent to us.
fn message_outcome(status: &str, code: Option<u32>) -> Option<Outcome> {
    match status {
        "sent" => Some((ReceiptStatus::Sent, None)),
        "delivered" => Some((ReceiptStatus::Delivered, None)),
        "read" => Some((ReceiptStatus::Read, None)),
        "undelivered" | "failed" | "canceled" => {
            Some(failed(code, Failure::new(FailureClass::Rejected, ErrorClass::Unknown)))
        }
        "partially_delivered" => {
            Some(failed(code, Failure::new(FailureClass::Ambiguous, ErrorClass::Unknown)))
        }
        _ => None,
    }
}

fn failed(code: Option<u32>, otherwise: Failure) -> Outcome {
    let meaning = code.and_then(errors::meaning).map(|(class, error)| Failure::new(class, error));
    let because = meaning.unwrap_or(otherwise);
    let because = code.map_or(because, |code| because.with_code(code));
    let expired = because.error == ErrorClass::Expired;
    (if expired { ReceiptStatus::Expired } else { ReceiptStatus::Undelivered }, Some(because))
}

/// An answered call is no delivery yet: that is told by who answered and for how long they listened.
fn call_outcome(status: &str, parameters: &Parameters) -> Option<Outcome> {
    let away = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
    match status {
        "ringing" | "in-progress" => Some((ReceiptStatus::Sent, None)),
        "completed" => Some(ended_call(parameters)),
        "busy" | "no-answer" => Some((ReceiptStatus::Undelivered, Some(away))),
        // The number could not be dialled, unless a code says better.
        "failed" => {
            let undialled = Failure::new(FailureClass::Unroutable, ErrorClass::InvalidDestination);
            Some(failed(parameters.error_code(), undialled))
        }
        "canceled" => {
            let stopped = Failure::new(FailureClass::Rejected, ErrorClass::Unknown);
            Some(failed(parameters.error_code(), stopped))
        }
        _ => None,
    }
}

fn ended_call(parameters: &Parameters) -> Outcome {
    let away = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
    let unheard = (ReceiptStatus::Undelivered, Some(away));
    let answered_by = parameters.get("AnsweredBy").unwrap_or("unknown");
    if answered_by.starts_with("machine") || answered_by == "fax" {
        return unheard;
    }
    match parameters.get("CallDuration").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs) {
        Some(listened) if listened >= ONE_READING => (ReceiptStatus::Delivered, None),
        Some(_) => unheard,
        None => (ReceiptStatus::Sent, None),
    }
}

struct Parameters(Vec<Parameter>);

impl Parameters {
    /// The first value of this name, which is the one that every signature covers.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    fn error_code(&self) -> Option<u32> {
        self.get("ErrorCode")?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderMap;
    use otter_domain::Secret;
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn receipts() -> Receipts {
        Receipts::new(SigningKeys::new(Secret::new("12345"), None))
    }

    fn decode(body: &str) -> Vec<Report> {
        let headers = sample::signed("12345", body);
        let token = Some(sample::TOKEN);
        let decoded =
            receipts().decode(&Callback { token, ..sample::callback(&headers, body.as_bytes()) }).unwrap();
        assert_eq!(decoded.reply, otter_provider::CallbackReply::default());
        decoded.reports
    }

    type Seen = (ReceiptStatus, Option<(FailureClass, ErrorClass)>);

    fn outcome(body: &str) -> Option<Seen> {
        let report = decode(body).into_iter().next()?;
        Some((report.status, report.because.map(|failure| (failure.class, failure.error))))
    }

    use {ErrorClass as E, FailureClass as F, ReceiptStatus as S};

    #[test]
    fn message_statuses_become_reports() {
        let check = |body: &str, expected: Option<Seen>| assert_eq!(outcome(body), expected, "{body}");
        for waiting in ["accepted", "scheduled", "queued", "sending", "receiving", "received", "brand-new"] {
            check(&format!("MessageSid=SM1&MessageStatus={waiting}"), None);
        }
        check("MessageSid=SM1&MessageStatus=sent", Some((S::Sent, None)));
        check("MessageSid=SM1&MessageStatus=delivered", Some((S::Delivered, None)));
        check("MessageSid=SM1&MessageStatus=read", Some((S::Read, None)));
        check("MessageSid=SM1&SmsStatus=delivered", Some((S::Delivered, None)));
        check(
            "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005",
            Some((S::Undelivered, Some((F::Unroutable, E::InvalidDestination)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=failed&ErrorCode=30036",
            Some((S::Expired, Some((F::Unavailable, E::Expired)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=failed&ErrorCode=30007",
            Some((S::Undelivered, Some((F::Rejected, E::ContentRejected)))),
        );
        check("MessageSid=SM1&MessageStatus=failed", Some((S::Undelivered, Some((F::Rejected, E::Unknown)))));
        check(
            "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=99999",
            Some((S::Undelivered, Some((F::Rejected, E::Unknown)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=partially_delivered",
            Some((S::Undelivered, Some((F::Ambiguous, E::Unknown)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=canceled",
            Some((S::Undelivered, Some((F::Rejected, E::Unknown)))),
        );
    }

    #[test]
    fn a_call_is_delivered_when_a_person_listened_to_one_reading() {
        let check = |body: &str, expected: Option<Seen>| {
            assert_eq!(outcome(&format!("CallSid=CA1&{body}")), expected, "{body}");
        };
        let away = Some((S::Undelivered, Some((F::Unroutable, E::Unreachable))));
        check("CallStatus=queued", None);
        check("CallStatus=initiated", None);
        check("CallStatus=ringing", Some((S::Sent, None)));
        check("CallStatus=in-progress", Some((S::Sent, None)));
        check("CallStatus=completed&CallDuration=21", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=21&AnsweredBy=human", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=21&AnsweredBy=unknown", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=3", away);
        check("CallStatus=completed&CallDuration=30&AnsweredBy=machine_start", away);
        check("CallStatus=completed&CallDuration=30&AnsweredBy=fax", away);
        check("CallStatus=completed", Some((S::Sent, None)));
        check("CallStatus=busy", away);
        check("CallStatus=no-answer", away);
        check("CallStatus=failed", Some((S::Undelivered, Some((F::Unroutable, E::InvalidDestination)))));
        check("CallStatus=failed&ErrorCode=13225", Some((S::Undelivered, Some((F::Rejected, E::Blocked)))));
        check("CallStatus=canceled", Some((S::Undelivered, Some((F::Rejected, E::Unknown)))));
    }

    #[test]
    fn a_documented_callback_names_its_message_by_token_and_sid() {
        let [report] =
            decode(include_str!("../fixtures/message.undelivered.form").trim_end()).try_into().unwrap();
        assert_eq!(report.locator, Locator::Token(sample::TOKEN.into()));
        assert_eq!(report.reference.unwrap().as_str(), "SM0123456789abcdef0123456789abcdef");
        let [report] = decode(include_str!("../fixtures/call.completed.form").trim_end()).try_into().unwrap();
        assert_eq!(report.reference.unwrap().as_str(), "CA0123456789abcdef0123456789abcdef");
        assert_eq!(report.status, S::Delivered);
    }

    #[test]
    fn genuine_callbacks_about_nothing_of_ours_are_taken_without_reports() {
        assert_eq!(decode("From=%2B49170&Body=STOP&OptOutType=STOP"), []);
        let body = "MessageSid=SM1&MessageStatus=delivered";
        let headers = sample::signed("12345", body);
        let decoded = receipts().decode(&sample::callback(&headers, body.as_bytes())).unwrap();
        assert_eq!(decoded.reports, []);
    }

    #[test]
    fn unsigned_callbacks_and_other_methods_are_refused() {
        let body = "MessageSid=SM1&MessageStatus=delivered";
        let unsigned = HeaderMap::new();
        let callback = sample::callback(&unsigned, body.as_bytes());
        assert_eq!(receipts().decode(&callback), Err(CallbackRefusal::Signature));
        let headers = sample::signed("12345", body);
        let got = Callback { method: &Method::GET, ..sample::callback(&headers, body.as_bytes()) };
        assert_eq!(receipts().decode(&got), Err(CallbackRefusal::Method));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_callback_makes_decoding_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            url in any::<String>(),
            query in "(bodySHA256=)?[a-f0-9&=]{0,70}",
            signature in "[A-Za-z0-9+/=]{0,40}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert("x-twilio-signature", signature.parse().unwrap());
            let callback = sample::callback(&headers, &body);
            let _ = receipts().decode(&Callback { url: &url, query: &query, ..callback });
        }

        #[test]
        fn no_signed_field_makes_reading_panic(name in "(Message|Call|Sms)Status|ErrorCode", value in any::<String>()) {
            let form = otter_provider_http::Form::new().field("CallStatus", "completed").field(&name, &value);
            let body = String::from_utf8(form.finish().to_vec()).unwrap();
            let headers = sample::signed("12345", &body);
            let callback = Callback { token: Some("t"), ..sample::callback(&headers, body.as_bytes()) };
            prop_assert!(receipts().decode(&callback).is_ok());
        }
    }
}
