//! A server whose clock is set back: time goes on where it was, for everything that is judged by it.
//!
//! Nobody can set a server's clock in a test, so the store is told that the server's was ahead before.

use std::time::Duration;

use otter_domain::Moment;
use otter_store::{CommitVerdict, Events, Position, Store};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use otter_store_testkit::fixture::seconds;
use redis::AsyncCommands;

use crate::common::{claim, connection, create, creation, home, store};

/// How far clocks are set back here.
const STEP: Duration = Duration::from_secs(300);

/// How far time may go back: as much as is not noted (see the prelude of the scripts).
const UNNOTED: Duration = Duration::from_secs(1);

/// Lets the server's clock have been ahead by a step until now.
async fn set_back(server: &RedisServer) {
    let mut connection = connection(server).await;
    let (seconds_now, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await.unwrap();
    let before = Duration::from_secs(seconds_now) + Duration::from_micros(micros) + STEP;
    for partition in 0..16 {
        let noted = format!("0 {}", before.as_millis());
        let () = connection.set(format!("otter:{{p{partition:02}}}:clock"), noted).await.unwrap();
    }
}

async fn server_time(server: &RedisServer) -> Moment {
    let mut connection = connection(server).await;
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(&mut connection).await.unwrap();
    Moment::EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
}

async fn told(store: &RedisStore) -> Moment {
    store.due(home(1), 1).await.unwrap().now
}

#[tokio::test]
async fn the_store_tells_the_servers_time_as_long_as_nobody_sets_it_back() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let before = server_time(&server).await;
    let told = told(&store).await;
    assert!(before.as_millis() <= told.as_millis());
    assert!(told <= server_time(&server).await);
}

#[tokio::test]
async fn time_goes_on_where_it_was_and_is_told_to_everybody() {
    let server = RedisServer::start().unwrap();
    let (one, other) = (store(&server, "otter").await, store(&server, "otter").await);
    let before = told(&one).await;
    set_back(&server).await;
    let after = told(&one).await;
    assert!(after + UNNOTED >= before + STEP, "it went back from {before:?} and {STEP:?} to {after:?}");
    assert!(told(&other).await >= after, "a process that comes later is told the same");
    let mut last = after;
    for _ in 0..50 {
        let next = told(&other).await;
        assert!(next >= last, "it went back from {last:?} to {next:?}");
        last = next;
    }
}

#[tokio::test]
async fn what_the_store_is_ahead_it_loses_slowly_and_never_by_going_back() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    // Noted an hour ago, five minutes ahead: a hundredth of an hour is left of it no more.
    let noted = server_time(&server).await - Duration::from_secs(3600);
    let mut connection = connection(&server).await;
    let ahead = format!("300000 {}", noted.as_millis());
    let () = connection.set("otter:{p01}:clock", ahead).await.unwrap();
    let told = told(&store).await;
    let left = told.since(server_time(&server).await);
    let lost = STEP - Duration::from_secs(36);
    assert!(left <= lost && left + Duration::from_secs(60) >= lost, "{left:?} are left");
    assert!(told >= noted + STEP);
}

#[tokio::test]
async fn leases_limits_and_events_made_before_the_step_are_judged_as_if_there_were_none() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let created = create(&store).await;
    let claimed = store.claim(home(1), claim(10)).await.unwrap();
    set_back(&server).await;
    // Five minutes ahead, so everything of before is five minutes old: the lease is lost, and its timer is due.
    let due = store.due(home(1), 10).await.unwrap();
    assert_eq!(due.value.len(), 1);
    assert!(due.now + UNNOTED >= claimed.now + STEP);
    let late = otter_store_testkit::fixture::verification(
        home(1),
        due.now,
        vec![otter_store_testkit::fixture::queued(1, "twilio-eu", due.now)],
    );
    assert_eq!(store.commit(home(1), vec![creation(&late)]).await.unwrap().value, [CommitVerdict::Done]);
    let again = store.claim(home(1), claim(10)).await.unwrap();
    assert_eq!(again.value.len(), 1, "a new claim is held under a lease that begins now");
    assert_ne!(again.value[0].verification.id, created.id);
    let none = store.due(home(1), 10).await.unwrap();
    assert!(none.value.iter().all(|verification| verification.id == created.id), "its lease has not run out");
}

#[tokio::test]
async fn events_stay_in_order_and_none_is_forgotten_early() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let read = async |after: Position| match store.events(home(1), Some(after), 100).await.unwrap().value {
        Events::Read { events, .. } => events,
        Events::TooOld => panic!("nothing is as old as that"),
    };
    let published = async || {
        let now = told(&store).await;
        let next = otter_store_testkit::fixture::verification(
            home(1),
            now,
            vec![otter_store_testkit::fixture::queued(1, "twilio-eu", now)],
        );
        let mut commit = creation(&next);
        commit.effects.push(otter_domain::Effect::Publish(otter_domain::HappeningKind::Opened));
        assert_eq!(store.commit(home(1), vec![commit]).await.unwrap().value, [CommitVerdict::Done]);
        next.id
    };
    let first = published().await;
    set_back(&server).await;
    let second = published().await;
    let events = read(Position("0-0".to_owned())).await;
    let told: Vec<_> = events.iter().map(|(_, happening)| happening.verification).collect();
    assert_eq!(told, [first, second]);
    assert!(events[1].1.at + UNNOTED >= events[0].1.at + STEP);
    assert!(seconds(0) <= events[1].1.at.since(events[0].1.at));
}
