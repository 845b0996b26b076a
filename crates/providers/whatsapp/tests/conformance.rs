//! The conformance run: the Cloud API as its documentation describes it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use otter_domain::{Channel, ErrorClass, FailureClass, ReceiptStatus, SpeaksOf};
use otter_provider::{Dispatch, Locator, Registration};
use otter_provider_testkit::{
    Answer, CodePage, Covers, Recalls, ReceiptSigner, Refusal, Reported, SignedCallback, Subject,
};
use otter_provider_whatsapp::CODES;
use serde_json::json;
use sha2::{Digest, Sha256};
use toml::Table;

const APP_SECRET: &str = "c0ffee0123456789abcdef0123456789";

/// What Meta calls the message. The number can be read in it: `printf HBgNNDkxNTExMjM0NTY3OBUC | base64 -d`.
const WAMID: &str = "wamid.HBgNNDkxNTExMjM0NTY3OBUCABEYEjdFRkY5QkU3RjQ4";

/// What a wrong phone number id is answered with.
const ELSEWHERE: &str = include_str!("../fixtures/error.100.33.json");

#[derive(Debug)]
struct WhatsApp;

otter_provider_testkit::conformance!(WhatsApp);

impl Subject for WhatsApp {
    fn registration(&self) -> Registration {
        otter_provider_whatsapp::REGISTRATION
    }

    fn settings(&self, base_url: &str) -> Table {
        let text = format!(
            r#"
            phone_number_id = "106540352242922"
            access_token = "c0ffee-access-token"
            app_secret = "{APP_SECRET}"
            verify_token = "c0ffee-verify-token"
            base_url = "{base_url}"
            timeout = "1s"
            "#
        );
        text.parse().unwrap()
    }

    fn required(&self) -> Vec<&'static str> {
        vec!["phone_number_id", "access_token"]
    }

    fn secrets(&self) -> Vec<String> {
        ["c0ffee-access-token", APP_SECRET, "c0ffee-verify-token"].map(str::to_owned).to_vec()
    }

    fn channels(&self) -> Vec<Channel> {
        vec![Channel::WhatsApp]
    }

    fn accepted(&self, _: &Dispatch) -> (Answer, Option<String>) {
        let body = include_str!("../fixtures/message.accepted.json");
        let digest = hex::encode(&Sha256::digest(WAMID)[..16]);
        (Answer::json(200, body), Some(format!("wamid-sha256.{digest}")))
    }

    fn refusals(&self) -> Vec<Refusal> {
        use {ErrorClass as E, FailureClass as F};
        let of = |name, status, code, class, error| {
            Refusal::new(name, error_answer(status, code, "x"), class, error)
        };
        vec![
            of("throughput reached", 400, 130429, F::Throttled, E::RateLimited),
            of("throughput reached, as some gateways say it", 429, 130429, F::Throttled, E::RateLimited),
            of("not on WhatsApp", 400, 131026, F::Unroutable, E::Unreachable),
            of("too many to this person", 400, 131056, F::Unroutable, E::RateLimited),
            of("bad parameter", 400, 100, F::Rejected, E::ContentRejected),
            of("token expired", 401, 190, F::Misconfigured, E::Auth)
                .with_code(190)
                .speaking_of(SpeaksOf::Account),
            of("payment problem", 400, 131042, F::Misconfigured, E::InsufficientFunds),
            of("template missing", 404, 132001, F::Misconfigured, E::Auth)
                .with_code(132001)
                .speaking_of(SpeaksOf::Template),
            of("reported as spam", 400, 131048, F::Misconfigured, E::RateLimited),
            of("template with other parameters", 400, 132000, F::Misconfigured, E::ContentRejected),
            of("no token", 401, 104, F::Misconfigured, E::Auth),
            of("a limit of the Graph API", 400, 613, F::Throttled, E::RateLimited),
            of("blocked by our own number", 400, 130403, F::Unroutable, E::Blocked),
            Refusal::new("no such sending number", Answer::json(400, ELSEWHERE), F::Misconfigured, E::Auth),
            of("overloaded", 503, 2, F::Unavailable, E::Provider5xx),
            of("something went wrong", 500, 131000, F::Ambiguous, E::Unknown),
            Refusal::new("a proxy's error", Answer::new(502), F::Ambiguous, E::Unknown),
        ]
    }

    fn unsaid(&self) -> Vec<FailureClass> {
        Vec::new()
    }

    fn codes(&self) -> Option<CodePage> {
        Some(CodePage { problems: CODES.problems(), markdown: CODES.markdown() })
    }

    fn complaint(&self, text: &str) -> Answer {
        error_answer(400, 100, text)
    }

    fn recalls(&self) -> Option<Recalls> {
        None
    }

    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>> {
        vec![Arc::new(Webhooks)]
    }
}

fn error_answer(status: u16, code: u32, text: &str) -> Answer {
    let body = json!({ "error": {
        "message": text,
        "type": "OAuthException",
        "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": text },
        "fbtrace_id": "A1b2C3d4",
    }});
    Answer::json(status, body.to_string())
}

struct Webhooks;

impl ReceiptSigner for Webhooks {
    fn covers(&self) -> Covers {
        Covers::Body
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let (word, errors) = match status {
            ReceiptStatus::Sent => ("sent", json!([])),
            ReceiptStatus::Undelivered => ("failed", json!([{ "code": 131026, "title": message.number }])),
            ReceiptStatus::Delivered => ("delivered", json!([])),
            ReceiptStatus::Read => ("read", json!([])),
            // Meta drops a message whose time to live ran out without a word.
            ReceiptStatus::Expired => return None,
        };
        let mut report = json!({
            "id": WAMID,
            "status": word,
            "timestamp": "1750030073",
            "recipient_id": message.number,
            "biz_opaque_callback_data": message.token,
            "errors": errors,
        });
        if extra {
            report["brand_new"] = json!({ "nested": [1, null] });
        }
        let body = json!({
            "object": "whatsapp_business_account",
            "entry": [{ "id": "WABA_ID", "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "15550001111", "phone_number_id": "106540352242922" },
                "statuses": [report],
            }}]}],
        });
        Some(Bytes::from(body.to_string()))
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with(APP_SECRET, message, body)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with("another-secret", message, body)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::Token(message.token.clone())
    }
}

/// Meta calls one URL for all messages, so there is no token in it.
fn signed_with(key: &str, message: &Reported, body: Bytes) -> SignedCallback {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(&body);
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let url = "https://otp.example.net/receipts/vendor-test".to_owned();
    SignedCallback { token: None, url, ..SignedCallback::post(message, body) }
        .with_header("x-hub-signature-256", &signature)
}
