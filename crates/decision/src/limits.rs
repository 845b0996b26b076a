//! Limits on how much may be sent: sliding windows per recipient, token buckets per tenant and provider account.

use std::time::Duration;

use otter_domain::{LimitRule, Moment};

/// How often one tenant may send to one number unless configured otherwise (SEC-17): 5 in 10 minutes, 10 a day.
pub const RECIPIENT_DEFAULTS: [LimitRule; 2] = [
    LimitRule { max: 5, window: Duration::from_secs(10 * 60) },
    LimitRule { max: 10, window: Duration::from_secs(24 * 60 * 60) },
];

/// Which limit is reached, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The place of the rule that makes the caller wait longest, from 0.
    pub rule: usize,
    /// When every rule would allow one more.
    pub retry_after: Duration,
}

/// Whether one more send is allowed now after those of the past, given in any order. A send leaves a window exactly
/// when its age is the window's length.
pub fn evaluate(rules: &[LimitRule], past: &[Moment], now: Moment) -> Result<(), Refusal> {
    let refusals = rules.iter().enumerate().filter_map(|(place, rule)| {
        let retry_after = over_in(*rule, past, now)?;
        Some(Refusal { rule: place, retry_after })
    });
    match refusals.max_by_key(|refusal| refusal.retry_after) {
        Some(refusal) => Err(refusal),
        None => Ok(()),
    }
}

/// How long one rule refuses, if it does.
fn over_in(rule: LimitRule, past: &[Moment], now: Moment) -> Option<Duration> {
    let mut recent: Vec<Moment> = past.iter().copied().filter(|sent| now < *sent + rule.window).collect();
    recent.sort_unstable();
    let allowed = usize::try_from(rule.max.max(1)).unwrap_or(usize::MAX);
    let last_to_leave = recent.get(recent.len().checked_sub(allowed)?)?;
    Some(now.until(*last_to_leave + rule.window))
}

/// A token bucket: what it held at a moment. It refills continuously up to its burst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How many tokens it held, with fractions.
    pub tokens: f64,
    /// When.
    pub at: Moment,
}

impl Bucket {
    /// A bucket that nobody has taken from.
    pub fn full(burst: u32, now: Moment) -> Self {
        Self { tokens: f64::from(burst), at: now }
    }
}

/// What a bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// How many tokens, at most as many as wanted.
    pub granted: u32,
    /// When there will be one more, if fewer than wanted were given; zero otherwise.
    pub retry_after: Duration,
}

/// Takes up to `want` whole tokens from a bucket that refills at `rate` tokens a second up to `burst`.
///
/// A clock that went back refills nothing.
pub fn take(bucket: &mut Bucket, rate: f64, burst: u32, want: u32, now: Moment) -> Taken {
    let refilled = now.since(bucket.at).as_secs_f64() * rate;
    let held = (bucket.tokens + refilled).clamp(0.0, f64::from(burst));
    // Held is not negative and not above a `u32`, so the cast only drops the fraction.
    let granted = want.min(held as u32);
    let left = held - f64::from(granted);
    *bucket = Bucket { tokens: left, at: bucket.at.max(now) };
    let retry_after = if granted < want { time_for(1.0 - left, rate) } else { Duration::ZERO };
    Taken { granted, retry_after }
}

