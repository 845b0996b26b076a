//! The vendor's documented errors.

use http::StatusCode;

/// Every error that the vendor answers with. Its number never changes meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 1000, 400: the request is not of the documented form.
    Malformed,
    /// 1001, 422: the content is not allowed.
    ContentRejected,
    /// 1002, 422: stopped by fraud control.
    Blocked,
    /// 1101, 422: nobody has this number.
    InvalidNumber,
    /// 1102, 422: the number cannot be reached on this channel.
    Unreachable,
    /// 1201, 429 with `Retry-After`: too fast; nothing was done.
    TooFast,
    /// 1301, 401: the key is unknown.
    Unauthorized,
    /// 1302, 402: the balance is used up.
    NoBalance,
    /// 1401, 503: down; nothing was done.
    Down,
    /// 1501, 500: something broke, and nobody knows what was done.
    OutcomeUnknown,
    /// 1601, 404: no such message.
    UnknownMessage,
    /// 1602, 409: the message has arrived or ended.
    TooLate,
}

impl Refusal {
    /// The number of the error.
    pub fn number(self) -> u32 {
        self.row().0
    }

    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    /// The sentence in the answer.
    pub fn message(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u32, StatusCode, &'static str) {
        match self {
            Self::Malformed => (1000, StatusCode::BAD_REQUEST, "the request is not of the documented form"),
            Self::ContentRejected => (1001, StatusCode::UNPROCESSABLE_ENTITY, "the content is not allowed"),
            Self::Blocked => (1002, StatusCode::UNPROCESSABLE_ENTITY, "stopped by fraud control"),
            Self::InvalidNumber => (1101, StatusCode::UNPROCESSABLE_ENTITY, "nobody has this number"),
            Self::Unreachable => (1102, StatusCode::UNPROCESSABLE_ENTITY, "not reachable on this channel"),
            Self::TooFast => (1201, StatusCode::TOO_MANY_REQUESTS, "too many requests"),
            Self::Unauthorized => (1301, StatusCode::UNAUTHORIZED, "the account key is unknown"),
            Self::NoBalance => (1302, StatusCode::PAYMENT_REQUIRED, "the balance is used up"),
            Self::Down => (1401, StatusCode::SERVICE_UNAVAILABLE, "temporarily out of service"),
            Self::OutcomeUnknown => (1501, StatusCode::INTERNAL_SERVER_ERROR, "the outcome is unknown"),
            Self::UnknownMessage => (1601, StatusCode::NOT_FOUND, "no such message"),
            Self::TooLate => (1602, StatusCode::CONFLICT, "the message has arrived or ended"),
        }
    }
}
