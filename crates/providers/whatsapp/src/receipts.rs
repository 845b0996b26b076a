//! What Meta reports about messages.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, ReceiptStatus};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
use serde_json::Value;

use crate::errors;
use crate::reference::reference;
use crate::signature::WebhookSecrets;

/// Reads webhooks of the app that our number belongs to.
#[derive(Debug)]
pub(crate) struct Receipts {
    secrets: WebhookSecrets,
    phone_number_id: String,
}

impl Receipts {
    /// A decoder that trusts these secrets and reads what is about this number.
    pub(crate) fn new(secrets: WebhookSecrets, phone_number_id: String) -> Self {
        Self { secrets, phone_number_id }
    }
}

impl ReceiptDecoder for Receipts {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method == Method::GET {
            let body = Bytes::from(self.secrets.challenge(callback.query)?);
            return Ok(Decoded {
                reports: Vec::new(),
                reply: CallbackReply { status: StatusCode::OK, body },
            });
        }
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        self.secrets.verify(callback.headers, callback.body)?;
        let webhook: Value = serde_json::from_slice(callback.body).map_err(|_| CallbackRefusal::Schema)?;
        if !webhook.is_object() {
            return Err(CallbackRefusal::Schema);
        }
        Ok(Decoded { reports: self.reports(&webhook), ..Decoded::default() })
    }
}

impl Receipts {
    /// Every report in a batch. One that has an unexpected form is passed over, so that the others are not lost.
    fn reports(&self, webhook: &Value) -> Vec<Report> {
        list(webhook, "entry")
            .flat_map(|entry| list(entry, "changes"))
            .filter_map(|change| change.get("value"))
            .filter(|value| self.is_ours(value))
            .flat_map(|value| list(value, "statuses"))
            .filter_map(report)
            .collect()
    }

    /// An app has one webhook for all its numbers, and another number may be another provider's here.
    fn is_ours(&self, value: &Value) -> bool {
        let number = value.get("metadata").and_then(|metadata| text(metadata, "phone_number_id"));
        number.is_none_or(|number| number == self.phone_number_id)
    }
}

fn report(status: &Value) -> Option<Report> {
    let (outcome, because) = outcome(status)?;
    Some(Report {
        // Messages that somebody else sent from our number carry no token of ours.
        locator: Locator::Token(text(status, "biz_opaque_callback_data")?.to_owned()),
        status: outcome,
        because,
        reference: text(status, "id").and_then(reference),
        occurred_at: text(status, "timestamp").and_then(moment),
    })
}

/// `None` for what says nothing about delivery. There is no report for a message whose time to live ran out.
fn outcome(status: &Value) -> Option<(ReceiptStatus, Option<Failure>)> {
    match text(status, "status")? {
        "sent" => Some((ReceiptStatus::Sent, None)),
        "delivered" => Some((ReceiptStatus::Delivered, None)),
        // Meta may skip "delivered" when the chat is open.
        "read" | "played" => Some((ReceiptStatus::Read, None)),
        "failed" => {
            let code = list(status, "errors").next().and_then(|error| error.get("code")?.as_u64());
            let code = code.and_then(|code| u32::try_from(code).ok());
            let meaning = code.and_then(errors::meaning);
            let (class, error) = meaning.unwrap_or((FailureClass::Rejected, ErrorClass::Unknown));
            let because = Failure::new(class, error);
            let because = code.map_or(because, |code| because.with_code(code));
            Some((ReceiptStatus::Undelivered, Some(because)))
        }
        _ => None,
    }
}

