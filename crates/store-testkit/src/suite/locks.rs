//! Codes that nobody could check are not committed, and an operator can lift what keeps them back (SEC-05).

use otter_domain::{
    Channel, ChannelClass, CheckScope, CheckVerdict, HappeningKind, Lift, ShutClass, Subject, Verification,
};
use otter_store::{Commit, CommitVerdict};

use crate::bench::{Bench, Setup};
use crate::fixture::{seconds, slot};
use crate::kit::{Kit, change, creation, request, submission};

/// A verification of an SMS code whose wrong checks never end it.
fn of_sms<B: Bench>(kit: &Kit<B>) -> Verification {
    Verification { budget: 200, ..kit.verification(vec![kit.accepted(1, "locks")]) }
}

/// The same person's next verification.
fn next_of<B: Bench>(kit: &Kit<B>, first: &Verification) -> Verification {
    let Verification { recipient, subject, .. } = first.clone();
    Verification { recipient, subject, ..of_sms(kit) }
}

/// The same with a code for RCS beside the one for SMS.
fn of_both<B: Bench>(kit: &Kit<B>) -> Verification {
    let mut both = of_sms(kit);
    both.slots.push(slot(None, Channel::Rcs, 2, both.expires_at));
    both
}

async fn fail<B: Bench>(kit: &Kit<B>, verification: &Verification, times: usize) {
    let answers = kit.store.check(kit.home, vec![submission(verification, 99); times]).await.unwrap();
    let is_wrong = |verdict: &CheckVerdict| matches!(verdict, CheckVerdict::Wrong { .. });
    assert!(answers.value.iter().all(|answer| is_wrong(&answer.verdict)));
}

fn staked(verification: &Verification, at_stake: &[ChannelClass]) -> Commit {
    Commit { at_stake: at_stake.to_vec(), ..creation(verification) }
}

fn lift(verification: &Verification, classes: &[ChannelClass]) -> Lift {
    Lift {
        scope: CheckScope::of(verification),
        classes: classes.to_vec(),
        author: "shop/ops".to_owned(),
        reason: "she called, ticket 4711".to_owned(),
    }
}

pub async fn sec_05_a_code_that_nobody_could_check_is_not_committed<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let first = kit.create(of_sms(&kit)).await;
    // After nine failures a check waits 480 s, and the code has to be checkable within 255 s.
    fail(&kit, &first, 9).await;
    let next = next_of(&kit, &first);
    let commit = Commit { request: Some(request("shut", 1)), ..staked(&next, &ChannelClass::ALL) };
    let verdict = kit.commit(commit.clone()).await;
    let CommitVerdict::Shut(shut) = &verdict else { panic!("not shut: {verdict:?}") };
    let [ShutClass { class: ChannelClass::Pstn, retry_after: Some(wait) }] = shut.as_slice() else {
        panic!("only SMS waits: {shut:?}")
    };
    assert!(*wait <= seconds(480) && *wait > seconds(460), "{wait:?}");
    assert_eq!(kit.load(next.id).await, None, "nothing was done");

    let app = Commit { at_stake: vec![ChannelClass::App], ..commit.clone() };
    assert_eq!(
        kit.commit(app).await,
        CommitVerdict::Done,
        "the other class is open, and the request id was free"
    );
    assert_eq!(
        kit.commit(Commit { request: None, ..change(&next) }).await,
        CommitVerdict::Done,
        "nobody new goes"
    );
    assert_eq!(
        kit.commit(Commit { next: next_of(&kit, &first), ..commit }).await,
        CommitVerdict::Repeated(next.id)
    );
    let stranger = kit.verification(vec![kit.accepted(1, "locks")]);
    assert_eq!(kit.commit(staked(&stranger, &ChannelClass::ALL)).await, CommitVerdict::Done);
    let subject = Some(Subject::parse("account:7").unwrap());
    let account = Verification { subject, ..next_of(&kit, &first) };
    assert_eq!(kit.commit(staked(&account, &ChannelClass::ALL)).await, CommitVerdict::Done);
}

pub async fn sec_05_a_wait_that_ends_in_time_keeps_no_code_back<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(of_sms(&kit)).await;
    fail(&kit, &first, 7).await;
    // 120 s, and there are 255.
    let next = next_of(&kit, &first);
    assert_eq!(kit.commit(staked(&next, &ChannelClass::ALL)).await, CommitVerdict::Done);
    let hasty = next_of(&kit, &first);
    let hasty = Verification { send_before: hasty.created_at + seconds(60), ..hasty };
    assert!(matches!(kit.commit(staked(&hasty, &ChannelClass::ALL)).await, CommitVerdict::Shut(_)));
}

