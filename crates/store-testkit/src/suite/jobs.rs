//! Lanes, claims and leases.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    Attempt, AttemptEnd, Effect, Ending, FailureClass, JobKind, Moment, Phase, Revocation, State,
    Verification,
};
use otter_store::{Commit, CommitVerdict, LaneDepth};

use crate::bench::{Bench, Setup};
use crate::fixture::{ended, nth, provider, seconds, worker};
use crate::kit::{Kit, change, claim, creation, dispatch, lease};

pub async fn jobs_are_claimed_oldest_first_and_no_more_than_asked<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(kit.dispatch(kit.verification(vec![kit.queued(1, "order")])).await.id);
    }
    let mut claimed = Vec::new();
    for expected in [2, 2, 1, 0] {
        let jobs = kit.claim("order", 2).await;
        assert_eq!(jobs.len(), expected);
        claimed.extend(jobs.iter().map(|job| job.verification.id));
    }
    assert_eq!(claimed, ids);
}

pub async fn a_claim_begins_the_attempt_under_a_lease<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let queued = kit.dispatch(kit.verification(vec![kit.queued(1, "begin")])).await;
    let answer = kit.store.claim(kit.home, claim("begin", 1)).await.unwrap();
    let [job] = answer.value.as_slice() else { panic!("one job, not {}", answer.value.len()) };
    assert_eq!((job.attempt, job.job), (nth(1), JobKind::Send));
    let mut expected = queued;
    expected.version = expected.version.next();
    let attempt = &mut expected.attempts[0];
    attempt.claimed_at = Some(answer.now);
    attempt.phase = Phase::Claimed { by: worker("worker-1"), lease_until: answer.now + seconds(6) };
    attempt.tries = 1;
    assert_eq!(job.verification, expected);
    assert_eq!(kit.load(expected.id).await, Some(expected), "begun before anybody was told");
}

pub async fn a_second_try_keeps_the_moment_of_the_first_claim<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    kit.dispatch(kit.verification(vec![kit.queued(1, "again")])).await;
    let first = kit.claim("again", 1).await.remove(0).verification;
    let mut retry = first.clone();
    retry.attempts[0].phase = Phase::Queued { withdraw_at: kit.now + seconds(9) };
    assert_eq!(kit.commit(dispatch(change(&retry))).await, CommitVerdict::Done);
    kit.bench.pass(Duration::from_millis(5)).await;
    let second = kit.claim("again", 1).await.remove(0).verification;
    assert_eq!(second.attempts[0].claimed_at, first.attempts[0].claimed_at);
    assert_eq!(second.attempts[0].tries, 2);
}

pub async fn stale_pointers_are_dropped_at_the_claim<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let phase = |phase: Phase| Attempt { phase, ..kit.queued(1, "stale") };
    let now = kit.now;
    let over = AttemptEnd::Withdrawn;
    let with = |attempts| kit.verification(attempts);
    let stale = [
        ended(with(vec![kit.queued(1, "stale")]), Ending::Cancelled, now),
        Verification { send_before: now, ..with(vec![kit.queued(1, "stale")]) },
        Verification { expires_at: now, ..with(vec![kit.queued(1, "stale")]) },
        with(vec![phase(Phase::Ended { at: now, how: over })]),
        with(vec![phase(Phase::Accepted { at: now, wait_until: now + seconds(30) })]),
        with(vec![phase(Phase::Retrying { at: now + seconds(1), because: FailureClass::Throttled })]),
        with(vec![phase(Phase::Claimed { by: worker("other"), lease_until: now + seconds(6) })]),
        with(vec![kit.queued(1, "stale"), kit.queued(2, "elsewhere")]),
        with(vec![kit.queued(1, "elsewhere")]),
    ];
    let pointer = Effect::Dispatch { provider: provider("stale"), attempt: nth(1), job: JobKind::Send };
    for verification in &stale {
        let item = Commit { effects: vec![pointer.clone()], ..creation(verification) };
        assert_eq!(kit.commit(item).await, CommitVerdict::Done);
    }
    let fresh = kit.dispatch(with(vec![kit.queued(1, "stale")])).await;
    let claimed = kit.claim("stale", 1).await;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [fresh.id]);
    for verification in stale {
        assert_eq!(kit.load(verification.id).await, Some(verification));
    }
    assert_eq!(depth(&kit, "stale").await, LaneDepth::default());
}