/// Seconds since 1970, as text.
fn moment(seconds: &str) -> Option<Moment> {
    Some(Moment::EPOCH + Duration::from_secs(seconds.parse().ok()?))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hmac::{Hmac, KeyInit, Mac};
    use http::HeaderMap;
    use otter_domain::Secret;
    use proptest::prelude::*;
    use sha2::Sha256;

    use super::*;

    const URL: &str = "https://otp.example.net/receipts/whatsapp-eu";

    fn receipts() -> Receipts {
        let secrets = WebhookSecrets::new(Secret::new("app"), Secret::new("v3rify"));
        Receipts::new(secrets, "106540352242922".into())
    }

    fn decode(body: &[u8]) -> Result<Decoded, CallbackRefusal> {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"app").unwrap();
        mac.update(body);
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", signature.parse().unwrap());
        post(&headers, body)
    }

    fn post(headers: &HeaderMap, body: &[u8]) -> Result<Decoded, CallbackRefusal> {
        receipts().decode(&Callback {
            method: &Method::POST,
            url: URL,
            token: None,
            query: "",
            headers,
            body,
        })
    }

    fn get(query: &str) -> Result<Decoded, CallbackRefusal> {
        let headers = HeaderMap::new();
        receipts().decode(&Callback {
            method: &Method::GET,
            url: URL,
            token: None,
            query,
            headers: &headers,
            body: b"",
        })
    }

    fn one(status: &str) -> Option<Report> {
        let body = format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"changes":[{{"value":{{"statuses":[{status}]}}}}]}}]}}"#
        );
        decode(body.as_bytes()).unwrap().reports.into_iter().next()
    }

    fn classes(failure: Failure) -> (FailureClass, ErrorClass) {
        (failure.class, failure.error)
    }

    #[test]
    fn a_batch_yields_its_reports_in_order() {
        let reports = decode(include_bytes!("../fixtures/statuses.json")).unwrap().reports;
        let seen: Vec<_> = reports
            .iter()
            .map(|report| (&report.locator, report.status, report.because.map(classes)))
            .collect();
        let token = |text: &str| Locator::Token(text.into());
        let unreachable = Some((FailureClass::Unroutable, ErrorClass::Unreachable));
        assert_eq!(
            seen,
            [
                (&token("k1.one"), ReceiptStatus::Sent, None),
                (&token("k1.one"), ReceiptStatus::Delivered, None),
                (&token("k1.two"), ReceiptStatus::Undelivered, unreachable),
                (&token("k1.three"), ReceiptStatus::Read, None),
            ]
        );
        assert_eq!(reports[0].reference, reference("wamid.one"));
        assert_eq!(reports[0].occurred_at, Some(Moment::from_millis(1_750_030_073_000)));
    }

    #[test]
    fn a_failure_says_why() {
        let check = |errors: &str, expected: (FailureClass, ErrorClass)| {
            let report = one(&format!(
                r#"{{"id":"w","status":"failed","biz_opaque_callback_data":"t","errors":{errors}}}"#
            ));
            assert_eq!(report.unwrap().because.map(classes), Some(expected), "{errors}");
        };
        check(r#"[{"code":131049}]"#, (FailureClass::Unroutable, ErrorClass::Blocked));
        check(
            r#"[{"code":131042},{"code":131026}]"#,
            (FailureClass::Misconfigured, ErrorClass::InsufficientFunds),
        );
        for unknown in ["[]", "{}", "null", r#"[{"code":"131026"}]"#, r#"[{"code":4294967400}]"#] {
            check(unknown, (FailureClass::Rejected, ErrorClass::Unknown));
        }
    }

    #[test]
    fn reports_of_unexpected_form_are_passed_over() {
        for status in [
            "1",
            "{}",
            r#"{"status":"warning","biz_opaque_callback_data":"t"}"#,
            r#"{"status":"delivered"}"#,
            r#"{"status":"delivered","biz_opaque_callback_data":7}"#,
        ] {
            assert_eq!(one(status), None, "{status}");
        }
        let odd =
            one(r#"{"id":7,"timestamp":"soon","status":"read","biz_opaque_callback_data":"t"}"#).unwrap();
        assert_eq!((odd.reference, odd.occurred_at), (None, None));
    }

    #[test]
    fn genuine_webhooks_about_something_else_are_taken_without_reports() {
        assert_eq!(decode(include_bytes!("../fixtures/inbound.json")), Ok(Decoded::default()));
        assert_eq!(decode(b"{}"), Ok(Decoded::default()));
        let of_another_number = br#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"1"},
            "statuses":[{"status":"read","biz_opaque_callback_data":"t"}]}}]}]}"#;
        assert_eq!(decode(of_another_number), Ok(Decoded::default()));
    }

    #[test]
    fn what_is_forged_malformed_or_asked_otherwise_is_refused() {
        assert_eq!(post(&HeaderMap::new(), b"{}"), Err(CallbackRefusal::Signature));
        for body in ["", "[]", "1", "{", "\u{fffd}"] {
            assert_eq!(decode(body.as_bytes()), Err(CallbackRefusal::Schema), "{body}");
        }
        let headers = HeaderMap::new();
        let put =
            Callback { method: &Method::PUT, url: URL, token: None, query: "", headers: &headers, body: b"" };
        assert_eq!(receipts().decode(&put), Err(CallbackRefusal::Method));
    }

    #[test]
    fn the_handshake_is_answered_with_the_challenge() {
        let reply = get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=v3rify").unwrap().reply;
        assert_eq!(reply, CallbackReply { status: StatusCode::OK, body: Bytes::from_static(b"1158201444") });
        let refused = get("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guess");
        assert_eq!(refused, Err(CallbackRefusal::Signature));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_callback_makes_decoding_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            query in any::<String>(),
            signature in "(sha256=)?[a-fA-F0-9]{0,70}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert("x-hub-signature-256", signature.parse().unwrap());
            let _ = post(&headers, &body);
            let _ = decode(&body);
            let _ = get(&query);
        }

        #[test]
        fn no_signed_json_makes_reading_panic(place in 0_usize..400, byte in any::<u8>()) {
            let mut body = include_bytes!("../fixtures/statuses.json").to_vec();
            let place = place % body.len();
            body[place] = byte;
            let _ = decode(&body);
        }
    }
}
