//! What the platform posts to an agent's or a partner's webhook.
//!
//! Two forms arrive at the same address. The handshake, once when the webhook is configured, is
//! `{"clientToken", "secret"}` without a signature: whoever knows the token is answered with the secret. Everything
//! else is an envelope as Pub/Sub pushes it, `{"message": {"data": base64}}`, signed over the **decoded** data and not
//! over the body as it came. Only the data is read: nothing else in the envelope is signed.
//!
//! One address that does not answer 200 slows down all of a partner's agents for days, so whatever is signed is
//! acknowledged, also when nobody understands it.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, StatusCode};
use otter_domain::{MessageId, ProviderReference, ReceiptStatus, Secret, VendorCode};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
use serde_json::Value;
use sha2::Sha512;
use subtle::ConstantTimeEq;

use crate::codes::{CODES, EXPIRED};
use crate::timestamp;

/// Where the signature is.
pub(crate) const SIGNATURE: &str = "x-goog-signature";

/// Events that say nothing of a delivery. After a failed revocation the message may be there or still on its way, so our
/// own timer decides and a later `DELIVERED` counts.
const NO_NEWS: [&str; 4] = ["TTL_EXPIRATION_REVOKE_FAILED", "IS_TYPING", "SUBSCRIBE", "UNSUBSCRIBE"];

/// What people's messages and news of an agent's launch have in place of `eventType`.
const OTHER_KINDS: [&str; 5] = ["text", "suggestionResponse", "userFile", "location", "newLaunchState"];

/// Base64 with padding or without. What it yields is believed only if it is signed.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

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
        let posted: Value = serde_json::from_slice(callback.body).map_err(|_| CallbackRefusal::Schema)?;
        let posts = each(&posted);
        let Some(message) = posts.iter().find_map(|post| post.get("message")) else {
            return self.shake_hands(&posted);
        };
        let data = pushed(message).ok_or(CallbackRefusal::Schema)?;
        self.verify(callback, &data)?;
        let mut decoded = events(&data);
        // One signature vouches for one message.
        decoded.odd += count(posts.len() - 1);
        Ok(decoded)
    }
}

impl WebhookEvents {
    fn verify(&self, callback: &Callback<'_>, data: &[u8]) -> Result<(), CallbackRefusal> {
        let signature = callback.headers.get(SIGNATURE).ok_or(CallbackRefusal::Signature)?;
        let signature = base64(signature.as_bytes()).ok_or(CallbackRefusal::Signature)?;
        let key = self.client_token.reveal().as_bytes();
        let mut mac = Hmac::<Sha512>::new_from_slice(key).expect("an HMAC takes a key of any length");
        mac.update(data);
        mac.verify_slice(&signature).map_err(|_| CallbackRefusal::Signature)
    }

    fn shake_hands(&self, posted: &Value) -> Result<Decoded, CallbackRefusal> {
        let text = |field: &str| posted.get(field).and_then(Value::as_str).ok_or(CallbackRefusal::Schema);
        let (token, secret) = (text("clientToken")?, text("secret")?);
        let ours = self.client_token.reveal().as_bytes();
        if !bool::from(ours.ct_eq(token.as_bytes())) {
            return Err(CallbackRefusal::Signature);
        }
        let reply = CallbackReply { status: StatusCode::OK, body: Bytes::from(secret.to_owned()) };
        Ok(Decoded { reply, ..Decoded::default() })
    }
}

/// The data of a pushed message; without any, which Pub/Sub allows, it is empty. `None` if it is no base64.
fn pushed(message: &Value) -> Option<Vec<u8>> {
    match message.get("data") {
        Some(Value::String(data)) => base64(data.as_bytes()),
        Some(Value::Null) | None => Some(Vec::new()),
        Some(_) => None,
    }
}

/// Reads both alphabets of base64, with line breaks or without.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let standard = |byte: u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let text: Vec<_> =
        text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).map(standard).collect();
    BASE64.decode(text).ok()
}