pub async fn one_job_is_begun_once_although_its_pointer_is_there_twice<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let item = dispatch(creation(&kit.verification(vec![kit.queued(1, "twice")])));
    let twice = Commit { effects: [item.effects.clone(), item.effects.clone()].concat(), ..item };
    kit.commit(twice).await;
    assert_eq!(kit.claim("twice", 10).await.len(), 1);
    assert_eq!(kit.claim("twice", 10).await.len(), 0);
}

pub async fn concurrent_claimers_never_share_a_job<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let jobs: Vec<_> = (0..100).map(|_| kit.verification(vec![kit.queued(1, "crowd")])).collect();
    let created = kit.commit_all(jobs.iter().map(|job| dispatch(creation(job))).collect()).await;
    assert!(created.iter().all(|verdict| *verdict == CommitVerdict::Done));
    let claimers: Vec<_> = (0..20)
        .map(|_| {
            let (store, home) = (Arc::clone(&kit.store), kit.home);
            tokio::spawn(async move { store.claim(home, claim("crowd", 7)).await.unwrap().value })
        })
        .collect();
    let mut claimed = Vec::new();
    for claimer in claimers {
        claimed.extend(claimer.await.unwrap().into_iter().map(|job| job.verification.id));
    }
    let distinct: BTreeSet<_> = claimed.iter().copied().collect();
    assert_eq!((claimed.len(), distinct), (100, jobs.iter().map(|job| job.id).collect()));
}

pub async fn a_lane_says_how_much_waits_and_since_when<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    assert_eq!(depth(&kit, "depth").await, LaneDepth::default());
    kit.dispatch(kit.verification(vec![kit.queued(1, "depth")])).await;
    let between = kit.store.now().await.unwrap();
    kit.bench.pass(Duration::from_millis(3)).await;
    kit.dispatch(kit.verification(vec![kit.queued(1, "depth")])).await;
    kit.dispatch(kit.verification(vec![kit.queued(1, "other")])).await;
    let waiting = depth(&kit, "depth").await;
    assert_eq!(waiting.ready, 2);
    assert!((kit.now..=between).contains(&waiting.oldest.unwrap()), "{waiting:?}");
    kit.claim("depth", 1).await;
    let rest = depth(&kit, "depth").await;
    assert_eq!(rest.ready, 1);
    assert!(rest.oldest.unwrap() > between, "{rest:?}");
}

async fn depth<B: Bench>(kit: &Kit<B>, lane: &str) -> LaneDepth {
    let lanes = vec![provider("nobody"), provider(lane)];
    let depths = kit.store.lanes(kit.home, lanes).await.unwrap().value;
    assert_eq!(depths[0], LaneDepth::default());
    depths[1]
}

pub async fn a_revoke_job_is_taken_without_a_lease_while_it_is_wanted<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let revoke = Effect::Dispatch { provider: provider("rbm"), attempt: nth(1), job: JobKind::Revoke };
    let with = |revocation| {
        let attempt = Attempt { revocation, ..kit.accepted(1, "rbm") };
        let verification = kit.verification(vec![attempt]);
        let private = verification.private.clone();
        Verification { private, ..ended(verification, Ending::Cancelled, kit.now) }
    };
    let wanted = with(Revocation::Wanted);
    for verification in [&wanted, &with(Revocation::Settled)] {
        let item = Commit { effects: vec![revoke.clone()], ..creation(verification) };
        assert_eq!(kit.commit(item).await, CommitVerdict::Done);
    }
    let jobs = kit.claim("rbm", 10).await;
    let [job] = jobs.as_slice() else { panic!("one job, not {}", jobs.len()) };
    assert_eq!((job.attempt, job.job), (nth(1), JobKind::Revoke));
    assert_eq!(job.verification, wanted, "nothing changed");
    assert_eq!(kit.load(wanted.id).await, Some(wanted));
}

