//! The settings of Otter: one file, overrides from the environment, every problem reported at once.
//!
//! [`load`] lays the file over the compiled-in reference (`config/default.toml`, the only place where defaults live) and
//! the environment over both, reads everything into domain types and checks what refers to what. It knows no vendor:
//! each account's table goes to the vendor's registration. It does no I/O but through the closure that reads files, and
//! no problem ever repeats a secret.

mod callers;
mod certificates;
mod check;
mod dates;
mod effect;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hostile_tests;
mod install;
mod key;
mod layers;
mod load;
#[cfg(test)]
mod load_tests;
mod moment;
mod problem;
mod providers;
mod public_url;
#[cfg(test)]
mod reference_tests;
mod routes;
mod secret;
#[cfg(test)]
mod secret_tests;
mod section;
mod servers;
mod settings;
mod show;
mod store;
mod tenants;
mod texts;

pub use key::Key;
pub use layers::{REFERENCE, Sources};
pub use load::{Loaded, load};
pub use problem::{Origin, Problem};
pub use settings::{
    Admin, ApiKey, ConfiguredProvider, Durability, Engine, Grpc, Keys, LogFormat, Metrics, Otlp, Receipts,
    Redis, RedisTls, Retention, Scope, SentinelUser, Settings, Shutdown, Store, Telemetry, Tenant, Tls,
};
