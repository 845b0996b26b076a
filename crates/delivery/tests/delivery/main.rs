//! Intake, worker, scheduler, desk and feed over the store in memory, with providers that do what a test says and time
//! that passes only when everybody waits.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod alive;
mod breakers;
mod callers;
mod events;
mod failures;
mod house;
mod journeys;
mod lanes;
mod limits;
mod locks;
mod node;
mod overload;
mod panics;
mod poison;
mod receipts;
mod revokes;
mod stalls;
mod stopping;
mod store;
mod timers;
mod trouble;
mod vendor;