pub async fn a_held_lease_is_renewed_by_its_holder_only<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let held = kit.dispatch(kit.verification(vec![kit.queued(1, "lease")])).await;
    let claimed = kit.claim("lease", 1).await.remove(0).verification;
    let absent = kit.verification(vec![]);
    let idle = kit.create(kit.verification(vec![kit.queued(1, "lease")])).await;
    let leases = vec![
        lease(&held, "worker-1"),
        lease(&held, "worker-2"),
        lease(&absent, "worker-1"),
        lease(&idle, "worker-1"),
    ];
    let answer = kit.store.renew(kit.home, leases, seconds(60)).await.unwrap();
    assert_eq!(answer.value, [true, false, false, false]);
    let stored = kit.load(held.id).await.unwrap();
    assert_eq!(lease_end(&stored), answer.now + seconds(60));
    assert_eq!(stored.version, claimed.version, "a renewed lease does not cost the holder its commit");
    assert_eq!(kit.commit(change(&claimed)).await, CommitVerdict::Done);
}

fn lease_end(verification: &Verification) -> Moment {
    match verification.attempts[0].phase {
        Phase::Claimed { lease_until, .. } => lease_until,
        Phase::Queued { .. }
        | Phase::Retrying { .. }
        | Phase::Accepted { .. }
        | Phase::Ambiguous { .. }
        | Phase::Ended { .. } => panic!("not claimed: {verification:?}"),
    }
}

pub async fn a_lease_that_is_over_is_due_and_not_renewed<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let held = kit.dispatch(kit.verification(vec![kit.queued(1, "over")])).await;
    let short = otter_store::Claim { lease: Duration::from_millis(20), ..claim("over", 1) };
    assert_eq!(kit.store.claim(kit.home, short).await.unwrap().value.len(), 1);
    kit.bench.pass(Duration::from_millis(20)).await;
    assert!(!kit.renew(lease(&held, "worker-1"), seconds(6)).await);
    assert_eq!(kit.due(10).await, [held.id]);
    assert_eq!(kit.claim("over", 1).await, [], "an expired lease is ambiguous, not a job");
}

pub async fn a_renewed_lease_moves_the_timer<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let held = kit.dispatch(kit.verification(vec![kit.queued(1, "timer")])).await;
    kit.claim("timer", 1).await;
    kit.bench.pass(seconds(5)).await;
    assert!(kit.renew(lease(&held, "worker-1"), seconds(6)).await);
    kit.bench.pass(seconds(5)).await;
    assert_eq!(kit.due(10).await, [], "the first lease would be over");
    kit.bench.pass(seconds(1)).await;
    assert_eq!(kit.due(10).await, [held.id]);
    assert!(matches!(kit.load(held.id).await.unwrap().state, State::Pending));
}

pub async fn a_verification_is_due_at_its_end_while_a_send_runs<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let short = Verification {
        expires_at: kit.now + seconds(8),
        send_before: kit.now + seconds(4),
        ..kit.verification(vec![kit.queued(1, "hanging")])
    };
    let held = kit.dispatch(short).await;
    kit.claim("hanging", 1).await;
    kit.bench.pass(seconds(5)).await;
    assert!(kit.renew(lease(&held, "worker-1"), seconds(6)).await);
    assert_eq!(kit.due(10).await, [], "its end is not here yet");
    kit.bench.pass(seconds(3)).await;
    assert_eq!(kit.due(10).await, [held.id], "its end does not wait for the lease's");
}

pub async fn a_lane_that_nobody_works_on_does_not_grow_for_ever<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    for _ in 0..6 {
        kit.dispatch(kit.verification(vec![kit.queued(1, "idle")])).await;
    }
    kit.bench.pass(seconds(1000)).await;
    for _ in 0..3 {
        kit.dispatch(kit.verification(vec![kit.queued(1, "idle")])).await;
    }
    let depth = kit.store.lanes(kit.home, vec![provider("idle")]).await.unwrap().value;
    assert_eq!(depth[0].ready, 3, "what is older than any code lives has gone");
}
