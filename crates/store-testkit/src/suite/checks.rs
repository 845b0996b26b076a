//! Checks of codes: one success, a budget, waits, and the specification itself.

use std::sync::Arc;
use std::time::Duration;

use otter_decision::challenge::digest;
use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Channel, CheckSubmission, CheckVerdict, Code, Ending, FailureClass,
    HappeningKind, KeyId, Measure, Moment, Phase, PresentedDigest, Revocation, State, Subject, TenantId,
    Verification,
};
use otter_store::{Claim, Commit, CommitVerdict};
use proptest::prelude::*;

use super::model::{CheckModel, samples};
use crate::bench::{Bench, Setup};
use crate::fixture::{CODE, ended, plan_with_every_reason, planned, seconds, slot, worker};
use crate::kit::{Kit, change, claim, creation, dispatch, named, submission};

pub async fn the_right_code_ends_the_verification_in_one_step<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let pending = kit.dispatch(kit.verification(vec![kit.accepted(1, "right-code")])).await;
    let position = kit.tail().await;
    let answer = kit.store.check(kit.home, vec![submission(&pending, 1)]).await.unwrap();

    let by = Some(AttemptNumber::FIRST);
    let how = Ending::Verified { by };
    assert_eq!(answer.value[0].verdict, CheckVerdict::Verified { by, repeated: false });
    let expected = Verification {
        version: pending.version.next(),
        state: State::Ended { how, at: answer.now },
        checks: 1,
        slots: Vec::new(),
        private: None,
        ..pending.clone()
    };
    assert_eq!(answer.value[0].verification.as_ref(), Some(&expected));
    assert_eq!(kit.load(pending.id).await, Some(expected));
    let events: Vec<_> = kit.events_after(&position).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(events, [HappeningKind::Ended { how, because: None }]);
    let counted = kit.counted("right-code").await;
    assert!(matches!(counted.as_slice(), [(Measure::Verified(_), 1)]), "{counted:?}");
    kit.bench.pass(Duration::from_millis(5)).await;
    assert_eq!(kit.due(10).await, [], "its timer is gone");
}

pub async fn a_wrong_code_is_counted_without_a_new_version<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let pending = kit.create(kit.verification(vec![kit.accepted(1, "wrong")])).await;
    let position = kit.tail().await;
    let answer = kit.check(submission(&pending, 9)).await;
    assert_eq!(answer.verdict, CheckVerdict::Wrong { remaining: 4 });
    let counted = Verification { checks: 1, ..pending };
    assert_eq!(answer.verification, Some(Verification { private: None, ..counted.clone() }));
    assert_eq!(kit.load(counted.id).await, Some(counted));
    let events: Vec<_> = kit.events_after(&position).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(events, [HappeningKind::CheckFailed { remaining: 4 }]);
}

pub async fn sec_09_two_hundred_parallel_right_checks_are_one_success<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let by = Some(AttemptNumber::FIRST);
    let verdicts = race(open, 1).await;
    let of = |wanted: CheckVerdict| verdicts.iter().filter(|verdict| **verdict == wanted).count();
    assert_eq!(of(CheckVerdict::Verified { by, repeated: false }), 1);
    assert_eq!(of(CheckVerdict::Ended(Ending::Verified { by })), 199);
}

pub async fn sec_09_two_hundred_parallel_wrong_checks_are_the_budget<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let verdicts = race(open, 9).await;
    for remaining in 0..5 {
        let wrong = CheckVerdict::Wrong { remaining };
        assert_eq!(verdicts.iter().filter(|verdict| **verdict == wrong).count(), 1, "{remaining} left");
    }
    let ended = CheckVerdict::Ended(Ending::Exhausted);
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == ended).count(), 195);
}

