//! Reading callbacks.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use otter_domain::ReceiptStatus;
use otter_provider::{CallbackRefusal, Decoded, ReceiptDecoder};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::redaction::assert_says_nothing;
use crate::stage::{configured, dispatch, first_channel};
use crate::{Capture, ReceiptSigner, Reported, SignedCallback, Subject, sample};

/// How many mangled callbacks are tried.
const MANGLED: u32 = 128;

/// The vendor's words become ours, one report for one message, with a reason where it did not arrive.
pub async fn genuine_receipts_are_read(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    assert!(desk.report(ReceiptStatus::Delivered).is_some(), "every vendor with receipts reports deliveries");
    for (status, body) in desk.reports() {
        let decoded = desk.read(&desk.signer.sign(&desk.message, body));
        let decoded = decoded.unwrap_or_else(|refusal| panic!("{status} was refused: {refusal}"));
        let [report] = decoded.reports.as_slice() else { panic!("{status} became {:?}", decoded.reports) };
        assert_eq!(report.status, status);
        assert_eq!(report.locator, desk.signer.locator(&desk.message), "{status}");
        assert_eq!(report.because.is_some(), status.is_negative(), "{status}: {:?}", report.because);
        let named = report.reference.as_ref().map(|reference| reference.as_str().to_owned());
        assert!(named.is_none() || named == Some(desk.message.reference.clone()), "{status} names {named:?}");
    }
}

