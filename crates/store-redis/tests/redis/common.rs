//! A server and stores on it.

use std::sync::Arc;

use otter_domain::{Partition, PartitionCount, Secret};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Options, RedisStore};
use otter_store_testkit::fixture;

/// What every test's store is made with, but for what the test is about.
pub(crate) fn options(server: &RedisServer, prefix: &str) -> Options {
    let options = Options::new(Secret::new(server.url()), fixture::sealer());
    // The machine that runs the tests may be busy with others.
    let response_timeout = fixture::seconds(5);
    Options { prefix: prefix.to_owned(), response_timeout, ..options }
}

pub(crate) async fn store(server: &RedisServer, prefix: &str) -> Arc<RedisStore> {
    RedisStore::connect(options(server, prefix)).await.unwrap()
}

pub(crate) fn home(index: u16) -> Partition {
    PartitionCount::DEFAULT.at(index).unwrap()
}

/// A connection beside the store's, to look at what it keeps.
pub(crate) async fn connection(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    redis::Client::open(server.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
}
