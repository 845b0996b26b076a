//! What vendors call us back with.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use otter_domain::{Failure, MessageId, Moment, ProviderReference, ReceiptStatus};
use thiserror::Error;

/// Verifies and decodes the callbacks of one vendor account. Pure: no I/O, no clock, no state; replays are harmless
/// because merging a receipt twice changes nothing.
pub trait ReceiptDecoder: Send + Sync + fmt::Debug {
    /// Verifies the vendor's signature over the request as it arrived and reads every report in it.
    ///
    /// What is genuine is `Ok`, however odd: refusing it would have the vendor repeat it for days, and slow down what
    /// comes after it. What is of no interest (inbound messages, typing) has no report, what is not understood is
    /// counted in [`Decoded::odd`], and unknown fields are ignored. Refusals are for what could not be verified.
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal>;
}

/// One HTTP request of a vendor's.
#[derive(Debug, Clone, Copy)]
pub struct Callback<'a> {
    /// GET or POST.
    pub method: &'a Method,
    /// The public URL as the vendor called it: the configured one with its path, then `/receipts/…` and the query as
    /// received.
    pub url: &'a str,
    /// The token of the path, if the path has one.
    pub token: Option<&'a str>,
    /// The query as received, without `?`; empty if none.
    pub query: &'a str,
    /// The headers as received.
    pub headers: &'a HeaderMap,
    /// The body as received, decompressed never.
    pub body: &'a [u8],
}

/// What a genuine callback said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The reports in it, in its order.
    pub reports: Vec<Report>,
    /// What to answer; the default is an empty 200.
    pub reply: CallbackReply,
    /// How many events in it were genuine and yet of no form that we know: of an unknown kind, without the field that
    /// names the message, not JSON. They are acknowledged and counted.
    pub odd: u32,
}

/// What a genuine callback is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackReply {
    /// The status.
    pub status: StatusCode,
    /// The body, as `text/plain`; for handshakes.
    pub body: Bytes,
}

impl Default for CallbackReply {
    fn default() -> Self {
        Self { status: StatusCode::OK, body: Bytes::new() }
    }
}

/// One report on one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which message.
    pub locator: Locator,
    /// What became of it.
    pub status: ReceiptStatus,
    /// For negative reports: why, as far as the vendor says; what a failure without a reason means is up to
    /// `decision`.
    pub because: Option<Failure>,
    /// What the vendor calls the message.
    pub reference: Option<ProviderReference>,
    /// When the vendor says that it happened.
    pub occurred_at: Option<Moment>,
}

/// How a report names its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Locator {
    /// By the token that we gave with the message.
    Token(String),
    /// By the id that we gave the message.
    MessageId(MessageId),
}

/// Why a callback was not taken. Carries nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CallbackRefusal {
    /// The signature is missing, wrong, or made with a key that we do not hold: 403.
    #[error("the callback's signature does not match")]
    Signature,
    /// It is not of the form that can be verified: 400.
    #[error("the callback is not of the vendor's form")]
    Schema,
    /// The vendor does not call with this method: 405.
    #[error("the callback's method is not one that the vendor uses")]
    Method,
}

impl CallbackRefusal {
    /// The HTTP status to answer with.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Signature => StatusCode::FORBIDDEN,
            Self::Schema => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The word used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Schema => "schema",
            Self::Method => "method",
        }
    }
}
