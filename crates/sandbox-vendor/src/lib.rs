//! A vendor of our own over HTTP with a simulated handset, steered by number and script.
//!
//! It takes messages like a vendor, delivers them to handsets that only exist in memory, and reports by signed
//! callbacks. Demos, tests and load runs use it; it holds codes in the clear, because a handset does, and must never be
//! reachable by anybody else. It forgets everything when it stops.
//!
//! # The wire
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/messages`, `Authorization: Bearer <account key>`, JSON `to` (E.164), `channel`, one of `text` \| `template` {`name`, `language`, `code`} \| `speech` {`language`, `intro`, `code`, `again`, `goodbye`}, `validity_seconds`, `client_reference`, `callback_url`?, `message_id`? | 202 `{"id","status":"accepted"}`; the same `message_id` again: the same answer and no second message |
//! | `DELETE /v1/messages/{id}` | 200 `{"id","status":"revoked"}`, 409 if it has arrived or ended, 404 if unknown |
//! | `GET /v1/handsets/{number}/messages?after=N&wait_seconds=S` | 200 `{"messages":[…]}` with a `sequence` above `after`; waits up to 60 s for the first |
//! | `PUT /v1/script` | 204; replaces the [`Script`] |
//!
//! Errors are `{"error":{"number","message"}}`; every number is in [`Refusal`]. Receipts are
//! `POST <callback_url>` with `{"id","client_reference","message_id","status","error","occurred_at"}`, a status of
//! `sent`, `delivered`, `read`, `undelivered` or `expired`, and `X-Sandbox-Signature`, the hex HMAC-SHA256 under the
//! account's signing key over `X-Sandbox-Timestamp` (milliseconds), a dot and the body. A receipt that is not answered
//! with 2xx is repeated a few times.
//!
//! # Steering by number
//!
//! A number whose last five digits are `000` and two more is steered by those two; see [`Steering`]. Every other number
//! is ordinary.

mod account;
mod callback;
mod course;
mod dice;
mod handset;
mod journal;
mod refusal;
mod script;
mod server;
mod state;
mod steering;
mod vendor;
mod wire;

pub use account::Account;
pub use handset::{Arrival, Handset, HandsetMessage};
pub use journal::{Handling, Received};
pub use refusal::Refusal;
pub use script::{InvalidScript, Mishap, Rule, Script, Window};
pub use steering::Steering;
pub use vendor::{Options, Vendor};
