//! Reading callbacks.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use otter_domain::ReceiptStatus;
use otter_provider::{CallbackRefusal, Decoded, Locator, ReceiptDecoder};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::redaction::assert_says_nothing;
use crate::stage::{configured, dispatch, first_channel};
use crate::{Capture, Covers, ReceiptSigner, Reported, SignedCallback, Subject, sample};

/// How many mangled callbacks are tried.
const MANGLED: u32 = 128;

/// The vendor's words become ours, one report for one message, with a reason where it did not arrive.
pub async fn genuine_receipts_are_read(subject: Arc<dyn Subject>) {
    let desks = Desk::all(&subject);
    let has_deliveries = |desk: &Desk| desk.report(ReceiptStatus::Delivered).is_some();
    assert!(desks.is_empty() || desks.iter().any(has_deliveries), "nobody reports deliveries");
    for desk in desks {
        for (status, body) in desk.reports() {
            let decoded = desk.read(&desk.signer.sign(&desk.message, body));
            let status_of = format!("{status} of {}", desk.signer.name());
            let decoded = decoded.unwrap_or_else(|refusal| panic!("{status_of} was refused: {refusal}"));
            let [report] = decoded.reports.as_slice() else {
                panic!("{status_of} became {:?}", decoded.reports)
            };
            assert_eq!(report.status, status, "{status_of}");
            assert_eq!(report.locator, desk.locator(), "{status_of}");
            assert_eq!(report.because.is_some(), status.is_negative(), "{status_of}: {:?}", report.because);
            let named = report.reference.as_ref().map(|reference| reference.as_str().to_owned());
            assert!(
                named.is_none() || named == Some(desk.message.reference.clone()),
                "{status_of} names {named:?}"
            );
        }
    }
}

/// A report says the same however often, in whatever order and however late it comes.
pub async fn repeated_and_reordered_receipts_say_the_same(subject: Arc<dyn Subject>) {
    let desks = Desk::all(&subject);
    let sign = |desk: &Desk| {
        let callbacks = desk.reports().into_iter().map(|(_, body)| desk.signer.sign(&desk.message, body));
        callbacks.collect::<Vec<_>>()
    };
    // One decoder reads them all, so the ways are mixed too.
    let Some(reader) = desks.first() else { return };
    let callbacks: Vec<_> = desks.iter().flat_map(sign).collect();
    let forwards: Vec<_> = callbacks.iter().map(|callback| reader.read(callback)).collect();
    let mut backwards: Vec<_> = callbacks.iter().rev().map(|callback| reader.read(callback)).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert!(forwards.iter().all(Result::is_ok), "{forwards:?}");
}

/// A callback without a signature or with another key's is refused for its signature.
pub async fn forged_receipts_are_refused(subject: Arc<dyn Subject>) {
    for desk in Desk::all(&subject) {
        let way = desk.signer.name();
        let genuine = desk.signer.sign(&desk.message, desk.sample());
        let wrong_key = desk.signer.sign_wrongly(&desk.message, desk.sample());
        assert_eq!(desk.read(&wrong_key), Err(CallbackRefusal::Signature), "{way}, signed with another key");
        if is_signed_in_headers(&genuine) {
            let mut unsigned = genuine;
            unsigned.headers.clear();
            assert_eq!(desk.read(&unsigned), Err(CallbackRefusal::Signature), "{way}, not signed");
        }
    }
}

/// Under a genuine signature, whatever it covers cannot be changed: that is refused for the signature. Where it does not
/// cover the body, no body makes it speak of another message than the one that the URL names.
pub async fn a_signature_is_good_for_what_it_covers_only(subject: Arc<dyn Subject>) {
    for desk in Desk::all(&subject) {
        let (way, covers) = (desk.signer.name(), desk.signer.covers());
        let genuine = desk.signer.sign(&desk.message, desk.sample());
        if !is_signed_in_headers(&genuine) {
            continue;
        }
        let other = Reported {
            token: format!("{}-other", desk.message.token),
            message_id: sample::other_message_id(),
            ..desk.message.clone()
        };
        let bodies = [&desk.message, &other].into_iter().flat_map(|message| desk.reports_on(message));
        for (status, body) in bodies.filter(|(_, body)| *body != genuine.body) {
            let read = desk.read(&SignedCallback { body, ..genuine.clone() });
            if covers.body() {
                assert_eq!(read, Err(CallbackRefusal::Signature), "{way}, {status} as another body");
            } else {
                let reports = read.map(|decoded| decoded.reports).unwrap_or_default();
                let named: Vec<_> = reports.into_iter().map(|report| report.locator).collect();
                assert!(named.iter().all(|locator| *locator == desk.locator()), "{way}, {status}: {named:?}");
            }
        }
        if covers.url() {
            let (url, token) = (SignedCallback::post(&other, Bytes::new()).url, Some(other.token.clone()));
            let read = desk.read(&SignedCallback { url, token, ..genuine.clone() });
            assert_eq!(read, Err(CallbackRefusal::Signature), "{way} at another URL");
        }
        let names_by_token = matches!(desk.locator(), Locator::Token(_));
        assert!(covers != Covers::Url || names_by_token, "{way}: only the token in the URL is covered");
    }
}

/// Fields that the vendor adds one day change nothing.
pub async fn unknown_fields_are_ignored(subject: Arc<dyn Subject>) {
    for desk in Desk::all(&subject) {
        for (status, body) in desk.reports() {
            let extended = desk.signer.report(status, &desk.message, true);
            let extended = extended.expect("a status that the vendor has");
            assert_ne!(extended, body, "{status} was asked for with more fields");
            let expected = desk.read(&desk.signer.sign(&desk.message, body));
            let read = desk.read(&desk.signer.sign(&desk.message, extended));
            assert_eq!(read, expected, "{status} of {}", desk.signer.name());
        }
    }
}

