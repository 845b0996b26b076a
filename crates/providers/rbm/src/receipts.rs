//! What the platform posts to an agent's or a partner's webhook.
//!
//! Two forms arrive at the same address. The handshake, once when the webhook is configured, is
//! `{"clientToken", "secret"}` without a signature: whoever knows the token is answered with the secret. Everything
//! else is an envelope as Pub/Sub pushes it, `{"message": {"data": base64}}`, signed over the **decoded** data and not
//! over the body as it came. Only the data is read: nothing else in the envelope is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, StatusCode};
use otter_domain::{ErrorClass, Failure, FailureClass, MessageId, ProviderReference, ReceiptStatus, Secret};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::Sha512;
use subtle::ConstantTimeEq;

use crate::timestamp;

/// Where the signature is.
pub(crate) const SIGNATURE: &str = "x-goog-signature";

/// Verifies with the client token of one webhook and reads what was signed.
#[derive(Debug, Clone)]
pub(crate) struct WebhookEvents {
    /// The token that the console shows when the webhook is configured.
    pub(crate) client_token: Secret,
}

impl ReceiptDecoder for WebhookEvents {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        let posted: Posted = serde_json::from_slice(callback.body).map_err(|_| CallbackRefusal::Schema)?;
        match posted {
            Posted { message: Some(message), .. } => {
                let data = STANDARD.decode(message.data).map_err(|_| CallbackRefusal::Schema)?;
                self.verify(callback, &data)?;
                let reports = report(&data)?.into_iter().collect();
                Ok(Decoded { reports, reply: CallbackReply::default() })
            }
            Posted { client_token: Some(token), secret: Some(secret), .. } => {
                self.shake_hands(&token, secret)
            }
            Posted { .. } => Err(CallbackRefusal::Schema),
        }
    }
}

impl WebhookEvents {
    fn verify(&self, callback: &Callback<'_>, data: &[u8]) -> Result<(), CallbackRefusal> {
        let signature = callback.headers.get(SIGNATURE).ok_or(CallbackRefusal::Signature)?;
        let signature = STANDARD.decode(signature.as_bytes()).map_err(|_| CallbackRefusal::Signature)?;
        let key = self.client_token.reveal().as_bytes();
        let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("an HMAC takes a key of any length");
        mac.update(data);
        mac.verify_slice(&signature).map_err(|_| CallbackRefusal::Signature)
    }

    fn shake_hands(&self, token: &str, secret: String) -> Result<Decoded, CallbackRefusal> {
        let ours = self.client_token.reveal().as_bytes();
        if !bool::from(ours.ct_eq(token.as_bytes())) {
            return Err(CallbackRefusal::Signature);
        }
        let reply = CallbackReply { status: StatusCode::OK, body: Bytes::from(secret) };
        Ok(Decoded { reports: Vec::new(), reply })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    message: Option<Pushed>,
    client_token: Option<String>,
    secret: Option<String>,
}

#[derive(Deserialize)]
struct Pushed {
    data: String,
}

/// Reads one event; `None` if it says nothing about a message of ours.
///
/// User events, server events and what people write share the queue and have no common form, so the fields are asked
/// for one by one.
fn report(data: &[u8]) -> Result<Option<Report>, CallbackRefusal> {
    let event: Map<String, Value> = serde_json::from_slice(data).map_err(|_| CallbackRefusal::Schema)?;
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let (status, because) = match text("eventType") {
        Some("DELIVERED") => (ReceiptStatus::Delivered, None),
        Some("READ") => (ReceiptStatus::Read, None),
        Some("TTL_EXPIRATION_REVOKED") => {
            (ReceiptStatus::Expired, Some(Failure::new(FailureClass::Unroutable, ErrorClass::Expired)))
        }
        // TTL_EXPIRATION_REVOKE_FAILED among them: the message may be there or still on its way, so our own timer
        // decides and a later DELIVERED counts.
        Some(_) | None => return Ok(None),
    };
    let message = text("messageId").ok_or(CallbackRefusal::Schema)?;
    // Agents of one partner share a webhook: what somebody else sent has an id of another kind.
    let Some(message_id) = MessageId::parse(message) else { return Ok(None) };
    Ok(Some(Report {
        locator: Locator::MessageId(message_id),
        status,
        because,
        reference: ProviderReference::parse(&message_id.to_string()).ok(),
        occurred_at: text("sendTime").and_then(timestamp::parse),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::{HeaderMap, HeaderValue};
    use otter_domain::Moment;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::MESSAGE;

    const TOKEN: &str = "SJENCPGJESMGUFPY";

    fn events() -> WebhookEvents {
        WebhookEvents { client_token: Secret::new(TOKEN) }
    }

    fn sign(key: &str, data: &[u8]) -> HeaderMap {
        let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(data);
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), HeaderValue::from_str(&signature).unwrap())])
    }

    fn envelope(data: &[u8]) -> String {
        let data = STANDARD.encode(data);
        format!(
            r#"{{"message":{{"attributes":{{"type":"message_event"}},"data":"{data}","messageId":"136"}},"subscription":"x"}}"#
        )
    }

    fn post(headers: &HeaderMap, body: &[u8]) -> Result<Decoded, CallbackRefusal> {
        decode(&Method::POST, headers, body)
    }

