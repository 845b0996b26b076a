//! Clock, dice, reconnect delays, signs of life, taking in connections, and the order of start and stop.
//!
//! This is the only crate that reads a clock or draws random bytes; everyone else is given a [`Clock`], [`Dice`] or a
//! moment. It knows neither the store nor a network: whoever talks to the store tells the clock what the store said.
//!
//! [`Clock`]: otter_domain::Clock
// The wall clock, the monotonic clock and the generator are banned everywhere but here.
#![allow(clippy::disallowed_methods)]

mod accept;
mod clock;
mod dice;
mod lifecycle;
mod panic;
mod pulse;
mod reconnect;
mod signal;

pub use accept::next_connection;
pub use clock::{StoreClock, WallClock};
pub use dice::{Dice, NoRandomness, OsDice, SeededDice};
pub use lifecycle::{Grace, InFlight, Lifecycle, Phase, Phases, Stopped, Unfinished};
pub use panic::hide_panic_payloads;
pub use pulse::Pulse;
pub use reconnect::{Delays, Reconnect};
pub use signal::{Hangups, Stop};
