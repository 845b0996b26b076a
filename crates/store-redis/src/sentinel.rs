//! Asking sentinels who the primary is.
//!
//! All of them are asked at once, and only what more than half of those that were configured say is believed: whoever is
//! cut off together with an old primary and a minority of the sentinels learns nothing, instead of writing to a primary
//! that the others have replaced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::join_all;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::time::timeout;

use crate::address::{Access, Server};
use crate::failure::Failure;

/// The sentinels of one service.
#[derive(Debug)]
pub(crate) struct Sentinels {
    service: String,
    access: Access,
    sentinels: Vec<Sentinel>,
}

/// One of them, with the connection that answered last.
#[derive(Debug)]
struct Sentinel {
    server: Server,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(crate) fn new(service: String, servers: &[Server], access: Access) -> Arc<Self> {
        let sentinel = |server: &Server| Sentinel { server: server.clone(), connection: Mutex::default() };
        Arc::new(Self { service, access, sentinels: servers.iter().map(sentinel).collect() })
    }

    /// The primary that more than half of the sentinels name.
    pub(crate) async fn primary(&self) -> Result<Server, Failure> {
        let answers = join_all(self.sentinels.iter().map(|sentinel| self.ask(sentinel))).await;
        let mut votes: BTreeMap<Server, usize> = BTreeMap::new();
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(Some(server)) => *votes.entry(server).or_default() += 1,
                Ok(None) => {
                    failure.get_or_insert(Failure::Nobody("a sentinel does not know the service"));
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let named = votes.into_iter().max_by_key(|(_, count)| *count);
        match (named, failure) {
            (Some((server, count)), _) if count * 2 > self.sentinels.len() => Ok(server),
            (None, Some(failure)) => Err(failure),
            (Some(_), _) | (None, None) => {
                Err(Failure::Nobody("fewer than half of the sentinels agree on a primary"))
            }
        }
    }

    async fn ask(&self, sentinel: &Sentinel) -> Result<Option<Server>, Failure> {
        let known = sentinel.connection.lock().unwrap_or_else(PoisonError::into_inner).take();
        let asked = timeout(self.access.patience(), async {
            // A connection that was good a while ago may be gone; then a new one is made at once.
            if let Some(mut connection) = known
                && let Ok(answer) = self.ask_on(&mut connection).await
            {
                return Ok((connection, answer));
            }
            let mut connection = self.access.connect_briefly(&sentinel.server).await?;
            let answer = self.ask_on(&mut connection).await?;
            Ok::<_, RedisError>((connection, answer))
        });
        let (connection, answer) = asked.await.map_err(|_| Failure::Silence)??;
        *sentinel.connection.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(answer.map(|(host, port)| Server { host, port }))
    }

    async fn ask_on(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<(String, u16)>, RedisError> {
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.service).query_async(connection).await
    }
}
