//! How long to wait before a connection is tried again.
//!
//! The only module that names the `backoff` crate, which is unmaintained: it computes one number here. The tests below
//! say all that a successor has to do. (The retry of a send inside a verification is arithmetic on a seed in `decision`
//! and has nothing to do with this.)

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};

use crate::{Dice, SeededDice};

/// The bounds of the waits between tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// The middle of the first wait.
    pub first: Duration,
    /// The middle of the longest wait.
    pub longest: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

/// Waits between tries to reach something: each twice the one before up to a longest, give or take a third, without
/// end. Whoever loops decides when to stop.
#[derive(Debug)]
pub struct Reconnect {
    backoff: ExponentialBackoff,
    /// Draws where in its range each wait lies; without it the backoff draws by itself.
    dice: Option<SeededDice>,
}

/// How far a wait may be from its middle, as a part of it.
const SPREAD: f64 = 1.0 / 3.0;

impl Reconnect {
    /// Starts with the first wait.
    pub fn new(delays: Delays) -> Self {
        Self { backoff: backoff(delays, SPREAD), dice: None }
    }

    /// The same with waits that `seed` determines, for loops that a test replays.
    pub fn seeded(delays: Delays, seed: u64) -> Self {
        Self { backoff: backoff(delays, 0.0), dice: Some(SeededDice::new(seed)) }
    }

    /// The wait before the next try.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.backoff.next_backoff().unwrap_or(self.backoff.max_interval);
        let Some(dice) = &self.dice else { return delay };
        let place = f64::from(dice.u32()) / f64::from(u32::MAX);
        delay.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * place)
    }

    /// Sleeps for [`Self::next_delay`].
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next_delay()).await;
    }

    /// Starts again with the first wait; call it after a success.
    pub fn reset(&mut self) {
        self.backoff.reset();
    }
}

fn backoff(delays: Delays, spread: f64) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(delays.first)
        .with_max_interval(delays.longest)
        .with_multiplier(2.0)
        .with_randomization_factor(spread)
        .with_max_elapsed_time(None)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAYS: Delays = Delays { first: Duration::from_millis(100), longest: Duration::from_secs(2) };

    fn assert_around(delay: Duration, middle_millis: u64) {
        let middle = Duration::from_millis(middle_millis);
        assert!(delay >= middle * 2 / 3 - Duration::from_millis(1), "{delay:?} is too short for {middle:?}");
        assert!(delay <= middle * 4 / 3 + Duration::from_millis(1), "{delay:?} is too long for {middle:?}");
    }

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_longest() {
        for _ in 0..100 {
            let mut reconnect = Reconnect::new(DELAYS);
            for middle in [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000] {
                assert_around(reconnect.next_delay(), middle);
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_around_the_same_middles() {
        let waits = |seed| {
            let mut reconnect = Reconnect::seeded(DELAYS, seed);
            [100, 200, 400, 800, 1_600, 2_000, 2_000].map(|middle| {
                let delay = reconnect.next_delay();
                assert_around(delay, middle);
                delay
            })
        };
        for seed in 0..100 {
            assert_eq!(waits(seed), waits(seed));
            assert_ne!(waits(seed), waits(seed + 1));
        }
    }

    #[test]
    fn it_never_gives_up() {
        let mut reconnect = Reconnect::new(DELAYS);
        for _ in 0..10_000 {
            assert!(reconnect.next_delay() > Duration::ZERO);
        }
    }

    #[test]
    fn after_a_success_it_begins_again() {
        let mut reconnect = Reconnect::new(DELAYS);
        for _ in 0..6 {
            reconnect.next_delay();
        }
        reconnect.reset();
        assert_around(reconnect.next_delay(), 100);
    }

    #[test]
    fn many_processes_do_not_return_at_the_same_moment() {
        let delays: std::collections::BTreeSet<_> =
            (0..50).map(|_| Reconnect::new(DELAYS).next_delay()).collect();
        assert!(delays.len() > 40, "only {} different waits", delays.len());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_sleeps_for_the_delay() {
        let began = tokio::time::Instant::now();
        Reconnect::new(DELAYS).wait().await;
        assert_around(began.elapsed(), 100);
    }
}