/// How long it takes to gain this much of a token, in whole milliseconds, rounded up.
fn time_for(missing: f64, rate: f64) -> Duration {
    let millis = (missing / rate * 1000.0).ceil();
    if millis.is_finite() && millis >= 0.0 { Duration::from_millis(millis as u64) } else { Duration::MAX }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{T0, after};

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn sec_17_the_sixth_send_in_ten_minutes_waits_for_the_first_to_leave_the_window() {
        let past: Vec<Moment> = [0, 60, 120, 180, 240].map(after).to_vec();
        let now = after(300);
        assert_eq!(evaluate(&RECIPIENT_DEFAULTS, &past[..4], now), Ok(()));
        let refusal = Refusal { rule: 0, retry_after: seconds(300) };
        assert_eq!(evaluate(&RECIPIENT_DEFAULTS, &past, now), Err(refusal));
        assert_eq!(evaluate(&RECIPIENT_DEFAULTS, &past, after(600)), Ok(()));
    }

    #[test]
    fn sec_17_the_rule_that_waits_longest_is_named() {
        let day: Vec<Moment> = (0..10).map(|send| after(send * 60)).collect();
        let refusal = evaluate(&RECIPIENT_DEFAULTS, &day, after(600)).unwrap_err();
        assert_eq!(refusal, Refusal { rule: 1, retry_after: seconds(86_400 - 600) });
    }

    #[test]
    fn without_rules_everything_is_allowed() {
        assert_eq!(evaluate(&[], &[T0; 100], T0), Ok(()));
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(3, T0);
        assert_eq!(
            take(&mut bucket, 2.0, 3, 5, T0),
            Taken { granted: 3, retry_after: Duration::from_millis(500) }
        );
        let early = T0 + Duration::from_millis(250);
        let refused = Taken { granted: 0, retry_after: Duration::from_millis(250) };
        assert_eq!(take(&mut bucket, 2.0, 3, 1, early), refused);
        assert_eq!(take(&mut bucket, 2.0, 3, 1, early + refused.retry_after).granted, 1);
        assert_eq!(take(&mut bucket, 2.0, 3, 9, after(60)).granted, 3, "never more than the burst");
    }

    #[test]
    fn a_clock_that_goes_back_refills_nothing() {
        let mut bucket = Bucket { tokens: 0.0, at: after(10) };
        assert_eq!(take(&mut bucket, 1.0, 5, 1, T0).granted, 0);
        assert_eq!(bucket.at, after(10));
        assert_eq!(take(&mut bucket, 0.0, 5, 1, after(20)), Taken { granted: 0, retry_after: Duration::MAX });
    }

    proptest! {
        #[test]
        fn sec_17_no_window_ever_holds_more_than_its_limit_and_waiting_as_told_is_enough(
            gaps in proptest::collection::vec(0_u64..400, 1..40), max in 1_u32..6, window in 1_u64..1_000,
        ) {
            let rules = [LimitRule { max, window: seconds(window) }, LimitRule { max: 10, window: seconds(3_000) }];
            let (mut past, mut now) = (Vec::new(), T0);
            for gap in gaps {
                now = now + seconds(gap);
                if let Err(refusal) = evaluate(&rules, &past, now) {
                    let just_before = now + (refusal.retry_after - Duration::from_millis(1));
                    prop_assert!(evaluate(&rules, &past, just_before).is_err());
                    now = now + refusal.retry_after;
                }
                prop_assert_eq!(evaluate(&rules, &past, now), Ok(()));
                past.push(now);
                for rule in rules {
                    let held = past.iter().filter(|sent| now.since(**sent) < rule.window).count();
                    prop_assert!(held <= rule.max as usize);
                }
            }
        }

        #[test]
        fn a_bucket_never_gives_more_than_burst_and_rate_allow(
            steps in proptest::collection::vec((0_u64..3_000, 0_u32..20), 1..40), rate in 0.1_f64..50.0, burst in 1_u32..20,
        ) {
            let (mut bucket, mut now, mut given) = (Bucket::full(burst, T0), T0, 0.0);
            for (millis, want) in steps {
                now = now + Duration::from_millis(millis);
                let taken = take(&mut bucket, rate, burst, want, now);
                given += f64::from(taken.granted);
                prop_assert!(taken.granted <= want);
                prop_assert!(given <= f64::from(burst) + rate * now.since(T0).as_secs_f64() + 1e-6);
                if taken.granted < want {
                    let mut later = bucket;
                    prop_assert!(take(&mut later, rate, burst, 1, now + taken.retry_after).granted == 1);
                }
            }
        }
    }
}
