//! Runs the pure codec of an HTTP vendor: client, deadline, redaction and span.
//!
//! A vendor writes a [`Codec`] and, where it can take messages back, a [`RecallCodec`]; [`HttpSender`] and
//! [`HttpRevoker`] do the rest: they send exactly one request, give up at the deadline, let nothing leave past
//! `send_before`, and say "ambiguous" whenever bytes left and no usable answer came. Nothing here follows a redirect,
//! uses a proxy, keeps a cookie, repeats a request, or logs a URL, a header or a body.
//!
//! The libraries below write debug events of their own. `otter-telemetry` silences their targets (`hyper`, `h2`,
//! `reqwest`, `rustls`) below `warn`; none of them is a place where redaction could be promised (CMP-18).

mod authorizer;
mod client;
mod code_table;
mod codec;
mod exchange;
mod gate;
mod parts;
mod revoker;
mod sender;

pub use authorizer::Authorizer;
pub use client::{CONNECT_TIMEOUT, Client, MAX_RESPONSE};
pub use code_table::{CodeRow, CodeTable, Codes, Page, Used, by_status};
pub use codec::{Codec, RecallCodec, Request, Response};
pub use parts::{Form, MAX_RETRY_AFTER, basic, bearer, json, retry_after, unreadable};
pub use revoker::HttpRevoker;
pub use sender::HttpSender;