/// The verdicts of two hundred parallel checks of one verification, half of them in batches.
async fn race<B: Bench>(open: impl AsyncFn(Setup) -> B, code: u8) -> Vec<CheckVerdict> {
    let kit = Kit::open(open).await;
    let pending = kit.create(kit.verification(vec![kit.accepted(1, "race")])).await;
    let batches = std::iter::repeat_n(1, 100).chain(std::iter::repeat_n(10, 10));
    let checks: Vec<_> = batches
        .map(|size| {
            let (store, home) = (Arc::clone(&kit.store), kit.home);
            let items = vec![submission(&pending, code); size];
            tokio::spawn(async move { store.check(home, items).await.unwrap().value })
        })
        .collect();
    let mut verdicts = Vec::new();
    for check in checks {
        verdicts.extend(check.await.unwrap().into_iter().map(|answer| answer.verdict));
    }
    verdicts
}

pub async fn sec_03_the_winner_may_ask_again_and_nobody_else<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let pending = kit.create(kit.verification(vec![kit.accepted(1, "winner")])).await;
    let by = Some(AttemptNumber::FIRST);
    let verified = |repeated| CheckVerdict::Verified { by, repeated };
    let ended = CheckVerdict::Ended(Ending::Verified { by });
    assert_eq!(kit.verdict(named(&pending, 1, "call:1")).await, verified(false));
    let position = kit.tail().await;
    assert_eq!(kit.verdict(named(&pending, 1, "call:1")).await, verified(true));
    assert_eq!(kit.verdict(named(&pending, 1, "call:2")).await, ended);
    assert_eq!(kit.verdict(submission(&pending, 1)).await, ended);
    assert_eq!(kit.events_after(&position).await, []);
    assert_eq!(kit.load(pending.id).await.unwrap().checks, 1);
}

/// What a check of the one code counts that all of these attempts carry, by provider `shared-1` and `shared-2`.
async fn shared<B: Bench>(open: impl AsyncFn(Setup) -> B, second: Phase) -> [Vec<(Measure, u64)>; 2] {
    let kit = Kit::open(open).await;
    let second = Attempt { phase: second, ..kit.accepted(2, "shared-2") };
    let slots = vec![slot(None, Channel::Sms, 1, kit.now + seconds(300))];
    let attempts = vec![kit.accepted(1, "shared-1"), second];
    let pending = kit.create(Verification { slots, ..kit.verification(attempts) }).await;
    let answer = kit.check(submission(&pending, 1)).await;
    let [first, second] = [kit.counted("shared-1").await, kit.counted("shared-2").await];
    let is_credited = matches!(first.as_slice(), [(Measure::Verified(_), 1)]);
    let by = is_credited.then_some(AttemptNumber::FIRST);
    assert_eq!(answer.verdict, CheckVerdict::Verified { by, repeated: false });
    [first, second]
}

pub async fn rte_04_a_shared_code_credits_the_only_attempt_that_can_have_carried_it<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let at = Moment::EPOCH;
    for second in [
        Phase::Queued { withdraw_at: at },
        Phase::Retrying { at, because: FailureClass::Unavailable },
        Phase::Ended { at, how: AttemptEnd::Withdrawn },
    ] {
        let [first, second] = shared(&open, second).await;
        assert!(matches!(first.as_slice(), [(Measure::Verified(_), 1)]), "{first:?}");
        assert_eq!(second, []);
    }
}

pub async fn rte_04_a_shared_code_that_is_being_sent_again_credits_nobody<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let lease_until = Moment::EPOCH;
    let claimed = Phase::Claimed { by: worker("worker-1"), lease_until };
    assert_eq!(shared(&open, claimed).await, [vec![(Measure::Uncredited, 1)], vec![]]);
    let accepted = Phase::Accepted { at: lease_until, wait_until: lease_until };
    assert_eq!(shared(&open, accepted).await, [vec![], vec![]], "both left when the second was sent");
}

pub async fn sec_02_an_expired_verification_counts_nothing<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let expired = Verification { expires_at: kit.now, ..kit.verification(vec![kit.accepted(1, "late")]) };
    let expired = kit.create(expired).await;
    assert_eq!(kit.verdict(submission(&expired, 1)).await, CheckVerdict::Ended(Ending::Expired));
    assert_eq!(kit.load(expired.id).await, Some(expired));
}