/// A token that is not ours is passed on or refused; finding out is not the decoder's affair.
pub async fn unknown_tokens_are_harmless(subject: Arc<dyn Subject>) {
    let long = "a".repeat(600);
    for desk in Desk::all(&subject) {
        for token in ["", "x", "..", "%2e%2e%2f", "k9.99.AAAA", "tökən", "a b&c=d", long.as_str()] {
            let message = Reported { token: token.to_owned(), ..desk.message.clone() };
            let (_, body) = desk.reports_on(&message).remove(0);
            if let Ok(decoded) = desk.read(&desk.signer.sign(&message, body)) {
                assert!(decoded.reports.len() <= 1, "{token} became {} reports", decoded.reports.len());
            }
        }
    }
}

/// Bytes of any kind, signed or not, complete or not, never panic, and unsigned ones never report anything.
pub async fn mangled_receipts_never_panic(subject: Arc<dyn Subject>) {
    for desk in Desk::all(&subject) {
        let genuine = desk.sample();
        for end in 0..genuine.len() {
            let _ = desk.read(&desk.signer.sign(&desk.message, genuine.slice(..end)));
        }
        let huge = Bytes::from("[".repeat(1 << 20));
        let _ = desk.read(&desk.signer.sign(&desk.message, huge));
        desk.try_mangled(&genuine);
    }
}

/// Reading callbacks, genuine, forged or broken, shows nothing of what is in them.
pub async fn receipts_show_no_secret(subject: Arc<dyn Subject>) {
    let desks = Desk::all(&subject);
    let capture = Capture::start();
    let mut said = String::new();
    for desk in &desks {
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
    }
    assert_says_nothing(subject.as_ref(), "a result", &said);
    assert_says_nothing(subject.as_ref(), "a trace", &capture.text());
}

/// Whether the signature is in the headers; without any, and with GET, it is in the URL.
fn is_signed_in_headers(callback: &SignedCallback) -> bool {
    !callback.headers.is_empty() && callback.method != Method::GET
}

/// The subject's decoder on one side, one of the vendor's signers on the other.
struct Desk {
    decoder: Arc<dyn ReceiptDecoder>,
    signer: Arc<dyn ReceiptSigner>,
    message: Reported,
}

impl Desk {
    /// One for each of the vendor's ways to sign; none if the subject declares that the vendor has no callbacks.
    fn all(subject: &Arc<dyn Subject>) -> Vec<Self> {
        let decoder = configured(subject.as_ref(), "http://127.0.0.1:9").receipts;
        let signers = subject.receipts();
        assert_eq!(decoder.is_some(), !signers.is_empty(), "receipts are not as declared");
        let Some(decoder) = decoder else { return Vec::new() };
        let desk = |signer: Arc<dyn ReceiptSigner>| Self::of(subject.as_ref(), &decoder, signer);
        signers.into_iter().map(desk).collect()
    }

    fn of(subject: &dyn Subject, decoder: &Arc<dyn ReceiptDecoder>, signer: Arc<dyn ReceiptSigner>) -> Self {
        let channel = signer.channel().unwrap_or_else(|| first_channel(subject));
        let (_, reference) = subject.accepted(&dispatch(subject, channel));
        let message = Reported {
            token: sample::TOKEN.to_owned(),
            message_id: sample::message_id(),
            reference: reference.unwrap_or_else(|| "reference-1".to_owned()),
            number: sample::NUMBER,
        };
        let desk = Self { decoder: Arc::clone(decoder), signer, message };
        assert!(!desk.reports().is_empty(), "{} reports nothing", desk.signer.name());
        desk
    }

    fn read(&self, callback: &SignedCallback) -> Result<Decoded, CallbackRefusal> {
        self.decoder.decode(&callback.as_callback())
    }

    fn locator(&self) -> Locator {
        self.signer.locator(&self.message)
    }

    fn report(&self, status: ReceiptStatus) -> Option<Bytes> {
        self.signer.report(status, &self.message, false)
    }

    /// A report of every status that the signer has.
    fn reports(&self) -> Vec<(ReceiptStatus, Bytes)> {
        self.reports_on(&self.message)
    }

    fn reports_on(&self, message: &Reported) -> Vec<(ReceiptStatus, Bytes)> {
        let report = |status| Some((status, self.signer.report(status, message, false)?));
        ReceiptStatus::ALL.into_iter().filter_map(report).collect()
    }

    /// A delivery, or what else the signer has.
    fn sample(&self) -> Bytes {
        self.report(ReceiptStatus::Delivered).unwrap_or_else(|| self.reports().remove(0).1)
    }

    fn try_mangled(&self, genuine: &Bytes) {
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let config =
            ProptestConfig { cases: MANGLED, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = TestRunner::new_with_rng(config, rng);
        let strategy = (vec(any::<u8>(), 0..120), 0..genuine.len(), any::<bool>(), any::<bool>(), 0..3_usize);
        let outcome = runner.run(&strategy, |(noise, place, keep, signed, method)| {
            let mut body = if keep { genuine[..place].to_vec() } else { Vec::new() };
            body.extend_from_slice(&noise);
            if keep {
                body.extend_from_slice(genuine.get(place + noise.len()..).unwrap_or_default());
            }
            let mut callback = self.signer.sign(&self.message, body.into());
            callback.method = [Method::POST, Method::GET, Method::PUT][method].clone();
            if !signed {
                callback.headers.clear();
                callback.url = sample::CALLBACK_URL.to_owned();
            }
            let reported = self.read(&callback).is_ok_and(|decoded| !decoded.reports.is_empty());
            assert!(signed || !reported, "an unsigned callback reported something");
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{error}"));
    }
}
