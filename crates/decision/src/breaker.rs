//! The breaker of one (provider, channel, country): leaves a sick provider alone and finds out when it is well (RTE-20).
//!
//! Closed, it remembers the last outcomes. It opens when too many of them are failures, and stays open for a time that
//! doubles with every probe that fails. Then it is half-open: one send of real traffic at a time goes as a probe, and
//! its outcome closes or opens the breaker again.

use std::collections::VecDeque;
use std::time::Duration;

use otter_domain::{ErrorClass, FailureClass, Moment};

/// How many counted outcomes are remembered.
const REMEMBERED: usize = 10;

/// How many failures among the remembered outcomes open the breaker.
const FAILURES_TO_OPEN: usize = 5;

/// How many timeouts in a row open it.
const TIMEOUTS_TO_OPEN: u8 = 3;

/// How long it stays open at first.
const FIRST_REST: Duration = Duration::from_secs(10);

/// The longest that it stays open between probes.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// A probe whose outcome has not come by then is lost with its worker, and another may go.
const PROBE_LOST_AFTER: Duration = Duration::from_secs(30);

/// What a send says about the health of its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the message.
    Accepted,
    /// It did not, or may not have.
    Failed(FailureClass, ErrorClass),
}

/// What an outcome counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Success,
    Failure,
    Timeout,
    /// Our account is wrong: no outcome after it will be better.
    Fatal,
    /// The provider answered properly; it is not its fault that nothing was sent.
    Answered,
    /// Says nothing: the lane is slowed instead.
    Nothing,
}

impl Outcome {
    fn weight(self) -> Weight {
        match self {
            Self::Accepted => Weight::Success,
            Self::Failed(FailureClass::Misconfigured, _) => Weight::Fatal,
            Self::Failed(FailureClass::Unavailable | FailureClass::Ambiguous, ErrorClass::Timeout) => {
                Weight::Timeout
            }
            Self::Failed(FailureClass::Unavailable | FailureClass::Ambiguous, _) => Weight::Failure,
            Self::Failed(FailureClass::Rejected | FailureClass::Unroutable, _) => Weight::Answered,
            Self::Failed(FailureClass::Throttled, _) => Weight::Nothing,
        }
    }
}

/// Whether a send may go to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Granted,
    /// It may, and its outcome decides whether others may.
    Probe,
    /// It may not.
    Refused {
        /// When to ask again.
        until: Moment,
    },
}

/// How a breaker reads at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sends go.
    Closed,
    /// No send goes.
    Open {
        /// When it will be half-open.
        until: Moment,
    },
    /// One send at a time goes, as a probe.
    HalfOpen,
}

impl State {
    /// The word used in output and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The breaker of one key. A new one is closed, and so is one that an operator resets by taking a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Closed { remembered: VecDeque<Weight> },
    Open { until: Moment, rest: Duration, probe_lost_at: Option<Moment> },
}

impl Default for Breaker {
    fn default() -> Self {
        Self { phase: Phase::Closed { remembered: VecDeque::new() } }
    }
}

