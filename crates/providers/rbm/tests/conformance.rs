//! What every provider must do, done by this one.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use otter_domain::{Channel, ErrorClass, FailureClass, ReceiptStatus, SpeaksOf};
use otter_provider::{Dispatch, Locator, Registration};
use otter_provider_rbm::CODES;
use otter_provider_testkit::{
    Answer, CodePage, Covers, Recalls, ReceiptSigner, Received, Refusal, Reported, SignedCallback, Subject,
    conformance,
};
use serde_json::{Value, json};
use sha2::Sha512;
use toml::Table;

const CLIENT_TOKEN: &str = "SJENCPGJESMGUFPY";
const SERVICE_ACCOUNT: &str = include_str!("../fixtures/test-only-service-account.json");
const NOT_FOUND: &str = include_str!("../fixtures/not-found.json");
const OLDER: &str = include_str!("../fixtures/not-found.older.json");

conformance!(Rbm);

struct Rbm;

impl Subject for Rbm {
    fn registration(&self) -> Registration {
        otter_provider_rbm::REGISTRATION
    }

    fn settings(&self, base_url: &str) -> Table {
        Table::from_iter(
            [
                ("agent_id", "acme_otp_agent"),
                ("base_url", base_url),
                ("token_url", &format!("{base_url}/token")),
                ("service_account", SERVICE_ACCOUNT),
                ("client_token", CLIENT_TOKEN),
            ]
            .map(|(key, value)| (key.to_owned(), value.into())),
        )
    }

    fn required(&self) -> Vec<&'static str> {
        vec!["agent_id", "service_account"]
    }

    fn secrets(&self) -> Vec<String> {
        let token: Value = serde_json::from_str(include_str!("../fixtures/token.json")).unwrap();
        let account: Value = serde_json::from_str(SERVICE_ACCOUNT).unwrap();
        let secrets = [&token["access_token"], &account["private_key"]];
        let key_line = account["private_key"].as_str().unwrap().lines().nth(1).unwrap();
        let mut secrets = secrets.map(|secret| secret.as_str().unwrap().to_owned()).to_vec();
        secrets.extend([key_line.to_owned(), CLIENT_TOKEN.to_owned()]);
        secrets
    }

    fn channels(&self) -> Vec<Channel> {
        vec![Channel::Rcs]
    }

    fn accepted(&self, dispatch: &Dispatch) -> (Answer, Option<String>) {
        let id = dispatch.message_id.to_string();
        let mut message: Value = serde_json::from_str(include_str!("../fixtures/sent.json")).unwrap();
        message["name"] = format!("phones/{}/agentMessages/{id}", dispatch.number.reveal()).into();
        (Answer::json(200, message.to_string()), Some(id))
    }

    fn refusals(&self) -> Vec<Refusal> {
        use {ErrorClass as E, FailureClass as F};
        let standard = |code: u16, status: &'static str, class: FailureClass, error: ErrorClass| {
            Refusal::new(status, complaint(code, status, "no"), class, error).with_code(status)
        };
        vec![
            standard(400, "INVALID_ARGUMENT", F::Rejected, E::ContentRejected),
            standard(400, "OUT_OF_RANGE", F::Rejected, E::ContentRejected),
            standard(400, "FAILED_PRECONDITION", F::Misconfigured, E::Unknown),
            standard(401, "UNAUTHENTICATED", F::Misconfigured, E::Auth),
            standard(403, "PERMISSION_DENIED", F::Misconfigured, E::Auth),
            Refusal::new("no RCS", Answer::json(404, NOT_FOUND), F::Unroutable, E::Unreachable)
                .with_code("NOT_FOUND")
                .speaking_of(SpeaksOf::Person),
            standard(409, "ABORTED", F::Unavailable, E::Provider5xx),
            standard(429, "RESOURCE_EXHAUSTED", F::Throttled, E::RateLimited),
            standard(499, "CANCELLED", F::Ambiguous, E::Unknown),
            standard(500, "INTERNAL", F::Unavailable, E::Provider5xx),
            standard(500, "UNKNOWN", F::Ambiguous, E::Unknown),
            standard(500, "DATA_LOSS", F::Ambiguous, E::Unknown),
            standard(501, "UNIMPLEMENTED", F::Misconfigured, E::Unknown),
            standard(503, "UNAVAILABLE", F::Unavailable, E::Provider5xx),
            standard(504, "DEADLINE_EXCEEDED", F::Ambiguous, E::Timeout),
            Refusal::new(
                "no RCS, in the older form",
                Answer::json(404, OLDER),
                F::Unroutable,
                E::Unreachable,
            ),
            Refusal::new("too fast, without a word", Answer::new(429), F::Throttled, E::RateLimited),
        ]
    }

    fn unsaid(&self) -> Vec<FailureClass> {
        Vec::new()
    }

    fn codes(&self) -> Option<CodePage> {
        Some(CodePage { problems: CODES.problems(), markdown: CODES.markdown() })
    }

    fn complaint(&self, text: &str) -> Answer {
        complaint(400, "INVALID_ARGUMENT", text)
    }

    fn side_answer(&self, request: &Received) -> Option<Answer> {
        let wants_token = request.method == "POST" && request.target == "/token";
        wants_token.then(|| Answer::json(200, include_str!("../fixtures/token.json")))
    }

    fn recalls(&self) -> Option<Recalls> {
        let (revoked, too_late) = (Answer::json(200, "{}"), Answer::json(404, NOT_FOUND));
        Some(Recalls { channel: Channel::Rcs, reference: None, revoked, too_late })
    }

    fn shortest_validity(&self, _: Channel) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }

    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>> {
        vec![Arc::new(Google)]
    }
}

