//! The catalogue as its users see it.

#![allow(clippy::unwrap_used)]

mod catalogue;
mod golden;
