//! What is noticed while nothing fails: replicas that come, sentinels that change their minds, lines that do not last.

use std::time::Duration;

use futures::future::join_all;
use otter_store::{Error, Store};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Durability, Options, RedisStore};

use crate::common::{claim, create, create_at_last, home, homes, options, refusal};
use crate::spokesman::Spokesman;
use crate::told::Told;

const ONE_REPLICA: Durability = Durability::Replica { replicas: 1 };

async fn replica_of(primary: &RedisServer) -> RedisServer {
    RedisServer::replica_of(primary, &["--appendonly", "yes"]).await.unwrap()
}

#[tokio::test]
async fn a_replica_that_comes_while_otter_runs_is_told_as_an_error() {
    let told = Told::start();
    let primary = RedisServer::start().unwrap();
    let _one = replica_of(&primary).await;
    let store =
        RedisStore::connect(Options { durability: ONE_REPLICA, ..options(primary.url()) }).await.unwrap();
    create_at_last(&store, home(1)).await;
    let finding = ["ERROR", "could lose what was accepted", "set store.replicas to 2"];
    assert_eq!(told.count(&finding), 0);
    let _other = replica_of(&primary).await;
    told.until(&finding).await;
}

#[tokio::test]
async fn the_loss_of_a_replica_and_its_return_are_told() {
    let told = Told::start();
    let primary = RedisServer::start().unwrap();
    let mut replica = replica_of(&primary).await;
    let store =
        RedisStore::connect(Options { durability: ONE_REPLICA, ..options(primary.url()) }).await.unwrap();
    create_at_last(&store, home(1)).await;
    let again = ["INFO", "enough replicas are in sync again", &primary.address().to_string()];
    let before = told.count(&again);
    replica.crash();
    told.until(&["WARN", "it has 0 replicas in sync"]).await;
    assert_eq!(told.count(&again), before);
    replica.start_again().unwrap();
    create_at_last(&store, home(1)).await;
    let returned = async {
        while told.count(&again) == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), returned).await.expect("its return is told");
    assert_eq!(told.count(&again), before + 1);
}

#[tokio::test]
async fn a_server_that_refuses_calls_is_told_once_while_it_does() {
    let told = Told::start();
    let server = RedisServer::start().unwrap();
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    create(&store, home(1)).await.unwrap();
    assert_eq!(told.count(&["refuses calls"]), 0);
    server.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    for _ in 0..3 {
        create(&store, home(1)).await.unwrap_err();
        // What only reads goes on in between.
        assert_eq!(store.claim(home(2), claim(1)).await.unwrap().value, []);
    }
    let address = server.address().to_string();
    assert_eq!(told.count(&["WARN", "the store's server refuses calls", "OOM", &address]), 1);
    assert_eq!(told.count(&["refuses calls"]), 1);
}

#[tokio::test]
async fn a_server_that_is_refused_or_not_there_is_named() {
    let mut server = RedisServer::start().unwrap();
    server.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await.unwrap();
    let address = server.address();
    let refused = refusal(options(server.url())).await;
    assert!(
        refused.contains(&format!("{address}: the server's maxmemory-policy is allkeys-lru")),
        "{refused}"
    );
    server.crash();
    let absent = refusal(options(format!("redis://otter:hunter2@{address}"))).await;
    assert!(
        absent.starts_with(&format!("the store is unavailable while connecting: {address}: ")),
        "{absent}"
    );
    assert!(!absent.contains("hunter2"), "{absent}");
}

#[tokio::test]
async fn all_lines_share_one_connection_to_a_sentinel_and_go_where_it_says() {
    let (first, second) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let _replicas = [replica_of(&first).await, replica_of(&second).await];
    let mut sentinel = Spokesman::start(first.port()).await;
    let store =
        RedisStore::connect(Options { durability: ONE_REPLICA, ..options(sentinel.url()) }).await.unwrap();
    // All lines at once, and then again and again for as long as they are there.
    join_all(homes().map(|home| create_at_last(&store, home))).await;
    sentinel.asked_again(4).await;
    assert_eq!(sentinel.connections(), 1);

    sentinel.name(second.port());
    for home in homes() {
        let key = format!("otter:{{{home}}}:timers");
        let moved = async {
            while second.ask::<u32>(&["EXISTS", &key]).await.unwrap() == 0 {
                create_at_last(&store, home).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), moved).await.expect("the line goes there");
    }
    assert_eq!(sentinel.connections(), 1);
}

#[tokio::test]
async fn the_loss_of_a_server_and_its_return_are_told_once_each() {
    let told = Told::start();
    let mut server = RedisServer::start().unwrap();
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    create(&store, home(1)).await.unwrap();
    assert_eq!(told.count(&["answers again"]), 0);
    server.start_again().unwrap();
    create_at_last(&store, home(1)).await;
    told.until(&["INFO", "the store answers again", &server.address().to_string()]).await;
    assert_eq!(told.count(&["answers again"]), 1);
    assert_eq!(told.count(&["connection to the store is lost"]), 1);
}

#[tokio::test]
async fn a_line_that_is_lost_as_soon_as_it_is_made_is_made_ever_more_slowly() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::connect(options(server.url())).await.unwrap();
    let before = store.now().await.unwrap();
    let mut after = before;
    for _ in 0..8 {
        after = loop {
            match store.now().await {
                Ok(now) => break now,
                Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error:?}"),
            }
        };
        server.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    }
    // 20 ms and twice as much each time; a line that lived for a second begins anew, after that second.
    assert!(before.until(after) > Duration::from_millis(1500), "{:?}", before.until(after));
}

#[tokio::test]
async fn fsync_is_not_promised_by_a_server_that_stops_syncing_while_it_rewrites() {
    let server = RedisServer::start().unwrap();
    server.ask::<()>(&["CONFIG", "SET", "no-appendfsync-on-rewrite", "yes"]).await.unwrap();
    let refused = refusal(Options { durability: Durability::Fsync, ..options(server.url()) }).await;
    assert!(refused.contains("no-appendfsync-on-rewrite is yes; it must be no"), "{refused}");
}
