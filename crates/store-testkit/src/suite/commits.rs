//! Creating and changing verifications.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    CheckVerdict, Effect, Ending, HappeningKind, Phase, ReceiptStatus, Verification, Version,
};
use otter_store::{Commit, CommitVerdict, Error, MergeVerdict, Retention};

use crate::bench::{Bench, Setup};
use crate::fixture::{ended, nth, provider, seconds, verification, with_every_field};
use crate::kit::{Kit, after, change, creation, dispatch, lease, report, submission};

pub async fn a_created_verification_is_loaded_with_every_field<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let verification = kit.create(with_every_field(kit.home, kit.now)).await;
    assert_eq!(kit.load(verification.id).await, Some(verification));
}

pub async fn an_unknown_verification_loads_as_nothing<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let known = kit.create(kit.verification(vec![])).await;
    let unknown = kit.verification(vec![]);
    let ids = vec![unknown.id, known.id, unknown.id];
    let loaded = kit.store.load(kit.home, ids).await.unwrap();
    assert_eq!(loaded.value, [None, Some(known), None]);
    assert!(loaded.now >= kit.now);
}

pub async fn a_change_replaces_every_field_and_counts_the_version_up<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![])).await;
    let next = Verification {
        id: first.id,
        recipient: first.recipient.clone(),
        ..with_every_field(kit.home, kit.now)
    };
    assert_eq!(kit.commit(change(&next)).await, CommitVerdict::Done);
    let second = Verification { version: Version(2), ..next };
    assert_eq!(kit.load(first.id).await, Some(second.clone()));
    assert_eq!(kit.commit(change(&second)).await, CommitVerdict::Done);
    assert_eq!(kit.load(first.id).await.unwrap().version, Version(3));
}

pub async fn a_commit_on_an_older_version_conflicts_and_changes_nothing<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![kit.queued(1, "older")])).await;
    kit.commit(change(&first)).await;
    let position = kit.tail().await;
    let late = Verification { budget: 9, ..first.clone() };
    let late = dispatch(change(&late));
    let late = Commit {
        effects: [late.effects.clone(), vec![Effect::Publish(HappeningKind::Opened)]].concat(),
        ..late
    };
    assert_eq!(kit.commit(late).await, CommitVerdict::Conflict);
    assert_eq!(kit.load(first.id).await, Some(after(&first)));
    assert_eq!(kit.events_after(&position).await, []);
    assert_eq!(kit.claim("older", 1).await, []);
}

pub async fn creating_twice_or_changing_nothing_conflicts<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![])).await;
    assert_eq!(kit.commit(creation(&first)).await, CommitVerdict::Conflict);
    let absent = kit.verification(vec![]);
    assert_eq!(kit.commit(change(&absent)).await, CommitVerdict::Conflict);
    assert_eq!(kit.load(absent.id).await, None);
}

pub async fn a_commit_repeated_with_its_nonce_is_done_once<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let position = kit.tail().await;
    let first = kit.verification(vec![kit.queued(1, "repeated")]);
    let create = dispatch(creation(&first));
    let create = Commit {
        effects: [create.effects.clone(), vec![Effect::Publish(HappeningKind::Opened)]].concat(),
        ..create
    };
    for _ in 0..3 {
        assert_eq!(kit.commit(create.clone()).await, CommitVerdict::Done);
    }
    let update = change(&first);
    for _ in 0..3 {
        assert_eq!(kit.commit(update.clone()).await, CommitVerdict::Done);
    }
    assert_eq!(kit.load(first.id).await.unwrap().version, Version(2));
    assert_eq!(kit.events_after(&position).await.len(), 1);
    assert_eq!(kit.claim("repeated", 10).await.len(), 1);
    assert_eq!(kit.commit(update).await, CommitVerdict::Done, "a claim is no commit");
    assert_eq!(kit.commit(change(&first)).await, CommitVerdict::Conflict);
}