fn complaint(code: u16, status: &str, text: &str) -> Answer {
    Answer::json(code, json!({"error": {"code": code, "message": text, "status": status}}).to_string())
}

/// Posts events the way the platform does.
struct Google;

impl ReceiptSigner for Google {
    fn covers(&self) -> Covers {
        Covers::Body
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let (event_type, number) = match status {
            ReceiptStatus::Delivered => ("DELIVERED", "senderPhoneNumber"),
            ReceiptStatus::Read => ("READ", "senderPhoneNumber"),
            ReceiptStatus::Expired => ("TTL_EXPIRATION_REVOKED", "phoneNumber"),
            ReceiptStatus::Sent | ReceiptStatus::Undelivered => return None,
        };
        let mut event = json!({
            number: message.number,
            "eventType": event_type,
            "eventId": "MxAhcVFLwQSFOPGmlLRsGGfA",
            "messageId": message.message_id.to_string(),
            "sendTime": "2026-05-04T10:00:02.250Z",
            "agentId": "acme_otp_agent",
        });
        if extra {
            event["carrier"] = json!({"name": "new", "since": 2027});
        }
        let data = STANDARD.encode(event.to_string());
        let mut envelope = json!({
            "message": {"attributes": {"type": "message_event"}, "data": data, "messageId": "136969346945"},
            "subscription": "projects/rbm/subscriptions/push",
        });
        if extra {
            envelope["message"]["orderingKey"] = "new".into();
            envelope["deliveryAttempt"] = 5.into();
        }
        Some(envelope.to_string().into())
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with(CLIENT_TOKEN, message, body)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with("another webhook's token", message, body)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::MessageId(message.message_id)
    }
}

/// Signs what is inside the envelope, or the body if it is none.
fn signed_with(key: &str, message: &Reported, body: Bytes) -> SignedCallback {
    let envelope: Value = serde_json::from_slice(&body).unwrap_or_default();
    let data = envelope["message"]["data"].as_str().and_then(|data| STANDARD.decode(data).ok());
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(data.as_deref().unwrap_or(&body));
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    SignedCallback::post(message, body).with_header("x-goog-signature", &signature)
}
