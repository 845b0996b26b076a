//! Clusters that lose nodes and move slots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{CheckSubmission, Digest, KeyId, Partition, PresentedDigest};
use otter_store::{Error, Store};
use otter_store_redis::test_server::{Cluster, RedisServer};
use otter_store_redis::{Durability, Options, RedisStore};
use otter_store_testkit::fixture::tenant;
use redis::Client;
use redis::aio::MultiplexedConnection;

use crate::common::{Writers, assert_kept, claim, create, create_at_last, home, homes, options, refusal};

/// The place of the master that has a partition.
async fn owner(cluster: &Cluster, home: Partition) -> usize {
    cluster.owner(slot(cluster, home).await).await.unwrap()
}

async fn slot(cluster: &Cluster, home: Partition) -> u16 {
    cluster.slot(&format!("otter:{{{home}}}:")).await.unwrap()
}

#[tokio::test]
async fn a_dead_master_stops_its_own_partitions_only_and_loses_nothing_that_was_confirmed() {
    let mut cluster = Cluster::start().await.unwrap();
    let durability = Durability::Replica { replicas: 1 };
    let store = RedisStore::connect(Options { durability, ..options(cluster.url()) }).await.unwrap();
    let gone = owner(&cluster, home(1)).await;
    let mut others = Vec::new();
    for home in homes() {
        if owner(&cluster, home).await != gone {
            others.push(home);
        }
    }
    let there = Writers::start(&store, [home(1)]);
    let elsewhere = Writers::start(&store, others.iter().copied().take(3));
    create(&store, home(1)).await.unwrap();

    let slot = slot(&cluster, home(1)).await;
    assert_eq!(cluster.crash_owner(slot).await.unwrap(), gone);
    for home in &others {
        create(&store, *home).await.unwrap();
    }
    cluster.owner_other_than(gone, slot).await.unwrap();
    // The promoted one has no replica that could confirm until the old master is one.
    cluster.node(gone).start_again().unwrap();
    create_at_last(&store, home(1)).await;

    for (home, acknowledged, refused) in elsewhere.stop().await {
        assert_eq!(refused, 0, "{home} has another master");
        assert_kept(&store, home, &acknowledged).await;
    }
    for (home, acknowledged, refused) in there.stop().await {
        assert!(refused > 0);
        assert_kept(&store, home, &acknowledged).await;
    }
}

/// Everything that the masters keep of all partitions: each key's type and content, in an order of its own.
async fn kept(cluster: &Cluster) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for home in homes() {
        let node = &cluster.nodes()[owner(cluster, home).await];
        let client = Client::open(node.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let pattern = format!("otter:{{{home}}}:*");
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        // The clock goes on meanwhile.
        for key in keys.into_iter().filter(|key| !key.ends_with(":clock")) {
            let content = content(&mut connection, &key).await;
            kept.insert(key, content);
        }
    }
    kept
}

async fn content(connection: &mut MultiplexedConnection, key: &str) -> String {
    let kind: String = redis::cmd("TYPE").arg(key).query_async(connection).await.unwrap();
    let (command, rest): (&str, &[&str]) = match kind.as_str() {
        "string" => ("GET", &[]),
        "hash" => ("HGETALL", &[]),
        "list" => ("LRANGE", &["0", "-1"]),
        "zset" => ("ZRANGE", &["0", "-1", "WITHSCORES"]),
        "stream" => ("XRANGE", &["-", "+"]),
        other => panic!("{key} is a {other}"),
    };
    let mut read = redis::cmd(command);
    read.arg(key).arg(rest);
    let content = if command == "HGETALL" {
        let fields: BTreeMap<Vec<u8>, Vec<u8>> = read.query_async(connection).await.unwrap();
        format!("{fields:?}")
    } else {
        format!("{:?}", read.query_async::<redis::Value>(connection).await.unwrap())
    };
    format!("{kind} {content}")
}

/// Asserts that nothing can be done in a partition, for whatever kind of call.
async fn assert_unavailable(store: &RedisStore, home: Partition) {
    let check = CheckSubmission {
        id: otter_store_testkit::fixture::id(home, otter_domain::Moment::from_millis(1)),
        tenant: tenant(),
        digests: vec![PresentedDigest { key: KeyId(1), digest: Digest([9; 32]) }],
        request_id: None,
    };
    let outcomes = [
        store.commit(home, Vec::new()).await.map(drop),
        store.claim(home, claim(10)).await.map(drop),
        store.due(home, 10).await.map(drop),
        store.check(home, vec![check]).await.map(drop),
        store.events(home, None, 10).await.map(drop),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::Unavailable { .. })), "{outcome:?}");
    }
}