pub async fn each_item_of_a_batch_has_its_own_verdict<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let known = kit.create(kit.verification(vec![])).await;
    let (one, two) = (kit.verification(vec![]), kit.verification(vec![]));
    let batch = vec![creation(&one), creation(&known), change(&one), change(&one), creation(&two)];
    let verdicts = kit.commit_all(batch).await;
    let (done, conflict) = (CommitVerdict::Done, CommitVerdict::Conflict);
    assert_eq!(verdicts, [done.clone(), conflict.clone(), done.clone(), conflict, done]);
    assert_eq!(kit.load(one.id).await, Some(after(&one)));
    assert_eq!(kit.load(two.id).await, Some(two));
    assert_eq!(kit.commit_all(vec![]).await, []);
}

pub async fn of_parallel_commits_on_one_version_one_is_done<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![])).await;
    let commits: Vec<_> = (1..=20)
        .map(|budget| {
            let (store, home) = (Arc::clone(&kit.store), kit.home);
            let item = change(&Verification { budget, ..first.clone() });
            tokio::spawn(async move { store.commit(home, vec![item]).await.unwrap().value.remove(0) })
        })
        .collect();
    let mut verdicts = Vec::new();
    for commit in commits {
        verdicts.push(commit.await.unwrap());
    }
    let done = verdicts.iter().position(|verdict| *verdict == CommitVerdict::Done).unwrap();
    verdicts.remove(done);
    assert!(verdicts.iter().all(|verdict| *verdict == CommitVerdict::Conflict), "{verdicts:?}");
    let stored = kit.load(first.id).await.unwrap();
    assert_eq!((stored.version, usize::from(stored.budget)), (Version(2), done + 1));
}

pub async fn partitions_keep_their_own<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let other = kit.store.partitions().at(2).unwrap();
    let here = kit.create(kit.verification(vec![kit.queued(1, "lane")])).await;
    let there = verification(other, kit.now, vec![kit.queued(1, "lane")]);
    let verdicts = kit.store.commit(other, vec![dispatch(creation(&there))]).await.unwrap().value;
    assert_eq!(verdicts, [CommitVerdict::Done]);
    assert_eq!(kit.claim("lane", 10).await, []);
    let loaded = kit.store.load(other, vec![there.id, here.id]).await.unwrap().value;
    assert_eq!(loaded, [Some(there), None]);
}

pub async fn a_commit_in_the_wrong_partition_is_refused<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let other = kit.store.partitions().at(2).unwrap();
    let stray = kit.verification(vec![]);
    let refused = kit.store.commit(other, vec![creation(&stray)]).await;
    assert!(matches!(refused, Err(Error::Unsuitable { .. })), "{refused:?}");
    assert_eq!(kit.load(stray.id).await, None);
}

pub async fn a_commit_never_lowers_a_receipt<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let attempts = vec![kit.accepted(1, "lower"), kit.accepted(2, "lower")];
    let decided_on = kit.create(kit.verification(attempts)).await;
    let delivered = report(&decided_on, 1, &provider("lower"), ReceiptStatus::Delivered);
    let MergeVerdict::Advanced { verification: merged, .. } = kit.merge(delivered).await else {
        panic!("the first report is news");
    };
    let mut late = decided_on.clone();
    let weaker = otter_domain::Receipt { status: ReceiptStatus::Sent, at: kit.now, because: None };
    late.attempts[0].receipt = Some(weaker);
    late.attempts[1].receipt = Some(weaker);
    assert_eq!(kit.commit(change(&late)).await, CommitVerdict::Done, "a receipt does not cost a commit");
    let stored = kit.load(decided_on.id).await.unwrap();
    assert_eq!(stored.attempts[0].receipt, merged.attempts[0].receipt, "the stored one is stronger");
    assert_eq!(stored.attempts[1].receipt, Some(weaker), "the new one is stronger than none");
}

pub async fn a_commit_never_lowers_the_count_of_checks<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let decided_on = kit.create(kit.verification(vec![kit.accepted(1, "count")])).await;
    for remaining in [4, 3] {
        let verdict = kit.verdict(submission(&decided_on, 9)).await;
        assert_eq!(verdict, CheckVerdict::Wrong { remaining });
    }
    assert_eq!(kit.commit(change(&decided_on)).await, CommitVerdict::Done, "a check does not cost a commit");
    assert_eq!(kit.load(decided_on.id).await, Some(Verification { checks: 2, ..after(&decided_on) }));
}

