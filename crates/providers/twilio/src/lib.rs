//! Twilio: SMS over Messages and calls over Calls.
//!
//! Translates between Otter and Twilio's REST API (2010-04-01), verifies and reads its status callbacks, and hangs up
//! calls. It repeats nothing and keeps nothing: Twilio has no idempotency key, so a lost answer stays ambiguous until
//! a callback, which finds its attempt by the token in the callback URL. `docs/providers/twilio.md` says how to set
//! an account up.

mod account;
mod codes;
mod errors;
mod hangup;
mod languages;
mod reading;
mod receipts;
#[cfg(test)]
mod sample;
mod send;
mod settings;
mod signature;
mod voice;

pub use codes::CODES;
use otter_provider::Registration;

/// Twilio as the catalogue lists it.
pub const REGISTRATION: Registration = Registration { kind: "twilio", configure: settings::configure };