impl Breaker {
    /// How the breaker reads at `now`.
    pub fn state(&self, now: Moment) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until, .. } if now < until => State::Open { until },
            Phase::Open { .. } => State::HalfOpen,
        }
    }

    /// Learns that another process opened its breaker until then: a closed one opens too, so that afterwards one probe
    /// goes instead of everything.
    pub fn adopt(&mut self, until: Moment) {
        if let Phase::Closed { .. } = self.phase {
            self.phase = Phase::Open { until, rest: FIRST_REST, probe_lost_at: None };
        }
    }

    /// Asks for a send to be let through. Whoever gets [`Permit::Probe`] records its outcome, or gives it
    /// back.
    pub fn permits(&mut self, now: Moment) -> Permit {
        let Phase::Open { until, probe_lost_at, .. } = &mut self.phase else { return Permit::Granted };
        let free_at = probe_lost_at.unwrap_or(*until);
        if now < free_at {
            return Permit::Refused { until: free_at };
        }
        *probe_lost_at = Some(now + PROBE_LOST_AFTER);
        Permit::Probe
    }

    /// Takes a probe back that did not reach the provider after all: another may go at once.
    pub fn give_back(&mut self) {
        if let Phase::Open { probe_lost_at, .. } = &mut self.phase {
            *probe_lost_at = None;
        }
    }

    /// Learns how a send went, and says whether the breaker opened or closed by it.
    ///
    /// While it is open, only the outcome of a probe counts: what was sent before it opened tells nothing new.
    pub fn record(&mut self, outcome: Outcome, now: Moment) -> bool {
        let weight = outcome.weight();
        match &mut self.phase {
            Phase::Closed { remembered } => {
                if !should_open(remembered, weight) {
                    return false;
                }
                self.open(FIRST_REST, now);
            }
            Phase::Open { probe_lost_at: None, .. } => return false,
            Phase::Open { rest, probe_lost_at, .. } => match weight {
                Weight::Success | Weight::Answered => *self = Self::default(),
                Weight::Failure | Weight::Timeout | Weight::Fatal => {
                    let rest = (*rest * 2).min(LONGEST_REST);
                    self.open(rest, now);
                }
                Weight::Nothing => {
                    *probe_lost_at = None;
                    return false;
                }
            },
        }
        true
    }

    fn open(&mut self, rest: Duration, now: Moment) {
        self.phase = Phase::Open { until: now + rest, rest, probe_lost_at: None };
    }
}

