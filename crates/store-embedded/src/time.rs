//! The store's clock.

use std::sync::Arc;

use otter_domain::{Clock, Moment};
use std::time::Duration;

/// The process's clock, moved forward so that it starts no earlier than the last write of an earlier run.
#[derive(Debug)]
pub(crate) struct Time {
    clock: Arc<dyn Clock>,
    ahead: Duration,
    told: Moment,
}

impl Time {
    pub(crate) fn starting_at(mark: Moment, clock: Arc<dyn Clock>) -> Self {
        let ahead = mark.since(clock.now());
        Self { clock, ahead, told: mark }
    }

    pub(crate) fn now(&mut self) -> Moment {
        self.told = self.told.max(self.clock.now() + self.ahead);
        self.told
    }
}
