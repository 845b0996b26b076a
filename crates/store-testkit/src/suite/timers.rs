//! The next instant at which somebody must look.

use std::time::Duration;

use otter_domain::Moment;
use otter_store::Commit;

use crate::bench::{Bench, Setup};
use crate::fixture::seconds;
use crate::kit::{Kit, change, creation};

async fn timed<B: Bench>(kit: &Kit<B>, due: Option<Moment>) -> otter_domain::Verification {
    let verification = kit.verification(vec![]);
    kit.commit(Commit { due, ..creation(&verification) }).await;
    verification
}

pub async fn what_is_due_comes_earliest_first_and_no_more_than_asked<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let third = timed(&kit, Some(kit.now - seconds(1))).await;
    let first = timed(&kit, Some(kit.now - seconds(3))).await;
    let fourth = timed(&kit, Some(kit.now)).await;
    let second = timed(&kit, Some(kit.now - seconds(2))).await;
    timed(&kit, Some(kit.now + seconds(600))).await;
    timed(&kit, None).await;
    assert_eq!(kit.due(3).await, [first.id, second.id, third.id]);
    assert_eq!(kit.due(3).await, [fourth.id]);
    assert_eq!(kit.due(3).await, []);
}

pub async fn what_is_due_comes_as_it_is_stored<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let verification = crate::fixture::with_every_field(kit.home, kit.now);
    kit.commit(Commit { due: Some(kit.now), ..creation(&verification) }).await;
    assert_eq!(kit.store.due(kit.home, 1).await.unwrap().value, [verification]);
}

pub async fn a_commit_sets_the_one_next_instant<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let removed = timed(&kit, Some(kit.now)).await;
    let later = timed(&kit, Some(kit.now)).await;
    let sooner = timed(&kit, Some(kit.now + seconds(600))).await;
    kit.commit(Commit { due: None, ..change(&removed) }).await;
    kit.commit(Commit { due: Some(kit.now + seconds(600)), ..change(&later) }).await;
    kit.commit(Commit { due: Some(kit.now), ..change(&sooner) }).await;
    assert_eq!(kit.due(10).await, [sooner.id]);
}

pub async fn what_was_handed_out_is_hidden_until_a_commit_says_otherwise<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let shown = timed(&kit, Some(kit.now)).await;
    assert_eq!(kit.due(10).await, [shown.id]);
    assert_eq!(kit.due(10).await, []);
    kit.commit(Commit { due: Some(kit.now), ..change(&shown) }).await;
    assert_eq!(kit.due(10).await, [shown.id]);
}

pub async fn what_nobody_handled_is_due_again_after_three_seconds<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    let forgotten = timed(&kit, Some(kit.now)).await;
    assert_eq!(kit.due(10).await, [forgotten.id]);
    kit.bench.pass(Duration::from_millis(2_999)).await;
    assert_eq!(kit.due(10).await, []);
    kit.bench.pass(Duration::from_millis(1)).await;
    assert_eq!(kit.due(10).await, [forgotten.id]);
}

pub async fn a_future_instant_comes<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let soon = timed(&kit, Some(kit.now + Duration::from_millis(200))).await;
    if kit.bench.moves_clock() {
        assert_eq!(kit.due(10).await, []);
    }
    kit.bench.pass(Duration::from_millis(200)).await;
    assert_eq!(kit.due(10).await, [soon.id]);
}
