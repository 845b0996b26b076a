//! Everything that is no complete answer, and the moment when a request leaves.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider::Dispatch;

use crate::sample::{FixedClock, NOW, StallingClock};
use crate::stage::{configured, dispatch, first_channel, sender};
use crate::{Answer, Behaviour, ScriptedVendor, Stage, Subject};

/// A refused connection is unavailable: nothing left.
pub async fn nobody_listening_is_unavailable(subject: Arc<dyn Subject>) {
    let provider = configured(subject.as_ref(), &ScriptedVendor::absent().await);
    let outcome = sender(&provider).send(&sample(&subject)).await;
    assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Network)));
}

/// A vendor that reads and never answers is given up after the timeout, as ambiguous.
pub async fn silence_after_the_request_is_ambiguous(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    stage.vendor.then(Behaviour::Silence);
    let (sender, message) = (stage.sender(), sample(&subject));
    let sending = tokio::spawn(async move { sender.send(&message).await });
    stage.vendor.until_received(1).await;
    // From here on nothing but time can happen, so it may as well pass at once.
    tokio::time::pause();
    let patience = stage.provider.capabilities.timeout + Duration::from_secs(1);
    let outcome = tokio::time::timeout(patience, sending).await.expect("the send took too long");
    let outcome = outcome.expect("sending does not panic");
    assert_eq!(outcome, Err(Failure::new(FailureClass::Ambiguous, ErrorClass::Timeout)));
    assert_eq!(stage.vendor.received().len(), 1);
}

/// A connection that ends without an answer is ambiguous, whether the vendor read the request or not.
pub async fn a_connection_closed_after_the_request_is_ambiguous(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    for behaviour in [Behaviour::CloseAfterReading, Behaviour::CloseUnread] {
        assert_ambiguous(&stage, &subject, behaviour).await;
    }
}

/// An answer that breaks off is ambiguous, even if it began like acceptance.
pub async fn half_an_answer_is_ambiguous(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    assert_ambiguous(&stage, &subject, Behaviour::CloseWithin(accepted(&subject))).await;
    assert_ambiguous(&stage, &subject, Behaviour::CloseWithin(Answer::new(400))).await;
}

/// A redirect is ambiguous, and the code is not handed to where it points.
pub async fn a_redirect_is_ambiguous_and_not_followed(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    let elsewhere = ScriptedVendor::start().await;
    for status in [301, 302, 303, 307, 308] {
        let redirect = Answer::new(status).with_header("location", &elsewhere.base_url());
        assert_ambiguous(&stage, &subject, redirect).await;
    }
    assert_eq!(elsewhere.received(), [], "a redirect was followed");
    assert_eq!(stage.vendor.received().len(), 5);
}

/// An answer that is far too long is given up, as ambiguous.
pub async fn a_huge_answer_is_ambiguous(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    let accepted = accepted(&subject);
    let mut body = accepted.body.to_vec();
    body.resize(8 << 20, b' ');
    assert_ambiguous(&stage, &subject, accepted.with_body(body)).await;
}

/// A message that is late when it is to be sent never reaches the vendor.
pub async fn nothing_leaves_past_the_deadline(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    stage.vendor.then(accepted(&subject));
    let message = sample(&subject);
    let late = message.send_before + Duration::from_millis(1);
    let outcome = stage.sender().send(&Dispatch { clock: Arc::new(FixedClock(late)), ..message }).await;
    assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Expired)));
    assert_eq!(stage.vendor.received(), [], "a late request left");
}

/// A code that is valid for less than the shortest time that the vendor takes never reaches it; one that is valid for as
/// long does.
pub async fn nothing_leaves_that_could_outlive_its_code(subject: Arc<dyn Subject>) {
    for channel in subject.channels() {
        let Some(shortest) = subject.shortest_validity(channel) else { continue };
        let stage = Stage::new(&subject).await;
        let message = Dispatch { validity: shortest, ..dispatch(subject.as_ref(), channel) };
        let late = Dispatch { validity: shortest - Duration::from_millis(1), ..message.clone() };
        let outcome = stage.sender().send(&late).await;
        assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Expired)), "{channel}");
        assert_eq!(stage.vendor.received(), [], "a request left that could outlive its code on {channel}");
        stage.vendor.then(subject.accepted(&message).0);
        let outcome = stage.sender().send(&message).await;
        assert!(outcome.is_ok(), "{channel} with {shortest:?} left: {outcome:?}");
    }
}

/// A process that stalls between deciding to send and sending lets no complete request leave: the clock is read again
/// when the body is wanted.
pub async fn a_stall_before_the_body_leaves_nothing_behind(subject: Arc<dyn Subject>) {
    for readings_early in 0..4 {
        let stage = Stage::new(&subject).await;
        stage.vendor.then(accepted(&subject));
        let message = sample(&subject);
        let late = message.send_before + Duration::from_millis(1);
        let clock = Arc::new(StallingClock::new(NOW, readings_early, late));
        let outcome = stage.sender().send(&Dispatch { clock: Arc::clone(&clock) as _, ..message }).await;
        if clock.has_stalled() {
            let expired = Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
            assert_eq!(outcome, Err(expired), "late at reading {}", readings_early + 1);
            assert_eq!(stage.vendor.received(), [], "a late request left");
        } else {
            assert!(outcome.is_ok(), "in time: {outcome:?}");
        }
    }
}

/// Nothing makes a send repeat itself: whatever the vendor does, one complete request arrives, also on a connection
/// that was used before.
pub async fn one_send_is_one_request(subject: Arc<dyn Subject>) {
    let behaviours = [
        Behaviour::Answer(accepted(&subject)),
        Behaviour::Answer(Answer::new(429).with_header("retry-after", "0")),
        Behaviour::Answer(Answer::new(500)),
        Behaviour::Answer(Answer::new(502)),
        Behaviour::Answer(Answer::new(503).with_header("retry-after", "0")),
        Behaviour::Answer(Answer::new(307).with_header("location", "/")),
        Behaviour::CloseAfterReading,
        Behaviour::CloseWithin(accepted(&subject)),
    ];
    for behaviour in behaviours {
        let stage = Stage::new(&subject).await;
        let channel = first_channel(subject.as_ref());
        let first = stage.send(subject.as_ref(), channel, accepted(&subject)).await;
        assert!(first.is_ok(), "{first:?}");
        let _ = stage.send(subject.as_ref(), channel, behaviour.clone()).await;
        assert_eq!(stage.vendor.received().len(), 2, "after {behaviour:?}");
    }
}

async fn assert_ambiguous(stage: &Stage, subject: &Arc<dyn Subject>, behaviour: impl Into<Behaviour>) {
    let behaviour = behaviour.into();
    let shown = match &behaviour {
        Behaviour::Answer(answer) => format!("a {} of {} bytes", answer.status, answer.body.len()),
        Behaviour::Silence
        | Behaviour::CloseUnread
        | Behaviour::CloseAfterReading
        | Behaviour::CloseWithin(_) => {
            format!("{behaviour:?}")
        }
    };
    let outcome = stage.send(subject.as_ref(), first_channel(subject.as_ref()), behaviour).await;
    let class = outcome.as_ref().err().map(|failure| failure.class);
    assert_eq!(class, Some(FailureClass::Ambiguous), "{shown}");
}

fn sample(subject: &Arc<dyn Subject>) -> Dispatch {
    dispatch(subject.as_ref(), first_channel(subject.as_ref()))
}

fn accepted(subject: &Arc<dyn Subject>) -> Answer {
    subject.accepted(&sample(subject)).0
}