/// The elements of a list, or the one thing that it is not a list of.
fn each(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Reads the events in signed data: one, or a list of them.
fn events(data: &[u8]) -> Decoded {
    let signed: Value = serde_json::from_slice(data).unwrap_or_default();
    let all = each(&signed);
    let read: Vec<_> = all.iter().map(report).collect();
    let odd = read.iter().filter(|event| event.is_err()).count();
    // An empty list is one thing that says nothing.
    let odd = count(odd) + u32::from(all.is_empty());
    Decoded {
        reports: read.into_iter().filter_map(Result::ok).flatten().collect(),
        odd,
        ..Decoded::default()
    }
}

/// An event of no kind or form that we know.
struct Odd;

/// Reads one event; `None` if it says nothing about a message of ours.
///
/// User events, server events and what people write share the queue and have no common form, so the fields are asked
/// for one by one.
fn report(event: &Value) -> Result<Option<Report>, Odd> {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let (status, because) = match text("eventType") {
        Some("DELIVERED") => (ReceiptStatus::Delivered, None),
        Some("READ") => (ReceiptStatus::Read, None),
        Some(EXPIRED) => {
            let code = VendorCode::parse(EXPIRED).expect("the word has a code's form");
            (ReceiptStatus::Expired, Some(CODES.reported(code)))
        }
        Some(kind) if NO_NEWS.contains(&kind) => return Ok(None),
        None if OTHER_KINDS.iter().any(|field| event.get(field).is_some()) => return Ok(None),
        Some(_) | None => return Err(Odd),
    };
    let message = text("messageId").ok_or(Odd)?;
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

    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use http::{HeaderMap, HeaderValue};
    use otter_domain::{ErrorClass, FailureClass, Moment};
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
        let expired = CODES.reported(VendorCode::parse(EXPIRED).unwrap());
        assert_eq!((expired.class, expired.error), (FailureClass::Unroutable, ErrorClass::Expired));
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
            Some(expired),
            Some(1_777_888_920_000),
        );
    }

    #[test]
    fn what_says_nothing_about_a_message_of_ours_is_acknowledged() {
        let check = |data: &str| {
            assert_eq!(
                post(&sign(TOKEN, data.as_bytes()), envelope(data.as_bytes()).as_bytes()),
                Ok(Decoded::default()),
                "{data}"
            );
        };
        check(include_str!("../fixtures/expiry-inconclusive.json"));
        check(include_str!("../fixtures/typing.json"));
        check(include_str!("../fixtures/inbound-text.json"));
        check(r#"{"senderPhoneNumber":"+4915112345678","eventType":"UNSUBSCRIBE","eventId":"x"}"#);
        check(r#"{"newLaunchState":"LAUNCHED","regionId":"/v1/regions/vodafone-de"}"#);
        check(r#"{"eventType":"DELIVERED","messageId":"3b7e1c1e-0000-4000-8000-000000000000"}"#);
    }

    #[test]
    fn what_is_signed_and_odd_is_acknowledged_and_counted() {
        let check = |data: &[u8], odd: u32| {
            let decoded = post(&sign(TOKEN, data), envelope(data).as_bytes()).unwrap();
            assert_eq!(decoded, Decoded { odd, ..Decoded::default() }, "{}", String::from_utf8_lossy(data));
        };
        check(br#"{"eventType":"DELIVERED"}"#, 1);
        check(br#"{"eventType":"DELIVERED","messageId":null}"#, 1);
        check(br#"{"eventType":"READ","messageId":7}"#, 1);
        check(br#"{"eventType":"SOMETHING_NEW","messageId":"x"}"#, 1);
        check(br#"{"eventType":["DELIVERED"]}"#, 1);
        for data in [&b"{}"[..], b"[]", b"null", b"7", b"hello", b"", b"\xff\xfe", b"{\"eventType\":"] {
            check(data, 1);
        }
        check(br#"[{},[],"x"]"#, 3);
    }

    #[test]
    fn every_event_of_a_signed_list_is_read() {
        let delivered = include_str!("../fixtures/delivered.json").trim();
        let data = format!(r#"[{delivered},{{"eventType":"DELIVERED"}},{delivered}]"#);
        let decoded = post(&sign(TOKEN, data.as_bytes()), envelope(data.as_bytes()).as_bytes()).unwrap();
        assert_eq!((decoded.reports.len(), decoded.odd), (2, 1));
    }

    #[test]
    fn base64_is_read_in_every_form() {
        // Its bytes need both letters in which the two alphabets differ, and padding.
        let delivered = include_str!("../fixtures/delivered.json").trim().trim_end_matches('}');
        let data = format!(r#"{delivered},"note":"???>>>~~~ÿÿ"}} "#);
        let data = data.as_bytes();
        for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
            let text = engine.encode(data);
            let signature = sign(TOKEN, data);
            let signed = STANDARD.decode(signature[SIGNATURE].as_bytes()).unwrap();
            let header = HeaderValue::from_str(&engine.encode(signed)).unwrap();
            let headers = HeaderMap::from_iter([(SIGNATURE.parse().unwrap(), header)]);
            for text in [text.clone(), format!("{}\\r\\n{}\\n", &text[..76], &text[76..])] {
                let body = format!(r#"{{"message":{{"data":"{text}"}}}}"#);
                let decoded = post(&headers, body.as_bytes()).unwrap();
                assert_eq!((decoded.reports.len(), decoded.odd), (1, 0), "{body}");
            }
        }
    }

    #[test]
    fn an_envelope_in_a_list_is_read_if_it_is_signed() {
        let data = include_bytes!("../fixtures/delivered.json");
        let decoded = post(&sign(TOKEN, data), format!("[{}]", envelope(data)).as_bytes()).unwrap();
        assert_eq!((decoded.reports.len(), decoded.odd), (1, 0));
        let two = format!("[{},{}]", envelope(data), envelope(b"{}"));
        let decoded = post(&sign(TOKEN, data), two.as_bytes()).unwrap();
        assert_eq!((decoded.reports.len(), decoded.odd), (1, 1));
        let forged = post(&sign("another key", data), two.as_bytes());
        assert_eq!(forged, Err(CallbackRefusal::Signature));
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
    fn what_cannot_be_verified_is_refused() {
        let check = |body: &[u8], expected| assert_eq!(post(&HeaderMap::new(), body), Err(expected));
        for body in [&b""[..], b"{}", b"[]", b"7", b"\xff\xfe", br#"{"clientToken":"SJENCPGJESMGUFPY"}"#] {
            check(body, CallbackRefusal::Schema);
        }
        check(br#"{"message":{"data":"*"}}"#, CallbackRefusal::Schema);
        check(br#"{"message":{"data":{}}}"#, CallbackRefusal::Schema);
        check(br#"{"message":{}}"#, CallbackRefusal::Signature);
        check(br#"{"message":7}"#, CallbackRefusal::Signature);
    }

    #[test]
    fn a_message_without_data_is_signed_all_the_same() {
        let decoded = post(&sign(TOKEN, b""), br#"{"message":{"attributes":{"type":"x"}}}"#).unwrap();
        assert_eq!(decoded, Decoded { odd: 1, ..Decoded::default() });
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
