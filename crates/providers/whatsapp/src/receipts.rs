//! What Meta reports about messages.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, ReceiptStatus};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
use serde_json::Value;

use crate::codes::CODES;
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
            let reply = CallbackReply { status: StatusCode::OK, body };
            return Ok(Decoded { reply, ..Decoded::default() });
        }
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        self.secrets.verify(callback.headers, callback.body)?;
        let mut reader = Reader { ours: &self.phone_number_id, reports: Vec::new(), odd: 0 };
        // What is signed and no JSON is one thing that says nothing.
        reader.webhooks(&serde_json::from_slice(callback.body).unwrap_or_default());
        Ok(Decoded { reports: reader.reports, odd: reader.odd, ..Decoded::default() })
    }
}

/// Goes through a webhook. What has an unexpected form is counted and passed over, so that the rest is not lost.
struct Reader<'a> {
    ours: &'a str,
    reports: Vec<Report>,
    odd: u32,
}

impl Reader<'_> {
    fn webhooks(&mut self, signed: &Value) {
        match signed.as_array() {
            Some(all) if !all.is_empty() => all.iter().for_each(|webhook| self.webhook(webhook)),
            Some(_) | None => self.webhook(signed),
        }
    }

    fn webhook(&mut self, webhook: &Value) {
        for entry in self.list(webhook, "entry") {
            for change in self.list(entry, "changes") {
                match change.get("value") {
                    Some(value @ Value::Object(_)) => self.value(value, text(change, "field")),
                    Some(_) | None => self.odd += 1,
                }
            }
        }
    }

    fn value(&mut self, value: &Value, field: Option<&str>) {
        if !self.is_ours(value) {
            return;
        }
        if value.get("statuses").is_some() {
            let statuses = self.list(value, "statuses");
            statuses.iter().for_each(|status| self.status(status));
            return;
        }
        // Other fields are about templates, the account and so on; this one is about messages, our own and people's.
        let is_known = ["messages", "errors", "contacts"].iter().any(|part| value.get(part).is_some());
        if field == Some("messages") && !is_known {
            self.odd += 1;
        }
    }

    /// An app has one webhook for all its numbers, and another number may be another provider's here.
    fn is_ours(&self, value: &Value) -> bool {
        let number = value.get("metadata").and_then(|metadata| text(metadata, "phone_number_id"));
        number.is_none_or(|number| number == self.ours)
    }

    fn status(&mut self, status: &Value) {
        match report(status) {
            Ok(report) => self.reports.extend(report),
            Err(Odd) => self.odd += 1,
        }
    }

    /// The elements of a list, or the one object that stands in its place; anything else is odd.
    fn list<'a>(&mut self, value: &'a Value, name: &str) -> &'a [Value] {
        match value.get(name) {
            Some(Value::Array(all)) => all,
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            Some(_) | None => {
                self.odd += 1;
                &[]
            }
        }
    }
}

/// A status of no kind or form that we know.
struct Odd;

/// Reads one status; `None` for one of a message that somebody else sent from our number, which carries no token of ours.
fn report(status: &Value) -> Result<Option<Report>, Odd> {
    let (outcome, because) = outcome(status)?;
    let token = match status.get("biz_opaque_callback_data") {
        Some(Value::String(token)) => token.clone(),
        Some(Value::Null) | None => return Ok(None),
        Some(_) => return Err(Odd),
    };
    Ok(Some(Report {
        locator: Locator::Token(token),
        status: outcome,
        because,
        reference: text(status, "id").and_then(reference),
        occurred_at: status.get("timestamp").and_then(moment),
    }))
}

/// There is no report for a message whose time to live ran out.
fn outcome(status: &Value) -> Result<(ReceiptStatus, Option<Failure>), Odd> {
    match text(status, "status") {
        Some("sent") => Ok((ReceiptStatus::Sent, None)),
        Some("delivered") => Ok((ReceiptStatus::Delivered, None)),
        // Meta may skip "delivered" when the chat is open.
        Some("read" | "played") => Ok((ReceiptStatus::Read, None)),
        Some("failed") => Ok((ReceiptStatus::Undelivered, Some(because(status)))),
        Some(_) | None => Err(Odd),
    }
}

/// The first error says why. Without a code that can be read nobody knows.
fn because(status: &Value) -> Failure {
    let error = match status.get("errors") {
        Some(Value::Array(errors)) => errors.first(),
        other => other,
    };
    let unknown = Failure::new(FailureClass::Unroutable, ErrorClass::Unknown);
    error.and_then(errors::code).map_or(unknown, |code| CODES.reported(code))
}

