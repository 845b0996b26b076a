//! Silence about codes, numbers and secrets (CMP-18).

use std::sync::Arc;

use crate::sample::{CODE, NATIONAL_NUMBER, NUMBER};
use crate::stage::{dispatch, first_channel};
use crate::{Answer, Behaviour, Capture, Stage, Subject, assert_silent};

/// Sending, accepted or refused, shows neither the code nor the number nor a credential in results, in `Debug`, or in
/// traces and logs at any level.
pub async fn sending_shows_no_secret(subject: Arc<dyn Subject>) {
    let capture = Capture::start();
    let stage = Stage::new(&subject).await;
    let mut said = format!("{:?}", stage.provider);
    for channel in subject.channels() {
        let message = dispatch(subject.as_ref(), channel);
        said += &format!("{message:?}");
        let outcome = stage.send(subject.as_ref(), channel, subject.accepted(&message).0).await;
        said += &format!("{:?}", outcome.err());
    }
    for refusal in subject.refusals() {
        let channel = refusal.channel.unwrap_or_else(|| first_channel(subject.as_ref()));
        said += &format!("{:?}", stage.send(subject.as_ref(), channel, refusal.answer).await);
    }
    let channel = first_channel(subject.as_ref());
    for behaviour in [Behaviour::CloseAfterReading, Behaviour::CloseUnread] {
        said += &format!("{:?}", stage.send(subject.as_ref(), channel, behaviour).await);
    }
    assert_says_nothing(subject.as_ref(), "a result", &said);
    assert_says_nothing(subject.as_ref(), "a trace", &capture.text());
}

/// A vendor that puts the whole request into its error answers changes nothing about that.
pub async fn an_echoing_vendor_shows_no_secret(subject: Arc<dyn Subject>) {
    let capture = Capture::start();
    let stage = Stage::new(&subject).await;
    let channel = first_channel(subject.as_ref());
    let _ = stage.send(subject.as_ref(), channel, Answer::new(500)).await;
    let received = stage.vendor.received();
    let request = received.first().expect("one request was sent").raw.clone();
    let text = format!("{CODE} {NUMBER} {}", String::from_utf8_lossy(&request));

    let mut said = String::new();
    let echoes = [200, 201, 202, 400, 401, 403, 404, 429, 500, 503]
        .map(|status| Answer::new(status).with_body(text.clone()));
    for echo in echoes.into_iter().chain([
        subject.complaint(&text),
        subject.complaint(CODE),
        subject.complaint(NUMBER),
    ]) {
        said += &format!("{:?}", stage.send(subject.as_ref(), channel, echo).await);
    }
    assert_says_nothing(subject.as_ref(), "a result", &said);
    assert_says_nothing(subject.as_ref(), "a trace", &capture.text());
}

pub(super) fn assert_says_nothing(subject: &dyn Subject, place: &str, text: &str) {
    assert_silent(place, text, CODE);
    assert_silent(place, text, NUMBER);
    assert_silent(place, text, NATIONAL_NUMBER);
    for secret in subject.secrets() {
        assert_silent(place, text, &secret);
    }
}
