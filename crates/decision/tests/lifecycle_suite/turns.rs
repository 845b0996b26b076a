//! Whose turn it is: nobody waits for somebody else who is too busy, and waits fit the life of the code.

use otter_decision::lifecycle::attempts_left;
use otter_domain::*;
use proptest::prelude::*;

use super::history::*;

fn on_sms(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| candidate(name, Channel::Sms)).collect()
}

fn open(names: &[&str]) -> History {
    History::open(on_sms(names), LifecyclePolicy::default())
}

/// One whose codes live for that many seconds.
fn lasting(ttl: u64, names: &[&str]) -> History {
    History::lasting(seconds(ttl), on_sms(names), LifecyclePolicy::default())
}

fn is_sent_now(history: &History, provider: &str) {
    assert_eq!(history.current_provider(), provider);
    assert!(matches!(history.current().phase, Phase::Queued { .. }), "{:?}", history.current());
}

#[test]
fn nobody_waits_for_a_throttled_account_while_another_is_free() {
    for retry_after in [0, 1, 3, 29, 40] {
        let mut history = open(&["alpha", "beta"]);
        let effects = history.sends_to_a_busy_one(seconds(retry_after));
        is_sent_now(&history, "beta");
        assert_eq!(dispatches(&effects, JobKind::Send), 1, "{retry_after}");
        assert_eq!(history.verification.slots.len(), 1, "the code that nobody has is not valid");
    }
}

#[test]
fn the_other_may_be_of_a_later_step_on_another_channel() {
    let both = vec![candidate("alpha", Channel::Sms), candidate("gamma", Channel::Voice)];
    let mut history = History::open(both, LifecyclePolicy::default());
    history.sends_to_a_busy_one(seconds(3));
    is_sent_now(&history, "gamma");
}

#[test]
fn an_account_that_nobody_can_stand_in_for_is_asked_once_more_when_it_said() {
    let mut history = open(&["alpha"]);
    history.sends_to_a_busy_one(seconds(3));
    assert_eq!((history.verification.attempts.len(), history.due_at()), (1, Some(T0 + seconds(3))));
    history.wait();
    history.sends_to_a_busy_one(seconds(3));
    assert_eq!(history.ending(), Some(Ending::Failed));
}

#[test]
fn a_wait_that_does_not_fit_its_step_is_not_waited_for() {
    let mut history = open(&["alpha"]);
    history.sends_to_a_busy_one(seconds(30));
    assert_eq!(history.ending(), Some(Ending::Failed));
}

#[test]
fn who_was_too_busy_is_asked_again_when_everybody_else_has_failed() {
    let mut history = open(&["alpha", "beta"]);
    history.sends_to_a_busy_one(seconds(3));
    let effects = history.sends(Err(FailureClass::Rejected));
    assert_eq!(dispatches(&effects, JobKind::Send), 0, "it is left alone for as long as it said");
    assert_eq!((history.current_provider(), history.due_at()), ("alpha", Some(T0 + seconds(3))));
    assert!(matches!(history.current().phase, Phase::Retrying { because: FailureClass::Throttled, .. }));
    history.wait();
    is_sent_now(&history, "alpha");
    history.sends_to_a_busy_one(seconds(3));
    assert_eq!(history.ending(), Some(Ending::Failed), "once");
}

#[test]
fn who_was_too_busy_goes_at_once_after_its_time_when_another_stays_silent() {
    let mut history = open(&["alpha", "beta"]);
    history.sends_to_a_busy_one(seconds(29));
    history.sends(Ok(()));
    assert_eq!(history.due_at(), Some(T0 + seconds(30)));
    history.wait();
    is_sent_now(&history, "alpha");
    assert_eq!(history.verification.slots.len(), 2, "the code of the silent one stays valid");
}

#[test]
fn a_silent_message_is_not_given_up_for_somebody_who_is_still_too_busy() {
    let quick = vec![
        candidate("alpha", Channel::Sms),
        Candidate { wait: seconds(5), ..candidate("delta", Channel::Rcs) },
    ];
    let mut history = History::open(quick, LifecyclePolicy::default());
    history.sends_to_a_busy_one(seconds(20));
    history.sends(Ok(()));
    assert_eq!(history.due_at(), Some(T0 + seconds(20)));
    assert_eq!(history.after(seconds(5)).on(Event::Due), [], "it is not taken back before anybody follows");
    let effects = history.wait();
    is_sent_now(&history, "alpha");
    assert_eq!(dispatches(&effects, JobKind::Revoke), 1);
}

