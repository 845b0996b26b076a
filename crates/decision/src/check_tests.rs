#![allow(clippy::unwrap_used)]

use otter_domain::{
    Attempt, Channel, Digest, KeyId, PresentedDigest, Receipt, ReceiptStatus, TenantId, VerificationId,
};
use proptest::prelude::*;

use super::*;
use crate::fixture::{T0, after, attempt, claimed, id, slot, verification};

fn submission(code: u8) -> CheckSubmission {
    CheckSubmission {
        id: id(),
        tenant: TenantId::parse("shop").unwrap(),
        digests: vec![
            PresentedDigest { key: KeyId(2), digest: Digest([code.wrapping_add(100); 32]) },
            PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) },
        ],
        request_id: None,
    }
}

fn named(code: u8, request_id: &str) -> CheckSubmission {
    CheckSubmission { request_id: Some(RequestId::parse(request_id).unwrap()), ..submission(code) }
}

fn counter(count: u16, last_at: Moment) -> FailedChecks {
    let state = verification(Vec::new());
    FailedChecks {
        tenant: state.tenant,
        recipient: state.recipient,
        subject: None,
        class: ChannelClass::Pstn,
        count,
        last_at,
        last_in: VerificationId::parse("018f2c5a-7b1e-7c3a-9d2e-000000000000").unwrap(),
    }
}

fn one_attempt() -> Verification {
    verification(vec![attempt(1, "twilio-eu")])
}

fn verdict(state: &mut Verification, submission: &CheckSubmission, now: Moment) -> CheckVerdict {
    judge(state, &mut Vec::new(), None, submission, now).verdict
}

#[test]
fn the_right_code_ends_the_verification_and_credits_its_attempt() {
    let second = Attempt { claimed_at: Some(after(30)), ..attempt(2, "vonage") };
    let mut state = verification(vec![attempt(1, "twilio-eu"), second]);
    let judgement = judge(&mut state, &mut Vec::new(), None, &named(2, "call-1"), after(42));

    let by = AttemptNumber::new(2);
    let how = Ending::Verified { by };
    assert_eq!(judgement.verdict, CheckVerdict::Verified { by, repeated: false });
    assert_eq!(judgement.happening, [HappeningKind::Ended { how, because: None }]);
    assert_eq!(judgement.winner, RequestId::parse("call-1").ok());
    let observation = judgement.observation.unwrap();
    assert_eq!(observation.segment.provider.as_str(), "vonage");
    assert_eq!((observation.attempted_at, observation.measure), (after(30), Measure::Verified(6)), "12 s");
    assert_eq!(state.state, State::Ended { how, at: after(42) });
    assert_eq!((state.checks, state.slots.len(), state.private), (1, 0, None));
}

#[test]
fn rte_04_a_shared_code_credits_nobody_unless_there_is_one_attempt_only() {
    let check = |attempts: Vec<Attempt>, expected: Option<AttemptNumber>| {
        let mut state = verification(attempts);
        state.slots = vec![slot(None, Channel::Sms, 1)];
        let judgement = judge(&mut state, &mut Vec::new(), None, &submission(1), after(5));
        assert_eq!(judgement.verdict, CheckVerdict::Verified { by: expected, repeated: false });
        assert_eq!(judgement.observation.is_some(), expected.is_some());
    };
    check(vec![attempt(1, "twilio-eu")], Some(AttemptNumber::FIRST));
    check(vec![attempt(1, "twilio-eu"), attempt(2, "vonage")], None);
    let unsent = Attempt { phase: Phase::Queued { withdraw_at: after(40) }, ..attempt(2, "vonage") };
    check(vec![attempt(1, "twilio-eu"), unsent], Some(AttemptNumber::FIRST));
}

#[test]
fn rte_04_a_shared_code_that_is_being_sent_again_takes_the_other_attempt_out_of_conversion() {
    let mut state =
        verification(vec![attempt(1, "twilio-eu"), Attempt { phase: claimed(), ..attempt(2, "vonage") }]);
    state.slots = vec![slot(None, Channel::Sms, 1)];
    let judgement = judge(&mut state, &mut Vec::new(), None, &submission(1), after(5));
    assert_eq!(judgement.verdict, CheckVerdict::Verified { by: None, repeated: false });
    let observation = judgement.observation.unwrap();
    assert_eq!(observation.segment.provider.as_str(), "twilio-eu");
    assert_eq!((observation.attempted_at, observation.measure), (T0, Measure::Uncredited));
}