pub async fn what_the_caller_may_not_know_is_unknown<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let pending = kit.create(kit.verification(vec![kit.accepted(1, "unknown")])).await;
    let foreign = CheckSubmission { tenant: TenantId::parse("bank").unwrap(), ..submission(&pending, 1) };
    let absent = submission(&kit.verification(vec![]), 1);
    for submission in [foreign, absent] {
        let answer = kit.check(submission).await;
        assert_eq!((answer.verdict, answer.verification), (CheckVerdict::Unknown, None));
    }
    assert_eq!(kit.load(pending.id).await, Some(pending));
}

pub async fn sec_14_a_code_for_another_purpose_is_wrong<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let code = Code::parse(CODE).unwrap();
    let mut pending = kit.verification(vec![kit.accepted(1, "purpose")]);
    let of = |purpose: &str, context: &str| digest(&[7; 32], pending.id, purpose, context, &code);
    let (right, others) = (of("login", ""), [of("payment", ""), of("login", "EUR|4999|payee")]);
    pending.slots[0].digest = right;
    kit.create(pending.clone()).await;
    let with = |digest| CheckSubmission {
        digests: vec![PresentedDigest { key: KeyId(1), digest }],
        ..submission(&pending, 0)
    };
    for other in others {
        assert!(matches!(kit.verdict(with(other)).await, CheckVerdict::Wrong { .. }));
    }
    assert!(matches!(kit.verdict(with(right)).await, CheckVerdict::Verified { .. }));
}

pub async fn sec_07_a_digest_counts_under_its_own_key_only<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let mut pending = kit.verification(vec![kit.accepted(1, "key")]);
    pending.slots[0].key = KeyId(3);
    kit.create(pending.clone()).await;
    assert_eq!(kit.verdict(submission(&pending, 1)).await, CheckVerdict::Wrong { remaining: 4 });
}

pub async fn sec_05_failures_make_the_next_verification_of_the_same_recipient_wait<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let sms = |verification: Verification| Verification {
        attempts: vec![kit.accepted(1, "wait")],
        slots: vec![slot(Some(1), Channel::Sms, 1, kit.now + seconds(300))],
        ..verification
    };
    let first = kit.create(sms(kit.verification(vec![]))).await;
    for remaining in [4, 3, 2, 1, 0] {
        assert_eq!(kit.verdict(submission(&first, 9)).await, CheckVerdict::Wrong { remaining });
    }
    let of_same =
        |verification: Verification| Verification { recipient: first.recipient.clone(), ..verification };
    let next = kit.create(of_same(sms(kit.verification(vec![])))).await;
    let waiting = kit.verdict(submission(&next, 1)).await;
    let CheckVerdict::Waiting { retry_after: Some(wait) } = waiting else {
        panic!("not waiting: {waiting:?}")
    };
    assert!(wait <= seconds(30) && wait > seconds(20), "{wait:?}");
    assert_eq!(kit.load(next.id).await, Some(next.clone()), "nothing was counted");

    let subject = Some(Subject::parse("account:9").unwrap());
    let others = [
        sms(kit.verification(vec![])),
        Verification { subject, ..of_same(sms(kit.verification(vec![]))) },
        Verification {
            slots: vec![slot(Some(1), Channel::Rcs, 1, kit.now + seconds(300))],
            ..of_same(sms(kit.verification(vec![])))
        },
    ];
    for other in others {
        let other = kit.create(other).await;
        assert!(matches!(kit.verdict(submission(&other, 1)).await, CheckVerdict::Verified { .. }));
    }
    if kit.bench.moves_clock() {
        kit.bench.pass(seconds(30)).await;
        assert_eq!(kit.verdict(submission(&next, 9)).await, CheckVerdict::Wrong { remaining: 4 });
        assert!(matches!(kit.verdict(submission(&next, 1)).await, CheckVerdict::Verified { .. }));
        let forgiven = kit.create(of_same(Verification {
            expires_at: kit.now + seconds(300),
            ..sms(kit.verification(vec![]))
        }));
        let forgiven = forgiven.await;
        assert!(matches!(kit.verdict(submission(&forgiven, 1)).await, CheckVerdict::Verified { .. }));
    }
}

