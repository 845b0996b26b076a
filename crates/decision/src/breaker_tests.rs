//! Breakers.
use proptest::prelude::*;

use super::*;
use crate::fixture::{T0, after};

const fn failed(class: FailureClass, error: ErrorClass, speaks_of: SpeaksOf) -> Outcome {
    Outcome::Failed(Failure {
        class,
        error,
        speaks_of,
        vendor_code: None,
        unlisted: false,
        retry_after: None,
    })
}

const DOWN: Outcome = failed(FailureClass::Unavailable, ErrorClass::Provider5xx, SpeaksOf::Channel);
const SILENT: Outcome = failed(FailureClass::Ambiguous, ErrorClass::Timeout, SpeaksOf::Channel);
const WRONG: Outcome = failed(FailureClass::Misconfigured, ErrorClass::Auth, SpeaksOf::Sender);
const ABSENT: Outcome = failed(FailureClass::Unroutable, ErrorClass::Unreachable, SpeaksOf::Person);
const SPAM: Outcome = failed(FailureClass::Rejected, ErrorClass::ContentRejected, SpeaksOf::Template);
const BUSY: Outcome = failed(FailureClass::Throttled, ErrorClass::RateLimited, SpeaksOf::Account);

/// What an answer says to the breaker of a way; every message was sent when it was answered.
fn answer(breaker: &mut Breaker, outcome: Outcome, now: Moment) -> bool {
    breaker.record(outcome, Width::Way, Witness::Answer, now, now)
}

fn receipt(breaker: &mut Breaker, outcome: Outcome, sent_at: Moment, now: Moment) -> bool {
    breaker.record(outcome, Width::Way, Witness::Receipt, sent_at, now)
}

fn after_outcomes(outcomes: &[Outcome]) -> Breaker {
    let mut breaker = Breaker::default();
    for outcome in outcomes {
        answer(&mut breaker, *outcome, T0);
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
    assert_eq!(after_outcomes(&[SILENT, SILENT, Outcome::Accepted, SILENT, SILENT]).state(T0), State::Closed);
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
        assert!(answer(&mut breaker, DOWN, now));
    }
}

