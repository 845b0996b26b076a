//! The suite that every store engine passes.
#![allow(clippy::unwrap_used)]

pub mod fixture;
