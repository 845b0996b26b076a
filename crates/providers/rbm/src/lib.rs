//! Google RCS for Business (RBM): text messages of one RCS agent.
//!
//! One account is one agent. The id of a message is ours and the platform ignores a second message with the same id, so
//! a repeat after an ambiguous send is safe (FMT-40); the same id comes back in every report. Each message carries a
//! time-to-live no longer than the code's, and can be taken back until it is delivered (FMT-41). Requests carry a
//! short-lived token of a service account, fetched by one caller for all.
//!
//! Nothing here asks for a number's capabilities: the answer to a send says the same in one trip, and a capability
//! promises no delivery.

use otter_provider::Registration;

pub use codes::CODES;

mod codec;
mod codes;
mod receipts;
#[cfg(test)]
mod samples;
mod service_account;
mod settings;
mod status;
mod timestamp;
mod tokens;

/// The vendor as the catalogue lists it.
pub const REGISTRATION: Registration = Registration { kind: "rbm", configure: settings::configure };
