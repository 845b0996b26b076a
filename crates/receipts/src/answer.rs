//! Answers to vendors. None of them says anything that the vendor did not know.

use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use otter_provider::{CallbackRefusal, CallbackReply};

use crate::body::Unread;

/// A status and nothing else.
pub(crate) fn bare(status: StatusCode) -> Response {
    status.into_response()
}

/// The methods that vendors may use.
pub(crate) fn other_method() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST")]).into_response()
}

/// Too much is held at once.
pub(crate) fn busy() -> Response {
    later("1")
}

/// The reports could not be made durable.
pub(crate) fn unbooked() -> Response {
    later("5")
}

fn later(seconds: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, seconds)]).into_response()
}

/// What a refused callback is answered with.
pub(crate) fn refused(refusal: CallbackRefusal) -> Response {
    match refusal {
        CallbackRefusal::Method => other_method(),
        CallbackRefusal::Signature | CallbackRefusal::Schema => bare(refusal.status()),
    }
}

/// What an unread body is answered with.
pub(crate) fn unread(why: Unread) -> Response {
    match why {
        Unread::TooLong => bare(StatusCode::PAYLOAD_TOO_LARGE),
        Unread::TooSlow => bare(StatusCode::REQUEST_TIMEOUT),
        Unread::Broken => bare(StatusCode::BAD_REQUEST),
        Unread::NoRoom => busy(),
    }
}

/// What a genuine callback is answered with.
pub(crate) fn reply(reply: CallbackReply) -> Response {
    let CallbackReply { status, body } = reply;
    if body.is_empty() {
        return bare(status);
    }
    // Handshakes echo what they were sent: no browser may take it for a page.
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}
