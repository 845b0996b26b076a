//! Signs of life of the loops that have to turn for as long as the process works.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// A loop counts as stalled when it has not turned for this many of its longest turns (OPERATIONS section 4).
const PATIENCE: u32 = 3;

/// The loops of a process; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Pulses {
    started: Instant,
    loops: Arc<Mutex<Vec<Weak<Beat>>>>,
}

#[derive(Debug)]
struct Beat {
    what: &'static str,
    /// The longest that a turn may take.
    turn: Duration,
    /// When it last turned, in milliseconds since the process began to count.
    last: AtomicU64,
}

impl Default for Pulses {
    fn default() -> Self {
        Self { started: Instant::now(), loops: Arc::default() }
    }
}

impl Pulses {
    pub(crate) fn begin(&self, what: &'static str, turn: Duration) -> Pulse {
        let beat = Arc::new(Beat { what, turn, last: AtomicU64::new(self.elapsed()) });
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        loops.retain(|known| known.strong_count() > 0);
        loops.push(Arc::downgrade(&beat));
        Pulse { beat, started: self.started }
    }

    /// What has not turned for too long, each name once, in the order in which the loops began.
    pub(crate) fn stalled(&self) -> Vec<&'static str> {
        let now = self.elapsed();
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stalled = Vec::new();
        for beat in loops.iter().filter_map(Weak::upgrade) {
            let silent = Duration::from_millis(now.saturating_sub(beat.last.load(Ordering::Relaxed)));
            if silent > beat.turn * PATIENCE && !stalled.contains(&beat.what) {
                stalled.push(beat.what);
            }
        }
        stalled
    }

    fn elapsed(&self) -> u64 {
        millis_since(self.started)
    }
}

/// A loop that has to turn, until this is dropped.
#[derive(Debug)]
#[must_use = "the loop is not watched any more as soon as this is dropped"]
pub struct Pulse {
    beat: Arc<Beat>,
    started: Instant,
}

impl Pulse {
    /// The loop has turned.
    pub fn beat(&self) {
        self.beat.last.store(millis_since(self.started), Ordering::Relaxed);
    }
}

fn millis_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const TURN: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_turns_is_never_stalled() {
        let pulses = Pulses::default();
        let pulse = pulses.begin("lane", TURN);
        for _ in 0..10 {
            advance(TURN * PATIENCE).await;
            assert_eq!(pulses.stalled(), Vec::<&str>::new());
            pulse.beat();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn loops_that_stand_still_are_named_once_and_turn_again() {
        let pulses = Pulses::default();
        let (one, other) = (pulses.begin("lane", TURN), pulses.begin("lane", TURN));
        let _turning = pulses.begin("timers", TURN * 2);
        advance(TURN * PATIENCE + Duration::from_millis(1)).await;
        assert_eq!(pulses.stalled(), ["lane"]);
        one.beat();
        assert_eq!(pulses.stalled(), ["lane"]);
        other.beat();
        assert_eq!(pulses.stalled(), Vec::<&str>::new());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_is_not_watched() {
        let pulses = Pulses::default();
        drop(pulses.begin("lane", TURN));
        advance(TURN * 10).await;
        assert_eq!(pulses.stalled(), Vec::<&str>::new());
    }
}