#[test]
fn sec_03_a_used_code_is_refused_and_only_the_winner_may_ask_again() {
    let mut state = one_attempt();
    let won = judge(&mut state, &mut Vec::new(), None, &named(1, "call-1"), after(5)).winner;
    let by = Some(AttemptNumber::FIRST);
    let after_success = state.clone();
    let mut ask = |submission: &CheckSubmission| {
        judge(&mut state, &mut Vec::new(), won.as_ref(), submission, after(400)).verdict
    };
    assert_eq!(ask(&submission(1)), CheckVerdict::Ended(Ending::Verified { by }));
    assert_eq!(ask(&named(1, "call-2")), CheckVerdict::Ended(Ending::Verified { by }));
    assert_eq!(ask(&named(1, "call-1")), CheckVerdict::Verified { by, repeated: true });
    assert_eq!(state, after_success);
}

#[test]
fn without_a_request_id_nobody_is_the_winner() {
    let mut state = one_attempt();
    judge(&mut state, &mut Vec::new(), None, &submission(1), after(5));
    let ending = Ending::Verified { by: Some(AttemptNumber::FIRST) };
    assert_eq!(verdict(&mut state, &submission(1), after(6)), CheckVerdict::Ended(ending));
}

#[test]
fn another_tenants_verification_is_unknown() {
    let mut state = one_attempt();
    let foreign = CheckSubmission { tenant: TenantId::parse("other").unwrap(), ..submission(1) };
    assert_eq!(verdict(&mut state, &foreign, after(5)), CheckVerdict::Unknown);
    assert_eq!(state, one_attempt());
}

#[test]
fn sec_02_a_check_at_exactly_the_deadline_is_too_late() {
    let mut state = one_attempt();
    assert_eq!(verdict(&mut state, &submission(1), after(300)), CheckVerdict::Ended(Ending::Expired));
    assert_eq!(state, one_attempt());
    let just_before = after(300) - Duration::from_millis(1);
    assert!(matches!(verdict(&mut state, &submission(1), just_before), CheckVerdict::Verified { .. }));
}

#[test]
fn sec_18_a_code_that_outlived_its_own_time_does_not_match() {
    let mut state = verification(vec![attempt(1, "twilio-eu"), attempt(2, "vonage")]);
    state.slots[0].until = after(100);
    assert_eq!(verdict(&mut state, &submission(1), after(100)), CheckVerdict::Wrong { remaining: 4 });
    assert!(matches!(verdict(&mut state, &submission(2), after(100)), CheckVerdict::Verified { .. }));
}

#[test]
fn sec_07_a_digest_is_compared_under_its_own_key_only() {
    let mut state = one_attempt();
    state.slots[0].key = KeyId(2);
    assert_eq!(verdict(&mut state, &submission(1), T0), CheckVerdict::Wrong { remaining: 4 });
    state.slots[0].digest = Digest([101; 32]);
    assert!(matches!(verdict(&mut state, &submission(1), T0), CheckVerdict::Verified { .. }));
}

#[test]
fn sec_04_the_last_wrong_check_exhausts_the_verification() {
    let mut state = one_attempt();
    for remaining in [4, 3, 2, 1] {
        assert_eq!(verdict(&mut state, &submission(9), T0), CheckVerdict::Wrong { remaining });
    }
    let last = judge(&mut state, &mut Vec::new(), None, &submission(9), after(7));
    assert_eq!(last.verdict, CheckVerdict::Wrong { remaining: 0 });
    let ended = HappeningKind::Ended { how: Ending::Exhausted, because: None };
    assert_eq!(last.happening, [HappeningKind::CheckFailed { remaining: 0 }, ended]);
    assert_eq!(state.state, State::Ended { how: Ending::Exhausted, at: after(7) });
    assert_eq!((state.slots.len(), state.private.clone()), (0, None));
    assert_eq!(verdict(&mut state, &submission(1), after(8)), CheckVerdict::Ended(Ending::Exhausted));
}

