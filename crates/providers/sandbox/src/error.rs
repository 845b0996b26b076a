//! What the vendor's error numbers mean.
//!
//! An error is `{"error":{"number":1201,"message":"…"}}`; the message is never read. An answer without a known number is
//! ambiguous, except that a bare 429 or 503 says by itself that nothing was processed.

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider_http::{Response, retry_after, unreadable};
use serde::Deserialize;

/// Every documented error: its number, what to do next, what happened.
const ERRORS: [(u32, FailureClass, ErrorClass); 10] = [
    (1000, FailureClass::Misconfigured, ErrorClass::Unknown),
    (1001, FailureClass::Rejected, ErrorClass::ContentRejected),
    (1002, FailureClass::Rejected, ErrorClass::Blocked),
    (1101, FailureClass::Unroutable, ErrorClass::InvalidDestination),
    (1102, FailureClass::Unroutable, ErrorClass::Unreachable),
    (1201, FailureClass::Throttled, ErrorClass::RateLimited),
    (1301, FailureClass::Misconfigured, ErrorClass::Auth),
    (1302, FailureClass::Misconfigured, ErrorClass::InsufficientFunds),
    (1401, FailureClass::Unavailable, ErrorClass::Provider5xx),
    (1501, FailureClass::Ambiguous, ErrorClass::Unknown),
];

#[derive(Deserialize)]
struct Body {
    error: Detail,
}

#[derive(Deserialize)]
struct Detail {
    number: u32,
}

/// What an answer that is no acceptance means.
pub(crate) fn failure(response: &Response) -> Failure {
    let number = serde_json::from_slice::<Body>(&response.body).ok().map(|body| body.error.number);
    let meaning = number.and_then(classes);
    let failure = match (meaning, number) {
        (Some((class, error)), Some(number)) => Failure::new(class, error).with_code(number),
        _ => by_status(response.status.as_u16()),
    };
    match failure.class {
        FailureClass::Throttled | FailureClass::Unavailable => {
            failure.with_retry_after(retry_after(&response.headers))
        }
        FailureClass::Rejected
        | FailureClass::Unroutable
        | FailureClass::Misconfigured
        | FailureClass::Ambiguous => failure,
    }
}

/// What an error number means, in an answer and in a receipt.
pub(crate) fn classes(number: u32) -> Option<(FailureClass, ErrorClass)> {
    ERRORS.iter().find(|(known, ..)| *known == number).map(|(_, class, error)| (*class, *error))
}

fn by_status(status: u16) -> Failure {
    match status {
        429 => Failure::new(FailureClass::Throttled, ErrorClass::RateLimited),
        503 => Failure::new(FailureClass::Unavailable, ErrorClass::Provider5xx),
        _ => unreadable(),
    }
}
