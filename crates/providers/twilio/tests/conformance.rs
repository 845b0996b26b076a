//! The conformance run: Twilio as its documentation describes it.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use otter_domain::{Channel, ErrorClass, FailureClass, ReceiptStatus, SpeaksOf};
use otter_provider::{Dispatch, Locator, Registration};
use otter_provider_http::Form;
use otter_provider_testkit::{
    Answer, CodePage, Covers, Recalls, ReceiptSigner, Refusal, Reported, SignedCallback, Subject,
};
use sha1::Sha1;
use toml::Table;
use url::form_urlencoded;

const MESSAGE: &str = "SM0123456789abcdef0123456789abcdef";
const CALL: &str = "CA0123456789abcdef0123456789abcdef";
const AUTH_TOKEN: &str = "c0ffee0123456789abcdef0123456789";
const NEXT_TOKEN: &str = "decade0123456789abcdef0123456789";

#[derive(Debug)]
struct Twilio;

otter_provider_testkit::conformance!(Twilio);

impl Subject for Twilio {
    fn registration(&self) -> Registration {
        otter_provider_twilio::REGISTRATION
    }

    fn settings(&self, base_url: &str) -> Table {
        let text = format!(
            r#"
            account_sid = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            api_key_sid = "SKaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            api_key_secret = "c0ffee-api-key"
            auth_token = "{AUTH_TOKEN}"
            auth_token_next = "{NEXT_TOKEN}"
            from = "ExampleCo"
            voice_from = "+15005550006"
            channels = ["sms", "voice"]
            base_url = "{base_url}"
            timeout = "1s"
            "#
        );
        text.parse().unwrap()
    }

    fn required(&self) -> Vec<&'static str> {
        vec!["account_sid", "auth_token", "from"]
    }

    fn secrets(&self) -> Vec<String> {
        ["c0ffee-api-key", AUTH_TOKEN, NEXT_TOKEN].map(str::to_owned).to_vec()
    }

    fn channels(&self) -> Vec<Channel> {
        vec![Channel::Sms, Channel::Voice]
    }

    fn accepted(&self, dispatch: &Dispatch) -> (Answer, Option<String>) {
        let (body, sid) = match dispatch.channel {
            Channel::Voice => (include_str!("../fixtures/call.created.json"), CALL),
            Channel::Sms | Channel::WhatsApp | Channel::Rcs => {
                (include_str!("../fixtures/message.created.json"), MESSAGE)
            }
        };
        (Answer::json(201, body), Some(sid.to_owned()))
    }

    fn refusals(&self) -> Vec<Refusal> {
        use {ErrorClass as E, FailureClass as F};
        let of = |name, status, code, class, error| {
            Refusal::new(name, error_answer(status, code), class, error).with_code(code)
        };
        vec![
            of("invalid number", 400, 21211, F::Unroutable, E::InvalidDestination),
            of("opted out", 400, 21610, F::Unroutable, E::Blocked),
            of("text too long", 400, 21617, F::Rejected, E::ContentRejected),
            of("pumping protection", 403, 30450, F::Rejected, E::Blocked),
            of("wrong credentials", 401, 20003, F::Misconfigured, E::Auth).speaking_of(SpeaksOf::Account),
            of("country not permitted", 400, 21408, F::Misconfigured, E::Auth),
            of("country not permitted for calls", 400, 21215, F::Misconfigured, E::Auth).on(Channel::Voice),
            of("too many requests", 429, 20429, F::Throttled, E::RateLimited),
            of("queue full", 400, 21611, F::Throttled, E::RateLimited),
            of("internal error", 500, 20500, F::Unavailable, E::Provider5xx),
            of("down", 503, 20503, F::Unavailable, E::Provider5xx),
            of("not known", 500, 30008, F::Ambiguous, E::Unknown),
            Refusal::new("a proxy's error", Answer::new(502), F::Ambiguous, E::Unknown),
        ]
    }

    fn unsaid(&self) -> Vec<FailureClass> {
        Vec::new()
    }

    fn codes(&self) -> Option<CodePage> {
        let codes = otter_provider_twilio::CODES;
        Some(CodePage { problems: codes.problems(), markdown: codes.markdown() })
    }

    fn complaint(&self, text: &str) -> Answer {
        let body = serde_json::json!({ "code": 21211, "message": text, "more_info": text, "status": 400 });
        Answer::json(400, body.to_string())
    }

    fn recalls(&self) -> Option<Recalls> {
        Some(Recalls {
            channel: Channel::Voice,
            reference: Some(CALL.to_owned()),
            revoked: Answer::json(200, include_str!("../fixtures/call.created.json")),
            too_late: error_answer(400, 21220),
        })
    }

    fn shortest_validity(&self, channel: Channel) -> Option<Duration> {
        (channel == Channel::Sms).then_some(Duration::from_secs(1))
    }

    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>> {
        let messages = |name, key| Arc::new(Messages { name, key });
        vec![
            messages("messages", AUTH_TOKEN),
            messages("messages, signed with the next token", NEXT_TOKEN),
            Arc::new(Calls),
        ]
    }
}

