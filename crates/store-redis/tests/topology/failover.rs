//! Primaries that die, hang, and come back.

use otter_store::{Error, Store};
use otter_store_redis::test_server::{RedisServer, SentinelGroup};
use otter_store_redis::{Durability, Options, RedisStore};
use otter_store_testkit::fixture::seconds;

use crate::common::{Writers, assert_kept, claim, create, create_at_last, home, homes, options, refusal};

#[tokio::test]
async fn a_failover_loses_nothing_that_replicas_had_to_confirm() {
    let mut group = SentinelGroup::start(2).await.unwrap();
    let durability = Durability::Replica { replicas: 2 };
    let store = RedisStore::connect(Options { durability, ..options(group.url()) }).await.unwrap();
    let writers = Writers::start(&store, homes().take(4));
    for index in 0..4 {
        create(&store, home(index)).await.unwrap();
    }

    let gone = group.crash_primary().await.unwrap();
    group.primary_other_than(gone).await.unwrap();
    // One replica is too few; with the old primary back as one they are two again.
    group.node(gone).start_again().unwrap();
    group.settled().await.unwrap();
    for index in 0..4 {
        create_at_last(&store, home(index)).await;
    }

    for (home, acknowledged, refused) in writers.stop().await {
        assert!(!acknowledged.is_empty() && refused > 0, "{home}: {} and {refused}", acknowledged.len());
        assert_kept(&store, home, &acknowledged).await;
    }
}

#[tokio::test]
async fn an_old_primary_that_wakes_is_not_believed_when_sentinels_name_another() {
    let group = SentinelGroup::start(1).await.unwrap();
    let impatient = Options { response_timeout: seconds(1), ..options(group.url()) };
    let store = RedisStore::connect(impatient).await.unwrap();
    create(&store, home(1)).await.unwrap();
    let frozen = group.freeze_primary().await.unwrap();
    let promoted = group.primary_other_than(frozen).await.unwrap();
    let there = create_at_last(&store, home(1)).await;
    group.nodes()[frozen].thaw().unwrap();
    let mut created = vec![there];
    for _ in 0..20 {
        created.push(create_at_last(&store, home(1)).await);
    }
    let promoted = RedisStore::connect(options(group.nodes()[promoted].url())).await.unwrap();
    assert_kept(&promoted, home(1), &created).await;
}

#[tokio::test]
async fn sentinels_that_do_not_know_the_service_or_are_none_are_named_as_such() {
    let group = SentinelGroup::start(1).await.unwrap();
    let unknown = group.url().replace("/otter", "/nobody");
    let error = RedisStore::connect(options(unknown)).await.unwrap_err();
    assert!(format!("{error:?}").contains("does not know the service"), "{error:?}");
    let direct = format!("redis://{}", group.sentinels()[0].address());
    assert!(refusal(options(direct)).await.contains("use redis-sentinel://"));
    let replica = refusal(options(group.nodes()[1].url())).await;
    assert!(replica.contains("is a replica"), "{replica}");
}

#[tokio::test]
async fn without_its_replica_nothing_is_accepted_or_taken_and_reading_goes_on() {
    let primary = RedisServer::start().unwrap();
    let mut replica = RedisServer::replica_of(&primary, &["--appendonly", "yes"]).await.unwrap();
    let durability = Durability::Replica { replicas: 1 };
    let confirmed = Options { durability, response_timeout: seconds(2), ..options(primary.url()) };
    let store = RedisStore::connect(confirmed.clone()).await.unwrap();
    // The primary counts a replica only once it has reported itself.
    let acknowledged = create_at_last(&store, home(1)).await;
    for _ in 0..2 {
        create(&store, home(1)).await.unwrap();
    }

    replica.crash();
    let unconfirmed = create(&store, home(1)).await.unwrap_err();
    assert!(matches!(unconfirmed, Error::Unavailable { doing: "committing", .. }), "{unconfirmed:?}");
    for _ in 0..3 {
        let refused = store.claim(home(1), claim(10)).await;
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
    }
    assert_kept(&store, home(1), &[acknowledged]).await;
    // A claim that could not be confirmed did not happen, so nobody has to wait for the end of its lease.
    let depth = store.lanes(home(1), vec![claim(1).lane]).await.unwrap().value.remove(0);
    assert!(depth.ready >= 3, "{depth:?}");

    replica.start_again().unwrap();
    create_at_last(&store, home(1)).await;
    assert!(store.claim(home(1), claim(10)).await.unwrap().value.len() >= 4);
    drop(replica);
    RedisStore::connect(confirmed).await.expect("a process may start while a replica is away");
}

#[tokio::test]
async fn more_replicas_than_are_waited_for_are_refused() {
    let primary = RedisServer::start().unwrap();
    let _one = RedisServer::replica_of(&primary, &["--appendonly", "yes"]).await.unwrap();
    let _other = RedisServer::replica_of(&primary, &["--appendonly", "yes"]).await.unwrap();
    let durability = Durability::Replica { replicas: 1 };
    let refused = refusal(Options { durability, ..options(primary.url()) }).await;
    assert!(refused.contains("set store.replicas to 2"), "{refused}");
}

#[tokio::test]
async fn fsync_is_promised_only_by_a_server_that_keeps_the_promise() {
    let fsync = |server: &RedisServer| Options { durability: Durability::Fsync, ..options(server.url()) };
    let server = RedisServer::start().unwrap();
    let store = RedisStore::connect(fsync(&server)).await.unwrap();
    create(&store, home(1)).await.unwrap();
    server.ask::<()>(&["CONFIG", "SET", "appendfsync", "everysec"]).await.unwrap();
    let refused = refusal(fsync(&server)).await;
    assert!(refused.contains("appendfsync is everysec; it must be always"), "{refused}");
}
