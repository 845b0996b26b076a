//! What Otter promises while processes die, stores fail over, networks cut, clocks jump and providers hang.
//!
//! Every scenario is drawn from a seed and ends with the same count: whatever was accepted is verified, expired, failed,
//! exhausted, cancelled or pending, and every message that a provider received belongs to an attempt that was booked.
//! The usual size is small; `make chaos` runs the one whose figures stand in `docs/reliability.md`.
#![allow(clippy::unwrap_used)]

mod clock;
mod drain;
mod memory;
mod overload;
mod provider;
mod redis;
mod roles;
mod rolling;
mod scale;
mod stall;
mod timers;
