//! Asking sentinels who the primary is.
//!
//! All of them are asked at once, and only what more than half of those that were configured say is believed: whoever is
//! cut off together with an old primary and a minority of the sentinels learns nothing, instead of writing to a primary
//! that the others have replaced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::address::{Access, Server};
use crate::failure::Failure;

/// How often they are asked whether the primary is still the same.
const WATCH: Duration = Duration::from_secs(1);

/// The sentinels of one service.
#[derive(Debug)]
pub(crate) struct Sentinels {
    service: String,
    access: Access,
    sentinels: Vec<Sentinel>,
    /// The primary that was named last.
    named: watch::Sender<Option<Server>>,
}

/// One of them, with the connection that answered last, which all questions share.
#[derive(Debug)]
struct Sentinel {
    server: Server,
    connection: Mutex<Option<MultiplexedConnection>>,
}

impl Sentinels {
    pub(crate) fn new(service: String, servers: &[Server], access: Access) -> Arc<Self> {
        let sentinel = |server: &Server| Sentinel { server: server.clone(), connection: Mutex::default() };
        let sentinels = servers.iter().map(sentinel).collect();
        Arc::new(Self { service, access, sentinels, named: watch::Sender::new(None) })
    }

    /// The primary that more than half of the sentinels name.
    pub(crate) async fn primary(&self) -> Result<Server, Failure> {
        let answers = join_all(self.sentinels.iter().map(|sentinel| self.ask(sentinel))).await;
        let mut votes: BTreeMap<Server, usize> = BTreeMap::new();
        let mut failure = None;
        for (sentinel, answer) in self.sentinels.iter().zip(answers) {
            match answer {
                Ok(Some(server)) => *votes.entry(server).or_default() += 1,
                Ok(None) => {
                    failure.get_or_insert(
                        Failure::Nobody("a sentinel does not know the service").at(&sentinel.server),
                    );
                }
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let named = votes.into_iter().max_by_key(|(_, count)| *count);
        match (named, failure) {
            (Some((server, count)), _) if count * 2 > self.sentinels.len() => {
                self.named.send_if_modified(|named| {
                    let is_news = named.as_ref() != Some(&server);
                    *named = Some(server.clone());
                    is_news
                });
                Ok(server)
            }
            (None, Some(failure)) => Err(failure),
            (Some(_), _) | (None, None) => {
                Err(Failure::Nobody("fewer than half of the sentinels agree on a primary"))
            }
        }
    }

    /// Asks every second; returns when the primary is another one.
    pub(crate) async fn watch(&self, server: &Server) {
        loop {
            sleep(WATCH).await;
            // Sentinels that are gone or of two minds are no reason to leave a primary that answers.
            if self.primary().await.is_ok_and(|primary| primary != *server) {
                return;
            }
        }
    }

    /// Returns when somebody who asked was told of another one.
    pub(crate) async fn hear_of_other_than(&self, server: &Server) {
        let mut named = self.named.subscribe();
        let is_other = |named: &Option<Server>| named.as_ref().is_some_and(|named| named != server);
        // An error would say that the sender is gone, which lives as long as this value.
        drop(named.wait_for(is_other).await);
    }

    async fn ask(&self, sentinel: &Sentinel) -> Result<Option<Server>, Failure> {
        let known = sentinel.known().clone();
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
        let answered = asked.await.map_err(|_| Failure::Silence).and_then(|asked| Ok(asked?));
        let answered = answered.map_err(|failure| failure.at(&sentinel.server));
        let (connection, answer) = answered.inspect_err(|_| *sentinel.known() = None)?;
        *sentinel.known() = Some(connection);
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

impl Sentinel {
    fn known(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