    fn decode(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Decoded, CallbackRefusal> {
        let url = "https://otter.example.com/receipts/rbm";
        events().decode(&Callback { method, url, token: None, query: "", headers, body })
    }

    fn signed(data: &[u8]) -> Result<Vec<Report>, CallbackRefusal> {
        post(&sign(TOKEN, data), envelope(data).as_bytes()).map(|decoded| decoded.reports)
    }

    #[test]
    fn reports_are_read_from_what_was_signed() {
        let check = |data: &str, status: ReceiptStatus, because, occurred_at: Option<u64>| {
            let expected = Report {
                locator: Locator::MessageId(MessageId::parse(MESSAGE).unwrap()),
                status,
                because,
                reference: ProviderReference::parse(MESSAGE).ok(),
                occurred_at: occurred_at.map(Moment::from_millis),
            };
            assert_eq!(signed(data.as_bytes()).unwrap(), [expected]);
        };
        let expired = Some(Failure::new(FailureClass::Unroutable, ErrorClass::Expired));
        check(
            include_str!("../fixtures/delivered.json"),
            ReceiptStatus::Delivered,
            None,
            Some(1_777_888_802_250),
        );
        check(include_str!("../fixtures/read.json"), ReceiptStatus::Read, None, None);
        check(
            include_str!("../fixtures/expired.json"),
            ReceiptStatus::Expired,
            expired,
            Some(1_777_888_920_000),
        );
    }

    #[test]
    fn what_says_nothing_about_a_message_of_ours_is_acknowledged() {
        let check = |data: &str| assert_eq!(signed(data.as_bytes()).unwrap(), [], "{data}");
        check(include_str!("../fixtures/expiry-inconclusive.json"));
        check(include_str!("../fixtures/typing.json"));
        check(include_str!("../fixtures/inbound-text.json"));
        check(r#"{"eventType":"SOMETHING_NEW","messageId":7}"#);
        check(r#"{"newLaunchState":"LAUNCHED","regionId":"/v1/regions/vodafone-de"}"#);
        check(r#"{"eventType":"DELIVERED","messageId":"3b7e1c1e-0000-4000-8000-000000000000"}"#);
        check("{}");
    }

    #[test]
    fn a_handshake_is_answered_with_its_secret_for_whoever_knows_the_token() {
        let decoded = post(&HeaderMap::new(), include_bytes!("../fixtures/handshake.json")).unwrap();
        assert_eq!(
            decoded.reply,
            CallbackReply { status: StatusCode::OK, body: Bytes::from_static(b"1234567890") }
        );
        assert_eq!(decoded.reports, []);
        let check = |token: &str| {
            let body = format!(r#"{{"clientToken":"{token}","secret":"1234567890"}}"#);
            assert_eq!(post(&HeaderMap::new(), body.as_bytes()), Err(CallbackRefusal::Signature), "{token}");
        };
        check("");
        check("SJENCPGJESMGUFP");
        check("SJENCPGJESMGUFPYY");
    }

    #[test]
    fn a_forged_callback_is_refused() {
        let data = include_bytes!("../fixtures/delivered.json");
        let other = include_bytes!("../fixtures/read.json");
        let check = |headers: HeaderMap| {
            assert_eq!(post(&headers, envelope(data).as_bytes()), Err(CallbackRefusal::Signature));
        };
        check(HeaderMap::new());
        check(sign("another key", data));
        check(sign(TOKEN, other));
        check(sign(TOKEN, envelope(data).as_bytes()));
        check(HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), HeaderValue::from_static("not base64!"))]));
        check(HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), HeaderValue::from_static(""))]));
    }

    #[test]
    fn a_handshake_in_an_envelope_needs_the_signature_all_the_same() {
        let data = STANDARD.encode(include_bytes!("../fixtures/delivered.json"));
        let body = format!(r#"{{"message":{{"data":"{data}"}},"clientToken":"{TOKEN}","secret":"1"}}"#);
        assert_eq!(post(&HeaderMap::new(), body.as_bytes()), Err(CallbackRefusal::Signature));
    }

    #[test]
    fn what_is_not_of_the_form_is_refused_as_such() {
        let check = |body: &[u8]| assert_eq!(post(&HeaderMap::new(), body), Err(CallbackRefusal::Schema));
        check(b"");
        check(b"{}");
        check(b"[]");
        check(b"\xff\xfe");
        check(br#"{"message":{}}"#);
        check(br#"{"message":{"data":"*"}}"#);
        check(br#"{"clientToken":"SJENCPGJESMGUFPY"}"#);
        for signed_garbage in [&b"hello"[..], b"[]", b"\xff", br#"{"eventType":"DELIVERED"}"#] {
            assert_eq!(signed(signed_garbage), Err(CallbackRefusal::Schema));
        }
    }

    #[test]
    fn the_platform_only_posts() {
        for method in [Method::GET, Method::PUT, Method::HEAD] {
            assert_eq!(decode(&method, &HeaderMap::new(), b""), Err(CallbackRefusal::Method));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_bytes_make_it_panic_or_pass(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(post(&sign(TOKEN, &body), &body).is_err());
        }

        #[test]
        fn no_signed_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = signed(&data);
        }

        #[test]
        fn one_changed_bit_makes_the_signature_wrong(at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let data = include_bytes!("../fixtures/delivered.json");
            let mut changed = data.to_vec();
            changed[at.index(data.len())] ^= 1 << bit;
            prop_assert_eq!(post(&sign(TOKEN, data), envelope(&changed).as_bytes()), Err(CallbackRefusal::Signature));
        }

        #[test]
        fn fields_of_any_type_do_not_make_it_panic(event in "[A-Z_]{0,30}", id in "\\PC{0,40}", time in "\\PC{0,40}") {
            for kind in [event.as_str(), "DELIVERED", "READ", "TTL_EXPIRATION_REVOKED"] {
                let data = serde_json::json!({"eventType": kind, "messageId": id, "sendTime": time}).to_string();
                prop_assert!(signed(data.as_bytes()).is_ok());
            }
        }
    }
}
