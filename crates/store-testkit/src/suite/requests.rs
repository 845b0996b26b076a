//! Request ids and limits per recipient.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{LimitRule, RecipientRef, RequestId, TenantId, Verification};
use otter_store::{Commit, CommitVerdict, Earlier, RequestScope, Retention};

use crate::bench::{Bench, Setup};
use crate::fixture::seconds;
use crate::kit::{Kit, change, creation, request};

const HOUR: Duration = Duration::from_secs(3600);

fn asked(verification: &Verification, id: &str, fingerprint: u8) -> Commit {
    Commit { request: Some(request(id, fingerprint)), ..creation(verification) }
}

fn limited(verification: &Verification, limits: &[LimitRule]) -> Commit {
    Commit { limits: limits.to_vec(), ..creation(verification) }
}

/// Another verification for the same recipient.
fn another<B: Bench>(kit: &Kit<B>, recipient: &RecipientRef) -> Verification {
    Verification { recipient: recipient.clone(), ..kit.verification(vec![]) }
}

pub async fn a_repeated_request_answers_with_the_first_verification<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let first = kit.verification(vec![]);
    assert_eq!(kit.commit(asked(&first, "order:7/a", 1)).await, CommitVerdict::Done);
    let second = another(&kit, &first.recipient);
    let repeated = CommitVerdict::Repeated(first.id);
    assert_eq!(kit.commit(asked(&second, "order:7/a", 1)).await, repeated);
    assert_eq!(kit.commit(asked(&first, "order:7/a", 1)).await, repeated, "also under the same id");
    assert_eq!(kit.commit(asked(&second, "order:7/a", 2)).await, CommitVerdict::RequestReused);
    assert_eq!(kit.load(second.id).await, None);
    assert_eq!(kit.commit(asked(&second, "order:8", 1)).await, CommitVerdict::Done);
}

pub async fn a_request_id_belongs_to_one_tenant_and_recipient<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.verification(vec![]);
    let elsewhere = kit.verification(vec![]);
    let other_tenant =
        Verification { tenant: TenantId::parse("bank").unwrap(), ..another(&kit, &first.recipient) };
    for verification in [&first, &elsewhere, &other_tenant] {
        assert_eq!(kit.commit(asked(verification, "same", 1)).await, CommitVerdict::Done);
    }
}

pub async fn of_parallel_requests_under_one_id_one_is_done<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let recipient = kit.verification(vec![]).recipient;
    let commits: Vec<_> = (0..20)
        .map(|_| {
            let (store, home) = (Arc::clone(&kit.store), kit.home);
            let item = asked(&another(&kit, &recipient), "race", 1);
            let id = item.next.id;
            tokio::spawn(async move { (id, store.commit(home, vec![item]).await.unwrap().value.remove(0)) })
        })
        .collect();
    let mut verdicts = Vec::new();
    for commit in commits {
        verdicts.push(commit.await.unwrap());
    }
    let done: Vec<_> = verdicts.iter().filter(|(_, verdict)| *verdict == CommitVerdict::Done).collect();
    let [(winner, _)] = done.as_slice() else { panic!("one is done, not {}", done.len()) };
    let repeated = CommitVerdict::Repeated(*winner);
    assert_eq!(verdicts.iter().filter(|(_, verdict)| *verdict == repeated).count(), 19);
}

pub async fn a_repeated_request_is_recognised_on_a_change_too<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![])).await;
    let resend = || Commit { request: Some(request("again", 1)), ..change(&first) };
    assert_eq!(kit.commit(resend()).await, CommitVerdict::Done);
    assert_eq!(kit.commit(resend()).await, CommitVerdict::Repeated(first.id), "rather than a conflict");
}

pub async fn a_refused_commit_leaves_its_request_id_free<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.create(kit.verification(vec![])).await;
    assert_eq!(kit.commit(asked(&first, "free", 1)).await, CommitVerdict::Conflict);
    let second = another(&kit, &first.recipient);
    assert_eq!(kit.commit(asked(&second, "free", 2)).await, CommitVerdict::Done);
}

