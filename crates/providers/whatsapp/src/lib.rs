//! WhatsApp over Meta's Cloud API: authentication templates.
//!
//! Translates between Otter and the Cloud API, verifies and reads its webhooks, and answers their handshake. It repeats
//! nothing and keeps nothing: the API has no idempotency key, so a lost answer stays ambiguous until a webhook, which
//! carries our token as `biz_opaque_callback_data`. A template that was accepted cannot be taken back.
//! `docs/providers/whatsapp.md` says how to set an account up.

mod codes;
mod errors;
mod receipts;
mod reference;
#[cfg(test)]
mod sample;
mod send;
mod settings;
mod signature;

use otter_provider::Registration;

pub use codes::CODES;

/// WhatsApp as the catalogue lists it.
pub const REGISTRATION: Registration = Registration { kind: "whatsapp", configure: settings::configure };
