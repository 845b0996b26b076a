//! How long something has taken.

use std::time::Duration;

use otter_domain::{Clock as _, Moment};
use otter_runtime::WallClock;

/// Counts from its start.
#[derive(Debug, Clone)]
pub struct Stopwatch {
    clock: WallClock,
    started: Moment,
}

impl Stopwatch {
    /// Starts to count.
    pub fn start() -> Self {
        let clock = WallClock::open();
        let started = clock.now();
        Self { clock, started }
    }

    /// The time since the start, in whole milliseconds.
    pub fn elapsed(&self) -> Duration {
        self.clock.now().since(self.started)
    }
}