#[test]
fn what_is_due_is_done_although_nobody_may_go_at_that_moment() {
    let mut history = open(&["alpha", "beta", "gamma"]);
    history.out = vec!["gamma"];
    history.sends_to_a_busy_one(seconds(29));
    history.sends(Ok(()));
    history.out = vec!["alpha", "gamma"];
    history.wait();
    assert_eq!((history.now, history.verification.attempts.len()), (T0 + seconds(30), 3));
    assert!(history.due_at() > Some(history.now), "not due again at once");
}

#[test]
fn when_somebody_must_look_does_not_depend_on_when_it_is_asked() {
    let mut history = open(&["alpha", "beta"]);
    history.sends_to_a_busy_one(seconds(29));
    history.verification.attempts[1].wait = seconds(5);
    history.sends(Ok(()));
    for _ in 0..40 {
        assert_eq!(history.due_at(), Some(T0 + seconds(29)));
        history.after(seconds(1));
    }
}

#[test]
fn of_two_who_are_too_busy_the_one_that_is_free_first_goes_first() {
    let mut history = open(&["alpha", "beta"]);
    history.sends_to_a_busy_one(seconds(2));
    history.sends_to_a_busy_one(seconds(5));
    // Beta's own second try would be at 5 s.
    history.wait();
    assert_eq!(history.now, T0 + seconds(2));
    is_sent_now(&history, "alpha");
}

#[test]
fn who_was_too_busy_and_did_not_say_for_how_long_is_not_asked_again() {
    let mut history = open(&["alpha", "beta"]);
    history.sends(Err(FailureClass::Throttled));
    history.sends(Err(FailureClass::Rejected));
    assert_eq!(history.ending(), Some(Ending::Failed));
}

#[test]
fn somebody_who_may_not_go_now_keeps_nobody_from_a_second_try() {
    let mut history = open(&["alpha", "beta"]);
    history.out = vec!["beta"];
    history.sends_to_a_busy_one(seconds(3));
    assert_eq!((history.current_provider(), history.due_at()), ("alpha", Some(T0 + seconds(3))));
    history.wait();
    history.sends(Err(FailureClass::Rejected));
    is_sent_now(&history, "beta");
}

#[test]
fn of_those_who_are_left_whoever_may_go_now_goes_first_and_somebody_goes_in_any_case() {
    let mut history = open(&["alpha", "beta", "gamma"]);
    history.out = vec!["beta"];
    history.sends(Err(FailureClass::Rejected));
    is_sent_now(&history, "gamma");
    history.sends(Err(FailureClass::Rejected));
    is_sent_now(&history, "beta");
}

#[test]
fn a_busy_account_is_passed_over_without_being_asked_and_asked_when_nobody_else_is_left() {
    let mut history = open(&["alpha", "beta"]);
    let effects = history.skips(Some(T0 + seconds(4)));
    is_sent_now(&history, "beta");
    let told = |effect: &Effect| matches!(effect, Effect::Observe(it) if it.measure != Measure::Skipped);
    assert!(!effects.iter().any(told), "{effects:?}");
    history.sends(Err(FailureClass::Rejected));
    assert_eq!((history.current_provider(), history.due_at()), ("alpha", Some(T0 + seconds(4))));
    history.wait();
    history.sends(Ok(()));
    assert_eq!(history.current().tries, 1);
}

#[test]
fn a_short_code_goes_to_the_second_when_the_first_is_down_at_once() {
    let mut history = lasting(119, &["alpha", "beta"]);
    history.sends(Err(FailureClass::Unavailable));
    history.wait();
    history.sends(Err(FailureClass::Unavailable));
    is_sent_now(&history, "beta");
    assert!(history.now <= T0 + seconds(1));
}

#[test]
fn the_shortest_code_reaches_everybody_although_the_first_two_stay_silent() {
    let mut history = lasting(60, &["alpha", "beta", "gamma"]);
    for next in ["beta", "gamma"] {
        history.sends(Ok(()));
        history.wait();
        is_sent_now(&history, next);
        assert!(history.now < history.verification.send_before);
    }
    history.sends(Ok(()));
    assert_eq!(history.due_at(), Some(T0 + seconds(60)), "the last one has until the end");
}

#[test]
fn an_answer_that_never_comes_leaves_time_for_the_others_as_well() {
    let mut history = lasting(60, &["alpha", "beta", "gamma"]);
    history.sends(Err(FailureClass::Ambiguous));
    assert_eq!(history.due_at(), Some(T0 + seconds(5)));
}