pub async fn sec_05_the_hundredth_failure_locks_the_class<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let attempts = vec![kit.accepted(1, "lock")];
    let many = kit.create(Verification { budget: 200, ..kit.verification(attempts.clone()) }).await;
    let answers = kit.store.check(kit.home, vec![submission(&many, 9); 101]).await.unwrap().value;
    let wrong = |answer: &otter_store::CheckAnswer| matches!(answer.verdict, CheckVerdict::Wrong { .. });
    assert!(answers[..100].iter().all(wrong), "{:?}", answers[99]);
    assert_eq!(answers[100].verdict, CheckVerdict::Waiting { retry_after: None });
    let next = Verification { recipient: many.recipient, ..kit.verification(attempts) };
    let next = kit.create(next).await;
    assert_eq!(kit.verdict(submission(&next, 1)).await, CheckVerdict::Waiting { retry_after: None });
}

pub async fn sec_05_counters_outlive_their_verifications<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let attempts = vec![kit.accepted(1, "outlive")];
    let many = kit.create(Verification { budget: 100, ..kit.verification(attempts.clone()) }).await;
    kit.store.check(kit.home, vec![submission(&many, 9); 100]).await.unwrap();
    let day = seconds(24 * 3600);
    let check_at = async |moment: Moment| {
        let fresh = crate::fixture::verification(kit.home, moment, attempts.clone());
        let fresh = kit.create(Verification { recipient: many.recipient.clone(), ..fresh }).await;
        kit.verdict(submission(&fresh, 1)).await
    };
    kit.bench.pass(day * 89).await;
    assert_eq!(kit.load(many.id).await, None);
    assert_eq!(check_at(kit.now + day * 89).await, CheckVerdict::Waiting { retry_after: None });
    kit.bench.pass(day).await;
    assert!(matches!(check_at(kit.now + day * 90).await, CheckVerdict::Verified { .. }));
}

pub async fn a_message_to_be_taken_back_keeps_its_number_and_is_due_at_once<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let revocable = |number| Attempt { revocation: Revocation::Possible, ..kit.accepted(number, "rbm") };
    let pending = kit.verification(vec![revocable(1), revocable(2)]);
    kit.commit(Commit { due: Some(kit.now + seconds(30)), ..creation(&pending) }).await;
    let answer = kit.check(submission(&pending, 2)).await;
    assert!(matches!(answer.verdict, CheckVerdict::Verified { .. }));
    assert_eq!(answer.verification.unwrap().private, None, "the caller does not see it");
    assert_eq!(kit.due(10).await, [pending.id]);
    let kept = kit.load(pending.id).await.unwrap();
    let private = kept.private.clone().unwrap();
    assert_eq!((private.code, private.number), (None, pending.private.unwrap().number));
    let tidied = Verification { private: None, ..kept };
    assert_eq!(kit.commit(change(&tidied)).await, CommitVerdict::Done);
}

pub async fn what_the_caller_was_told_outlives_every_end<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let opened = || {
        let opened = kit.verification(vec![kit.accepted(1, "told")]);
        planned(Verification { budget: 1, ..opened }, plan_with_every_reason())
    };
    let (verified, exhausted, cancelled) = (opened(), opened(), opened());
    for pending in [&verified, &exhausted, &cancelled] {
        kit.create(pending.clone()).await;
    }
    kit.check(submission(&verified, 1)).await;
    kit.check(submission(&exhausted, 9)).await;
    kit.commit(change(&ended(cancelled.clone(), Ending::Cancelled, kit.now))).await;
    kit.reopen().await;
    for before in [verified, exhausted, cancelled] {
        let Some(over) = kit.load(before.id).await else { continue };
        assert!(!over.is_pending());
        assert_eq!((over.private, over.acceptance), (None, before.acceptance));
    }
}

