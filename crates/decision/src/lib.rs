//! The choices of Otter, pure.
//!
//! Every function here goes from facts to a value: what a check or a receipt changes, who is tried in which order,
//! when to try again, when to leave a provider alone, what share of codes arrives. Nothing here has a clock, dice, a
//! network or a store: `now`, seeds, keys and random numbers are arguments, so every decision can be replayed.

pub mod admission;
pub mod backlog;
pub mod breaker;
pub mod challenge;
pub mod check;
pub mod lifecycle;
pub mod limits;
pub mod plan;
pub mod rates;
pub mod receipt;
pub mod resume;
pub mod retry;
pub mod token;

mod credit;
mod dice;
#[cfg(test)]
mod fixture;
mod keyed;
mod signed;
