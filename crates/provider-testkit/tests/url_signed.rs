//! A vendor whose signatures cover the URL and not the body, in two ways: what the suite asks of its decoder.
#![allow(clippy::unwrap_used)]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use otter_domain::{Channel, ErrorClass, Failure, FailureClass, ReceiptStatus};
use otter_provider::{
    Callback, CallbackRefusal, Capabilities, ChannelAbility, Decoded, Dispatch, Locator, Provider,
    ReceiptDecoder, Registration, Report,
};
use otter_provider_testkit::{
    Answer, CodePage, Covers, Recalls, ReceiptSigner, Refusal, Reported, SignedCallback, Subject,
    conformance, run, suite,
};
use toml::Table;

const HEADER: &str = "x-signature";

conformance! {
    Vendor { reads: TOKEN_OF_THE_URL } =>
    genuine_receipts_are_read,
    repeated_and_reordered_receipts_say_the_same,
    forged_receipts_are_refused,
    a_signature_is_good_for_what_it_covers_only,
    unknown_fields_are_ignored,
    unknown_tokens_are_harmless,
    mangled_receipts_never_panic,
    receipts_show_no_secret,
}

const TOKEN_OF_THE_URL: Registration = Registration { kind: "careful", configure: |_, _| Ok(account(false)) };
const TOKEN_OF_THE_BODY: Registration =
    Registration { kind: "careless", configure: |_, _| Ok(account(true)) };

#[test]
#[should_panic(expected = "messages, sent: [Token(")]
fn a_decoder_that_believes_what_is_not_covered_is_found() {
    let vendor = Arc::new(Vendor { reads: TOKEN_OF_THE_BODY });
    run(suite::a_signature_is_good_for_what_it_covers_only(vendor));
}

fn account(believes_the_body: bool) -> Provider {
    let ability =
        ChannelAbility { channel: Channel::Sms, revocable: false, idempotent: false, receipts: true };
    let capabilities = Capabilities {
        channels: vec![ability],
        countries: None,
        concurrency: 1,
        rate: None,
        timeout: Duration::from_secs(1),
        languages: None,
    };
    let receipts: Arc<dyn ReceiptDecoder> = Arc::new(Decoder { believes_the_body });
    Provider { capabilities, sender: None, revoker: None, receipts: Some(receipts) }
}

struct Vendor {
    reads: Registration,
}

impl Subject for Vendor {
    fn registration(&self) -> Registration {
        self.reads
    }

    fn settings(&self, _: &str) -> Table {
        Table::new()
    }

    fn required(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    fn channels(&self) -> Vec<Channel> {
        vec![Channel::Sms]
    }

    fn accepted(&self, _: &Dispatch) -> (Answer, Option<String>) {
        (Answer::new(202), None)
    }

    fn refusals(&self) -> Vec<Refusal> {
        Vec::new()
    }

    fn unsaid(&self) -> Vec<FailureClass> {
        FailureClass::ALL.to_vec()
    }

    fn codes(&self) -> Option<CodePage> {
        None
    }

    fn complaint(&self, text: &str) -> Answer {
        Answer::new(400).with_body(text.to_owned())
    }

    fn recalls(&self) -> Option<Recalls> {
        None
    }

    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>> {
        ["messages", "calls"].map(|way| Arc::new(Signer { way }) as Arc<dyn ReceiptSigner>).to_vec()
    }
}

/// Signs with a key for each of its two ways; a body is `TOKEN STATUS [MORE]`.
struct Signer {
    way: &'static str,
}

impl ReceiptSigner for Signer {
    fn name(&self) -> &'static str {
        self.way
    }

    fn covers(&self) -> Covers {
        Covers::Url
    }

    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes> {
        let is_of_messages = self.way == "messages" || status == ReceiptStatus::Delivered;
        let more = if extra { " more" } else { "" };
        is_of_messages.then(|| format!("{} {status}{more}", message.token).into())
    }

    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback {
        let callback = SignedCallback::post(message, body);
        let signature = signature(self.way, &callback.url);
        callback.with_header(HEADER, &signature)
    }

    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback {
        let callback = SignedCallback::post(message, body);
        let signature = signature("somebody else", &callback.url);
        callback.with_header(HEADER, &signature)
    }

    fn locator(&self, message: &Reported) -> Locator {
        Locator::Token(message.token.clone())
    }
}

fn signature(key: &str, url: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (key, url).hash(&mut hasher);
    hasher.finish().to_string()
}

#[derive(Debug)]
struct Decoder {
    believes_the_body: bool,
}

impl ReceiptDecoder for Decoder {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        let said = callback.headers.get(HEADER).and_then(|value| value.to_str().ok());
        let is_of = |key: &str| said == Some(signature(key, callback.url).as_str());
        if !is_of("messages") && !is_of("calls") {
            return Err(CallbackRefusal::Signature);
        }
        Ok(Decoded { reports: self.report(callback).into_iter().collect(), ..Decoded::default() })
    }
}

impl Decoder {
    fn report(&self, callback: &Callback<'_>) -> Option<Report> {
        let mut words = std::str::from_utf8(callback.body).ok()?.split(' ');
        let named = words.next()?;
        let token = if self.believes_the_body { named } else { callback.token? };
        let status = ReceiptStatus::parse(words.next()?)?;
        Some(Report {
            locator: Locator::Token(token.to_owned()),
            status,
            because: status
                .is_negative()
                .then(|| Failure::new(FailureClass::Unroutable, ErrorClass::Unknown)),
            reference: None,
            occurred_at: None,
        })
    }
}
