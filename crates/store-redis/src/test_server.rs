//! Real servers on free ports of the loopback interface, for tests: one [`RedisServer`], one behind TLS or with users, a
//! [`PoweredServer`], a [`SentinelGroup`], a [`Cluster`], and a [`Proxy`] that makes the network between them and their clients worse.
//!
//! Each process has a directory of its own with its configuration, its append-only file and nothing of anybody else, and
//! is killed with its value. Servers themselves say when they are ready and what they agree on; nobody waits for a fixed
//! time.

mod cluster;
mod power;
mod process;
mod proxy;
mod sentinel;
mod server;
mod tls;

use std::future::Future;
use std::io;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError};
use thiserror::Error;

pub use cluster::{Cluster, SlotMove};
pub use power::{PowerCut, PoweredServer};
pub use proxy::{Passage, Proxy, Weather};
pub use sentinel::SentinelGroup;
pub use server::RedisServer;
pub use tls::{Authority, ClientCertificate, Identity};

/// A bound on what servers have to agree on among themselves; never a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often they are asked meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a server may take for one answer on a busy machine.
const ANSWER: Duration = Duration::from_secs(10);

/// What went wrong with the servers.
#[derive(Debug, Error)]
pub enum Error {
    /// The program is not installed.
    #[error("{0} is not installed; the Debian package redis-server brings it")]
    NotInstalled(String),
    /// The operating system said no.
    #[error("could not run redis-server")]
    System(#[from] io::Error),
    /// It ended before it was ready, on every port that was tried; with what it wrote.
    #[error("redis-server ended before it was ready; it wrote:\n{0}")]
    Ended(String),
    /// They did not agree on something in time.
    #[error("waited for {0}")]
    Late(&'static str),
    /// A server refused a command.
    #[error("a server refused a command")]
    Refused(#[from] RedisError),
    /// The program that moves slots failed; with what it wrote.
    #[error("redis-cli failed; it wrote:\n{0}")]
    Tool(String),
}

/// Asks a server by a connection of its own.
async fn ask<T: FromRedisValue>(url: &str, command: &Cmd, patience: Duration) -> Result<T, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(patience))
        .set_response_timeout(Some(patience));
    let mut connection = Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?;
    command.query_async(&mut connection).await
}

/// A command with its arguments.
fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// What a field of `INFO` and its like says.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

/// Looks until there is something to see.
async fn until<T, F>(what: &'static str, mut look: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Option<T>>,
{
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.map_err(|_| Error::Late(what))
}