#[test]
fn a_lane_where_nobody_comes_does_not_use_up_a_short_life() {
    let patient = |name| Candidate { max_queue_wait: seconds(60), ..candidate(name, Channel::Sms) };
    let two = vec![patient("alpha"), patient("beta")];
    let mut history = History::lasting(seconds(60), two, LifecyclePolicy::default());
    assert_eq!(history.due_at(), Some(T0 + std::time::Duration::from_millis(7_500)));
    history.wait();
    is_sent_now(&history, "beta");
    assert_eq!(history.due_at(), Some(T0 + seconds(15)), "the last one has until it is too late");
}

#[test]
fn a_wait_that_others_need_less_of_shrinks_less() {
    let with = |name, wait| Candidate { wait: seconds(wait), ..candidate(name, Channel::Sms) };
    let check = |waits: [u64; 3], first: u64| {
        let candidates = ["alpha", "beta", "gamma"].iter().zip(waits).map(|(name, wait)| with(name, wait));
        let mut history = History::lasting(seconds(130), candidates.collect(), LifecyclePolicy::default());
        history.sends(Ok(()));
        assert_eq!(history.due_at(), Some(T0 + seconds(first)), "{waits:?} in 85 s");
    };
    check([60, 5, 5], 60);
    check([5, 60, 60], 5);
    check([60, 60, 15], 35);
    check([30, 25, 30], 30);
}

#[test]
fn who_was_passed_over_leaves_its_attempt_to_the_tail_of_a_long_route() {
    let mut history = open(&["a", "b", "c", "d", "e", "f", "g"]);
    for _ in 0..4 {
        history.skips(None);
    }
    // Nobody comes to this lane.
    history.wait();
    is_sent_now(&history, "f");
    assert_eq!(attempts_left(&history.verification, &history.policy), 4);
    history.sends(Err(FailureClass::Rejected));
    history.sends(Ok(()));
    assert_eq!(attempts_left(&history.verification, &history.policy), 3);
}

#[test]
fn sec_19_no_more_providers_are_asked_than_a_verification_may_have_attempts() {
    let mut history = open(&["a", "b", "c", "d", "e", "f", "g"]);
    for _ in 0..5 {
        history.sends(Err(FailureClass::Rejected));
    }
    assert_eq!((history.current_provider(), history.ending()), ("e", Some(Ending::Failed)));
}

proptest! {
    /// Everybody takes the message and stays silent.
    #[test]
    fn waits_fit_the_life_of_the_code(
        waits in prop::collection::vec(5_u64..300, 1..6),
        ttl in 60_u64..600,
        claimed_after in 0_u64..200,
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let with = |(name, wait): (&&str, &u64)| Candidate { wait: seconds(*wait), ..candidate(name, Channel::Sms) };
        let candidates: Vec<Candidate> = names.iter().zip(&waits).map(with).collect();
        let mut history = History::lasting(seconds(ttl), candidates.clone(), LifecyclePolicy::default());
        let send_before = history.verification.send_before;
        let time = T0.until(send_before);
        let lag = std::time::Duration::from_millis(claimed_after);
        let is_long = waits.iter().map(|wait| seconds(*wait) + lag).sum::<std::time::Duration>() <= time;
        loop {
            history.after(lag);
            let claimed_at = history.now;
            history.sends(Ok(()));
            let due = history.due_at().unwrap();
            if due == history.verification.expires_at {
                break;
            }
            prop_assert!(due < send_before);
            let waited = claimed_at.until(due);
            let own = history.current().wait;
            prop_assert!(waited <= own && waited >= own.min(seconds(5)));
            prop_assert!(!is_long || waited == own, "a long life changes nothing");
            history.wait();
            prop_assert!(history.current().is_live(), "somebody goes");
        }
        let fits = time >= (seconds(5) + lag) * u32::try_from(waits.len()).unwrap();
        prop_assert!(!fits || history.verification.attempts.len() == waits.len(), "everybody has a turn");
    }

    /// Whoever is down says so at once.
    #[test]
    fn everybody_has_a_turn_while_there_is_time(count in 1_usize..6, ttl in 60_u64..600) {
        let names = ["a", "b", "c", "d", "e"];
        let mut history = lasting(ttl, &names[..count]);
        for name in &names[..count] {
            is_sent_now(&history, name);
            history.after(std::time::Duration::from_millis(200));
            history.sends(Err(FailureClass::Rejected));
        }
        prop_assert_eq!(history.ending(), Some(Ending::Failed));
    }
}
