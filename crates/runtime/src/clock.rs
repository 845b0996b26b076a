//! The store's time as this process knows it, and the wall clock for engines that are their own clock.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use otter_domain::{Clock, Moment};
use tokio::time::Instant;

/// The store's clock, carried on between its answers by this process's monotonic clock.
///
/// An answer was stamped before it travelled, so each one says "it is at least this late": the one that travelled
/// shortest is the nearest to the truth. An answer ahead of us moves us forward at once. One behind us is believed
/// only as the best of a [`WINDOW`], which keeps us from running ahead for ever when our monotonic clock is fast or the
/// store's clock was set back.
///
/// Time told never goes back by less than [`AGREEMENT`]: it stands still until the store has caught up. Beyond that the
/// store's clock was wrong and is right now, and standing still would be worse, so it follows.
#[derive(Debug)]
pub struct StoreClock {
    started: Instant,
    /// Store time at `started`, in milliseconds.
    origin: AtomicI64,
    /// The latest moment told.
    told: AtomicU64,
    window: Mutex<Window>,
}

/// How long answers are compared before time is moved back to the best of them.
const WINDOW: Duration = Duration::from_secs(10);

/// How far the nodes of a store may disagree (DESIGN section 6).
const AGREEMENT: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Window {
    opened: Instant,
    best: Option<i64>,
}

impl StoreClock {
    /// Starts at what the store just said.
    pub fn starting_at(now: Moment) -> Self {
        let started = Instant::now();
        Self {
            started,
            origin: AtomicI64::new(signed(now)),
            told: AtomicU64::new(now.as_millis()),
            window: Mutex::new(Window { opened: started, best: None }),
        }
    }

    /// Takes the stamp of an answer. Call it for every answer of the store, soon after it came.
    pub fn observe(&self, stamp: Moment) {
        let now = Instant::now();
        let origin = signed(stamp) - self.elapsed(now);
        self.origin.fetch_max(origin, Ordering::AcqRel);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let best = window.best.map_or(origin, |best| best.max(origin));
        if now.duration_since(window.opened) < WINDOW {
            window.best = Some(best);
        } else {
            self.origin.store(best, Ordering::Release);
            *window = Window { opened: now, best: None };
        }
    }

    /// How long this clock has run, by the monotonic clock alone: whatever the store says, it goes on while the process is
    /// stopped, and never goes back.
    pub fn steady(&self) -> Duration {
        self.started.elapsed()
    }

    fn elapsed(&self, now: Instant) -> i64 {
        i64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock for StoreClock {
    fn now(&self) -> Moment {
        let millis = self.origin.load(Ordering::Acquire).saturating_add(self.elapsed(Instant::now()));
        let believed = Moment::from_millis(u64::try_from(millis).unwrap_or(0));
        let told = Moment::from_millis(self.told.fetch_max(believed.as_millis(), Ordering::AcqRel));
        if believed.until(told) > AGREEMENT {
            self.told.store(believed.as_millis(), Ordering::Release);
            return believed;
        }
        told.max(believed)
    }
}

fn signed(moment: Moment) -> i64 {
    i64::try_from(moment.as_millis()).unwrap_or(i64::MAX)
}

/// The wall clock read once, carried on by the monotonic clock: for engines that are their own clock. It never goes
/// back while the process runs, whatever is done to the wall clock.
#[derive(Debug, Clone)]
pub struct WallClock {
    opened: Instant,
    origin: Moment,
}

impl WallClock {
    /// Reads the wall clock.
    pub fn open() -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { opened: Instant::now(), origin: Moment::EPOCH + since_epoch }
    }
}

impl Clock for WallClock {
    fn now(&self) -> Moment {
        self.origin + self.opened.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const START: Moment = Moment::from_millis(1_000_000);

    async fn pass(millis: u64) {
        advance(Duration::from_millis(millis)).await;
    }

    fn after(millis: u64) -> Moment {
        START + Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_between_answers() {
        let clock = StoreClock::starting_at(START);
        pass(1_500).await;
        assert_eq!(clock.now(), after(1_500));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ahead_is_followed_at_once() {
        let clock = StoreClock::starting_at(START);
        pass(100).await;
        clock.observe(after(5_000));
        assert_eq!(clock.now(), after(5_000));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_travelled_long_changes_nothing() {
        let clock = StoreClock::starting_at(START);
        for _ in 0..50 {
            pass(500).await;
            let true_time = clock.now();
            clock.observe(true_time - Duration::from_millis(300));
            clock.observe(true_time);
            assert_eq!(clock.now(), true_time);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_local_clock_is_held_back_without_going_back() {
        let clock = StoreClock::starting_at(START);
        let mut last = clock.now();
        for second in 1..=60_u64 {
            pass(1_000).await;
            clock.observe(after(second * 990));
            assert!(clock.now() >= last, "went back at {second}");
            last = clock.now();
        }
        assert!(last.since(after(60 * 990)) <= Duration::from_millis(200), "ran ahead to {last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_clock_that_was_set_back_far_is_followed() {
        let clock = StoreClock::starting_at(START + Duration::from_secs(3_600));
        for second in 1..=21_u64 {
            pass(1_000).await;
            clock.observe(after(second * 1_000));
        }
        assert_eq!(clock.now(), after(21_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_goes_on_by_monotonic_time() {
        let clock = WallClock::open();
        let opened = clock.now();
        pass(2_000).await;
        assert_eq!(clock.now().since(opened), Duration::from_secs(2));
        assert!(opened > Moment::from_millis(1_600_000_000_000));
    }
}
