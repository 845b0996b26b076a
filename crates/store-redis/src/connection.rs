//! The way to the server: one multiplexed connection that comes back by itself, and scripts that travel on it.

use std::time::Duration;

use otter_domain::Secret;
use otter_store::Error;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, Script};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::pack::pack;

/// How often a lost connection is tried before those who wait for it are told; the next call tries again.
const RECONNECT_TRIES: usize = 5;

/// The first pause between two tries; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause between two tries.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Reads the address of a server.
pub(crate) fn client(url: &Secret) -> Result<Client, Error> {
    let unsuitable = |_| Error::Unsuitable {
        // The crate's own words may repeat the address and with it the password.
        why: "the address must be redis://[user[:password]@]host[:port][/database], or rediss:// for TLS"
            .to_owned(),
    };
    let info: ConnectionInfo = url.reveal().into_connection_info().map_err(unsuitable)?;
    // With RESP3 the server's goodbye is noticed when it comes, not when the next call fails.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings)).map_err(unsuitable)
}

/// One connection to the server, shared by all calls of a process.
#[derive(Clone)]
pub(crate) struct Connection {
    manager: ConnectionManager,
    patience: Duration,
}

impl Connection {
    /// Connects; every call from now on takes at most `patience`.
    pub(crate) async fn open(client: Client, patience: Duration) -> Result<Self, Error> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(RECONNECT_TRIES)
            .set_min_delay(FIRST_PAUSE)
            .set_max_delay(LONGEST_PAUSE)
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        let manager = ConnectionManager::new_with_config(client, config);
        Ok(Self { manager: manager.await.map_err(unavailable("connecting"))?, patience })
    }

    /// Runs a script in one partition and reads its answer. The server is told the script's text when it does not know
    /// it yet or any more.
    pub(crate) async fn run<A: DeserializeOwned>(
        &self,
        script: &Script,
        prefix: &str,
        argument: &impl Serialize,
        doing: &'static str,
    ) -> Result<A, Error> {
        let argument = pack(argument).map_err(unavailable(doing))?;
        let mut invocation = script.key(prefix);
        invocation.arg(argument);
        let mut manager = self.manager.clone();
        let answer: Vec<u8> = timeout(self.patience, invocation.invoke_async(&mut manager))
            .await
            .map_err(unavailable(doing))?
            .map_err(unavailable(doing))?;
        rmp_serde::from_slice(&answer).map_err(unavailable(doing))
    }

    /// Asks the server about itself: the lines of `INFO`.
    pub(crate) async fn info(&self) -> Result<String, Error> {
        let doing = "reading about the server";
        let mut manager = self.manager.clone();
        timeout(self.patience, redis::cmd("INFO").query_async(&mut manager))
            .await
            .map_err(unavailable(doing))?
            .map_err(unavailable(doing))
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// What a failed call becomes: nothing is known about what was asked.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> Error {
    move |source| Error::Unavailable { doing, source: Some(Box::new(source)) }
}
