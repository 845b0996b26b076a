//! What only this engine can get wrong: its server, its scripts and what they leave there.

use std::time::Duration;

use otter_domain::{
    AttemptNumber, CheckVerdict, Effect, HappeningKind, JobKind, PartitionCount, ReceiptStatus, Verification,
};
use otter_store::{
    Commit, CommitVerdict, DeadReason, Error, Events, LetterKey, MergeVerdict, Position, Retention, Store,
    WakeReason,
};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Options, RedisStore, Require};
use otter_store_testkit::fixture::{self, nth, provider, queued, seconds, verification};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::common::{claim, connection, create, creation, delivered, home, key, options, store, submission};

async fn refusal(options: Options) -> String {
    RedisStore::connect(options).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_installation_keeps_its_number_of_partitions() {
    let server = RedisServer::start().unwrap();
    store(&server, "otter").await;
    store(&server, "otter").await;
    let other = Options { partitions: PartitionCount::new(8).unwrap(), ..options(&server, "otter") };
    let refused = refusal(other.clone()).await;
    assert!(refused.contains("has 16 partitions and the configuration says 8"), "{refused}");
    RedisStore::connect(Options { prefix: "another".to_owned(), ..other }).await.unwrap();
}

#[tokio::test]
async fn a_process_with_another_install_key_is_refused() {
    let server = RedisServer::start().unwrap();
    RedisStore::connect(options(&server, "otter")).await.unwrap();
    let other = refusal(Options { install: [8; 32], ..options(&server, "otter") }).await;
    assert!(other.contains("install key"), "{other}");
}

#[tokio::test]
async fn a_server_that_writes_nothing_down_is_for_development_only() {
    let server = RedisServer::start_with(&["--appendonly", "no"]).unwrap();
    let refused = refusal(options(&server, "otter")).await;
    assert!(refused.contains("appendonly is off"), "{refused}");
    let warned = Options { require: Require::Warn, ..options(&server, "otter") };
    RedisStore::connect(warned).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_an_address_or_a_prefix_is_refused_without_being_repeated() {
    let server = RedisServer::start().unwrap();
    let url = otter_domain::Secret::new("http://user:hunter2@example");
    let refused = refusal(Options { url, ..options(&server, "otter") }).await;
    assert!(refused.contains("must be redis://") && !refused.contains("hunter2"), "{refused}");
    assert!(refusal(options(&server, "a{b}")).await.contains("prefix"));
}

#[tokio::test]
async fn installations_with_different_prefixes_do_not_see_each_other() {
    let server = RedisServer::start().unwrap();
    let (one, other) = (store(&server, "one").await, store(&server, "other").await);
    let created = create(&one).await;
    assert_eq!(other.load(home(1), vec![created.id]).await.unwrap().value, [None]);
    assert!(other.claim(home(1), claim(10)).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn scripts_are_sent_again_when_the_server_has_forgotten_them() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    create(&store).await;
    let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection(&server).await).await.unwrap();
    create(&store).await;
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value.len(), 2);
}

#[tokio::test]
async fn a_dead_server_is_unavailable_at_once_and_used_again_when_it_is_back() {
    let mut server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut wakes = store.wakes();
    let mut created = Vec::new();
    for _ in 0..50 {
        created.push(create(&store).await.id);
    }
    server.crash();
    let refused = store.now().await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { doing: "reading the clock", .. }), "{refused:?}");

    server.start_again().unwrap();
    while store.now().await.is_err() {}
    let found = store.load(home(1), created).await.unwrap().value;
    assert!(found.iter().all(Option::is_some), "everything that was acknowledged is there");
    assert_eq!(store.claim(home(1), claim(100)).await.unwrap().value.len(), 50);

    // Wakes come back by themselves; until then they are lost, so work is offered until one is heard.
    while wakes.try_recv().is_ok() {}
    let woken = async {
        loop {
            create(&store).await;
            if let Ok(Ok(wake)) = tokio::time::timeout(Duration::from_millis(50), wakes.recv()).await {
                return wake;
            }
        }
    };
    let wake = tokio::time::timeout(seconds(30), woken).await.unwrap();
    assert_eq!((wake.home, wake.reason), (home(1), WakeReason::Lane(provider("twilio-eu"))));
}