pub async fn sec_05_inside_one_verification_only_a_lock_keeps_a_code_back<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let first = kit.create(of_sms(&kit)).await;
    fail(&kit, &first, 12).await;
    let again = |version| Commit {
        at_stake: vec![ChannelClass::Pstn],
        ..change(&Verification { version, ..first.clone() })
    };
    assert_eq!(kit.commit(again(first.version)).await, CommitVerdict::Done);
    fail(&kit, &first, 88).await;
    let locked = ShutClass { class: ChannelClass::Pstn, retry_after: None };
    assert_eq!(kit.commit(again(first.version.next())).await, CommitVerdict::Shut(vec![locked]));
}

pub async fn sec_05_a_lifted_lock_is_gone_and_told<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(of_both(&kit)).await;
    fail(&kit, &first, 100).await;
    let counters = kit.store.failed_checks(kit.home, CheckScope::of(&first)).await.unwrap().value;
    let seen: Vec<_> =
        counters.iter().map(|counter| (counter.class, counter.count, counter.last_in)).collect();
    assert_eq!(seen, ChannelClass::ALL.map(|class| (class, 100, first.id)));
    let next = next_of(&kit, &first);
    let both = ChannelClass::ALL.map(|class| ShutClass { class, retry_after: None });
    assert_eq!(kit.commit(staked(&next, &ChannelClass::ALL)).await, CommitVerdict::Shut(both.to_vec()));

    let position = kit.tail().await;
    let lifted = kit.store.lift(kit.home, lift(&first, &[ChannelClass::Pstn])).await.unwrap().value;
    assert_eq!(lifted, counters[..1]);
    let told = kit.events_after(&position).await;
    let [event] = told.as_slice() else { panic!("one event: {told:?}") };
    let Lift { author, reason, .. } = lift(&first, &[]);
    let kind = HappeningKind::ChecksLifted { class: ChannelClass::Pstn, failures: 100, author, reason };
    assert_eq!((event.verification, &event.tenant, &event.kind), (first.id, &first.tenant, &kind));
    assert_eq!(kit.commit(staked(&next, &[ChannelClass::Pstn])).await, CommitVerdict::Done);
    assert!(matches!(kit.verdict(submission(&next, 1)).await, CheckVerdict::Verified { .. }));
    let left = kit.store.failed_checks(kit.home, CheckScope::of(&first)).await.unwrap().value;
    assert_eq!(left, counters[1..], "the other class stays locked");

    let repeated = kit.store.lift(kit.home, lift(&first, &[ChannelClass::Pstn])).await.unwrap().value;
    assert_eq!(repeated, [], "there is nothing left to lift");
    let lifted = kit.store.lift(kit.home, lift(&first, &ChannelClass::ALL)).await.unwrap().value;
    assert_eq!(lifted, counters[1..]);
    assert_eq!(kit.store.failed_checks(kit.home, CheckScope::of(&first)).await.unwrap().value, []);
    assert_eq!(kit.events_after(&position).await.len(), 3, "two lifts, and the success between them");
}

pub async fn a_lift_is_for_one_tenant_and_one_account<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let of_account = |name: &str| Some(Subject::parse(name).unwrap());
    let first = kit.create(Verification { subject: of_account("account:1"), ..of_sms(&kit) }).await;
    fail(&kit, &first, 6).await;
    let others = [
        Verification { subject: None, ..first.clone() },
        Verification { subject: of_account("account:2"), ..first.clone() },
        Verification { tenant: otter_domain::TenantId::parse("bank").unwrap(), ..first.clone() },
        Verification { recipient: kit.verification(vec![]).recipient, ..first.clone() },
    ];
    for other in others {
        assert_eq!(kit.store.lift(kit.home, lift(&other, &ChannelClass::ALL)).await.unwrap().value, []);
    }
    let lifted = kit.store.lift(kit.home, lift(&first, &ChannelClass::ALL)).await.unwrap().value;
    assert_eq!(lifted.iter().map(|counter| counter.count).collect::<Vec<_>>(), [6]);
}

pub async fn what_was_lifted_stays_so_when_the_engine_starts_again<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let first = kit.create(of_both(&kit)).await;
    fail(&kit, &first, 100).await;
    kit.store.lift(kit.home, lift(&first, &[ChannelClass::App])).await.unwrap();
    if !kit.reopen().await {
        return;
    }
    let left = kit.store.failed_checks(kit.home, CheckScope::of(&first)).await.unwrap().value;
    let classes: Vec<_> = left.iter().map(|counter| counter.class).collect();
    assert_eq!(classes, [ChannelClass::Pstn]);
}
