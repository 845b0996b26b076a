//! A primary, and this process's lines to it: one for all calls, one for wakes, and at
//! [`crate::Durability::Replica`] a few for calls that wait for replicas, so that a slow replica holds up nobody else.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use otter_domain::Partition;
use otter_store::Wake;
use redis::Script;
use tokio::sync::{Mutex, broadcast};

use crate::address::Access;
use crate::call::Call;
use crate::failure::Failure;
use crate::line::{Dialer, Keeper, Line, Scrutiny, Whereabouts};
use crate::refusals::Refusals;
use crate::rights::try_commands;
use crate::scripts;
use crate::startup::{Examiner, Member};
use crate::wake::{Channel, Listener, Subscription, try_publish};
use crate::{Durability, Options};

/// The most lines to one primary that wait for replicas. Partitions share them evenly.
const WAITING_LINES: usize = 16;

/// What all primaries of a store have in common.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) access: Access,
    pub(crate) member: Member,
    durability: Durability,
    require: crate::Require,
    spread: u32,
    wakes: broadcast::Sender<Wake>,
}

impl Blueprint {
    pub(crate) fn new(
        options: &Options,
        access: Access,
        member: Member,
        wakes: broadcast::Sender<Wake>,
    ) -> Self {
        let Options { durability, require, spread, .. } = *options;
        Self { access, member, durability, require, spread, wakes }
    }

    /// Connects to a primary, examines it, and tries what the user must be allowed to do there.
    pub(crate) async fn open(
        &self,
        whereabouts: Whereabouts,
        channels: Vec<Channel>,
    ) -> Result<Primary, Failure> {
        let dialer = self.dialer(whereabouts, Scrutiny::Whole);
        let keeper = Keeper::open(dialer.clone()).await?;
        let channel = channels.first().map(|(_, channel)| channel.clone());
        let primary = self.primary(keeper, dialer, channels);
        if let (Some(line), Some(channel)) = (primary.line(), channel) {
            let server = line.server.clone();
            self.try_rights(line, &channel).await.map_err(|failure| failure.at(&server))?;
        }
        Ok(primary)
    }

    async fn try_rights(&self, line: Line, channel: &str) -> Result<(), Failure> {
        let subscription = Subscription::of(self.member);
        try_publish(line.clone(), subscription, channel).await?;
        try_commands(line, channel, subscription.publish()).await
    }

    /// The same in the background, with a closer look that ends in warnings.
    pub(crate) fn start(&self, whereabouts: Whereabouts, channels: Vec<Channel>) -> Primary {
        let dialer = self.dialer(whereabouts, Scrutiny::Whole);
        self.primary(Keeper::start(dialer.clone()), dialer, channels)
    }

    fn dialer(&self, whereabouts: Whereabouts, scrutiny: Scrutiny) -> Dialer {
        let examiner = Arc::new(Examiner::new(self.member, self.durability, self.require));
        Dialer { whereabouts, access: self.access.clone(), examiner, scrutiny, spread: self.spread }
    }

    fn primary(&self, keeper: Keeper, dialer: Dialer, channels: Vec<Channel>) -> Primary {
        let listener = Listener::start(
            self.access.clone(),
            Subscription::of(self.member),
            keeper.state(),
            channels,
            self.wakes.clone(),
        );
        let confirming = match self.durability {
            Durability::Replica { replicas } => Some(Confirming {
                replicas,
                patience: self.access.patience(),
                now: scripts::now(),
                dialer: Dialer { scrutiny: Scrutiny::Role, ..dialer },
                lines: Default::default(),
            }),
            Durability::Primary | Durability::Fsync => None,
        };
        Primary { keeper, confirming, listener, refusals: Refusals::default() }
    }
}

/// A primary, wherever it is at the moment.
#[derive(Debug)]
pub(crate) struct Primary {
    keeper: Keeper,
    confirming: Option<Confirming>,
    listener: Listener,
    refusals: Refusals,
}

impl Primary {
    /// Runs a script, once there is a line.
    pub(crate) async fn run(&self, home: Partition, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let answer = match &self.confirming {
            Some(confirming) if call.confirm => confirming.run(home, call).await,
            Some(_) | None => {
                let line = self.keeper.line().await;
                let ask = async |mut connection| call.run(&mut connection).await;
                self.keeper.ask(line, ask).await.map_err(Failure::from)
            }
        };
        answer.inspect_err(|failure| {
            self.refusals.note(self.line().map(|line| line.server).as_ref(), failure);
        })
    }

    /// Why there is no line, if there is none and a try has failed.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.keeper.failure().or_else(|| self.confirming.as_ref()?.failure())
    }

    /// The line to it at this moment.
    pub(crate) fn line(&self) -> Option<Line> {
        self.keeper.current()
    }

    /// Listens to these channels from now on.
    pub(crate) fn listen_to(&self, channels: Vec<Channel>) {
        self.listener.listen_to(channels);
    }
}

/// The lines on which a script and the wait for its replicas go together.
#[derive(Debug)]
struct Confirming {
    replicas: u8,
    patience: Duration,
    /// What is run to ask for replicas first.
    now: Script,
    dialer: Dialer,
    /// Made when they are first used.
    lines: [OnceLock<ConfirmingLine>; WAITING_LINES],
}

#[derive(Debug)]
struct ConfirmingLine {
    keeper: Keeper,
    /// The round of the connection whose last write was confirmed, while nobody writes.
    confirmed: Mutex<Option<u64>>,
}

impl Confirming {
    /// Runs a script and fails with [`Failure::Unconfirmed`] unless enough replicas hold what it wrote.
    ///
    /// On a new line, and after a call that was not confirmed, replicas are asked for first, by a write that does nothing
    /// else, and nothing runs before enough hold that: while replicas are away nothing is taken off a lane or accepted that
    /// could not be confirmed, but for the one call that noticed.
    async fn run(&self, home: Partition, call: &Call<'_>) -> Result<Vec<u8>, Failure> {
        let line = &self.lines[usize::from(home.index()) % WAITING_LINES];
        let line = line.get_or_init(|| ConfirmingLine {
            keeper: Keeper::start(self.dialer.clone()),
            confirmed: Mutex::default(),
        });
        let mut confirmed = line.confirmed.lock().await;
        let current = line.keeper.line().await;
        let round = current.round;
        // Whoever gives up in the middle leaves it unconfirmed.
        let is_sound = confirmed.take() == Some(round);
        let ask = async |mut connection| {
            if !is_sound {
                let (_, acknowledged) = call
                    .write_only(&self.now)
                    .run_and_wait(&mut connection, self.replicas, self.patience / 5)
                    .await?;
                if acknowledged < u64::from(self.replicas) {
                    return Ok((None, acknowledged));
                }
            }
            let (answer, acknowledged) =
                call.run_and_wait(&mut connection, self.replicas, self.patience / 2).await?;
            Ok((Some(answer), acknowledged))
        };
        let (answer, acknowledged) = line.keeper.ask(current, ask).await?;
        match answer.filter(|_| acknowledged >= u64::from(self.replicas)) {
            Some(answer) => {
                *confirmed = Some(round);
                Ok(answer)
            }
            None => Err(Failure::Unconfirmed { acknowledged, wanted: self.replicas }),
        }
    }

    /// Why one of the lines is down, if a try to replace it has failed.
    fn failure(&self) -> Option<Failure> {
        self.lines.iter().filter_map(OnceLock::get).find_map(|line| line.keeper.failure())
    }
}
