//! The line to the server: one multiplexed connection, replaced by a keeper in the background when it is lost.
//!
//! Lost is: the server or the network closed it, the server says that it is no primary any more, or it is silent even when
//! it is asked for a sign of life after a call had no answer in time. Tries to replace it go on for as long as somebody
//! holds the keeper, with pauses that double up to [`LONGEST_PAUSE`].

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The first pause before a lost connection is replaced; doubled after each try that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause between two tries.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many reports may wait; more would say the same.
const REPORTS: usize = 16;

/// A connection that was good when it was last heard of.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Counts the connections.
    pub(crate) round: u64,
    pub(crate) connection: MultiplexedConnection,
}

#[derive(Debug, Clone)]
enum State {
    Up(Line),
    /// Why the last try failed, if there was one.
    Down(Option<Arc<RedisError>>),
}

/// What somebody noticed about the connection of a round.
enum Report {
    Lost(u64),
    Doubtful(u64),
}

/// Holds the line. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Keeper {
    state: watch::Receiver<State>,
    reports: mpsc::Sender<Report>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Connects once; from then on the line is kept. Each step of connecting takes at most `patience`.
    pub(crate) async fn open(client: Client, patience: Duration) -> Result<Self, RedisError> {
        let (reports, reported) = mpsc::channel(REPORTS);
        let dialer = Dialer { client, patience, reports: reports.clone() };
        let line = dialer.dial(0).await?;
        let (sender, state) = watch::channel(State::Up(line.clone()));
        let task = tokio::spawn(keep(dialer, line, reported, sender));
        Ok(Self { state, reports, task })
    }

    /// The line, once there is one.
    pub(crate) async fn line(&self) -> Line {
        let mut state = self.state.clone();
        loop {
            if let State::Up(line) = &*state.borrow_and_update() {
                return line.clone();
            }
            if state.changed().await.is_err() {
                // The keeper lives as long as this value; without it there is nothing to wait for.
                return std::future::pending().await;
            }
        }
    }

    /// Why there is no line, if there is none and a try has failed.
    pub(crate) fn failure(&self) -> Option<Arc<RedisError>> {
        match &*self.state.borrow() {
            State::Up(_) => None,
            State::Down(failure) => failure.clone(),
        }
    }

    /// Takes note of an error on the connection of a round.
    pub(crate) fn report(&self, round: u64, error: &RedisError) {
        if error.is_timeout() {
            self.doubt(round);
        } else if error.is_io_error()
            || error.is_unrecoverable_error()
            || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        {
            // With a full queue the same has been reported by others.
            self.reports.try_send(Report::Lost(round)).ok();
        }
    }

    /// Takes note that the connection of a round gave no answer in time.
    pub(crate) fn doubt(&self, round: u64) {
        self.reports.try_send(Report::Doubtful(round)).ok();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(dialer: Dialer, line: Line, mut reported: mpsc::Receiver<Report>, state: watch::Sender<State>) {
    let mut line = line;
    while let Some(report) = reported.recv().await {
        let is_lost = match report {
            Report::Lost(round) => round == line.round,
            Report::Doubtful(round) => round == line.round && !dialer.answers(&line).await,
        };
        if is_lost {
            let round = line.round + 1;
            tracing::info!(round, "the connection to the store is lost");
            state.send_replace(State::Down(None));
            line = dialer.redial(round, &state).await;
            state.send_replace(State::Up(line.clone()));
        }
    }
}

struct Dialer {
    client: Client,
    patience: Duration,
    reports: mpsc::Sender<Report>,
}

impl Dialer {
    async fn redial(&self, round: u64, state: &watch::Sender<State>) -> Line {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            match self.dial(round).await {
                Ok(line) => return line,
                Err(error) => state.send_replace(State::Down(Some(Arc::new(error)))),
            };
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Connects to a primary.
    async fn dial(&self, round: u64) -> Result<Line, RedisError> {
        let reports = self.reports.clone();
        let hear = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection { reports.try_send(Report::Lost(round)) } else { Ok(()) }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.patience))
            .set_response_timeout(Some(self.patience))
            .set_push_sender(hear);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let info: String = redis::cmd("INFO").arg("replication").query_async(&mut connection).await?;
        // At the first try the start-up checks say it better.
        if round > 0 && info.lines().any(|line| line.trim_end() == "role:slave") {
            return Err(RedisError::from((ErrorKind::Client, "the server is a replica")));
        }
        Ok(Line { round, connection })
    }

    async fn answers(&self, line: &Line) -> bool {
        let mut connection = line.connection.clone();
        redis::cmd("PING").query_async::<redis::Value>(&mut connection).await.is_ok()
    }
}
