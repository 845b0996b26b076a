//! Events and wakes.

use std::time::Duration;

use otter_domain::{Effect, Happening, HappeningKind};
use otter_store::{Commit, Events, Position, Retention, Wake, WakeReason};
use tokio::sync::broadcast::Receiver;

use crate::bench::{Bench, Setup};
use crate::fixture::{every_happening, provider};
use crate::kit::{Kit, creation, dispatch};

/// Commits a verification that publishes these; returns the events as they have to be read, but for their moment.
async fn publish<B: Bench>(kit: &Kit<B>, kinds: Vec<HappeningKind>) -> Vec<Happening> {
    let verification = kit.verification(vec![]);
    let effects = kinds.iter().cloned().map(Effect::Publish).collect();
    kit.commit(Commit { effects, ..creation(&verification) }).await;
    let tenant = verification.tenant;
    let event = |kind| Happening { verification: verification.id, tenant: tenant.clone(), at: kit.now, kind };
    kinds.into_iter().map(event).collect()
}

fn remaining(number: u8) -> HappeningKind {
    HappeningKind::CheckFailed { remaining: number }
}

async fn read<B: Bench>(
    kit: &Kit<B>,
    after: &Position,
    max: usize,
) -> (Vec<(Position, Happening)>, Position) {
    match kit.store.events(kit.home, Some(after.clone()), max).await.unwrap().value {
        Events::Read { events, next } => (events, next),
        Events::TooOld => panic!("the position is too old"),
    }
}

pub async fn events_of_every_kind_are_read_in_order<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let start = kit.tail().await;
    let kinds = every_happening(&kit.verification(vec![]), kit.now).into_iter().map(|event| event.kind);
    let mut expected = publish(&kit, kinds.collect()).await;
    expected.extend(publish(&kit, vec![HappeningKind::Opened]).await);
    let events = kit.events_after(&start).await;
    let before = kit.store.now().await.unwrap();
    assert!(events.iter().all(|event| (kit.now..=before).contains(&event.at)));
    let undated: Vec<_> = events.into_iter().map(|event| Happening { at: kit.now, ..event }).collect();
    assert_eq!(undated, expected);
}

pub async fn reading_goes_on_where_it_stopped<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let start = kit.tail().await;
    publish(&kit, (1..=5).map(remaining).collect()).await;
    let (events, next) = read(&kit, &start, 2).await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].0, next, "an event's own position is where to go on after it");
    let (events, next) = read(&kit, &next, 10).await;
    let kinds: Vec<_> = events.iter().map(|(_, event)| event.kind.clone()).collect();
    assert_eq!(kinds, [remaining(3), remaining(4), remaining(5)]);
    let (events, again) = read(&kit, &next, 10).await;
    assert_eq!((events, &again), (vec![], &next), "nothing new");
    publish(&kit, vec![remaining(6)]).await;
    assert_eq!(read(&kit, &again, 10).await.0.len(), 1);
    assert_eq!(read(&kit, &start, 10).await.0.len(), 6, "a position can be used again");
}

pub async fn without_a_position_reading_starts_now<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    publish(&kit, vec![remaining(1)]).await;
    let now = kit.tail().await;
    assert_eq!(kit.events_after(&now).await, []);
    publish(&kit, vec![remaining(2)]).await;
    let news: Vec<_> = kit.events_after(&now).await.into_iter().map(|event| event.kind).collect();
    assert_eq!(news, [remaining(2)]);
}

pub async fn partitions_have_their_own_events<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let other = kit.store.partitions().at(3).unwrap();
    let Events::Read { next, .. } = kit.store.events(other, None, 1).await.unwrap().value else {
        panic!("the present is never too old")
    };
    publish(&kit, vec![remaining(1)]).await;
    let answer = kit.store.events(other, Some(next), 10).await.unwrap().value;
    assert!(matches!(answer, Events::Read { events, .. } if events.is_empty()));
}

pub async fn a_position_with_a_gap_after_it_is_too_old<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let retention = Retention { events: Duration::from_millis(50), ..Retention::default() };
    let kit = Kit::open_with(open, retention).await;
    let start = kit.tail().await;
    publish(&kit, vec![remaining(1), remaining(2)]).await;
    kit.bench.pass(retention.events * 2).await;
    publish(&kit, vec![remaining(3)]).await;
    let answer = kit.store.events(kit.home, Some(start), 10).await.unwrap().value;
    assert_eq!(answer, Events::TooOld);
}

pub async fn a_position_from_elsewhere_is_too_old<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    publish(&kit, vec![remaining(1)]).await;
    for text in ["", "nonsense", "-1", "99999999999999999999999", "1 2", "é"] {
        let position = Some(Position(text.to_owned()));
        let answer = kit.store.events(kit.home, position, 10).await.unwrap().value;
        assert_eq!(answer, Events::TooOld, "{text:?}");
    }
}

pub async fn jobs_and_events_wake_whoever_waits<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let mut wakes = kit.store.wakes();
    let item = dispatch(creation(&kit.verification(vec![kit.queued(1, "wakes")])));
    kit.commit(item).await;
    let lane = WakeReason::Lane(provider("wakes"));
    woken(&mut wakes, Wake { home: kit.home, reason: lane }).await;
    publish(&kit, vec![remaining(1)]).await;
    woken(&mut wakes, Wake { home: kit.home, reason: WakeReason::Events }).await;
}

/// Returns when this wake comes, whatever comes before it.
async fn woken(wakes: &mut Receiver<Wake>, expected: Wake) {
    let wait = async { while wakes.recv().await.expect("the store lives") != expected {} };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("nobody was woken");
}