#[test]
fn sec_09_two_hundred_right_checks_are_one_success_and_two_hundred_wrong_ones_the_budget() {
    let mut state = one_attempt();
    let counted = |state: &mut Verification, code: u8| {
        (0..200).filter(|_| judge(state, &mut Vec::new(), None, &submission(code), T0).is_counted()).count()
    };
    assert_eq!(counted(&mut state, 1), 1);
    assert_eq!(counted(&mut one_attempt(), 9), 5);
}

#[test]
fn sec_05_waits_double_from_the_fifth_failure_on_up_to_an_hour() {
    let check = |failures: u16, seconds: u64| {
        assert_eq!(wait_after(failures), Duration::from_secs(seconds), "after {failures} failures");
    };
    check(0, 0);
    check(4, 0);
    check(5, 30);
    check(6, 60);
    check(7, 120);
    check(11, 1920);
    check(12, 3600);
    check(99, 3600);
    check(u16::MAX, 3600);
}

#[test]
fn sec_05_earlier_failures_make_the_next_verification_wait() {
    let mut failed = vec![counter(6, T0)];
    let mut state = one_attempt();
    let early = judge(&mut state, &mut failed, None, &submission(1), after(20));
    assert_eq!(early.verdict, CheckVerdict::Waiting { retry_after: Some(Duration::from_secs(40)) });
    assert_eq!((state.clone(), failed.clone()), (one_attempt(), vec![counter(6, T0)]), "nothing was counted");

    let wrong = judge(&mut state, &mut failed, None, &submission(9), after(60));
    assert_eq!(wrong.verdict, CheckVerdict::Wrong { remaining: 4 });
    assert_eq!((failed[0].count, failed[0].last_at, failed[0].last_in), (7, after(60), id()));
    let next = judge(&mut state, &mut failed, None, &submission(1), after(61));
    assert!(next.is_counted(), "inside one verification the budget alone counts");
    assert_eq!(failed, [], "a success forgives");
}

#[test]
fn sec_05_a_hundred_failures_lock_the_class_for_good() {
    let locked = FailedChecks { last_in: id(), ..counter(FAILURES_BEFORE_LOCK, T0) };
    let mut failed = vec![locked, FailedChecks { class: ChannelClass::App, ..counter(5, after(90)) }];
    let mut state = verification(vec![attempt(1, "twilio-eu")]);
    state.slots.push(slot(Some(2), Channel::WhatsApp, 2));
    let judgement = judge(&mut state, &mut failed, None, &submission(1), after(100));
    assert_eq!(judgement.verdict, CheckVerdict::Waiting { retry_after: None });
}

#[test]
fn sec_05_a_wrong_check_counts_once_in_each_class_with_a_live_code() {
    let mut state = one_attempt();
    state.slots.extend([slot(Some(2), Channel::Voice, 2), slot(Some(3), Channel::Rcs, 3)]);
    let mut failed = Vec::new();
    judge(&mut state, &mut failed, None, &submission(9), after(1));
    let counts: Vec<_> = failed.iter().map(|counter| (counter.class, counter.count)).collect();
    assert_eq!(counts, [(ChannelClass::Pstn, 1), (ChannelClass::App, 1)]);
}

#[test]
fn sec_05_a_class_without_a_live_code_neither_waits_nor_is_forgiven() {
    let mut state = verification(vec![Attempt { channel: Channel::WhatsApp, ..attempt(1, "meta") }]);
    let mut failed = vec![counter(50, T0)];
    assert!(judge(&mut state, &mut failed, None, &submission(1), after(1)).is_counted());
    assert_eq!(failed, [counter(50, T0)]);
}