/// Remembers an outcome that counts and says whether it is the one too many.
fn should_open(remembered: &mut VecDeque<Weight>, weight: Weight) -> bool {
    match weight {
        Weight::Fatal => return true,
        Weight::Answered | Weight::Nothing => return false,
        Weight::Success | Weight::Failure | Weight::Timeout => remembered.push_back(weight),
    }
    if remembered.len() > REMEMBERED {
        remembered.pop_front();
    }
    let failures = remembered.iter().filter(|weight| **weight != Weight::Success).count();
    let timeouts = remembered.iter().rev().take_while(|weight| **weight == Weight::Timeout).count();
    failures >= FAILURES_TO_OPEN || timeouts >= usize::from(TIMEOUTS_TO_OPEN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{T0, after};

    const DOWN: Outcome = Outcome::Failed(FailureClass::Unavailable, ErrorClass::Provider5xx);
    const SILENT: Outcome = Outcome::Failed(FailureClass::Ambiguous, ErrorClass::Timeout);
    const WRONG: Outcome = Outcome::Failed(FailureClass::Misconfigured, ErrorClass::Auth);
    const ABSENT: Outcome = Outcome::Failed(FailureClass::Unroutable, ErrorClass::Unreachable);
    const SPAM: Outcome = Outcome::Failed(FailureClass::Rejected, ErrorClass::ContentRejected);
    const BUSY: Outcome = Outcome::Failed(FailureClass::Throttled, ErrorClass::RateLimited);

    fn after_outcomes(outcomes: &[Outcome]) -> Breaker {
        let mut breaker = Breaker::default();
        for outcome in outcomes {
            breaker.record(*outcome, T0);
        }
        breaker
    }

    #[test]
    fn rte_20_five_failures_among_the_last_ten_open_it() {
        let check = |outcomes: &[Outcome], expected: State| {
            assert_eq!(after_outcomes(outcomes).state(T0), expected, "{outcomes:?}");
        };
        let open = State::Open { until: after(10) };
        check(&[DOWN; 4], State::Closed);
        check(&[DOWN; 5], open);
        check(&[DOWN, Outcome::Accepted].repeat(5)[..9], open);
        let mut spread = vec![DOWN; 4];
        spread.extend([Outcome::Accepted; 7]);
        spread.extend([DOWN; 1]);
        check(&spread, State::Closed);
    }

    #[test]
    fn rte_20_three_timeouts_in_a_row_open_it() {
        assert_eq!(
            after_outcomes(&[SILENT, SILENT, Outcome::Accepted, SILENT, SILENT]).state(T0),
            State::Closed
        );
        assert_eq!(after_outcomes(&[SILENT; 3]).state(T0), State::Open { until: after(10) });
    }

    #[test]
    fn a_wrong_account_opens_it_at_once() {
        assert_eq!(after_outcomes(&[WRONG]).state(T0), State::Open { until: after(10) });
    }

    #[test]
    fn what_is_not_the_providers_fault_does_not_count() {
        let outcomes = [ABSENT, SPAM, BUSY].repeat(20);
        assert_eq!(after_outcomes(&outcomes), Breaker::default());
    }

    #[test]
    fn rte_20_the_rest_doubles_up_to_five_minutes_while_probes_fail() {
        let mut breaker = after_outcomes(&[WRONG]);
        let mut now = T0;
        for rest in [10, 20, 40, 80, 160, 300, 300] {
            let until = now + Duration::from_secs(rest);
            assert_eq!(breaker.permits(now), Permit::Refused { until });
            assert_eq!(breaker.state(until), State::HalfOpen);
            assert_eq!(breaker.permits(until), Permit::Probe);
            now = until + Duration::from_secs(1);
            assert!(breaker.record(DOWN, now));
        }
    }

    #[test]
    fn one_probe_goes_at_a_time_and_a_lost_one_is_replaced() {
        let mut breaker = after_outcomes(&[WRONG]);
        assert_eq!(breaker.permits(after(10)), Permit::Probe);
        assert_eq!(breaker.permits(after(11)), Permit::Refused { until: after(40) });
        assert_eq!(breaker.permits(after(40)), Permit::Probe);
        assert!(!breaker.record(BUSY, after(41)), "being throttled says nothing");
        assert_eq!(breaker.permits(after(41)), Permit::Probe);
        assert!(breaker.record(ABSENT, after(42)), "whoever answers properly is well");
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_probe_that_did_not_reach_the_provider_is_not_lost() {
        let mut breaker = after_outcomes(&[WRONG]);
        breaker.give_back();
        assert_eq!(breaker.permits(after(9)), Permit::Refused { until: after(10) }, "nothing to give back");
        assert_eq!(breaker.permits(after(10)), Permit::Probe);
        breaker.give_back();
        assert_eq!(breaker.permits(after(11)), Permit::Probe);
        assert!(matches!(breaker.permits(after(11)), Permit::Refused { .. }));
    }

    #[test]
    fn what_was_sent_before_it_opened_neither_closes_nor_prolongs_it() {
        let mut breaker = after_outcomes(&[DOWN; 5]);
        let open = breaker.clone();
        assert!(!breaker.record(Outcome::Accepted, after(1)));
        assert!(!breaker.record(DOWN, after(2)));
        assert_eq!(breaker, open);
    }

    fn outcomes() -> impl Strategy<Value = Outcome> {
        proptest::sample::select(vec![Outcome::Accepted, DOWN, SILENT, WRONG, ABSENT, SPAM, BUSY])
    }

    proptest! {
        #[test]
        fn rte_20_an_open_breaker_lets_nothing_through_before_its_time_and_always_a_probe_at_last(
            steps in proptest::collection::vec((outcomes(), 0_u64..60), 1..60),
        ) {
            let (mut breaker, mut now) = (Breaker::default(), T0);
            for (outcome, seconds) in steps {
                now = now + Duration::from_secs(seconds);
                let before = breaker.state(now);
                match (before, breaker.permits(now)) {
                    (State::Closed, permit) => prop_assert_eq!(permit, Permit::Granted),
                    (State::Open { until }, permit) => prop_assert_eq!(permit, Permit::Refused { until }),
                    (State::HalfOpen, Permit::Granted) => prop_assert!(false, "a half-open breaker probes"),
                    (State::HalfOpen, Permit::Probe | Permit::Refused { .. }) => {}
                }
                let changed = breaker.record(outcome, now);
                if !changed {
                    prop_assert_eq!(breaker.state(now), before);
                }
                let mut rested = breaker.clone();
                let permit = rested.permits(now + LONGEST_REST);
                prop_assert!(matches!(permit, Permit::Granted | Permit::Probe));
            }
        }

        #[test]
        fn successes_never_open_it(count in 0_usize..40) {
            prop_assert_eq!(after_outcomes(&vec![Outcome::Accepted; count]).state(T0), State::Closed);
        }
    }
}
