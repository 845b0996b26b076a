//! How fast one account is used, by all processes together.
//!
//! A token is taken from a shared bucket for each job just before the job is claimed, and only when there is one. What
//! is not spent at once, because another process was faster, is lost soon after.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_domain::Moment;
use otter_store::Grant;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a token is held.
const HELD_FOR: Duration = Duration::from_millis(50);

/// The part of a second's allowance that may begin at the same moment.
const SHARE: u32 = 20;

/// How long nothing is asked after the bucket was empty: what the bucket says, within these bounds.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A bucket out of which no more than an account's rate is spent in any second.
///
/// In any span a bucket gives at most its burst and what flows in meanwhile; what is spent within a second was taken
/// within a second and [`HELD_FOR`]. With this inflow both together stay below one more than the rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    pub(super) inflow: f64,
    pub(super) burst: u32,
}

impl Terms {
    /// The terms of an account that may begin this many sends a second.
    pub(super) fn of(rate: u32) -> Self {
        let rate = rate.max(1);
        let burst = (rate / SHARE).max(1);
        let inflow = (f64::from(rate - burst) + 1.0) / (1.0 + HELD_FOR.as_secs_f64());
        Self { inflow, burst }
    }
}

/// The tokens of a lane, and whose turn it is to ask for more of them.
#[derive(Debug)]
pub(super) struct Purse {
    pace: Mutex<Pace>,
    turn: Semaphore,
}

impl Default for Purse {
    fn default() -> Self {
        Self { pace: Mutex::default(), turn: Semaphore::new(1) }
    }
}

impl Purse {
    /// What is at hand.
    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn to ask the bucket, which ends with what is returned.
    pub(super) async fn turn(&self) -> SemaphorePermit<'_> {
        self.turn.acquire().await.expect("nobody closes it")
    }
}

/// The tokens of one lane in this process.
#[derive(Debug, Default)]
pub(super) struct Pace {
    tokens: u32,
    until: Moment,
    empty_until: Moment,
}

/// Tokens set aside for a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) count: usize,
    /// Until when what is not spent of them may be spent otherwise.
    until: Moment,
}

impl Pace {
    /// How many jobs may begin now.
    pub(super) fn at_hand(&self, now: Moment) -> u32 {
        if now < self.until { self.tokens } else { 0 }
    }

    /// When it makes sense to ask for tokens again, if that is not now.
    pub(super) fn empty_until(&self, now: Moment) -> Option<Moment> {
        (self.at_hand(now) == 0 && now < self.empty_until).then_some(self.empty_until)
    }

    /// Whether it makes sense to ask for tokens now.
    pub(super) fn is_to_be_filled(&self, now: Moment) -> bool {
        self.at_hand(now) == 0 && self.empty_until(now).is_none()
    }

    /// Takes what the bucket gave.
    pub(super) fn receive(&mut self, grant: Grant, now: Moment) {
        *self = Self { tokens: grant.granted, until: now + HELD_FOR, empty_until: Moment::EPOCH };
        if grant.granted == 0 {
            self.empty_until = now + grant.retry_after.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        }
    }

    /// Leaves a bucket alone that did not answer: those who waited meanwhile must not ask it one after the other.
    pub(super) fn give_up(&mut self, now: Moment) {
        self.empty_until = now + LONGEST_PAUSE;
    }

    /// Sets tokens aside, as many as are at hand.
    pub(super) fn draw(&mut self, wanted: usize, now: Moment) -> Drawn {
        let count = self.at_hand(now).min(u32::try_from(wanted).unwrap_or(u32::MAX));
        self.tokens = self.tokens.saturating_sub(count);
        Drawn { count: usize::try_from(count).unwrap_or(usize::MAX), until: self.until }
    }

    /// Takes back what a claim did not spend. What is older than what is at hand is lost.
    pub(super) fn give_back(&mut self, drawn: Drawn, spent: usize) {
        if drawn.until == self.until {
            let left = drawn.count.saturating_sub(spent);
            self.tokens = self.tokens.saturating_add(u32::try_from(left).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use otter_decision::limits::{Bucket, take};
    use proptest::prelude::*;

    use super::*;

    const START: Moment = Moment::from_millis(1_000_000);

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_second_sees_more_sends_than_the_rate_whenever_tokens_are_taken_and_spent(
            rate in 1_u32..60, steps in proptest::collection::vec((0_u64..400, 0_u64..50), 1..200),
        ) {
            let Terms { inflow, burst } = Terms::of(rate);
            let (mut bucket, mut now, mut sent) = (Bucket::full(burst, START), START, Vec::new());
            for (gap, held) in steps {
                now = now + Duration::from_millis(gap);
                let taken = take(&mut bucket, inflow, burst, burst, now);
                let at = now + Duration::from_millis(held);
                sent.extend((0..taken.granted).map(|_| at));
            }
            for first in &sent {
                let in_second = sent.iter().filter(|at| *first <= **at && **at < *first + Duration::from_secs(1));
                prop_assert!(in_second.count() <= rate as usize);
            }
        }
    }

    #[test]
    fn what_a_claim_did_not_spend_is_spent_by_the_next_as_long_as_it_is_held() {
        let mut pace = Pace::default();
        let five = Grant { granted: 5, retry_after: Duration::ZERO };
        pace.receive(five, START);
        let drawn = pace.draw(9, START);
        assert_eq!((drawn.count, pace.at_hand(START)), (5, 0));
        pace.give_back(drawn, 2);
        assert_eq!(pace.at_hand(START), 3);
        let late = pace.draw(3, START);
        pace.receive(five, START + HELD_FOR);
        pace.give_back(late, 0);
        assert_eq!(pace.at_hand(START + HELD_FOR), 5, "what is too old is lost");
    }

    #[test]
    fn a_busy_lane_gets_nearly_its_whole_rate() {
        for rate in [1, 5, 10, 80, 1000] {
            let inflow = Terms::of(rate).inflow;
            assert!(inflow > f64::from(rate) * 0.9 - 0.05 * f64::from(rate), "{inflow} of {rate}");
        }
    }
}
