//! Google's standard error answer and what it means for a send.
//!
//! The answer is `{"error": {"code", "message", "status", "details"}}`. The status word decides; in an older form there
//! is none, and its HTTP status stands for it. The message is never looked at, since it may repeat what we sent.

use std::time::Duration;

use otter_domain::{Failure, FailureClass, VendorCode};
use otter_provider_http::{MAX_RETRY_AFTER, Response, retry_after};
use serde::Deserialize;
use serde_json::Value;

use crate::codes::CODES;

/// The statuses of `google.rpc.Code` other than `OK`, with the HTTP status that each travels with.
const STANDARD: [(&str, u16); 16] = [
    ("CANCELLED", 499),
    ("UNKNOWN", 500),
    ("INVALID_ARGUMENT", 400),
    ("DEADLINE_EXCEEDED", 504),
    ("NOT_FOUND", 404),
    ("ALREADY_EXISTS", 409),
    ("PERMISSION_DENIED", 403),
    ("UNAUTHENTICATED", 401),
    ("RESOURCE_EXHAUSTED", 429),
    ("FAILED_PRECONDITION", 400),
    ("ABORTED", 409),
    ("OUT_OF_RANGE", 400),
    ("UNIMPLEMENTED", 501),
    ("INTERNAL", 500),
    ("UNAVAILABLE", 503),
    ("DATA_LOSS", 500),
];

/// An error answer, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// Its status word, or its HTTP status where it has none.
    code: VendorCode,
    http: u16,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// The person or the message is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code.as_str() == "NOT_FOUND" || self.code.number() == Some(404)
    }

    /// The id of the message is known already.
    pub(crate) fn is_known_already(&self) -> bool {
        self.code.as_str() == "ALREADY_EXISTS"
    }

    /// The same as a failure.
    pub(crate) fn failure(&self) -> Failure {
        let failure = CODES.answered(self.code, self.http);
        let may_wait = matches!(failure.class, FailureClass::Throttled | FailureClass::Unavailable);
        failure.with_retry_after(self.retry_after.filter(|_| may_wait))
    }
}

/// Reads an error answer; `None` if it is none, or if its HTTP status contradicts it. 429 says by itself that nothing was
/// processed, whatever its body.
pub(crate) fn read(response: &Response) -> Option<ApiError> {
    let http = response.status.as_u16();
    let body = serde_json::from_slice::<Body>(&response.body).ok().map(|body| body.error);
    let code = body.as_ref().and_then(|error| error.code(http));
    let code = code.or_else(|| (http == 429).then(|| u32::from(http).into()))?;
    let asked = body.as_ref().and_then(|error| retry_info(&error.details));
    Some(ApiError { code, http, retry_after: asked.or_else(|| retry_after(&response.headers)) })
}

#[derive(Deserialize)]
struct Body {
    error: Error,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    details: Vec<Value>,
}

impl Error {
    /// A word that is not a standard one may travel with any status of an error.
    fn code(&self, http: u16) -> Option<VendorCode> {
        let word = self.status.as_deref().unwrap_or_default();
        if word.is_empty() {
            return (self.code == Some(http) && http >= 400).then(|| u32::from(http).into());
        }
        let usual = STANDARD.iter().find(|(standard, _)| *standard == word);
        let fits = usual.map_or(http >= 400, |(_, usual)| *usual == http);
        VendorCode::parse(word).ok().filter(|_| fits)
    }
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
    use otter_domain::{ErrorClass, SpeaksOf};

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
            let failure = read(&answer(code, word)).unwrap().failure();
            assert_eq!((failure.class, failure.error, failure.unlisted), (class, error, false), "{word}");
            assert_eq!(failure.vendor_code, VendorCode::parse(word).ok());
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
        let check = |code: u16, body: &'static str, word: &str| {
            assert_eq!(read(&response(code, body)).unwrap().code.as_str(), word);
        };
        check(400, include_str!("../fixtures/invalid-argument.json"), "INVALID_ARGUMENT");
        check(401, include_str!("../fixtures/unauthenticated.json"), "UNAUTHENTICATED");
        check(403, include_str!("../fixtures/permission-denied.json"), "PERMISSION_DENIED");
        check(404, include_str!("../fixtures/not-found.json"), "NOT_FOUND");
        check(409, include_str!("../fixtures/already-exists.json"), "ALREADY_EXISTS");
        check(500, include_str!("../fixtures/internal.json"), "INTERNAL");
        check(503, include_str!("../fixtures/unavailable.json"), "UNAVAILABLE");
    }

    #[test]
    fn without_a_word_the_http_status_stands_for_it() {
        use {FailureClass as F, SpeaksOf as S};
        let check = |code: u16, class: F, of: S| {
            let older = format!(
                r#"{{"error":{{"errors":[{{"domain":"global","reason":"x"}}],"code":{code},"message":"x"}}}}"#
            );
            let failure = read(&response(code, older)).unwrap().failure();
            assert_eq!((failure.class, failure.speaks_of, failure.unlisted), (class, of, false), "{code}");
            assert_eq!(failure.vendor_code, Some(u32::from(code).into()));
        };
        check(400, F::Rejected, S::Template);
        check(401, F::Misconfigured, S::Account);
        check(403, F::Misconfigured, S::Account);
        check(404, F::Unroutable, S::Person);
        check(409, F::Ambiguous, S::Channel);
        check(429, F::Throttled, S::Account);
        check(499, F::Ambiguous, S::Channel);
        check(500, F::Ambiguous, S::Channel);
        check(501, F::Misconfigured, S::Account);
        check(503, F::Unavailable, S::Channel);
        check(504, F::Ambiguous, S::Channel);
    }

    #[test]
    fn too_fast_needs_no_body() {
        for body in ["", "<html>", "{}", r#"{"error":"slow down"}"#, r#"{"error":{"code":503}}"#] {
            let mut response = response(429, body);
            response.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
            let failure = read(&response).unwrap().failure();
            assert_eq!((failure.class, failure.error), (FailureClass::Throttled, ErrorClass::RateLimited));
            assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{body}");
        }
    }

    #[test]
    fn a_word_that_no_table_knows_is_told_by_the_http_status_and_marked() {
        let check = |code: u16, class: FailureClass| {
            let failure = read(&answer(code, "BRAND_NEW")).unwrap().failure();
            assert_eq!((failure.class, failure.unlisted), (class, true), "{code}");
            assert_eq!(failure.vendor_code, VendorCode::parse("BRAND_NEW").ok());
        };
        check(400, FailureClass::Rejected);
        check(401, FailureClass::Misconfigured);
        check(429, FailureClass::Throttled);
        check(500, FailureClass::Ambiguous);
        assert_eq!(read(&answer(200, "BRAND_NEW")), None);
        assert_eq!(read(&answer(400, "two words")), None);
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
