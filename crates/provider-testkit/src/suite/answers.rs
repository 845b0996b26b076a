//! Reading complete answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use otter_domain::FailureClass;
use proptest::collection::vec;
use proptest::prelude::{Strategy as _, any};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::stage::{dispatch, first_channel};
use crate::{Answer, Stage, Subject};

/// How many random answers are tried.
const RANDOM_ANSWERS: usize = 96;

/// The documented answer on each channel is acceptance, and the vendor's name for the message is kept.
pub async fn every_channel_is_accepted_with_the_vendors_name(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    for channel in subject.channels() {
        let (answer, expected) = subject.accepted(&dispatch(subject.as_ref(), channel));
        let outcome = stage.send(subject.as_ref(), channel, answer).await;
        let reference = outcome.unwrap_or_else(|failure| panic!("{channel} was not accepted: {failure:?}"));
        assert_eq!(reference.as_ref().map(|name| name.as_str()), expected.as_deref(), "{channel}");
    }
}

/// Every documented refusal has its class and its error, and where the subject says so the vendor's own code and what it
/// speaks of.
pub async fn every_refusal_means_what_was_documented(subject: Arc<dyn Subject>) {
    for refusal in subject.refusals() {
        let stage = Stage::new(&subject).await;
        let channel = refusal.channel.unwrap_or_else(|| first_channel(subject.as_ref()));
        // A refused credential may be answered by one more request with a fresh one.
        stage.vendor.then(refusal.answer.clone());
        let outcome = stage.send(subject.as_ref(), channel, refusal.answer).await;
        let Err(failure) = outcome else { panic!("{} was accepted", refusal.name) };
        assert_eq!((failure.class, failure.error), (refusal.class, refusal.error), "{}", refusal.name);
        let of = refusal.speaks_of.unwrap_or(failure.speaks_of);
        assert_eq!(failure.speaks_of, of, "what {} speaks of", refusal.name);
        let code = refusal.vendor_code.or(failure.vendor_code);
        assert_eq!(failure.vendor_code, code, "the vendor's code of {}", refusal.name);
        let may_wait = matches!(failure.class, FailureClass::Throttled | FailureClass::Unavailable);
        assert!(may_wait || failure.retry_after.is_none(), "{} has a wait that nobody reads", refusal.name);
    }
}

/// Each failure class has a sample, or the subject says that the vendor has none.
pub async fn every_class_is_said_or_declared_unsaid(subject: Arc<dyn Subject>) {
    let refusals = subject.refusals();
    let unsaid = subject.unsaid();
    for class in FailureClass::ALL {
        let said = refusals.iter().any(|refusal| refusal.class == class);
        assert!(said != unsaid.contains(&class), "{class} needs a sample or a declaration, and not both");
    }
}

/// The vendor's `Retry-After` in seconds is passed on with a throttling answer, and nonsense in it is not.
pub async fn retry_after_is_passed_on_when_throttled(subject: Arc<dyn Subject>) {
    let refusals = subject.refusals();
    let Some(throttling) = refusals.iter().find(|refusal| refusal.class == FailureClass::Throttled) else {
        assert!(subject.unsaid().contains(&FailureClass::Throttled), "throttling is not declared unsaid");
        return;
    };
    let stage = Stage::new(&subject).await;
    let channel = throttling.channel.unwrap_or_else(|| first_channel(subject.as_ref()));
    for (wish, expected) in [("7", Some(Duration::from_secs(7))), ("soon", None), ("-3", None)] {
        let mut answer = throttling.answer.clone();
        answer.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("retry-after"));
        let outcome = stage.send(subject.as_ref(), channel, answer.with_header("retry-after", wish)).await;
        let failure = outcome.expect_err("a throttling answer is no acceptance");
        assert_eq!(failure.class, FailureClass::Throttled, "with Retry-After: {wish}");
        assert_eq!(failure.retry_after, expected, "with Retry-After: {wish}");
    }
}

/// A status that speaks of an error is never acceptance, and one of the server's without the documented body is
/// ambiguous; only 503 says by itself that nothing was done.
pub async fn an_error_without_a_body_is_never_success(subject: Arc<dyn Subject>) {
    let channel = first_channel(subject.as_ref());
    for status in [400, 401, 402, 403, 404, 405, 408, 409, 422, 429, 451, 500, 501, 502, 503, 504, 520] {
        let stage = Stage::new(&subject).await;
        stage.vendor.then(Answer::new(status));
        let outcome = stage.send(subject.as_ref(), channel, Answer::new(status)).await;
        let Err(failure) = outcome else { panic!("a bare {status} was accepted") };
        let ambiguous = failure.class == FailureClass::Ambiguous;
        assert!(status < 500 || status == 503 || ambiguous, "a bare {status} is {}", failure.class);
    }
}

/// Under the status of acceptance, a body of any other form than the documented one is ambiguous.
pub async fn garbage_is_ambiguous(subject: Arc<dyn Subject>) {
    if subject.accepts_by_status() {
        return;
    }
    let stage = Stage::new(&subject).await;
    let channel = first_channel(subject.as_ref());
    let (accepted, _) = subject.accepted(&dispatch(subject.as_ref(), channel));
    let half = accepted.body.slice(..accepted.body.len() / 2);
    let garbage = [
        Bytes::new(),
        half,
        Bytes::from_static(b"{}"),
        Bytes::from_static(b"[]"),
        Bytes::from_static(b"null"),
        Bytes::from_static(b"\xff\xfe\x00\x80"),
        Bytes::from_static(b"<html><body>Welcome</body></html>"),
        Bytes::from("[".repeat(20_000)),
        Bytes::from("{\"a\":".repeat(10_000)),
    ];
    for body in garbage {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let outcome = stage.send(subject.as_ref(), channel, accepted.clone().with_body(body)).await;
        let Err(failure) = outcome else { panic!("garbage was accepted: {shown}") };
        assert_eq!(failure.class, FailureClass::Ambiguous, "{shown}");
    }
}

/// No status with any body makes reading panic.
pub async fn random_answers_never_panic(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    let channel = first_channel(subject.as_ref());
    let (accepted, _) = subject.accepted(&dispatch(subject.as_ref(), channel));
    let mut runner = TestRunner::deterministic();
    let answers = (200_u16..600, vec(any::<u8>(), 0..64), 0..=accepted.body.len());
    for _ in 0..RANDOM_ANSWERS {
        let tree = answers.new_tree(&mut runner).expect("nothing is filtered out");
        let (status, noise, cut) = tree.current();
        let status = if matches!(status, 204 | 304) { 200 } else { status };
        let mut body = accepted.body[..cut].to_vec();
        body.extend(noise);
        let _ = stage.send(subject.as_ref(), channel, Answer::new(status).with_body(body)).await;
    }
}