pub async fn a_request_id_is_forgotten_after_its_retention<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let retention = Retention { requests: Duration::from_millis(300), ..Retention::default() };
    let kit = Kit::open_with(open, retention).await;
    let first = kit.verification(vec![]);
    kit.commit(asked(&first, "short", 1)).await;
    let second = another(&kit, &first.recipient);
    if kit.bench.moves_clock() {
        assert_eq!(kit.commit(asked(&second, "short", 2)).await, CommitVerdict::RequestReused);
    }
    kit.bench.pass(retention.requests).await;
    assert_eq!(kit.commit(asked(&second, "short", 2)).await, CommitVerdict::Done);
}

pub async fn a_reached_limit_says_when_one_more_is_allowed<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let rules = [LimitRule { max: 3, window: HOUR }];
    let recipient = kit.verification(vec![]).recipient;
    for _ in 0..3 {
        assert_eq!(kit.commit(limited(&another(&kit, &recipient), &rules)).await, CommitVerdict::Done);
    }
    let refused = another(&kit, &recipient);
    let verdict = kit.commit(limited(&refused, &rules)).await;
    let CommitVerdict::Limited { rule: 0, retry_after } = verdict else { panic!("not limited: {verdict:?}") };
    assert!(retry_after <= HOUR && retry_after > HOUR - seconds(60), "{retry_after:?}");
    assert_eq!(kit.load(refused.id).await, None);
}

pub async fn of_several_reached_limits_the_longest_is_named<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let rule = |max, window| LimitRule { max, window };
    let rules = [rule(2, seconds(600)), rule(2, 24 * HOUR), rule(9, 100 * HOUR), rule(2, 5 * HOUR)];
    let recipient = kit.verification(vec![]).recipient;
    for _ in 0..2 {
        kit.commit(limited(&another(&kit, &recipient), &rules)).await;
    }
    let verdict = kit.commit(limited(&another(&kit, &recipient), &rules)).await;
    let CommitVerdict::Limited { rule: 1, retry_after } = verdict else { panic!("not rule 1: {verdict:?}") };
    assert!(retry_after > 23 * HOUR, "{retry_after:?}");
}

pub async fn limits_count_only_limited_commits_of_their_tenant_and_recipient<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let rules = [LimitRule { max: 1, window: HOUR }];
    let first = kit.verification(vec![]);
    assert_eq!(kit.commit(creation(&another(&kit, &first.recipient))).await, CommitVerdict::Done);
    let conflict = kit.create(another(&kit, &first.recipient)).await;
    assert_eq!(kit.commit(limited(&conflict, &rules)).await, CommitVerdict::Conflict);
    assert_eq!(kit.commit(limited(&first, &rules)).await, CommitVerdict::Done, "nothing was counted before");

    let other_tenant =
        Verification { tenant: TenantId::parse("bank").unwrap(), ..another(&kit, &first.recipient) };
    assert_eq!(kit.commit(limited(&other_tenant, &rules)).await, CommitVerdict::Done);
    assert_eq!(kit.commit(limited(&kit.verification(vec![]), &rules)).await, CommitVerdict::Done);
    let change = Commit { limits: rules.to_vec(), ..change(&first) };
    assert!(matches!(kit.commit(change).await, CommitVerdict::Limited { rule: 0, .. }), "changes count too");
    assert_eq!(kit.commit(creation(&another(&kit, &first.recipient))).await, CommitVerdict::Done);
}

