//! What a provider is.
//!
//! A vendor crate implements [`Sender`] and, where the vendor can, [`Revoker`] and [`ReceiptDecoder`], and registers
//! itself with one [`Registration`]. An ability that a vendor lacks is `None`, never a method that pretends. Nothing
//! here talks to a network or knows a vendor; `provider-http` runs the codec of those that speak HTTP.

mod callback;
mod capability;
mod fields;
mod registration;
mod secret;
mod send;

pub use callback::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
pub use capability::{Capabilities, ChannelAbility};
pub use fields::{Fields, country, parse_span};
pub use registration::{Configure, Problem, Provider, Registration};
pub use secret::{Lines, SecretFlaw, secret_in};
pub use send::{Dispatch, Hold, Recall, RecallOutcome, Revoker, Sender, Unshared};
