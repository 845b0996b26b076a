//! The ingress over loopback: real connections, a vendor that the tests speak for, books over a store in memory.
#![allow(clippy::unwrap_used)]

mod bounds;
mod client;
mod genuine;
mod house;
mod quiet;
mod refused;
mod stopping;
mod store;
mod vendor;
