use otter_decision::lifecycle::{ResendRefusal, resend_allowed_at};
use otter_domain::*;

use super::history::*;

#[test]
fn opening_queues_the_first_candidate_with_a_valid_code() {
    let history = History::login();
    assert_eq!(dispatches(&history.effects, JobKind::Send), 1);
    assert_eq!(history.current_provider(), "alpha");
    assert_eq!(history.verification.slots.len(), 1);
    assert_eq!(history.due_at(), Some(T0 + seconds(5)));
}

#[test]
fn each_failure_class_leads_to_the_candidate_that_its_row_names() {
    let check = |class: FailureClass, next: &str| {
        let mut history = History::login();
        history.sends(Err(class));
        assert_eq!(history.current_provider(), next, "{class}");
        assert!(history.current().is_live(), "{class}");
    };
    check(FailureClass::Rejected, "beta");
    check(FailureClass::Unroutable, "gamma");
    check(FailureClass::Throttled, "beta");
    check(FailureClass::Misconfigured, "beta");
}

#[test]
fn an_unavailable_provider_is_tried_once_more_with_the_same_code_and_then_left() {
    let mut history = History::login();
    history.sends(Err(FailureClass::Unavailable));
    assert!(matches!(history.current().phase, Phase::Retrying { .. }));
    let digest = history.verification.slots[0].digest;
    assert!(history.due_at().unwrap() <= history.now + seconds(1));
    history.wait();
    assert_eq!((history.current_provider(), history.verification.slots[0].digest), ("alpha", digest));
    history.sends(Err(FailureClass::Unavailable));
    assert_eq!(history.current_provider(), "beta");
    assert_eq!(history.verification.slots.len(), 1, "the code that was never handed over has left its slot");
}

#[test]
fn what_was_not_tried_is_counted_as_skipped() {
    let mut history = History::login();
    assert!(history.claim());
    let effects = history.on(Event::Skipped { attempt: AttemptNumber::FIRST, tries: 1, busy_until: None });
    assert_eq!(history.current_provider(), "beta");
    assert_eq!(observed(&effects), [(1, Measure::Skipped)]);
}

#[test]
fn a_receipt_that_came_while_a_worker_was_lost_lets_the_next_candidate_go_when_that_is_known() {
    let mut history = History::login();
    assert!(history.claim());
    history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered);
    assert_eq!(history.verification.attempts.len(), 1);
    history.wait();
    assert!(matches!(history.verification.attempts[0].phase, Phase::Ambiguous { .. }));
    assert_eq!(history.current_provider(), "gamma", "unroutable: another channel");
}

#[test]
fn an_ambiguous_send_waits_and_then_leaves_the_provider() {
    let mut history = History::open(
        vec![
            candidate("alpha", Channel::Sms),
            candidate("alpha", Channel::Voice),
            candidate("beta", Channel::Sms),
        ],
        LifecyclePolicy::default(),
    );
    history.sends(Err(FailureClass::Ambiguous));
    assert_eq!(history.due_at(), Some(T0 + seconds(30)));
    assert_eq!(history.verification.attempts.len(), 1);
    history.wait();
    assert_eq!(history.current_provider(), "beta");
    assert_eq!(history.verification.slots.len(), 2, "the first code may be in somebody's hand");
}

#[test]
fn only_a_resend_uses_a_provider_again_after_an_ambiguous_send_and_only_an_idempotent_one() {
    let ambiguous = |provider: &str, idempotent: bool| {
        let one = |channel| Candidate { idempotent, ..candidate(provider, channel) };
        let both = vec![one(Channel::Rcs), one(Channel::Voice)];
        let mut history = History::open(both, LifecyclePolicy::default());
        history.sends(Err(FailureClass::Ambiguous));
        history.after(seconds(30)).on(Event::Due);
        assert_eq!(history.verification.attempts.len(), 1, "{provider}: its next message has another id");
        history
    };
    let mut wanted = ambiguous("delta", true);
    wanted.resend(None).unwrap();
    assert_eq!((wanted.current_provider(), wanted.current().channel), ("delta", Channel::Voice));
    assert_eq!(ambiguous("alpha", false).resend(None), Err(ResendRefusal::NoCandidate));
}

