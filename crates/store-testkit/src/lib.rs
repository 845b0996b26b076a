//! The suite that every store engine passes.
//!
//! An engine writes one function that opens an empty store as a [`Bench`], and one line:
//!
//! ```ignore
//! async fn open(setup: Setup) -> MemoryBench { … }
//! otter_store_testkit::store_suite!(open);
//! ```
//!
//! That makes one test per behaviour, in modules named as those of [`suite`]. Nothing in the suite sleeps or expects a
//! clock to be quick: moments are relative to the store's own clock, and where time has to pass it passes on that clock
//! ([`Bench::pass`]), a few milliseconds unless the clock can be moved.
#![allow(clippy::unwrap_used)]

mod bench;
pub mod fixture;
mod journeys;
mod kit;
mod list;
pub mod suite;

pub use bench::{Bench, ManualClock, MemoryBench, Setup, block_on};
pub use journeys::Journeys;
