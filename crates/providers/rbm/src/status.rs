//! Google's standard error answer and what each of its statuses means for a send.
//!
//! The answer is `{"error": {"code", "message", "status", "details"}}`. The status word decides; the message is never
//! looked at, since it may repeat what we sent.

use std::time::Duration;

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider_http::{MAX_RETRY_AFTER, Response, retry_after};
use serde::Deserialize;
use serde_json::Value;

/// A status of `google.rpc.Code` other than `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    Unauthenticated,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
}

impl Status {
    /// Every status with its word on the wire and the HTTP status that it travels with.
    const TABLE: [(Self, &'static str, u16); 16] = [
        (Self::Cancelled, "CANCELLED", 499),
        (Self::Unknown, "UNKNOWN", 500),
        (Self::InvalidArgument, "INVALID_ARGUMENT", 400),
        (Self::DeadlineExceeded, "DEADLINE_EXCEEDED", 504),
        (Self::NotFound, "NOT_FOUND", 404),
        (Self::AlreadyExists, "ALREADY_EXISTS", 409),
        (Self::PermissionDenied, "PERMISSION_DENIED", 403),
        (Self::Unauthenticated, "UNAUTHENTICATED", 401),
        (Self::ResourceExhausted, "RESOURCE_EXHAUSTED", 429),
        (Self::FailedPrecondition, "FAILED_PRECONDITION", 400),
        (Self::Aborted, "ABORTED", 409),
        (Self::OutOfRange, "OUT_OF_RANGE", 400),
        (Self::Unimplemented, "UNIMPLEMENTED", 501),
        (Self::Internal, "INTERNAL", 500),
        (Self::Unavailable, "UNAVAILABLE", 503),
        (Self::DataLoss, "DATA_LOSS", 500),
    ];

    /// What to do next and what happened.
    ///
    /// `NOT_FOUND` is the person without RCS, or on a network where the agent is not launched (FMT-40). An
    /// `ALREADY_EXISTS` is no failure of a send; on anything else it makes no sense and says nothing.
    pub(crate) fn classes(self) -> (FailureClass, ErrorClass) {
        match self {
            Self::InvalidArgument | Self::OutOfRange => (FailureClass::Rejected, ErrorClass::ContentRejected),
            Self::NotFound => (FailureClass::Unroutable, ErrorClass::Unreachable),
            Self::ResourceExhausted => (FailureClass::Throttled, ErrorClass::RateLimited),
            Self::Internal | Self::Unavailable | Self::Aborted => {
                (FailureClass::Unavailable, ErrorClass::Provider5xx)
            }
            Self::Unauthenticated | Self::PermissionDenied => (FailureClass::Misconfigured, ErrorClass::Auth),
            Self::FailedPrecondition | Self::Unimplemented => {
                (FailureClass::Misconfigured, ErrorClass::Unknown)
            }
            Self::DeadlineExceeded => (FailureClass::Ambiguous, ErrorClass::Timeout),
            Self::Cancelled | Self::Unknown | Self::DataLoss | Self::AlreadyExists => {
                (FailureClass::Ambiguous, ErrorClass::Unknown)
            }
        }
    }
}

/// A standard error answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Its status.
    pub(crate) status: Status,
    code: u16,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// The same as a failure.
    pub(crate) fn failure(&self) -> Failure {
        let (class, error) = self.status.classes();
        let may_wait = matches!(class, FailureClass::Throttled | FailureClass::Unavailable);
        Failure::new(class, error)
            .with_code(self.code.into())
            .with_retry_after(self.retry_after.filter(|_| may_wait))
    }
}

/// Reads a standard error answer; `None` if it is not one, or if its HTTP status contradicts it.
pub(crate) fn read(response: &Response) -> Option<ApiError> {
    let body: Body = serde_json::from_slice(&response.body).ok()?;
    let (status, _, code) = Status::TABLE.into_iter().find(|(_, word, _)| *word == body.error.status)?;
    if response.status.as_u16() != code {
        return None;
    }
    let asked = retry_info(&body.error.details).or_else(|| retry_after(&response.headers));
    Some(ApiError { status, code, retry_after: asked })
}

#[derive(Deserialize)]
struct Body {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    status: String,
    #[serde(default)]
    details: Vec<Value>,
}

