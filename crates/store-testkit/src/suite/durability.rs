//! What the engine keeps outside the process: everything acknowledged, and nothing readable that should not be.

use std::time::Duration;

use otter_decision::challenge::message_id;
use otter_domain::{
    CheckVerdict, Effect, Ending, HappeningKind, LimitRule, Measure, ReceiptStatus, Verification,
};
use otter_store::{Board, Commit, CommitVerdict, LaneDepth, MergeVerdict, ReceiptMerge, ReceiptTarget};

use crate::bench::{Bench, Setup};
use crate::fixture::{CODE, NUMBER, nth, provider, seconds, slot, with_every_field};
use crate::kit::{Kit, change, creation, dispatch, named, report, request, submission};

pub async fn sec_06_neither_number_nor_code_is_readable_in_what_is_kept<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    kit.create(with_every_field(kit.home, kit.now)).await;
    let pending = kit.verification(vec![kit.queued(1, "dump")]);
    let item = Commit {
        request: Some(request("dump", 1)),
        limits: vec![LimitRule { max: 9, window: seconds(3600) }],
        message_ids: vec![(provider("dump"), message_id(&[3; 32], pending.id, nth(1), kit.home), nth(1))],
        ..dispatch(creation(&pending))
    };
    let effects = [item.effects.clone(), vec![Effect::Publish(HappeningKind::Opened)]].concat();
    kit.commit(Commit { effects, ..item }).await;
    kit.claim("dump", 1).await;
    kit.check(submission(&pending, 9)).await;
    let dump = kit.bench.dump().await;
    let find = |needle: &[u8]| dump.windows(needle.len()).any(|window| window == needle);
    assert!(find(pending.recipient.as_str().as_bytes()), "the dump is of this store");
    for secret in [NUMBER, &NUMBER[1..], CODE, "DE89370400440532013000"] {
        assert!(!find(secret.as_bytes()), "a secret of {} characters is readable", secret.len());
    }
}

pub async fn verifications_survive_the_engine<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let created = kit.create(with_every_field(kit.home, kit.now)).await;
    let item = Commit { request: Some(request("kept", 1)), ..creation(&kit.verification(vec![])) };
    kit.commit(item.clone()).await;
    let verified = kit.create(kit.verification(vec![kit.accepted(1, "kept")])).await;
    kit.check(named(&verified, 1, "winner")).await;
    let ended = kit.load(verified.id).await;
    if !kit.reopen().await {
        return;
    }
    assert_eq!(kit.load(created.id).await, Some(created));
    assert_eq!(kit.load(verified.id).await, ended);
    let repeated = kit.verdict(named(&verified, 1, "winner")).await;
    assert!(matches!(repeated, CheckVerdict::Verified { repeated: true, .. }), "{repeated:?}");
    assert_eq!(kit.commit(item.clone()).await, CommitVerdict::Done, "its nonce is known");
    let other = Verification { recipient: item.next.recipient.clone(), ..kit.verification(vec![]) };
    let again = Commit { request: Some(request("kept", 1)), ..creation(&other) };
    assert_eq!(kit.commit(again).await, CommitVerdict::Repeated(item.next.id));
}

pub async fn counters_survive_the_engine<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let limit = LimitRule { max: 1, window: seconds(3600) };
    let first = kit.verification(vec![kit.accepted(1, "counters")]);
    kit.commit(Commit { limits: vec![limit], ..creation(&first) }).await;
    for _ in 0..5 {
        kit.check(submission(&first, 9)).await;
    }
    kit.store.take("bucket", 0.00001, 3, 3).await.unwrap();
    kit.store.post(Board::Directives, "kept", vec![1], None).await.unwrap();
    if !kit.reopen().await {
        return;
    }
    let next =
        Verification { recipient: first.recipient, ..kit.verification(vec![kit.accepted(1, "counters")]) };
    let limited = kit.commit(Commit { limits: vec![limit], ..creation(&next) }).await;
    assert!(matches!(limited, CommitVerdict::Limited { rule: 0, .. }), "{limited:?}");
    kit.create(next.clone()).await;
    let waiting = kit.verdict(submission(&next, 1)).await;
    assert!(matches!(waiting, CheckVerdict::Waiting { .. }), "{waiting:?}");
    assert_eq!(kit.store.take("bucket", 0.00001, 3, 3).await.unwrap().value.granted, 0);
    assert_eq!(kit.store.read(Board::Directives).await.unwrap().value.len(), 1);
}