pub async fn a_check_while_the_send_runs_does_not_disturb_it<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let queued = kit.verification(vec![kit.queued(1, "runs")]);
    kit.commit(dispatch(creation(&queued))).await;
    let claimed = kit.claim("runs", 1).await.remove(0).verification;
    assert_eq!(kit.verdict(submission(&queued, 9)).await, CheckVerdict::Wrong { remaining: 4 });
    assert_eq!(kit.commit(change(&claimed)).await, CommitVerdict::Done);
    assert!(matches!(kit.verdict(submission(&queued, 1)).await, CheckVerdict::Verified { .. }));
}

pub async fn a_claim_that_its_verification_did_not_wait_for_is_looked_at_when_its_lease_is_over<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let mut over = Vec::new();
    for lease in [seconds(60), Duration::from_millis(1)] {
        let queued = kit.verification(vec![kit.queued(1, "slow")]);
        kit.commit(dispatch(creation(&queued))).await;
        let claimed = kit.store.claim(kit.home, Claim { lease, ..claim("slow", 1) }).await.unwrap();
        assert_eq!(claimed.value.len(), 1);
        assert!(matches!(kit.verdict(submission(&queued, 1)).await, CheckVerdict::Verified { .. }));
        over.push(queued.id);
    }
    kit.bench.pass(Duration::from_millis(3)).await;
    assert_eq!(kit.due(10).await, over[1..], "nobody else would find out that its worker is gone");
}

/// What happens in a random script: a check of one of three verifications of one recipient.
type Step = (usize, u8, Option<u8>);

fn scripts() -> impl Strategy<Value = (Vec<u8>, Vec<Step>)> {
    let step = (0_usize..3, 0_u8..5, proptest::option::of(0_u8..3));
    (proptest::collection::vec(1_u8..=6, 3), proptest::collection::vec(step, 1..30))
}

pub async fn any_sequence_of_checks_is_judged_as_specified<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    for (case, (budgets, steps)) in samples(&scripts(), 48).into_iter().enumerate() {
        let mut model = CheckModel::default();
        let recipient = kit.verification(vec![]).recipient;
        let mut verifications = Vec::new();
        for (place, budget) in budgets.into_iter().enumerate() {
            let verification = Verification { recipient: recipient.clone(), budget, ..shape(&kit, place) };
            model.add(kit.create(verification.clone()).await);
            verifications.push(verification);
        }
        for (place, code, name) in steps {
            let verification = &verifications[place];
            let submission = match name {
                Some(name) => named(verification, code, &format!("call-{name}")),
                None => submission(verification, code),
            };
            let answer = kit.store.check(kit.home, vec![submission.clone()]).await.unwrap();
            let expected = model.judge(&submission, answer.now);
            assert_eq!(answer.value, [expected], "case {case}, verification {place}, code {code}");
            let stored = kit.load(verification.id).await;
            assert_eq!(stored.as_ref(), model.verification(verification.id), "case {case}");
        }
    }
}

/// Three kinds of verifications: two codes of two classes, a shared code next to one that is over, one to be taken back.
fn shape<B: Bench>(kit: &Kit<B>, place: usize) -> Verification {
    let rcs = |number| Attempt {
        channel: Channel::Rcs,
        revocation: Revocation::Possible,
        ..kit.accepted(number, "model")
    };
    let mut verification = kit.verification(vec![kit.accepted(1, "model"), rcs(2)]);
    match place {
        0 => verification.attempts[1].revocation = Revocation::Impossible,
        1 => {
            verification.slots[0].attempt = None;
            verification.slots[1].until = kit.now;
        }
        _ => {}
    }
    verification
}
