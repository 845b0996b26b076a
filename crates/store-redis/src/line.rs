//! A line to a primary: one multiplexed connection, replaced by a keeper in the background when it is lost.
//!
//! Lost is: the server or the network closed it, the server says that it is no primary any more, sentinels name another
//! one, or it is silent even when it is asked for a sign of life after a call had no answer in time. Tries to replace it
//! go on for as long as somebody holds the keeper, with pauses between them. Each try begins with the question where the
//! primary is.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::address::{Access, Server};
use crate::failure::Failure;
use crate::pauses::Pauses;
use crate::sentinel::Sentinels;
use crate::startup::{Depth, Examiner};

/// The first pause before a lost connection is replaced.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// How many reports may wait; more would say the same.
const REPORTS: usize = 16;

/// A connection that was good when it was last heard of.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Counts the connections.
    pub(crate) round: u64,
    pub(crate) server: Server,
    pub(crate) connection: MultiplexedConnection,
}

#[derive(Debug, Clone)]
pub(crate) enum State {
    Up(Line),
    /// Why the last try failed, if there was one.
    Down(Option<Failure>),
}

/// What somebody noticed about the connection of a round.
#[derive(Debug)]
enum Report {
    Lost(u64),
    Doubtful(u64),
}

/// Where the primary is found.
#[derive(Debug, Clone)]
pub(crate) enum Whereabouts {
    Known(Server),
    Sentinels(Arc<Sentinels>),
}

impl Whereabouts {
    async fn find(&self) -> Result<Server, Failure> {
        match self {
            Self::Known(server) => Ok(server.clone()),
            Self::Sentinels(sentinels) => sentinels.primary().await,
        }
    }

    /// Returns when the primary is another one. Only one line to a server asks for that; others hear what it is told.
    async fn differ_from(&self, server: &Server, scrutiny: Scrutiny) {
        match (self, scrutiny) {
            (Self::Known(_), _) => std::future::pending().await,
            (Self::Sentinels(sentinels), Scrutiny::Whole) => sentinels.watch(server).await,
            (Self::Sentinels(sentinels), Scrutiny::Role) => sentinels.hear_of_other_than(server).await,
        }
    }
}

/// Holds the line. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Keeper {
    state: Arc<watch::Sender<State>>,
    reports: mpsc::Sender<Report>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Connects once, looking at the server as closely as a start asks for; from then on the line is kept.
    pub(crate) async fn open(dialer: Dialer) -> Result<Self, Failure> {
        let (reports, reported) = mpsc::channel(REPORTS);
        let line = dialer.dial(0, &reports, dialer.scrutiny.first()).await?;
        Ok(Self::keep(dialer, reports, reported, State::Up(line)))
    }

    /// Connects in the background.
    pub(crate) fn start(dialer: Dialer) -> Self {
        let (reports, reported) = mpsc::channel(REPORTS);
        Self::keep(dialer, reports, reported, State::Down(None))
    }

    fn keep(
        dialer: Dialer,
        reports: mpsc::Sender<Report>,
        reported: mpsc::Receiver<Report>,
        first: State,
    ) -> Self {
        let state = Arc::new(watch::Sender::new(first));
        let task = tokio::spawn(keep(dialer, reports.clone(), reported, Arc::clone(&state)));
        Self { state, reports, task }
    }

    /// The line, once there is one.
    pub(crate) async fn line(&self) -> Line {
        if let State::Up(line) = &*self.state.borrow() {
            return line.clone();
        }
        let mut state = self.state.subscribe();
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

    /// The line at this moment.
    pub(crate) fn current(&self) -> Option<Line> {
        match &*self.state.borrow() {
            State::Up(line) => Some(line.clone()),
            State::Down(_) => None,
        }
    }

    /// The line and what becomes of it.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Why there is no line, if there is none and a try has failed.
    pub(crate) fn failure(&self) -> Option<Failure> {
        match &*self.state.borrow() {
            State::Up(_) => None,
            State::Down(failure) => failure.clone(),
        }
    }

    /// Asks something on the line and takes note of what that says about it. When the asking is given up, the line is
    /// doubted.
    pub(crate) async fn ask<T>(
        &self,
        line: Line,
        ask: impl AsyncFnOnce(MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        let mut doubt = Doubt { reports: &self.reports, round: Some(line.round) };
        let answer = ask(line.connection).await;
        doubt.round = None;
        if let Err(error) = &answer {
            self.note(line.round, error);
        }
        answer
    }

    /// Takes note of an error on the connection of a round.
    fn note(&self, round: u64, error: &RedisError) {
        // A replica, also one that serves nothing while it has lost its primary.
        let is_replica = matches!(
            error.kind(),
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        );
        if error.is_timeout() {
            // With a full queue the same has been reported by others.
            self.reports.try_send(Report::Doubtful(round)).ok();
        } else if error.is_io_error() || error.is_unrecoverable_error() || is_replica {
            // At once, so that whoever tries again waits for another line instead of failing on this one.
            self.state.send_if_modified(|state| {
                let is_up = is_up(state, round);
                if is_up {
                    *state = State::Down(None);
                }
                is_up
            });
        }
    }
}

fn is_up(state: &State, round: u64) -> bool {
    match state {
        State::Up(line) => line.round == round,
        State::Down(_) => false,
    }
}

/// Returns when the line of a round is no more, or nobody can tell any more.
async fn goes_down(state: &mut watch::Receiver<State>, round: u64) {
    // An error says that the sender is gone; the answer itself is of no use.
    drop(state.wait_for(|state| !is_up(state, round)).await);
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reports a line whose answer nobody waits for any more.
struct Doubt<'a> {
    reports: &'a mpsc::Sender<Report>,
    round: Option<u64>,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if let Some(round) = self.round {
            self.reports.try_send(Report::Doubtful(round)).ok();
        }
    }
}