pub async fn work_survives_the_engine<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(kit.dispatch(kit.verification(vec![kit.queued(1, "work")])).await.id);
    }
    let claimed = kit.claim("work", 1).await.remove(0).verification;
    let due = kit.verification(vec![]);
    kit.commit(Commit { due: Some(kit.now), ..creation(&due) }).await;
    let later = kit.verification(vec![]);
    kit.commit(Commit { due: Some(kit.now + seconds(600)), ..creation(&later) }).await;
    if !kit.reopen().await {
        return;
    }
    assert_eq!(kit.load(claimed.id).await, Some(claimed), "the lease is still held");
    let depths = kit.store.lanes(kit.home, vec![provider("work")]).await.unwrap().value;
    assert!(matches!(depths.as_slice(), [LaneDepth { ready: 2, .. }]), "{depths:?}");
    let order: Vec<_> = kit.claim("work", 9).await.iter().map(|job| job.verification.id).collect();
    assert_eq!(order, waiting[1..]);
    assert_eq!(kit.due(9).await, [due.id]);
}

pub async fn news_and_evidence_survive_the_engine<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    let start = kit.tail().await;
    let verification = kit.verification(vec![kit.accepted(1, "survives")]);
    let message = message_id(&[3; 32], verification.id, nth(1), kit.home);
    let item = Commit {
        effects: vec![Effect::Publish(HappeningKind::Opened)],
        message_ids: vec![(provider("survives"), message, nth(1))],
        ..creation(&verification)
    };
    kit.commit(item).await;
    let sent = report(&verification, 1, &provider("survives"), ReceiptStatus::Delivered);
    kit.merge(sent.clone()).await;
    let (events, counted) = (kit.events_after(&start).await, kit.counted("survives").await);
    let end = kit.tail().await;
    if !kit.reopen().await {
        return;
    }
    assert_eq!(kit.events_after(&start).await, events);
    assert_eq!(kit.events_after(&end).await, []);
    assert_eq!(kit.counted("survives").await, counted);
    assert!(matches!(counted.as_slice(), [(Measure::Delivered(_), 1)]));
    let again = ReceiptMerge { target: ReceiptTarget::Message(message), ..sent };
    assert!(matches!(kit.merge(again.clone()).await, MergeVerdict::Stale { .. }));
    let read = ReceiptMerge { status: ReceiptStatus::Read, ..again };
    assert!(matches!(kit.merge(read).await, MergeVerdict::Advanced { .. }));
    assert_eq!(kit.events_after(&end).await.len(), 1, "numbers go on after the last one");
}

pub async fn the_clock_does_not_go_back_over_a_restart<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let mut kit = Kit::open(open).await;
    kit.bench.pass(Duration::from_millis(10)).await;
    kit.create(kit.verification(vec![])).await;
    let before = kit.store.now().await.unwrap();
    if !kit.reopen().await {
        return;
    }
    assert!(kit.store.now().await.unwrap() >= before);
}

pub async fn an_ended_verification_leaves_no_code_behind<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let mut pending = kit.verification(vec![kit.accepted(1, "erased")]);
    pending.slots = vec![slot(Some(1), otter_domain::Channel::Sms, 171, kit.now + seconds(300))];
    kit.create(pending.clone()).await;
    kit.check(submission(&pending, 171)).await;
    let over = kit.load(pending.id).await.unwrap();
    assert_eq!((over.private, over.slots.len()), (None, 0));
    let cancelled = kit.create(kit.verification(vec![])).await;
    let end = Verification {
        state: otter_domain::State::Ended { how: Ending::Cancelled, at: kit.now },
        private: None,
        ..cancelled
    };
    assert_eq!(kit.commit(change(&end)).await, CommitVerdict::Done);
    assert_eq!(kit.load(end.id).await.unwrap().private, None);
}