/// Seconds since 1970, as text or as a number.
fn moment(seconds: &Value) -> Option<Moment> {
    let seconds = seconds.as_str().map_or_else(|| seconds.as_u64(), |text| text.parse().ok())?;
    Some(Moment::EPOCH + Duration::from_secs(seconds))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
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

    /// A webhook about messages with this in it.
    fn webhook(value: &str) -> String {
        format!(r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{{value}}}}}]}}]}}"#)
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
        check(r#"[{"code":"131026"}]"#, (FailureClass::Unroutable, ErrorClass::Unreachable));
        check(r#"{"code":131026}"#, (FailureClass::Unroutable, ErrorClass::Unreachable));
        for unknown in ["[]", "{}", "null", "7", r#"[{"code":4294967400}]"#, r#"[{"code":999999}]"#] {
            check(unknown, (FailureClass::Unroutable, ErrorClass::Unknown));
        }
    }

    #[test]
    fn statuses_of_unexpected_form_are_counted_and_the_others_are_read() {
        let delivered = r#"{"status":"delivered","biz_opaque_callback_data":"t"}"#;
        for odd in [
            "1",
            "{}",
            "[]",
            r#"{"status":"warning","biz_opaque_callback_data":"t"}"#,
            r#"{"status":["delivered"],"biz_opaque_callback_data":"t"}"#,
            r#"{"status":"delivered","biz_opaque_callback_data":7}"#,
        ] {
            let body = webhook(&format!(r#""statuses":[{odd},{delivered}]"#));
            let decoded = decode(body.as_bytes()).unwrap();
            assert_eq!((decoded.reports.len(), decoded.odd), (1, 1), "{odd}");
        }
        let odd =
            one(r#"{"id":7,"timestamp":"soon","status":"read","biz_opaque_callback_data":"t"}"#).unwrap();
        assert_eq!((odd.reference, odd.occurred_at), (None, None));
        for late in ["1750030073", r#""1750030073""#] {
            let status = format!(r#"{{"timestamp":{late},"status":"read","biz_opaque_callback_data":"t"}}"#);
            assert_eq!(one(&status).unwrap().occurred_at, Some(Moment::from_millis(1_750_030_073_000)));
        }
        let far = one(r#"{"timestamp":18446744073709551615,"status":"read","biz_opaque_callback_data":"t"}"#);
        assert_eq!(far.unwrap().occurred_at, Some(Moment::from_millis(u64::MAX)));
    }

    #[test]
    fn genuine_webhooks_about_something_else_are_taken_without_reports() {
        assert_eq!(decode(include_bytes!("../fixtures/inbound.json")), Ok(Decoded::default()));
        let check = |body: &str| assert_eq!(decode(body.as_bytes()), Ok(Decoded::default()), "{body}");
        check(
            r#"{"entry":[{"changes":[{"value":{"metadata":{"phone_number_id":"1"},
            "statuses":[{"status":"read","biz_opaque_callback_data":"t"}]}}]}]}"#,
        );
        check(
            r#"{"entry":[{"changes":[{"field":"message_template_status_update","value":{"event":"PAUSED"}}]}]}"#,
        );
        check(&webhook(r#""errors":[{"code":130429}]"#));
        check(&webhook(r#""statuses":[{"status":"delivered"}]"#));
    }

    #[test]
    fn what_is_signed_and_odd_is_acknowledged_and_counted() {
        let check = |body: &[u8], odd: u32| {
            let expected = Decoded { odd, ..Decoded::default() };
            assert_eq!(decode(body), Ok(expected), "{}", String::from_utf8_lossy(body));
        };
        for body in
            [&b""[..], b"{", b"\xff", b"1", b"null", b"[]", b"{}", br#"{"entry":null}"#, br#"{"entry":"x"}"#]
        {
            check(body, 1);
        }
        check(br#"[{},1]"#, 2);
        check(br#"{"entry":[{},1,{"changes":7}]}"#, 3);
        check(br#"{"entry":[{"changes":[{},{"value":[]},{"value":{"statuses":7}}]}]}"#, 3);
        check(webhook(r#""brand_new":[]"#).as_bytes(), 1);
    }

    #[test]
    fn lists_are_read_where_one_is_expected_and_the_other_way_round() {
        let status = r#"{"status":"delivered","biz_opaque_callback_data":"t"}"#;
        let single = format!(r#"{{"entry":{{"changes":{{"value":{{"statuses":{status}}}}}}}}}"#);
        let decoded = decode(single.as_bytes()).unwrap();
        assert_eq!((decoded.reports.len(), decoded.odd), (1, 0));
        let decoded = decode(format!("[{single},{single},7]").as_bytes()).unwrap();
        assert_eq!((decoded.reports.len(), decoded.odd), (2, 1));
    }

    #[test]
    fn what_is_forged_or_asked_otherwise_is_refused() {
        for body in ["", "[]", "{", "{}"] {
            assert_eq!(post(&HeaderMap::new(), body.as_bytes()), Err(CallbackRefusal::Signature), "{body}");
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
