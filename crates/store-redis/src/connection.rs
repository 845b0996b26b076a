//! Calls to the server: scripts that travel on the line, each with a bounded patience.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::Secret;
use otter_store::Error;
use redis::aio::MultiplexedConnection;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisError, Script};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::line::{Keeper, Line};
use crate::pack::pack;

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

/// One line to the server, shared by all calls of a process.
#[derive(Debug)]
pub(crate) struct Connection {
    keeper: Keeper,
    patience: Duration,
}

impl Connection {
    /// Connects; every call from now on takes at most `patience`, waiting for a lost line included.
    pub(crate) async fn open(client: Client, patience: Duration) -> Result<Self, Error> {
        let keeper = Keeper::open(client, patience).await.map_err(unavailable("connecting"))?;
        Ok(Self { keeper, patience })
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
        let invoke =
            async |mut connection: MultiplexedConnection| invocation.invoke_async(&mut connection).await;
        let answer: Vec<u8> = self.call(doing, invoke).await?;
        rmp_serde::from_slice(&answer).map_err(unavailable(doing))
    }

    /// Asks the server about itself: the lines of `INFO`.
    pub(crate) async fn info(&self) -> Result<String, Error> {
        let ask = async |mut connection| redis::cmd("INFO").query_async(&mut connection).await;
        self.call("reading about the server", ask).await
    }

    async fn call<T, F>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let mut asked = None;
        let answered = timeout(self.patience, async {
            let Line { round, connection } = self.keeper.line().await;
            asked = Some(round);
            ask(connection).await
        });
        let answered = answered.await;
        match (&answered, asked) {
            (Ok(Err(error)), Some(round)) => self.keeper.report(round, error),
            (Err(_), Some(round)) => self.keeper.doubt(round),
            (Ok(_), _) | (Err(_), None) => {}
        }
        let source = match answered {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Arc::new(error),
            Err(elapsed) => self
                .keeper
                .failure()
                .unwrap_or_else(|| Arc::new(RedisError::from(std::io::Error::from(elapsed)))),
        };
        Err(unavailable(doing)(source))
    }
}

/// What a failed call becomes: nothing is known about what was asked.
pub(crate) fn unavailable<E: std::error::Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> Error {
    move |source| Error::Unavailable { doing, source: Some(Box::new(source)) }
}