#[tokio::test]
async fn a_silent_server_is_unavailable_in_time_and_used_again_when_it_speaks() {
    let server = RedisServer::start().unwrap();
    let patience = Duration::from_millis(200);
    let impatient = Options { response_timeout: patience, ..options(&server, "otter") };
    let store = RedisStore::connect(impatient).await.unwrap();
    server.freeze().unwrap();
    for _ in 0..3 {
        let refused = tokio::time::timeout(patience * 10, store.now()).await.expect("patience ends");
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
    server.thaw().unwrap();
    while store.now().await.is_err() {}
    create(&store).await;
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    let () = redis::cmd("CLIENT")
        .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
        .query_async(&mut connection)
        .await
        .unwrap();
    while store.now().await.is_err() {}
    create(&store).await;
}

#[tokio::test]
async fn a_primary_that_became_a_replica_is_left_until_there_is_a_primary_again() {
    let server = RedisServer::start().unwrap();
    let patience = Duration::from_millis(200);
    let impatient = Options { response_timeout: patience, ..options(&server, "otter") };
    let store = RedisStore::connect(impatient).await.unwrap();
    let mut connection = connection(&server).await;
    let replicate = async |connection: &mut MultiplexedConnection, of: [&str; 2]| {
        let () = redis::cmd("REPLICAOF").arg(&of).query_async(connection).await.unwrap();
    };
    let now = store.now().await.unwrap();
    let opened = verification(home(1), now, vec![queued(1, "twilio-eu", now)]);
    replicate(&mut connection, ["127.0.0.1", "1"]).await;
    let refused = store.commit(home(1), vec![creation(&opened)]).await;
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    // It is left in the background; from then on it is not even asked for the time.
    while store.now().await.is_ok() {}
    replicate(&mut connection, ["NO", "ONE"]).await;
    while store.now().await.is_err() {}
    create(&store).await;
}

#[tokio::test]
async fn a_damaged_record_stops_nobody_else() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let (damaged, sound) = (create(&store).await, create(&store).await);
    let mut connection = connection(&server).await;
    let () = connection.hset(key(&damaged), "r", "damaged").await.unwrap();

    let found = store.load(home(1), vec![damaged.id, sound.id]).await.unwrap().value;
    assert_eq!(found, [None, Some(sound.clone())]);
    let alone = store.load(home(1), vec![damaged.id]).await;
    assert!(matches!(alone, Err(Error::Unreadable { .. })), "{alone:?}");

    let checks = vec![submission(&damaged, 9), submission(&sound, 9)];
    let verdicts: Vec<_> =
        store.check(home(1), checks).await.unwrap().value.into_iter().map(|answer| answer.verdict).collect();
    assert_eq!(verdicts, [CheckVerdict::Unknown, CheckVerdict::Wrong { remaining: 4 }]);

    let change = |of: &Verification| Commit {
        expected: Some(of.version),
        request: None,
        effects: Vec::new(),
        due: Some(of.created_at),
        ..creation(of)
    };
    let committed = store.commit(home(1), vec![change(&damaged), change(&sound)]).await.unwrap().value;
    assert_eq!(committed, [CommitVerdict::Conflict, CommitVerdict::Done]);

    let claimed = store.claim(home(1), claim(10)).await.unwrap().value;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [sound.id]);
    let letter = store.dead_letter(home(1), &LetterKey::of(damaged.id)).await.unwrap().value.unwrap();
    assert_eq!((letter.reason, letter.job), (DeadReason::RecordUnreadable, Some(JobKind::Send)));
    assert_eq!(letter.detail, "its readable part is damaged");

    let reports = vec![delivered(&damaged, AttemptNumber::FIRST), delivered(&sound, AttemptNumber::FIRST)];
    let merged = store.merge(home(1), reports).await.unwrap().value;
    assert!(
        matches!(merged.as_slice(), [MergeVerdict::Unknown, MergeVerdict::Advanced { .. }]),
        "{merged:?}"
    );

    let () = connection.zadd("otter:{p01}:timers", damaged.id.to_string(), 1).await.unwrap();
    let () = connection.zadd("otter:{p01}:timers", sound.id.to_string(), 2).await.unwrap();
    let due = store.due(home(1), 10).await.unwrap().value;
    assert_eq!(due.iter().map(|verification| verification.id).collect::<Vec<_>>(), [sound.id]);
}

#[tokio::test]
async fn a_script_that_changes_a_record_keeps_every_other_field() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let now = store.now().await.unwrap();
    let full = fixture::with_every_field(home(1), now);
    store.commit(home(1), vec![creation(&full)]).await.unwrap();
    let merged = store.merge(home(1), vec![delivered(&full, nth(3))]).await.unwrap();
    let [MergeVerdict::Advanced { verification, attempt }] = merged.value.as_slice() else {
        panic!("a delivery after a loss is news: {:?}", merged.value);
    };
    let mut expected = full.clone();
    let receipt = otter_domain::Receipt { status: ReceiptStatus::Delivered, at: merged.now, because: None };
    expected.attempts[2].receipt = Some(receipt);
    assert_eq!((&**verification, *attempt), (&expected, nth(3)));
}

#[tokio::test]
async fn old_events_are_trimmed_and_only_who_missed_some_is_told() {
    let server = RedisServer::start().unwrap();
    let kept = Duration::from_millis(300);
    let retention = Retention { events: kept, ..Retention::default() };
    let store = RedisStore::connect(Options { retention, ..options(&server, "otter") }).await.unwrap();
    let tell = async || {
        let now = store.now().await.unwrap();
        let opened = verification(home(1), now, vec![queued(1, "twilio-eu", now)]);
        let effects = vec![Effect::Publish(HappeningKind::Opened)];
        store.commit(home(1), vec![Commit { effects, ..creation(&opened) }]).await.unwrap().now
    };
    let read = async |after: Option<Position>| match store.events(home(1), after, 10).await.unwrap().value {
        Events::Read { events, next } => Some((events.len(), next)),
        Events::TooOld => None,
    };
    let (_, start) = read(None).await.unwrap();
    tell().await;
    let told = tell().await;
    let (count, seen) = read(Some(start.clone())).await.unwrap();
    assert_eq!(count, 2);

    while store.now().await.unwrap() <= told + kept * 2 {
        tokio::time::sleep(kept).await;
    }
    assert_eq!(read(Some(start.clone())).await, None, "what is past its retention reads as forgotten");
    assert_eq!(
        read(Some(seen.clone())).await,
        Some((0, seen.clone())),
        "who has seen everything missed nothing"
    );
    tell().await;
    let length: usize = connection(&server).await.xlen("otter:{p01}:events").await.unwrap();
    assert_eq!(length, 1, "the next event takes the old ones with it");
    assert_eq!(read(Some(start)).await, None);
    assert_eq!(read(Some(seen)).await.unwrap().0, 1);
}
