//! The engine on servers that belong together, behind TLS, and with users: what it needs of them, and what it does when
//! they fail.
#![allow(clippy::unwrap_used)]

// Brings the crypto provider, as other parts of the binary do.
use rustls as _;

mod access;
mod cluster;
mod common;
mod confirmed;
mod failover;
mod rights;
mod spokesman;
mod suite;
mod told;
mod watch;
