//! The suite that every engine passes, each behaviour on a server of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_store::{Sealer, Store};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use otter_store_testkit::{Bench, Setup, fixture};

struct RedisBench {
    server: RedisServer,
    store: Arc<RedisStore>,
    setup: Setup,
}

async fn connect(server: &RedisServer, setup: Setup, sealer: Sealer) -> Arc<RedisStore> {
    let Setup { partitions, retention, .. } = setup;
    let options = crate::common::options(server, "suite");
    let options = otter_store_redis::Options { partitions, retention, sealer, ..options };
    RedisStore::connect(options).await.unwrap()
}

async fn open(setup: Setup) -> RedisBench {
    let server = RedisServer::start().unwrap();
    let store = connect(&server, setup, fixture::sealer()).await;
    RedisBench { server, store, setup }
}

#[async_trait]
impl Bench for RedisBench {
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

    /// The append-only file: everything that was ever written, as plain commands.
    async fn dump(&self) -> Vec<u8> {
        self.server.files().unwrap().concat()
    }

    async fn reopen(&mut self) -> bool {
        self.reopen_with(fixture::sealer()).await
    }

    async fn reopen_with(&mut self, sealer: Sealer) -> bool {
        self.server.start_again().unwrap();
        self.store = connect(&self.server, self.setup, sealer).await;
        true
    }
}

otter_store_testkit::store_suite!(open);