#[test]
fn silence_after_acceptance_lets_the_next_one_go_and_a_delivery_does_not() {
    let mut silent = History::login();
    silent.sends(Ok(()));
    silent.wait();
    assert_eq!((silent.current_provider(), silent.now), ("beta", T0 + seconds(30)));

    let mut delivered = History::login();
    delivered.sends(Ok(()));
    delivered.receipt(AttemptNumber::FIRST, ReceiptStatus::Delivered);
    assert_eq!(delivered.due_at(), Some(T0 + seconds(300)));
    delivered.after(seconds(31)).on(Event::Due);
    assert_eq!(delivered.verification.attempts.len(), 1);
}

#[test]
fn a_hard_negative_receipt_fails_over_at_once_and_its_code_stays_valid() {
    let mut history = History::login();
    history.sends(Ok(()));
    history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered);
    assert_eq!(history.current_provider(), "gamma", "the channel does not reach this person");
    assert_eq!(history.verification.slots.len(), 2);
}

#[test]
fn a_negative_receipt_that_comes_before_the_answer_counts_when_the_answer_is_booked() {
    let mut history = History::login();
    history.claim();
    assert!(history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered).is_empty());
    history.sent(Ok(()));
    assert_eq!(history.current_provider(), "gamma");
}

#[test]
fn a_message_that_its_vendor_reports_on_was_taken_whatever_the_answer_says() {
    use FailureClass::{Misconfigured, Rejected, Throttled, Unavailable, Unroutable};
    for class in [Rejected, Unroutable, Throttled, Unavailable, Misconfigured] {
        for status in [ReceiptStatus::Sent, ReceiptStatus::Delivered] {
            let mut history = History::login();
            history.claim();
            assert!(history.receipt(AttemptNumber::FIRST, status).is_empty());
            let effects = history.sent(Err(class));
            assert!(matches!(history.current().phase, Phase::Accepted { .. }), "{status}, then {class}");
            assert_eq!(dispatches(&effects, JobKind::Send), 0, "{status}, then {class}");
            assert_eq!(history.verification.slots.len(), 1, "the person may hold the code");
        }
    }
}

#[test]
fn a_vendor_that_reports_a_loss_and_answers_an_error_is_left_at_once_and_its_code_stays_valid() {
    let mut history = History::login();
    history.claim();
    history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered);
    history.sent(Err(FailureClass::Unavailable));
    assert_eq!(
        history.current_provider(),
        "gamma",
        "not tried again, and the channel does not reach this person"
    );
    assert_eq!(history.verification.slots.len(), 2);
}

/// Ways to let an attempt wait for its second try: until its time, and on its lane.
const WAITING: [fn(&mut History); 2] = [|_| {}, |history| drop(history.wait())];

#[test]
fn a_report_while_a_message_waits_to_be_tried_again_keeps_it_from_being_sent_twice() {
    for wait in WAITING {
        let mut history = History::login();
        history.sends(Err(FailureClass::Unavailable));
        wait(&mut history);
        history.receipt(AttemptNumber::FIRST, ReceiptStatus::Delivered);
        assert!(matches!(history.current().phase, Phase::Accepted { .. }));
        assert!(!history.claim());
        assert_eq!(history.due_at(), Some(T0 + seconds(300)), "nobody else goes");
    }
}

#[test]
fn a_report_that_nobody_followed_up_is_believed_by_whoever_looks_next() {
    let check = |next: fn(&mut History)| {
        for wait in WAITING {
            let mut history = History::login();
            history.sends(Err(FailureClass::Unavailable));
            wait(&mut history);
            let receipt = Receipt { status: ReceiptStatus::Sent, at: history.now, because: None };
            history.verification.attempts[0].receipt = Some(receipt);
            next(&mut history);
            assert!(matches!(history.verification.attempts[0].phase, Phase::Accepted { .. }));
            assert_eq!(history.verification.attempts.len(), 1);
        }
    };
    check(|history| drop(history.wait()));
    check(|history| drop(history.after(seconds(6)).on(Event::Due)));
    check(|history| drop(history.on(Event::Cancelled)));
}