#[tokio::test]
async fn while_a_slot_moves_its_partition_waits_and_nothing_is_lost_or_doubled() {
    let cluster = Cluster::start().await.unwrap();
    let patient = RedisStore::connect(options(cluster.url())).await.unwrap();
    // Whatever is asked of it is to fail, which takes as long as its patience.
    let impatient = Options { response_timeout: Duration::from_millis(200), ..options(cluster.url()) };
    let mut ids = BTreeMap::new();
    for home in homes() {
        for _ in 0..5 {
            ids.entry(home).or_insert_with(Vec::new).push(create(&patient, home).await.unwrap());
        }
    }
    let moving = home(1);
    let (slot, from) = (slot(&cluster, moving).await, owner(&cluster, moving).await);
    let to = (from + 1) % 3;
    let before = kept(&cluster).await;
    let impatient = RedisStore::connect(impatient).await.unwrap();

    let mut movement = cluster.begin_move(slot, to).await.unwrap();
    for keys in [0, 3, 2] {
        assert_eq!(movement.move_keys(keys).await.unwrap_or_default(), keys);
        assert_unavailable(&impatient, moving).await;
        assert_partly_there_runs_nothing(&cluster.nodes()[to], moving).await;
    }
    let neighbours: Vec<_> = homes().filter(|home| *home != moving).collect();
    for home in &neighbours {
        assert_kept(&patient, *home, &ids[home]).await;
    }
    movement.finish().await.unwrap();

    assert_kept(&patient, moving, &ids[&moving]).await;
    let after = kept(&cluster).await;
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (key, content) in before {
        assert_eq!(after[&key], content, "{key}");
    }
    let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()];
    assert_eq!(cluster.nodes()[from].ask::<u32>(&count).await.unwrap(), 0, "and nowhere else");
    for home in homes() {
        let claimed = patient.claim(home, claim(100)).await.unwrap().value;
        assert_eq!(claimed.len(), 5, "{home}: every job once");
    }
}

/// The server that a slot comes to does not run a script on the part that has come, even for a client that was sent there
/// and asks as such.
async fn assert_partly_there_runs_nothing(node: &RedisServer, home: Partition) {
    let mut connection = Client::open(node.url()).unwrap().get_multiplexed_async_connection().await.unwrap();
    let prefix = format!("otter:{{{home}}}:");
    let mut asking = redis::pipe();
    asking.cmd("ASKING").ignore();
    asking.cmd("EVAL").arg("return 1").arg(2).arg(&prefix).arg(format!("{prefix}-"));
    let refused = asking.query_async::<(u8,)>(&mut connection).await.unwrap_err();
    assert!(refused.to_string().contains("TryAgain"), "{refused}");
}

#[tokio::test]
async fn slots_that_move_under_load_lose_nothing() {
    let cluster = Cluster::start().await.unwrap();
    let store: Arc<RedisStore> = RedisStore::connect(options(cluster.url())).await.unwrap();
    let writers = Writers::start(&store, homes());
    for home in homes() {
        create(&store, home).await.unwrap();
    }
    for index in [1, 2, 3] {
        let (slot, from) = (slot(&cluster, home(index)).await, owner(&cluster, home(index)).await);
        let mut movement = cluster.begin_move(slot, (from + 1) % 3).await.unwrap();
        movement.move_keys(4).await.unwrap();
        movement.finish().await.unwrap();
        create_at_last(&store, home(index)).await;
    }
    for (home, acknowledged, _) in writers.stop().await {
        assert_kept(&store, home, &acknowledged).await;
        let mut jobs = 0;
        loop {
            let claimed = store.claim(home, claim(100)).await.unwrap().value.len();
            jobs += claimed;
            if claimed == 0 {
                break;
            }
        }
        assert!(jobs >= acknowledged.len(), "{home}: {jobs} jobs for {} codes", acknowledged.len());
    }
}

#[tokio::test]
async fn an_address_says_whether_it_is_a_cluster() {
    let alone = RedisServer::start().unwrap();
    let refused = refusal(options(alone.url().replace("redis://", "redis-cluster://"))).await;
    assert!(refused.contains("is not part of a cluster; use redis://"), "{refused}");
    let node = RedisServer::start_with(&[
        "--cluster-enabled",
        "yes",
        "--maxmemory-policy",
        "noeviction",
        "--appendonly",
        "yes",
    ]);
    let refused = refusal(options(node.unwrap().url())).await;
    assert!(refused.contains("use redis-cluster://"), "{refused}");
}