pub async fn a_limit_slides<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let rules = [LimitRule { max: 2, window: HOUR }];
    let recipient = kit.verification(vec![]).recipient;
    let send = async || kit.commit(limited(&another(&kit, &recipient), &rules)).await;
    let wait = |retry_after| CommitVerdict::Limited { rule: 0, retry_after };
    assert_eq!(send().await, CommitVerdict::Done);
    kit.bench.pass(seconds(600)).await;
    assert_eq!(send().await, CommitVerdict::Done);
    assert_eq!(send().await, wait(HOUR - seconds(600)), "the first leaves the window first");
    kit.bench.pass(HOUR - seconds(600)).await;
    assert_eq!(send().await, CommitVerdict::Done);
    assert_eq!(send().await, wait(seconds(600)), "the second is still in the window");
}

pub async fn a_reached_limit_ends<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let window = Duration::from_millis(200);
    let rules = [LimitRule { max: 1, window }];
    let recipient = kit.verification(vec![]).recipient;
    let send = async || kit.commit(limited(&another(&kit, &recipient), &rules)).await;
    assert_eq!(send().await, CommitVerdict::Done);
    let verdict = send().await;
    let CommitVerdict::Limited { rule: 0, retry_after } = verdict else {
        return assert!(kit.age().await >= window, "{verdict:?}");
    };
    assert!(retry_after <= window, "{retry_after:?}");
    kit.bench.pass(retry_after).await;
    assert_eq!(send().await, CommitVerdict::Done);
}

pub async fn a_stricter_limit_forgets_no_sends_that_a_wider_one_counts<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let recipient = kit.verification(vec![]).recipient;
    let send = async |max, window| {
        kit.commit(limited(&another(&kit, &recipient), &[LimitRule { max, window }])).await
    };
    for _ in 0..3 {
        assert_eq!(send(4, HOUR).await, CommitVerdict::Done);
    }
    // Another purpose counts one send at a time, for a moment only.
    assert!(matches!(
        send(1, Duration::from_millis(1)).await,
        CommitVerdict::Done | CommitVerdict::Limited { .. }
    ));
    kit.bench.pass(Duration::from_millis(5)).await;
    assert_eq!(send(1, Duration::from_millis(1)).await, CommitVerdict::Done);
    assert!(
        matches!(send(4, HOUR).await, CommitVerdict::Limited { rule: 0, .. }),
        "four were counted at least"
    );
}

pub async fn what_was_asked_before_is_known_without_a_commit<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let first = kit.verification(vec![]);
    let scope = RequestScope { tenant: first.tenant.clone(), recipient: first.recipient.clone() };
    let asked = async |scope: &RequestScope, request| {
        kit.store.answered(kit.home, scope.clone(), request).await.unwrap().value
    };
    assert_eq!(asked(&scope, request("asked", 1)).await, Earlier::Nothing);
    kit.commit(Commit { request: Some(request("asked", 1)), ..creation(&first) }).await;
    assert_eq!(asked(&scope, request("asked", 1)).await, Earlier::Answer(first.id));
    assert_eq!(asked(&scope, request("asked", 2)).await, Earlier::OtherQuestion);
    assert_eq!(asked(&scope, request("other", 1)).await, Earlier::Nothing);
    let bank = RequestScope { tenant: TenantId::parse("bank").unwrap(), ..scope };
    assert_eq!(asked(&bank, request("asked", 1)).await, Earlier::Nothing);
}

pub async fn a_lost_reply_is_recognised_before_request_and_limit<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let item = Commit {
        request: Some(request("lost", 1)),
        limits: vec![LimitRule { max: 1, window: HOUR }],
        ..creation(&kit.verification(vec![]))
    };
    assert_eq!(kit.commit(item.clone()).await, CommitVerdict::Done);
    assert_eq!(kit.commit(item.clone()).await, CommitVerdict::Done);
    let again = Commit { request: None, ..creation(&another(&kit, &item.next.recipient)) };
    assert_eq!(kit.commit(again).await, CommitVerdict::Done);
    let id = RequestId::parse("lost").unwrap();
    assert_eq!(item.request.unwrap().id, id);
}
