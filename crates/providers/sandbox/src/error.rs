//! What the vendor's error numbers mean.
//!
//! An error is `{"error":{"number":1201,"message":"…"}}`; the message is never read. An answer without a number is
//! ambiguous, except that a bare 429 or 503 says by itself that nothing was processed.

use otter_domain::{ErrorClass, Failure, FailureClass, SpeaksOf};
use otter_provider_http::{
    CodeRow, CodeTable, Codes, Page, Response, Used, by_status, retry_after, unreadable,
};
use serde::Deserialize;

use {ErrorClass as E, FailureClass as F, SpeaksOf as S};

/// Every documented error of a send.
pub const CODES: CodeTable = CodeTable {
    pages: &[Page { url: "crates/sandbox-vendor/src/refusal.rs", read: Some("2026-11-30") }],
    rows: &[
        row(&[Codes::One(1000)], F::Misconfigured, E::Unknown, S::Account, "not of the documented form"),
        row(&[Codes::One(1001)], F::Rejected, E::ContentRejected, S::Template, "the content is not allowed"),
        row(&[Codes::One(1002)], F::Rejected, E::Blocked, S::Person, "stopped by fraud control"),
        row(&[Codes::One(1101)], F::Unroutable, E::InvalidDestination, S::Person, "nobody has this number"),
        row(&[Codes::One(1102)], F::Unroutable, E::Unreachable, S::Person, "not reachable on this channel"),
        row(&[Codes::One(1201)], F::Throttled, E::RateLimited, S::Account, "too fast; nothing was done"),
        row(&[Codes::One(1301)], F::Misconfigured, E::Auth, S::Account, "the account key is unknown"),
        row(&[Codes::One(1302)], F::Misconfigured, E::InsufficientFunds, S::Account, "no balance"),
        row(&[Codes::One(1401)], F::Unavailable, E::Provider5xx, S::Channel, "down; nothing was done"),
        row(&[Codes::One(1501)], F::Ambiguous, E::Unknown, S::Channel, "nobody knows what was done"),
    ],
};

const fn row(codes: &'static [Codes], class: F, error: E, speaks_of: S, note: &'static str) -> CodeRow {
    CodeRow { codes, used: Used::Both, class, error, speaks_of, note }
}

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
    let status = response.status.as_u16();
    let number = serde_json::from_slice::<Body>(&response.body).ok().map(|body| body.error.number);
    let failure = match (number, status) {
        (Some(number), _) => CODES.answered(number.into(), status),
        (None, 429) => by_status(status),
        (None, 503) => Failure::new(F::Unavailable, E::Provider5xx),
        (None, _) => unreadable(),
    };
    match failure.class {
        F::Throttled | F::Unavailable => failure.with_retry_after(retry_after(&response.headers)),
        F::Rejected | F::Unroutable | F::Misconfigured | F::Ambiguous => failure,
    }
}