/// The wait of a `google.rpc.RetryInfo`, for example `"1.500s"`.
fn retry_info(details: &[Value]) -> Option<Duration> {
    let is_retry_info = |detail: &&Value| {
        detail
            .get("@type")
            .and_then(Value::as_str)
            .is_some_and(|kind| kind.ends_with("/google.rpc.RetryInfo"))
    };
    let delay = details.iter().find(is_retry_info)?.get("retryDelay")?.as_str()?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|wait| wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::{HeaderValue, header};

    use super::*;
    use crate::samples::response;

    fn answer(code: u16, word: &str) -> Response {
        let body =
            format!(r#"{{"error":{{"code":{code},"message":"to +4915112345678","status":"{word}"}}}}"#);
        response(code, body)
    }

    #[test]
    fn every_status_of_the_platform_has_its_failure() {
        use {ErrorClass as E, FailureClass as F};
        let check = |code: u16, word: &str, class: FailureClass, error: ErrorClass| {
            let expected = Failure::new(class, error).with_code(code.into());
            assert_eq!(read(&answer(code, word)).unwrap().failure(), expected, "{word}");
        };
        check(400, "INVALID_ARGUMENT", F::Rejected, E::ContentRejected);
        check(400, "OUT_OF_RANGE", F::Rejected, E::ContentRejected);
        check(400, "FAILED_PRECONDITION", F::Misconfigured, E::Unknown);
        check(401, "UNAUTHENTICATED", F::Misconfigured, E::Auth);
        check(403, "PERMISSION_DENIED", F::Misconfigured, E::Auth);
        check(404, "NOT_FOUND", F::Unroutable, E::Unreachable);
        check(409, "ABORTED", F::Unavailable, E::Provider5xx);
        check(409, "ALREADY_EXISTS", F::Ambiguous, E::Unknown);
        check(429, "RESOURCE_EXHAUSTED", F::Throttled, E::RateLimited);
        check(499, "CANCELLED", F::Ambiguous, E::Unknown);
        check(500, "UNKNOWN", F::Ambiguous, E::Unknown);
        check(500, "DATA_LOSS", F::Ambiguous, E::Unknown);
        check(500, "INTERNAL", F::Unavailable, E::Provider5xx);
        check(501, "UNIMPLEMENTED", F::Misconfigured, E::Unknown);
        check(503, "UNAVAILABLE", F::Unavailable, E::Provider5xx);
        check(504, "DEADLINE_EXCEEDED", F::Ambiguous, E::Timeout);
    }

    #[test]
    fn the_documented_answers_are_read() {
        let check = |code: u16, body: &'static str, status: Status| {
            assert_eq!(read(&response(code, body)).unwrap().status, status);
        };
        check(400, include_str!("../fixtures/invalid-argument.json"), Status::InvalidArgument);
        check(401, include_str!("../fixtures/unauthenticated.json"), Status::Unauthenticated);
        check(403, include_str!("../fixtures/permission-denied.json"), Status::PermissionDenied);
        check(404, include_str!("../fixtures/not-found.json"), Status::NotFound);
        check(409, include_str!("../fixtures/already-exists.json"), Status::AlreadyExists);
        check(500, include_str!("../fixtures/internal.json"), Status::Internal);
        check(503, include_str!("../fixtures/unavailable.json"), Status::Unavailable);
    }

    #[test]
    fn the_wait_is_the_one_of_the_body_or_else_of_the_header() {
        let mut exhausted = response(429, include_str!("../fixtures/resource-exhausted.json"));
        exhausted.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(read(&exhausted).unwrap().failure().retry_after, Some(Duration::from_millis(1500)));

        let mut exhausted = answer(429, "RESOURCE_EXHAUSTED");
        exhausted.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(read(&exhausted).unwrap().failure().retry_after, Some(Duration::from_secs(7)));

        let mut unroutable = answer(404, "NOT_FOUND");
        unroutable.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(read(&unroutable).unwrap().failure().retry_after, None);
    }

    #[test]
    fn an_impossible_wait_is_none() {
        let check = |delay: &str, expected: Option<Duration>| {
            let details = [
                serde_json::json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}),
            ];
            assert_eq!(retry_info(&details), expected, "{delay}");
        };
        check("30s", Some(Duration::from_secs(30)));
        check("1e300s", None);
        check("100000s", Some(MAX_RETRY_AFTER));
        check("-1s", None);
        check("NaNs", None);
        check("30", None);
        check("", None);
    }
}
