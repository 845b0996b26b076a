//! The sandbox provider: sends through a vendor of our own that simulates handsets (`otter-sandbox-vendor`).
//!
//! It is a full vendor crate for demos, tests and load, on all four channels. Messages are taken back by
//! `DELETE /v1/messages/{id}`, repeats with the same message id are recognised, and receipts are signed.
//!
//! | setting | meaning |
//! |---|---|
//! | `account_key` | the bearer key; without it the account only reads receipts |
//! | `signing_key` | verifies receipts; without it there are none |
//! | `base_url` | where the vendor listens, default `http://127.0.0.1:7700` |
//! | `channels`, `countries` | what the account is used for, default all |
//! | `concurrency`, `rate`, `timeout` | bounds, default 64 at once, no rate, 10 s |

mod codec;
mod error;
mod receipts;
mod settings;

use otter_provider::Registration;

pub use error::CODES;

/// The sandbox in the catalogue.
pub const REGISTRATION: Registration = Registration { kind: "sandbox", configure: settings::configure };
