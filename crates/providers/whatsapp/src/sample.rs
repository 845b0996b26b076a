//! Examples that the tests of this crate share.
#![allow(clippy::unwrap_used)]

use http::{HeaderMap, StatusCode};
use otter_provider_http::Response;

pub(crate) fn response(status: u16, body: &str) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec().into(),
    }
}