#[test]
fn the_number_stays_without_the_code_while_a_message_has_to_be_taken_back() {
    let revocable = |number| Attempt { revocation: Revocation::Possible, ..attempt(number, "rbm") };
    let check = |first: Attempt, kept: bool| {
        let mut state = verification(vec![first, revocable(2)]);
        judge(&mut state, &mut Vec::new(), None, &submission(2), after(5));
        assert_eq!((state.private.is_some(), needs_tidying(&state)), (kept, kept));
        assert!(state.private.is_none_or(|private| private.code.is_none()));
    };
    check(revocable(1), true);
    check(Attempt { phase: claimed(), ..revocable(1) }, true);
    check(Attempt { revocation: Revocation::Wanted, ..attempt(1, "rbm") }, true);
    check(Attempt { revocation: Revocation::Settled, ..attempt(1, "rbm") }, false);
    check(attempt(1, "twilio-eu"), false);
    let arrived = Receipt { status: ReceiptStatus::Delivered, at: after(2), because: None };
    check(Attempt { receipt: Some(arrived), ..revocable(1) }, false);
    assert!(
        !needs_tidying(&verification(vec![revocable(1)])),
        "a pending verification needs its number anyway"
    );
}

fn submissions() -> impl Strategy<Value = Vec<(u8, u64, bool)>> {
    proptest::collection::vec((0_u8..6, 0_u64..120, any::<bool>()), 1..40)
}

proptest! {
    #[test]
    fn sec_09_any_sequence_of_checks_has_one_success_keeps_the_budget_and_never_reopens(
        steps in submissions(), budget in 1_u8..=10, earlier in 0_u16..110,
    ) {
        let mut state = verification(vec![attempt(1, "twilio-eu"), attempt(2, "vonage")]);
        state.budget = budget;
        let mut failed = if earlier > 0 { vec![counter(earlier, T0)] } else { Vec::new() };
        let (mut now, mut winner, mut successes) = (T0, None, 0);
        for (code, seconds, is_named) in steps {
            now = now + Duration::from_secs(seconds);
            let asked = if is_named { named(code, &format!("call-{code}")) } else { submission(code) };
            let before = (state.clone(), failed.clone());
            let judgement = judge(&mut state, &mut failed, winner.as_ref(), &asked, now);
            if judgement.is_counted() {
                prop_assert!(now < state.expires_at && before.0.is_pending());
                prop_assert_eq!(state.checks, before.0.checks + 1);
                let version = before.0.version;
                prop_assert_eq!(state.version, if state.is_pending() { version } else { version.next() });
            } else {
                prop_assert_eq!(&before, &(state.clone(), failed.clone()));
                prop_assert!(judgement.happening.is_empty() && judgement.observation.is_none());
            }
            if let CheckVerdict::Verified { repeated: false, .. } = judgement.verdict {
                successes += 1;
                winner = judgement.winner.clone();
            }
            prop_assert!(state.checks <= budget && successes <= 1);
            prop_assert!(state.is_pending() || (state.slots.is_empty() && state.private.is_none()));
            prop_assert!(failed.iter().all(|counter| counter.count <= FAILURES_BEFORE_LOCK.max(earlier)));
        }
    }
}

#[test]
fn sec_05_a_class_is_shut_that_is_locked_or_waits_for_too_long() {
    let (pstn, both) = (ChannelClass::Pstn, ChannelClass::ALL);
    let of = |count: u16| [counter(count, T0)];
    let shut_by = |count: u16, by: Moment| shut(&of(count), &both, None, by, T0);
    // After the ninth failure in a row a check waits 480 s.
    let waiting = ShutClass { class: pstn, retry_after: Some(Duration::from_secs(480)) };
    assert_eq!(shut_by(9, after(479)), [waiting]);
    assert_eq!(shut_by(9, after(480)), [], "it can be checked in the last moment");
    assert_eq!(shut_by(4, T0), []);
    assert_eq!(shut_by(100, after(100_000)), [ShutClass { class: pstn, retry_after: None }]);
    assert_eq!(shut(&of(100), &[ChannelClass::App], None, T0, T0), [], "nobody asks for that class");
    let own = Some(of(9)[0].last_in);
    assert_eq!(shut(&of(9), &both, own, T0, T0), [], "inside one verification the budget alone counts");
    assert_eq!(shut(&of(100), &both, own, T0, T0).len(), 1, "a lock holds there too");
}
