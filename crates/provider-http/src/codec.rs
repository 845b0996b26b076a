//! What an HTTP vendor has to say for itself: how a dispatch becomes a request and an answer an outcome. Pure.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use otter_domain::{Failure, ProviderReference};
use otter_provider::{Dispatch, Recall, RecallOutcome};
use url::Url;

/// Translates sends of one vendor account. Pure: no I/O, no clock, no state.
pub trait Codec: Send + Sync + fmt::Debug + 'static {
    /// Writes the request for a dispatch.
    ///
    /// A failure here means that nothing was sent: content of a channel that the account does not serve is
    /// `Misconfigured`, and a code that is valid for less than the vendor can be told is what [`Dispatch::lifetime`] says.
    fn encode(&self, dispatch: &Dispatch) -> Result<Request, Failure>;

    /// Reads the vendor's complete answer.
    ///
    /// An answer that is not of the vendor's documented form is [`otter_domain::FailureClass::Ambiguous`], whatever
    /// its status.
    fn decode(&self, dispatch: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure>;
}

/// Translates the wish to take a message back. Pure.
pub trait RecallCodec: Send + Sync + fmt::Debug + 'static {
    /// Writes the request; `None` if this message cannot be taken back (for example because the vendor never told us
    /// its name), which counts as too late.
    fn encode_recall(&self, recall: &Recall) -> Option<Request>;

    /// Reads the vendor's complete answer.
    fn decode_recall(&self, recall: &Recall, response: &Response) -> Result<RecallOutcome, Failure>;
}

/// A request to a vendor. Silent in `Debug`: URL, headers and body hold numbers, codes and secrets.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// The path with its variable parts as `{names}`: the span's `url.template`.
    pub template: &'static str,
    /// The headers, `content-type` included; credentials too unless a [`crate::Authorizer`] adds them.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// A vendor's complete answer. Silent in `Debug`: vendors echo numbers and codes.
#[derive(Clone)]
pub struct Response {
    /// The status; never a redirect that was followed.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`crate::MAX_RESPONSE`] bytes.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}