#[test]
fn a_second_try_that_is_given_back_or_skipped_after_a_report_is_not_made() {
    let check = |event: fn(AttemptNumber, u8) -> Event| {
        let mut history = History::login();
        history.sends(Err(FailureClass::Unavailable));
        history.wait();
        assert!(history.claim());
        history.receipt(AttemptNumber::FIRST, ReceiptStatus::Sent);
        let effects = history.on(event(AttemptNumber::FIRST, 2));
        assert!(matches!(history.current().phase, Phase::Accepted { .. }), "{effects:?}");
        assert_eq!((dispatches(&effects, JobKind::Send), history.verification.slots.len()), (0, 1));
    };
    check(|attempt, tries| Event::Released { attempt, tries });
    check(|attempt, tries| Event::Skipped { attempt, tries, busy_until: None });
}

#[test]
fn a_receipt_of_an_earlier_attempt_changes_nothing_after_failover() {
    let mut history = History::login();
    history.sends(Ok(()));
    history.wait();
    let effects = history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered);
    assert!(effects.is_empty());
    assert_eq!(history.verification.attempts.len(), 2);
}

#[test]
fn a_job_that_nobody_claims_is_withdrawn_for_the_next_candidate() {
    let mut history = History::login();
    history.wait();
    assert_eq!((history.current_provider(), history.now), ("beta", T0 + seconds(5)));
    assert!(matches!(
        history.verification.attempts[0].phase,
        Phase::Ended { how: AttemptEnd::Failed(Failure { class: FailureClass::Unavailable, .. }), .. }
    ));
}

#[test]
fn a_lease_that_is_lost_after_the_end_is_ambiguous_as_well() {
    let mut history = History::login();
    assert!(history.claim());
    history.on(Event::Cancelled);
    // As a store that has erased everything of it.
    history.verification.private = None;
    assert_eq!(history.due_at(), Some(T0 + seconds(6)));
    history.wait();
    assert!(matches!(history.current().phase, Phase::Ambiguous { .. }));
    assert_eq!(history.due_at(), None);
}

#[test]
fn a_lost_lease_is_ambiguous_and_a_worker_that_wakes_up_may_still_say_what_happened() {
    let mut history = History::login();
    history.claim();
    history.wait();
    assert!(matches!(history.current().phase, Phase::Ambiguous { .. }));
    assert_eq!(history.now, T0 + seconds(6));
    history.sent(Ok(()));
    assert!(matches!(history.current().phase, Phase::Accepted { .. }));
    assert_eq!(history.due_at(), Some(T0 + seconds(30)));
}

#[test]
fn a_plan_that_is_exhausted_fails_only_if_no_code_is_on_its_way() {
    let one = || vec![candidate("alpha", Channel::Sms)];
    let mut refused = History::open(one(), LifecyclePolicy::default());
    refused.sends(Err(FailureClass::Rejected));
    assert_eq!(refused.ending(), Some(Ending::Failed));

    let mut silent = History::open(one(), LifecyclePolicy::default());
    silent.sends(Ok(()));
    assert_eq!(silent.due_at(), Some(T0 + seconds(300)));
    silent.wait();
    assert_eq!(silent.ending(), Some(Ending::Expired));
}

#[test]
fn nothing_is_dispatched_past_the_last_useful_moment() {
    let mut history = History::login();
    history.sends(Ok(()));
    history.after(seconds(256));
    assert_eq!(dispatches(&history.on(Event::Due), JobKind::Send), 0);
    assert_eq!(history.verification.attempts.len(), 1);
    assert_eq!(history.due_at(), Some(T0 + seconds(300)));
}

#[test]
fn a_queued_code_is_never_sent_after_its_last_useful_moment() {
    let mut slow = candidate("alpha", Channel::Sms);
    slow.max_queue_wait = seconds(600);
    let mut history = History::open(vec![slow], LifecyclePolicy::default());
    assert_eq!(history.due_at(), Some(T0 + seconds(255)));
    history.wait();
    assert!(!history.current().is_live());
    assert!(history.verification.is_pending());
    history.wait();
    assert_eq!(history.ending(), Some(Ending::Expired));
}

