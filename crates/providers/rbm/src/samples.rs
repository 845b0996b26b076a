//! What the tests of this crate share.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use otter_domain::{
    AttemptNumber, Channel, Clock, Content, MessageId, Moment, PhoneNumber, RcsText, Secret, VerificationId,
};
use otter_provider::{Dispatch, Recall, Unshared};
use otter_provider_http::Response;

pub(crate) const MESSAGE: &str = "6f8a2c7e-8a60-8a8f-9a35-0f2d3a1b9c44";
pub(crate) const NUMBER: &str = "+4915112345678";
pub(crate) const CODE: &str = "482913";
/// Made for the tests of this crate; it opens nothing.
pub(crate) const SERVICE_ACCOUNT: &str = include_str!("../fixtures/test-only-service-account.json");

#[derive(Debug)]
struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Moment {
        now()
    }
}

pub(crate) fn now() -> Moment {
    Moment::from_millis(1_777_888_800_500)
}

pub(crate) fn dispatch() -> Dispatch {
    let text = Secret::new(format!("{CODE} is your Acme code. Do not share it."));
    Dispatch {
        verification: verification(),
        attempt: AttemptNumber::FIRST,
        number: PhoneNumber::parse(NUMBER).unwrap(),
        channel: Channel::Rcs,
        content: Content::Rcs(RcsText { text }),
        send_before: now() + Duration::from_secs(75),
        validity: Duration::from_millis(120_900),
        token: "not-used".to_owned(),
        callback_url: None,
        message_id: MessageId::parse(MESSAGE).unwrap(),
        clock: Arc::new(StoppedClock),
        hold: Arc::new(Unshared),
    }
}

pub(crate) fn recall() -> Recall {
    let Dispatch { verification, attempt, number, channel, message_id, clock, .. } = dispatch();
    Recall { verification, attempt, number, channel, reference: None, message_id, clock }
}

pub(crate) fn response(status: u16, body: impl Into<Bytes>) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    Response { status, headers: HeaderMap::new(), body: body.into() }
}

fn verification() -> VerificationId {
    VerificationId::parse("019a8f00-0000-7000-8000-000000000001").unwrap()
}