/// A report says the same however often, in whatever order and however late it comes.
pub async fn repeated_and_reordered_receipts_say_the_same(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    let callbacks: Vec<_> =
        desk.reports().into_iter().map(|(_, body)| desk.signer.sign(&desk.message, body)).collect();
    let forwards: Vec<_> = callbacks.iter().map(|callback| desk.read(callback)).collect();
    let mut backwards: Vec<_> = callbacks.iter().rev().map(|callback| desk.read(callback)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert!(forwards.iter().all(Result::is_ok), "{forwards:?}");
}

/// A callback without a signature, with another key's, or with another body than the signed one is refused for its
/// signature.
pub async fn forged_receipts_are_refused(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    let delivered =
        desk.report(ReceiptStatus::Delivered).expect("every vendor with receipts reports deliveries");
    let genuine = desk.signer.sign(&desk.message, delivered.clone());
    let wrong_key = desk.signer.sign_wrongly(&desk.message, delivered.clone());
    assert_eq!(desk.read(&wrong_key), Err(CallbackRefusal::Signature), "signed with another key");

    if genuine.headers.is_empty() || genuine.method == Method::GET {
        return;
    }
    let mut unsigned = genuine.clone();
    unsigned.headers.clear();
    assert_eq!(desk.read(&unsigned), Err(CallbackRefusal::Signature), "not signed");
    let others = desk.reports().into_iter().filter(|(_, body)| *body != delivered);
    for (status, body) in others {
        let swapped = SignedCallback { body, ..genuine.clone() };
        assert_eq!(desk.read(&swapped), Err(CallbackRefusal::Signature), "{status} under another signature");
    }
}

/// Fields that the vendor adds one day change nothing.
pub async fn unknown_fields_are_ignored(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    for (status, body) in desk.reports() {
        let extended = desk.signer.report(status, &desk.message, true).expect("a status that the vendor has");
        assert_ne!(extended, body, "{status} was asked for with more fields");
        let expected = desk.read(&desk.signer.sign(&desk.message, body));
        assert_eq!(desk.read(&desk.signer.sign(&desk.message, extended)), expected, "{status}");
    }
}

/// A token that is not ours is passed on or refused; finding out is not the decoder's affair.
pub async fn unknown_tokens_are_harmless(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    let long = "a".repeat(600);
    for token in ["", "x", "..", "%2e%2e%2f", "k9.99.AAAA", "tökən", "a b&c=d", long.as_str()] {
        let message = Reported { token: token.to_owned(), ..desk.message.clone() };
        let body = desk.signer.report(ReceiptStatus::Delivered, &message, false);
        let body = body.expect("every vendor with receipts reports deliveries");
        if let Ok(decoded) = desk.read(&desk.signer.sign(&message, body)) {
            assert!(decoded.reports.len() <= 1, "{token} became {} reports", decoded.reports.len());
        }
    }
}

/// Bytes of any kind, signed or not, complete or not, never panic, and unsigned ones never report anything.
pub async fn mangled_receipts_never_panic(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    let genuine =
        desk.report(ReceiptStatus::Delivered).expect("every vendor with receipts reports deliveries");
    for end in 0..genuine.len() {
        let _ = desk.read(&desk.signer.sign(&desk.message, genuine.slice(..end)));
    }
    let huge = Bytes::from("[".repeat(1 << 20));
    let _ = desk.read(&desk.signer.sign(&desk.message, huge));

    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = ProptestConfig { cases: MANGLED, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let length = genuine.len();
    let strategy = (vec(any::<u8>(), 0..120), 0..length, any::<bool>(), any::<bool>(), 0..3_usize);
    let outcome = runner.run(&strategy, |(noise, place, keep, signed, method)| {
        let mut body = if keep { genuine[..place].to_vec() } else { Vec::new() };
        body.extend_from_slice(&noise);
        if keep {
            body.extend_from_slice(genuine.get(place + noise.len()..).unwrap_or_default());
        }
        let mut callback = desk.signer.sign(&desk.message, body.into());
        callback.method = [Method::POST, Method::GET, Method::PUT][method].clone();
        if !signed {
            callback.headers.clear();
            callback.url = sample::CALLBACK_URL.to_owned();
        }
        let reported = desk.read(&callback).is_ok_and(|decoded| !decoded.reports.is_empty());
        assert!(signed || !reported, "an unsigned callback reported something");
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Reading callbacks, genuine, forged or broken, shows nothing of what is in them.
pub async fn receipts_show_no_secret(subject: Arc<dyn Subject>) {
    let Some(desk) = Desk::of(&subject) else { return };
    let capture = Capture::start();
    let mut said = String::new();
    for (_, body) in desk.reports() {
        let half = body.slice(..body.len() / 2);
        for callback in [
            desk.signer.sign(&desk.message, body.clone()),
            desk.signer.sign(&desk.message, half),
            desk.signer.sign_wrongly(&desk.message, body),
        ] {
            said += &format!("{:?}", desk.read(&callback));
        }
    }
    assert_says_nothing(subject.as_ref(), "a result", &said);
    assert_says_nothing(subject.as_ref(), "a trace", &capture.text());
}

/// The subject's decoder on one side, the vendor's signer on the other.
struct Desk {
    decoder: Arc<dyn ReceiptDecoder>,
    signer: Arc<dyn ReceiptSigner>,
    message: Reported,
}

impl Desk {
    /// `None` if the subject declares that the vendor has no callbacks.
    fn of(subject: &Arc<dyn Subject>) -> Option<Self> {
        let provider = configured(subject.as_ref(), "http://127.0.0.1:9");
        let (Some(signer), Some(decoder)) = (subject.receipts(), provider.receipts) else {
            assert!(subject.receipts().is_none(), "receipts are not as declared");
            return None;
        };
        let channel = first_channel(subject.as_ref());
        let (_, reference) = subject.accepted(&dispatch(subject.as_ref(), channel));
        let message = Reported {
            token: sample::TOKEN.to_owned(),
            message_id: sample::message_id(),
            reference: reference.unwrap_or_else(|| "reference-1".to_owned()),
            number: sample::NUMBER,
        };
        Some(Self { decoder, signer, message })
    }

    fn read(&self, callback: &SignedCallback) -> Result<Decoded, CallbackRefusal> {
        self.decoder.decode(&callback.as_callback())
    }

    fn report(&self, status: ReceiptStatus) -> Option<Bytes> {
        self.signer.report(status, &self.message, false)
    }

    /// A report of every status that the vendor has.
    fn reports(&self) -> Vec<(ReceiptStatus, Bytes)> {
        ReceiptStatus::ALL.into_iter().filter_map(|status| Some((status, self.report(status)?))).collect()
    }
}
