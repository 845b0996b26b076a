//! The suite that every engine passes, on every shape of servers: one set of servers for all behaviours, which have keys of
//! their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use otter_store::Store;
use otter_store_redis::test_server::{Cluster, RedisServer, SentinelGroup};
use otter_store_redis::{Durability, Options, RedisStore};
use otter_store_testkit::{Bench, Setup, block_on, store_suite};

use crate::common::options;

struct SharedBench<'a> {
    nodes: &'a [RedisServer],
    options: Options,
    store: Arc<RedisStore>,
}

/// Opens an installation of its own on servers that are used by others too.
async fn open<'a>(nodes: &'a [RedisServer], options: Options, setup: Setup) -> SharedBench<'a> {
    static OPENED: AtomicU64 = AtomicU64::new(0);
    let Setup { partitions, retention, .. } = setup;
    let prefix = format!("otter-{}", OPENED.fetch_add(1, Ordering::Relaxed));
    let options = Options { prefix, partitions, retention, ..options };
    let store = RedisStore::connect(options.clone()).await.unwrap();
    SharedBench { nodes, options, store }
}

#[async_trait]
impl Bench for SharedBench<'_> {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn moves_clock(&self) -> bool {
        false
    }

    async fn pass(&self, time: Duration) {
        let until = self.store.now().await.unwrap() + time;
        loop {
            let now = self.store.now().await.unwrap();
            if now >= until {
                return;
            }
            tokio::time::sleep(now.until(until)).await;
        }
    }

    async fn dump(&self) -> Vec<u8> {
        self.nodes.iter().flat_map(|node| node.files().unwrap()).flatten().collect()
    }

    async fn reopen(&mut self) -> bool {
        self.store = RedisStore::connect(self.options.clone()).await.unwrap();
        true
    }
}

#[test]
fn the_suite_holds_on_a_primary_that_sentinels_name_with_a_replica_to_wait_for() {
    block_on(async {
        let group = SentinelGroup::start(1).await.unwrap();
        let durability = Durability::Replica { replicas: 1 };
        let options = Options { durability, ..options(group.url()) };
        let open = async |setup| open(group.nodes(), options.clone(), setup).await;
        store_suite!(in turn on open);
    });
}

#[test]
fn the_suite_holds_on_a_cluster() {
    block_on(async {
        let cluster = Cluster::start().await.unwrap();
        let options = options(cluster.url());
        let open = async |setup| open(cluster.nodes(), options.clone(), setup).await;
        store_suite!(in turn on open);
    });
}

/// What the manual says a user must be allowed to do.
fn least_privileges(heading: &str) -> String {
    let manual = include_str!("../../../../docs/operating/redis.md");
    let (_, rest) = manual.split_once(heading).unwrap();
    let (_, rest) = rest.split_once("```\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    block.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_suite_holds_for_a_user_who_may_do_no_more_than_the_manual_says() {
    block_on(async {
        let user =
            least_privileges("### Least privileges").replace("user ", "").replace(">PASSWORD", ">secret");
        // Behaviours keep apart by their prefixes.
        let user = user.replace("~otter:*", "~otter-*").replace("&otter:*", "&otter-*");
        let server = RedisServer::start_with_users(&[&user, "default off"]).unwrap();
        let options = options(format!("redis://otter:secret@{}", server.address()));
        let nodes = std::slice::from_ref(&server);
        let open = async |setup| open(nodes, options.clone(), setup).await;
        store_suite!(in turn on open);
    });
}