#[test]
fn one_probe_goes_at_a_time_and_a_lost_one_is_replaced() {
    let mut breaker = after_outcomes(&[WRONG]);
    assert_eq!(breaker.permits(after(10)), Permit::Probe);
    assert_eq!(breaker.permits(after(11)), Permit::Refused { until: after(40) });
    assert_eq!(breaker.permits(after(40)), Permit::Probe);
    assert!(!answer(&mut breaker, BUSY, after(41)), "being throttled says nothing");
    assert_eq!(breaker.permits(after(41)), Permit::Probe);
    assert!(answer(&mut breaker, ABSENT, after(42)), "whoever answers properly is well");
    assert_eq!(breaker.state(after(42)), State::Closed);
    assert!(!breaker.is_blank(after(42)) && breaker.is_blank(after(2_000)));
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
    assert!(!answer(&mut breaker, Outcome::Accepted, after(1)));
    assert!(!answer(&mut breaker, DOWN, after(2)));
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
            let changed = answer(&mut breaker, outcome, now);
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

#[test]
fn a_failure_opens_what_it_speaks_of_and_nothing_else() {
    let fatal = |of| failed(FailureClass::Misconfigured, ErrorClass::Auth, of);
    let check = |of: SpeaksOf, opens: Option<Width>| {
        for width in [Width::Account, Width::Way, Width::Text] {
            let mut breaker = Breaker::default();
            let opened = breaker.record(fatal(of), width, Witness::Answer, T0, T0);
            assert_eq!(opened, opens == Some(width), "{of} and {width:?}");
        }
    };
    check(SpeaksOf::Account, Some(Width::Account));
    check(SpeaksOf::Channel, Some(Width::Way));
    check(SpeaksOf::Sender, Some(Width::Way));
    check(SpeaksOf::Template, Some(Width::Text));
    check(SpeaksOf::Person, None);
}

#[test]
fn refused_texts_open_their_own_breaker_after_five() {
    let after_refusals = |width: Width, count: usize| {
        let mut breaker = Breaker::default();
        for _ in 0..count {
            breaker.record(SPAM, width, Witness::Answer, T0, T0);
        }
        breaker.state(T0)
    };
    assert_eq!(after_refusals(Width::Text, 4), State::Closed);
    assert_eq!(after_refusals(Width::Text, 5), State::Open { until: after(10) });
    assert_eq!(after_refusals(Width::Way, 50), State::Closed);
    assert_eq!(after_refusals(Width::Account, 50), State::Closed);
}

#[test]
fn a_wider_failure_says_nothing_about_a_probe_of_something_narrower() {
    let mut way = after_outcomes(&[WRONG]);
    assert_eq!(way.permits(after(10)), Permit::Probe);
    let account = failed(FailureClass::Misconfigured, ErrorClass::Auth, SpeaksOf::Account);
    assert!(!answer(&mut way, account, after(11)));
    assert_eq!(way.permits(after(11)), Permit::Probe, "the probe is given back");
}

#[test]
fn what_receipts_say_of_the_sender_opens_it_at_once_and_what_they_say_of_a_person_never() {
    let mut breaker = Breaker::default();
    assert!(!answer(&mut breaker, Outcome::Accepted, T0));
    assert!(receipt(&mut breaker, WRONG, T0, after(2)));
    assert_eq!(breaker.state(after(2)), State::Open { until: after(12) });
    let mut breaker = Breaker::default();
    for _ in 0..50 {
        receipt(&mut breaker, ABSENT, T0, after(2));
    }
    assert_eq!(breaker.state(after(2)), State::Closed);
}

#[test]
fn messages_that_are_taken_and_then_lost_open_it_although_every_answer_was_good() {
    let mut breaker = Breaker::default();
    for second in 0..5 {
        answer(&mut breaker, Outcome::Accepted, after(second));
        receipt(&mut breaker, DOWN, after(second), after(second));
    }
    assert_eq!(breaker.state(after(4)), State::Open { until: after(14) });
}

#[test]
fn what_a_receipt_opened_no_answer_closes_but_a_receipt_or_silence() {
    let opened = || {
        let mut breaker = Breaker::default();
        assert!(receipt(&mut breaker, WRONG, T0, T0));
        assert_eq!(breaker.permits(after(10)), Permit::Probe);
        assert!(!answer(&mut breaker, Outcome::Accepted, after(11)), "being taken proves nothing");
        assert!(matches!(breaker.permits(after(12)), Permit::Refused { .. }));
        breaker
    };
    let mut again = opened();
    assert!(receipt(&mut again, WRONG, after(10), after(13)));
    assert_eq!(again.state(after(13)), State::Open { until: after(33) }, "the rest doubles");
    let mut well = opened();
    assert!(receipt(&mut well, Outcome::Accepted, after(10), after(13)));
    assert_eq!(well.state(after(13)), State::Closed);
    let mut silent = opened();
    assert_eq!(silent.state(after(40)), State::Closed);
    assert_eq!(silent.permits(after(40)), Permit::Granted);
    assert!(receipt(&mut silent, WRONG, after(10), after(50)), "the probe's own receipt, late");
    assert_eq!(silent.state(after(50)), State::Open { until: after(70) }, "the rest doubles all the same");
}

#[test]
fn receipts_on_what_was_sent_before_tell_nothing_new() {
    let mut breaker = after_outcomes(&[WRONG]);
    let open = breaker.clone();
    assert!(!receipt(&mut breaker, WRONG, T0 - Duration::from_secs(5), after(20)));
    assert!(!receipt(&mut breaker, Outcome::Accepted, T0 - Duration::from_secs(5), after(20)));
    assert_eq!(breaker, open);
    assert_eq!(breaker.permits(after(20)), Permit::Probe);
    assert!(answer(&mut breaker, Outcome::Accepted, after(21)));
    assert!(!receipt(&mut breaker, WRONG, after(1), after(22)), "sent before it closed");
}

#[test]
fn a_rest_that_another_process_prolonged_is_kept() {
    let mut breaker = after_outcomes(&[WRONG]);
    breaker.adopt(after(30), Witness::Receipt, after(12));
    assert_eq!(breaker.permits(after(29)), Permit::Refused { until: after(30) });
    assert_eq!(breaker.permits(after(30)), Permit::Probe);
    assert_eq!(breaker.opened_by(), Some(Witness::Receipt));
}

#[test]
fn failures_of_long_ago_and_receipts_on_old_messages_open_nothing() {
    let mut rare = Breaker::default();
    for hour in 0..20 {
        assert!(!answer(&mut rare, DOWN, after(hour * 3_000)), "five in hours are no outage");
    }
    let mut old = Breaker::default();
    assert!(!receipt(&mut old, WRONG, T0, after(901)));
    assert!(receipt(&mut old, WRONG, after(2), after(901)));
}