#[test]
fn a_cancel_withdraws_what_is_queued_and_takes_back_what_was_sent() {
    let mut history = History::open(
        vec![candidate("delta", Channel::Rcs), candidate("beta", Channel::Sms)],
        LifecyclePolicy::default(),
    );
    history.sends(Ok(()));
    let effects = history.on(Event::Cancelled);
    assert_eq!(history.ending(), Some(Ending::Cancelled));
    assert_eq!(dispatches(&effects, JobKind::Revoke), 1);
    assert!(history.verification.private.is_some(), "the number is needed to take the message back");
    history.on(Event::RevokeSettled { attempt: AttemptNumber::FIRST });
    assert_eq!(history.verification.private, None);
    assert_eq!(history.due_at(), None);
}

#[test]
fn failing_over_takes_back_a_message_that_can_be_taken_back() {
    let mut history = History::open(
        vec![candidate("delta", Channel::Rcs), candidate("beta", Channel::Sms)],
        LifecyclePolicy::default(),
    );
    history.sends(Ok(()));
    let effects = history.wait();
    assert_eq!((dispatches(&effects, JobKind::Send), dispatches(&effects, JobKind::Revoke)), (1, 1));
}

#[test]
fn a_reported_success_ends_it_and_credits_the_attempt() {
    let mut history = History::login();
    history.sends(Ok(()));
    let effects = history.on(Event::Reported { verified: true, attempt: None });
    assert_eq!(history.ending(), Some(Ending::Verified { by: Some(AttemptNumber::FIRST) }));
    let verified = |effect: &Effect| {
        matches!(effect, Effect::Observe(Observation { measure: Measure::Verified(_), .. }))
    };
    assert!(effects.iter().any(verified));
    assert!(history.on(Event::Reported { verified: true, attempt: None }).is_empty());
}

#[test]
fn sec_18_code_policies_decide_which_codes_are_valid_after_a_failover() {
    let check = |codes: CodePolicy, expected: &[Option<u8>]| {
        let policy = LifecyclePolicy { codes, ..LifecyclePolicy::default() };
        let mut history = History::open(four_candidates(), policy);
        for _ in 0..3 {
            history.sends(Ok(()));
            history.wait();
        }
        let attempts: Vec<_> =
            history.verification.slots.iter().map(|slot| slot.attempt.map(AttemptNumber::get)).collect();
        assert_eq!(attempts, expected, "{codes:?}");
    };
    check(CodePolicy::FreshAcceptRecent(3), &[Some(2), Some(3), Some(4)]);
    check(CodePolicy::FreshAcceptRecent(2), &[Some(3), Some(4)]);
    check(CodePolicy::FreshReplace, &[Some(4)]);
    check(CodePolicy::Same, &[None]);
}

#[test]
fn sec_11_a_code_that_was_handed_over_is_forgotten_unless_it_travels_again() {
    let mut fresh = History::login();
    fresh.sends(Ok(()));
    assert_eq!(fresh.verification.private.as_ref().unwrap().code, None);

    let policy = LifecyclePolicy { codes: CodePolicy::Same, ..LifecyclePolicy::default() };
    let mut same = History::open(four_candidates(), policy);
    same.sends(Ok(()));
    assert!(same.verification.private.as_ref().unwrap().code.is_some());
}

#[test]
fn sec_19_a_resend_waits_for_a_growing_cooldown_and_ends_the_current_wait() {
    let mut history = History::login();
    assert!(matches!(history.resend(None), Err(ResendRefusal::Live { .. })));
    history.sends(Ok(()));
    assert_eq!(history.resend(None), Err(ResendRefusal::TooEarly { retry_after: seconds(30) }));
    history.after(seconds(30));
    assert_eq!(dispatches(&history.resend(None).unwrap(), JobKind::Send), 1);
    assert_eq!((history.current_provider(), history.current().origin), ("beta", Origin::Resend));
    history.sends(Ok(()));
    assert_eq!(history.resend(None), Err(ResendRefusal::TooEarly { retry_after: seconds(60) }));
    assert_eq!(resend_allowed_at(&history.verification, &history.policy), Some(T0 + seconds(90)));
}

