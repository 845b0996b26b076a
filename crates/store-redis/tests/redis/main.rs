//! The engine against a real server; each test has one of its own.
#![allow(clippy::unwrap_used)]

mod clock;
mod common;
mod differential;
mod engine;
mod footprint;
mod letters;
mod memory;
mod poison;
mod retention;
mod servers;
mod suite;