fn error_answer(status: u16, code: u32) -> Answer {
    let body = format!(
        r#"{{"code":{code},"message":"x","more_info":"https://www.twilio.com/docs/errors","status":{status}}}"#
    );
    Answer::json(status, body)
}

/// Status callbacks of messages.
struct Messages {
    name: &'static str,
    key: &'static str,
}

impl ReceiptSigner for Messages {
    fn name(&self) -> &'static str {
        self.name
    }

    fn covers(&self) -> Covers {
        Covers::UrlAndBody
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let (word, code) = match status {
            ReceiptStatus::Sent => ("sent", None),
            ReceiptStatus::Expired => ("failed", Some("30036")),
            ReceiptStatus::Undelivered => ("undelivered", Some("30005")),
            ReceiptStatus::Delivered => ("delivered", None),
            ReceiptStatus::Read => ("read", None),
        };
        let form = Form::new()
            .field("MessageSid", &message.reference)
            .field("MessageStatus", word)
            .field("To", message.number)
            .field("AccountSid", "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
            .field("ApiVersion", "2010-04-01");
        let form = code.into_iter().fold(form, |form, code| form.field("ErrorCode", code));
        Some(extended(form, extra).finish())
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with(self.key, message, body)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with("another-token", message, body)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::Token(message.token.clone())
    }
}

/// Status callbacks of calls.
struct Calls;

impl ReceiptSigner for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn channel(&self) -> Option<Channel> {
        Some(Channel::Voice)
    }

    fn covers(&self) -> Covers {
        Covers::UrlAndBody
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let (word, duration) = match status {
            ReceiptStatus::Sent => ("ringing", None),
            ReceiptStatus::Undelivered => ("no-answer", Some("0")),
            ReceiptStatus::Delivered => ("completed", Some("42")),
            ReceiptStatus::Expired | ReceiptStatus::Read => return None,
        };
        let form = Form::new()
            .field("CallSid", &message.reference)
            .field("CallStatus", word)
            .field("To", message.number)
            .field("AccountSid", "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
            .field("ApiVersion", "2010-04-01");
        let form = duration.into_iter().fold(form, |form, seconds| form.field("CallDuration", seconds));
        Some(extended(form, extra).finish())
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with(AUTH_TOKEN, message, body)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        signed_with("another-token", message, body)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::Token(message.token.clone())
    }
}

fn extended(form: Form, extra: bool) -> Form {
    if extra { form.field("BrandNew", "1").field("Another", "ü") } else { form }
}

fn signed_with(key: &str, message: &Reported, body: Bytes) -> SignedCallback {
    let callback = SignedCallback::post(message, body);
    let mut parameters: Vec<_> = form_urlencoded::parse(&callback.body).into_owned().collect();
    parameters.sort();
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(callback.url.as_bytes());
    for (name, value) in &parameters {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    callback.with_header("x-twilio-signature", &STANDARD.encode(mac.finalize().into_bytes()))
}