pub async fn a_commit_decided_before_the_end_conflicts<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let decided_on = kit.create(kit.verification(vec![kit.accepted(1, "end")])).await;
    kit.verdict(submission(&decided_on, 1)).await;
    assert_eq!(kit.commit(change(&decided_on)).await, CommitVerdict::Conflict);
    assert!(!kit.load(decided_on.id).await.unwrap().is_pending());
}

pub async fn a_commit_never_takes_a_renewed_lease_back<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let queued = kit.dispatch(kit.verification(vec![kit.queued(1, "renewed")])).await;
    let decided_on = kit.claim("renewed", 1).await.remove(0).verification;
    let held_until = |verification: &Verification| {
        let phase = &verification.attempts[0].phase;
        let Phase::Claimed { lease_until, .. } = phase else { panic!("not claimed: {phase:?}") };
        *lease_until
    };
    let first_end = held_until(&decided_on);
    assert!(kit.renew(lease(&queued, "worker-1"), seconds(60)).await);
    let renewed_end = held_until(&kit.load(queued.id).await.unwrap());
    assert!(renewed_end > first_end);
    let touched = Commit { due: Some(first_end), ..change(&decided_on) };
    assert_eq!(kit.commit(touched).await, CommitVerdict::Done);
    assert_eq!(held_until(&kit.load(queued.id).await.unwrap()), renewed_end);
    if kit.bench.moves_clock() {
        kit.bench.pass(seconds(59)).await;
        assert_eq!(kit.due(10).await, [], "the timer moved along");
        kit.bench.pass(seconds(1)).await;
        assert_eq!(kit.due(10).await, [queued.id]);
    }
}

pub async fn an_ended_verification_is_kept_for_its_retention<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let retention = Retention { ended: Duration::from_millis(300), ..Retention::default() };
    let kit = Kit::open_with(open, retention).await;
    let attempts = vec![kit.accepted(1, "kept")];
    let expired = |verification: &Verification| ended(verification.clone(), Ending::Expired, kit.now);

    let over = kit.create(kit.verification(attempts.clone())).await;
    kit.commit(change(&expired(&over))).await;
    let untidy = kit.create(kit.verification(attempts.clone())).await;
    let with_number = Verification { private: untidy.private.clone(), ..expired(&untidy) };
    kit.commit(change(&with_number)).await;
    let pending = kit.create(kit.verification(attempts)).await;

    let early = kit.load(over.id).await;
    if kit.age().await < retention.ended {
        assert_eq!(early, Some(after(&expired(&over))));
    }
    kit.bench.pass(retention.ended).await;
    assert_eq!(kit.load(over.id).await, None);
    assert_eq!(kit.load(untidy.id).await, Some(after(&with_number)), "its number is still needed");
    assert_eq!(kit.load(pending.id).await, Some(pending));

    let tidied = Verification { private: None, ..after(&with_number) };
    kit.commit(change(&tidied)).await;
    if kit.bench.moves_clock() {
        assert!(kit.load(untidy.id).await.is_some());
    }
    kit.bench.pass(retention.ended).await;
    assert_eq!(kit.load(untidy.id).await, None);
}

pub async fn a_late_receipt_does_not_prolong_retention<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let retention = Retention { ended: Duration::from_millis(300), ..Retention::default() };
    let kit = Kit::open_with(open, retention).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let over = kit.create(kit.verification(vec![kit.accepted(1, "late")])).await;
    kit.commit(change(&ended(over.clone(), Ending::Expired, kit.now))).await;
    kit.bench.pass(retention.ended / 2).await;
    let late = report(&over, 1, &provider("late"), ReceiptStatus::Delivered);
    assert!(
        matches!(kit.merge(late.clone()).await, MergeVerdict::Advanced { attempt, .. } if attempt == nth(1))
    );
    kit.bench.pass(retention.ended / 2).await;
    assert_eq!(kit.load(over.id).await, None);
    assert_eq!(kit.merge(late).await, MergeVerdict::Unknown);
}