async fn keep(
    dialer: Dialer,
    reports: mpsc::Sender<Report>,
    mut reported: mpsc::Receiver<Report>,
    state: Arc<watch::Sender<State>>,
) {
    let first = match &*state.borrow() {
        State::Up(line) => Some(line.clone()),
        State::Down(_) => None,
    };
    let mut pauses = Pauses::new(FIRST_PAUSE, dialer.spread);
    let mut round = 0;
    let mut line = match first {
        Some(line) => line,
        None => dialer.redial(round, &reports, &state, &mut pauses).await,
    };
    loop {
        pauses.outlive(dialer.until_lost(&line, &mut reported, state.subscribe())).await;
        if dialer.scrutiny == Scrutiny::Whole {
            tracing::info!(server = %line.server, "the connection to the store is lost");
        }
        state.send_replace(State::Down(None));
        round += 1;
        pauses.pass().await;
        line = dialer.redial(round, &reports, &state, &mut pauses).await;
    }
}

/// How closely the servers of a line are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scrutiny {
    /// Everything is looked at.
    Whole,
    /// Another line to the same server does that.
    Role,
}

impl Scrutiny {
    fn first(self) -> Depth {
        match self {
            Self::Whole => Depth::Start,
            Self::Role => Depth::Role,
        }
    }

    fn later(self) -> Depth {
        match self {
            Self::Whole => Depth::Later,
            Self::Role => Depth::Role,
        }
    }
}

/// Makes connections to a primary.
#[derive(Debug, Clone)]
pub(crate) struct Dialer {
    pub(crate) whereabouts: Whereabouts,
    pub(crate) access: Access,
    pub(crate) examiner: Arc<Examiner>,
    pub(crate) scrutiny: Scrutiny,
    /// Shortens pauses by up to a half, differently in each process.
    pub(crate) spread: u32,
}

impl Dialer {
    async fn until_lost(
        &self,
        line: &Line,
        reported: &mut mpsc::Receiver<Report>,
        mut state: watch::Receiver<State>,
    ) {
        // Over all reports: who is doubted all the time may still be another than sentinels name.
        let replaced = self.whereabouts.differ_from(&line.server, self.scrutiny);
        let demoted = async {
            match self.scrutiny {
                Scrutiny::Whole => self.examiner.watch(&line.server, line.connection.clone()).await,
                Scrutiny::Role => std::future::pending().await,
            }
        };
        tokio::pin!(replaced, demoted);
        loop {
            let is_lost = tokio::select! {
                () = goes_down(&mut state, line.round) => true,
                report = reported.recv() => match report {
                    Some(Report::Lost(round)) => round == line.round,
                    Some(Report::Doubtful(round)) => round == line.round && !self.answers(line).await,
                    None => return std::future::pending().await,
                },
                () = &mut replaced => true,
                () = &mut demoted => true,
            };
            if is_lost {
                return;
            }
        }
    }

    /// Connects again and again until it works, and says so.
    async fn redial(
        &self,
        round: u64,
        reports: &mpsc::Sender<Report>,
        state: &watch::Sender<State>,
        pauses: &mut Pauses,
    ) -> Line {
        let mut told = String::new();
        loop {
            let failure = match self.dial(round, reports, self.scrutiny.later()).await {
                Ok(line) => {
                    let was_missed = round > 0 || !told.is_empty();
                    if was_missed && self.scrutiny == Scrutiny::Whole {
                        tracing::info!(server = %line.server, "the store answers again");
                    }
                    state.send_replace(State::Up(line.clone()));
                    return line;
                }
                Err(failure) => failure,
            };
            let problem = failure.to_string();
            if problem != told && self.scrutiny == Scrutiny::Whole {
                let server = failure.server().map(tracing::field::display);
                tracing::warn!(server, error = %failure.reason(), "the store cannot be reached; it is tried again");
                told = problem;
            }
            state.send_replace(State::Down(Some(failure)));
            pauses.pass().await;
        }
    }

    /// Connects to a primary that may be used.
    async fn dial(&self, round: u64, reports: &mpsc::Sender<Report>, depth: Depth) -> Result<Line, Failure> {
        let server = self.whereabouts.find().await?;
        let connected = self.connect(round, &server, reports, depth).await;
        let connection = connected.map_err(|failure| failure.at(&server))?;
        // A server that was stopped and replaced says that it is the primary until somebody tells it otherwise. What it
        // says now may have been said after that.
        if self.whereabouts.find().await? != server {
            return Err(Failure::Nobody("it was replaced as primary").at(&server));
        }
        Ok(Line { round, server, connection })
    }

    async fn connect(
        &self,
        round: u64,
        server: &Server,
        reports: &mpsc::Sender<Report>,
        depth: Depth,
    ) -> Result<MultiplexedConnection, Failure> {
        let reports = reports.clone();
        let hear = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                reports.try_send(Report::Lost(round)).ok();
            }
        };
        let mut connection = self.access.connect(server, hear).await?;
        self.examiner.examine(server, &mut connection, depth).await?;
        Ok(connection)
    }

    async fn answers(&self, line: &Line) -> bool {
        let mut connection = line.connection.clone();
        redis::cmd("PING").query_async::<redis::Value>(&mut connection).await.is_ok()
    }
}
