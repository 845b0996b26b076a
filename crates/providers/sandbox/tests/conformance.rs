//! The sandbox provider against the suite that every provider passes.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use otter_domain::{Channel, ErrorClass, FailureClass, ReceiptStatus};
use otter_provider::{Dispatch, Locator, Registration};
use otter_provider_sandbox::{CODES, REGISTRATION};
use otter_provider_testkit::{
    Answer, CodePage, Covers, Recalls, ReceiptSigner, Refusal, Reported, SignedCallback, Subject,
};
use sha2::Sha256;
use toml::Table;

const ACCOUNT_KEY: &str = "sandbox-account-key-1";
const SIGNING_KEY: &str = "sandbox-signing-key-1";

otter_provider_testkit::conformance!(Sandbox);

struct Sandbox;

impl Subject for Sandbox {
    fn registration(&self) -> Registration {
        REGISTRATION
    }

    fn settings(&self, base_url: &str) -> Table {
        let text = format!(
            "kind = \"sandbox\"\nbase_url = \"{base_url}\"\naccount_key = \"{ACCOUNT_KEY}\"\n\
             signing_key = \"{SIGNING_KEY}\"\ntimeout = \"10s\"\n"
        );
        text.parse().unwrap()
    }

    fn required(&self) -> Vec<&'static str> {
        vec!["account_key"]
    }

    fn secrets(&self) -> Vec<String> {
        vec![ACCOUNT_KEY.to_owned(), SIGNING_KEY.to_owned()]
    }

    fn channels(&self) -> Vec<Channel> {
        Channel::ALL.to_vec()
    }

    fn accepted(&self, _: &Dispatch) -> (Answer, Option<String>) {
        (Answer::json(202, r#"{"id":"sbx-00000001","status":"accepted"}"#), Some("sbx-00000001".to_owned()))
    }

    fn refusals(&self) -> Vec<Refusal> {
        use {ErrorClass as Error, FailureClass as Class};
        let documented = |name, status, number, class, error| {
            let answer =
                Answer::json(status, format!(r#"{{"error":{{"number":{number},"message":"{name}"}}}}"#));
            Refusal::new(name, answer, class, error).with_code(number)
        };
        vec![
            documented("malformed request", 400, 1000, Class::Misconfigured, Error::Unknown),
            documented("content rejected", 422, 1001, Class::Rejected, Error::ContentRejected),
            documented("blocked", 422, 1002, Class::Rejected, Error::Blocked),
            documented("invalid number", 422, 1101, Class::Unroutable, Error::InvalidDestination),
            documented("unreachable", 422, 1102, Class::Unroutable, Error::Unreachable).on(Channel::WhatsApp),
            documented("too fast", 429, 1201, Class::Throttled, Error::RateLimited),
            documented("unknown key", 401, 1301, Class::Misconfigured, Error::Auth),
            documented("no balance", 402, 1302, Class::Misconfigured, Error::InsufficientFunds),
            documented("down", 503, 1401, Class::Unavailable, Error::Provider5xx),
            documented("outcome unknown", 500, 1501, Class::Ambiguous, Error::Unknown),
            documented("a number nobody knows", 422, 4711, Class::Rejected, Error::Unknown),
            Refusal::new("bare 429", Answer::new(429), Class::Throttled, Error::RateLimited),
            Refusal::new("bare 503", Answer::new(503), Class::Unavailable, Error::Provider5xx),
        ]
    }

    fn unsaid(&self) -> Vec<FailureClass> {
        Vec::new()
    }

    fn codes(&self) -> Option<CodePage> {
        Some(CodePage { problems: CODES.problems(), markdown: CODES.markdown() })
    }

    fn complaint(&self, text: &str) -> Answer {
        let text: String =
            text.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).collect();
        Answer::json(422, format!(r#"{{"error":{{"number":1001,"message":"{text}"}}}}"#))
    }

    fn recalls(&self) -> Option<Recalls> {
        Some(Recalls {
            channel: Channel::Sms,
            reference: Some("sbx-00000001".to_owned()),
            revoked: Answer::json(200, r#"{"id":"sbx-00000001","status":"revoked"}"#),
            too_late: Answer::json(409, r#"{"error":{"number":1602,"message":"arrived"}}"#),
        })
    }

    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>> {
        vec![Arc::new(Signer)]
    }
}

struct Signer;

impl Signer {
    fn sign_with(key: &str, message: &Reported, body: Bytes) -> SignedCallback {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(b"1700000000000.");
        mac.update(&body);
        let signature = hex::encode(mac.finalize().into_bytes());
        SignedCallback::post(message, body)
            .with_header("x-sandbox-timestamp", "1700000000000")
            .with_header("x-sandbox-signature", &signature)
    }
}

impl ReceiptSigner for Signer {
    fn covers(&self) -> Covers {
        Covers::Body
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let error = if status.is_negative() { r#"{"number":1102}"# } else { "null" };
        let extra = if extra { r#","weather":{"sunny":true}"# } else { "" };
        let (reference, token) = (&message.reference, &message.token);
        let body = format!(
            r#"{{"id":"{reference}","client_reference":"{token}","message_id":"{}","status":"{status}","error":{error},"occurred_at":1700000000000{extra}}}"#,
            message.message_id
        );
        Some(body.into())
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        Self::sign_with(SIGNING_KEY, message, body)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        Self::sign_with("another key", message, body)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::Token(message.token.clone())
    }
}
