//! The retry inside an attempt: the same provider, the same code, once, after a send that is known not to have happened.

use std::time::Duration;

use otter_domain::{FailureClass, Moment};

use crate::dice::Dice;

/// The latest that an unavailable provider is tried again.
const LATEST: Duration = Duration::from_secs(1);

/// The earliest: a connection that was just refused is refused again.
const EARLIEST: Duration = Duration::from_millis(100);

/// When an attempt that failed at `now` is tried once more, if it is.
///
/// A throttled attempt may be tried when the provider said, if it said and that is before the end of the step's wait; an
/// unavailable one within 1 s at a moment drawn from `seed`, not before the provider said. Everything else is not tried
/// again: it would fail again, or might send a second message. That it is done once, and whether somebody else goes
/// instead, is for the caller.
pub fn retry_at(
    class: FailureClass,
    retry_after: Option<Duration>,
    step_wait: Duration,
    claimed_at: Moment,
    now: Moment,
    seed: u64,
) -> Option<Moment> {
    let pause = match class {
        FailureClass::Throttled => retry_after?,
        FailureClass::Unavailable => jitter(seed).max(retry_after.unwrap_or_default()),
        FailureClass::Rejected
        | FailureClass::Unroutable
        | FailureClass::Misconfigured
        | FailureClass::Ambiguous => return None,
    };
    let in_time = class == FailureClass::Throttled || pause <= LATEST;
    let at = now + pause;
    (in_time && at < claimed_at + step_wait).then_some(at)
}

fn jitter(seed: u64) -> Duration {
    let span = (LATEST - EARLIEST).as_millis() as u64;
    EARLIEST + Duration::from_millis(Dice::new(seed).below(span + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{T0, after};

    const WAIT: Duration = Duration::from_secs(30);

    fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn a_throttled_attempt_is_tried_when_the_provider_said_if_that_fits_the_wait() {
        let check = |retry_after: Option<Duration>, expected: Option<Moment>| {
            let at = retry_at(FailureClass::Throttled, retry_after, WAIT, T0, after(2), 7);
            assert_eq!(at, expected, "{retry_after:?}");
        };
        check(seconds(3), Some(after(5)));
        check(seconds(27), Some(after(29)));
        check(seconds(28), None);
        check(None, None);
    }

    #[test]
    fn an_unavailable_provider_that_asks_for_more_than_a_second_is_not_tried_again() {
        let at = |wait: Option<Duration>| retry_at(FailureClass::Unavailable, wait, WAIT, T0, T0, 7);
        assert_eq!(at(seconds(1)), Some(after(1)));
        assert_eq!(at(seconds(2)), None);
        assert!(at(None).is_some());
    }

    proptest! {
        #[test]
        fn an_unavailable_provider_is_tried_within_a_second(seed: u64, held in 0_u64..40) {
            let now = after(held);
            match retry_at(FailureClass::Unavailable, None, WAIT, T0, now, seed) {
                Some(at) => {
                    prop_assert!(at < T0 + WAIT);
                    prop_assert!((EARLIEST..=LATEST).contains(&at.since(now)));
                }
                None => prop_assert!(now + LATEST >= T0 + WAIT),
            }
        }

        #[test]
        fn what_may_have_been_sent_or_would_fail_again_is_never_tried_again(seed: u64, wait in 0_u64..3) {
            use FailureClass::{Ambiguous, Misconfigured, Rejected, Unroutable};
            for class in [Ambiguous, Misconfigured, Rejected, Unroutable] {
                prop_assert_eq!(retry_at(class, seconds(wait), WAIT, T0, T0, seed), None);
            }
        }
    }
}
