//! The gRPC edge.
//!
//! A call passes the gate (who calls, what they may, whether there is room, until when an answer is of use), is
//! converted into what `delivery` takes, and its answer is converted back; one exhaustive match makes a status of every
//! refusal. Nothing is decided here and nothing is stored, and no answer holds a code or a full number.

mod callers;
mod certificates;
mod checked;
mod convert;
mod dead_letter_service;
mod door;
mod error;
mod events;
mod fields;
mod gate;
mod lock_service;
mod methods;
mod open;
mod otp;
mod page;
mod provider_health;
mod provider_service;
mod rate_service;
mod server;
mod streams;
mod watch;

use std::collections::BTreeMap;

use otter_domain::ProviderName;

pub use callers::{ApiKey, Caller, Callers, Scope};
pub use certificates::Certificates;
pub use server::{Error, Options, Parts, Server, Tls};

/// What the edge takes from the configuration; replaced as a whole on reload.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Who may call.
    pub callers: Callers,
    /// The vendor of each configured account, for lists.
    pub kinds: BTreeMap<ProviderName, String>,
}