#[test]
fn a_resend_goes_over_the_asked_channel_and_never_past_five_attempts() {
    let mut history = History::login();
    history.policy.resend.cooldowns = vec![seconds(1)];
    history.sends(Ok(()));
    history.after(seconds(1)).resend(Some(Channel::WhatsApp)).unwrap();
    assert_eq!(history.current_provider(), "gamma");
    for _ in 0..3 {
        history.sends(Ok(()));
        history.after(seconds(1)).resend(Some(Channel::WhatsApp)).unwrap();
        assert_eq!(history.current_provider(), "gamma", "the only candidate of the channel is used again");
    }
    history.sends(Ok(()));
    assert_eq!(history.after(seconds(1)).resend(None), Err(ResendRefusal::TooMany));
    assert_eq!(history.resend(Some(Channel::Voice)), Err(ResendRefusal::TooMany));
}

#[test]
fn a_resend_over_a_channel_that_nobody_serves_is_refused() {
    let mut history = History::login();
    history.sends(Ok(()));
    assert_eq!(history.after(seconds(30)).resend(Some(Channel::Voice)), Err(ResendRefusal::NoCandidate));
}

#[test]
fn a_worker_that_stops_gives_its_job_back() {
    let mut history = History::login();
    history.claim();
    let attempt = history.current().number;
    let effects = history.on(Event::Released { attempt, tries: 1 });
    assert_eq!(dispatches(&effects, JobKind::Send), 1);
    assert!(matches!(history.current().phase, Phase::Queued { .. }));
    assert!(history.claim());
}

#[test]
fn what_an_earlier_try_learnt_says_nothing_of_a_later_one() {
    let mut history = History::login();
    history.sends(Err(FailureClass::Unavailable));
    history.wait();
    assert!(history.claim());
    let failure = Failure::new(FailureClass::Unavailable, ErrorClass::Network);
    let late = Event::Sent { attempt: AttemptNumber::FIRST, tries: 1, outcome: Err(failure) };
    assert!(history.on(late).is_empty(), "the second try is still under way");
    history.sent(Ok(()));
    assert!(matches!(history.current().phase, Phase::Accepted { .. }));
}

#[test]
fn an_expired_verification_says_how_far_the_furthest_of_its_messages_came() {
    let check = |why: ExpiryReason, happens: fn(&mut History)| {
        let mut history = History::open(vec![candidate("alpha", Channel::Sms)], LifecyclePolicy::default());
        happens(&mut history);
        let effects = history.after(seconds(600)).on(Event::Due);
        let ended = HappeningKind::Ended { how: Ending::Expired, because: Some(why) };
        assert!(effects.contains(&Effect::Publish(ended)), "{why}: {effects:?}");
        assert_eq!(ExpiryReason::of(&history.verification), why, "it reads as it was told");
    };
    let reported = |history: &mut History, status| drop(history.receipt(AttemptNumber::FIRST, status));
    check(ExpiryReason::NotSent, |_| {});
    check(ExpiryReason::NotSent, |history| drop(history.sends(Err(FailureClass::Unavailable))));
    check(ExpiryReason::MaybeSent, |history| assert!(history.claim()));
    check(ExpiryReason::MaybeSent, |history| drop(history.sends(Err(FailureClass::Ambiguous))));
    check(ExpiryReason::Unconfirmed, |history| drop(history.sends(Ok(()))));
    check(ExpiryReason::NotEntered, |history| {
        history.sends(Err(FailureClass::Ambiguous));
        history.receipt(AttemptNumber::FIRST, ReceiptStatus::Delivered);
    });
    check(ExpiryReason::Undelivered, |history| {
        history.sends(Ok(()));
        history.receipt(AttemptNumber::FIRST, ReceiptStatus::Expired);
    });
    let mut both = History::login();
    both.sends(Ok(()));
    both.wait();
    reported(&mut both, ReceiptStatus::Read);
    assert_eq!(ExpiryReason::of(&both.verification), ExpiryReason::NotEntered, "the second was never sent");
}
