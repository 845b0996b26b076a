//! News from a primary: one subscription connection per primary and process.
//!
//! Scripts publish on one channel per partition, `<prefix>:{pNN}:wake`: the name of a lane that has new jobs, or an
//! empty text for new events. The connection follows the line that calls travel on: where that goes, it goes. What is
//! published while it is down is lost; everybody who waits polls as well.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Partition, ProviderName};
use otter_store::{Wake, WakeReason};
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::address::{Access, Server};
use crate::failure::{Failure, is_forbidden};
use crate::line::{Line, State};
use crate::pauses::{LONGEST_PAUSE, Pauses};
use crate::startup::Member;

/// How many wakes a receiver may lag behind before it misses some.
pub(crate) const BACKLOG: usize = 1024;

/// How long silence is believed before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// The first pause before a lost connection is tried again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What is published to see whether that is allowed; nobody is woken by it.
const NOBODY: &str = "?";

/// A partition and the name of its channel.
pub(crate) type Channel = (Partition, String);

/// How channels are subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscription {
    /// What is published anywhere is heard.
    Everywhere,
    /// What is published in the slots of the server that is listened to is heard.
    Sharded,
}

impl Subscription {
    /// What the primaries of a store want.
    pub(crate) fn of(member: Member) -> Self {
        match member {
            Member::Alone => Self::Everywhere,
            Member::Cluster => Self::Sharded,
        }
    }

    /// The command that publishes for it.
    pub(crate) fn publish(self) -> &'static str {
        match self {
            Self::Everywhere => "PUBLISH",
            Self::Sharded => "SPUBLISH",
        }
    }

    fn subscribe(self) -> &'static str {
        match self {
            Self::Everywhere => "SUBSCRIBE",
            Self::Sharded => "SSUBSCRIBE",
        }
    }
}

/// Fails if the user may not publish on a channel. Whatever else is in the way is noticed by calls.
pub(crate) async fn try_publish(
    mut line: Line,
    subscription: Subscription,
    channel: &str,
) -> Result<(), Failure> {
    let mut publish = redis::cmd(subscription.publish());
    publish.arg(channel).arg(NOBODY);
    match publish.query_async::<redis::Value>(&mut line.connection).await {
        Err(error) if is_forbidden(&error) => {
            let command = subscription.publish().to_lowercase();
            let (prefix, _) = channel.split_once('{').unwrap_or((channel, ""));
            Err(Failure::Unsuitable(format!(
                "the user may not publish on the channel {channel}; allow it +{command} and &{prefix}*"
            )))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    channels: watch::Sender<Vec<Channel>>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts to listen in the background, on the server that `line` leads to.
    pub(crate) fn start(
        access: Access,
        subscription: Subscription,
        line: watch::Receiver<State>,
        channels: Vec<Channel>,
        wakes: broadcast::Sender<Wake>,
    ) -> Self {
        let (channels, followed) = watch::channel(channels);
        let ears = Ears { access, subscription, line, channels: followed, wakes, told: String::new() };
        Self { channels, task: tokio::spawn(ears.listen()) }
    }

    /// Listens to these channels from now on.
    pub(crate) fn listen_to(&self, channels: Vec<Channel>) {
        self.channels.send_if_modified(|present| {
            let differ = *present != channels;
            *present = channels;
            differ
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Ears {
    access: Access,
    subscription: Subscription,
    line: watch::Receiver<State>,
    channels: watch::Receiver<Vec<Channel>>,
    wakes: broadcast::Sender<Wake>,
    /// Why subscriptions were refused when that was told last.
    told: String,
}

/// What became of subscriptions.
#[derive(Debug, Default)]
struct Subscribed {
    /// Some are in slots that are elsewhere by now. Where, is found out by others.
    has_moved: bool,
    /// These may not be listened to.
    refused: Vec<Channel>,
}

impl Ears {
    async fn listen(mut self) {
        let mut pauses = Pauses::new(FIRST_PAUSE, 0);
        loop {
            let line = match &*self.line.borrow_and_update() {
                State::Up(line) => Some(line.clone()),
                State::Down(_) => None,
            };
            let has_channels = !self.channels.borrow_and_update().is_empty();
            let Some(line) = line.filter(|_| has_channels) else {
                let changed = tokio::select! {
                    changed = self.line.changed() => changed,
                    changed = self.channels.changed() => changed,
                };
                if changed.is_err() {
                    return;
                }
                continue;
            };
            if let Err(error) = pauses.outlive(self.listen_on(&line)).await {
                tracing::debug!(%error, "listening for wakes failed");
            }
            pauses.pass().await;
        }
    }

    /// Listens on one connection until it is lost, or there is somewhere else to listen; an error means that there was
    /// none.
    async fn listen_on(&mut self, line: &Line) -> Result<(), RedisError> {
        let channels = Arc::new(self.channels.borrow_and_update().clone());
        let gone = Arc::new(Notify::new());
        let hear = {
            let (channels, gone, wakes) = (Arc::clone(&channels), Arc::clone(&gone), self.wakes.clone());
            move |push: PushInfo| {
                // A slot that is not the server's any more is heard elsewhere.
                if matches!(push.kind, PushKind::Disconnection | PushKind::SUnsubscribe) {
                    gone.notify_one();
                } else if matches!(push.kind, PushKind::Message | PushKind::SMessage) {
                    // Nobody waiting is no error.
                    drop(wake(&channels, &push.data).map(|wake| wakes.send(wake)));
                }
            }
        };
        let mut connection = self.access.connect(&line.server, hear).await?;
        let mut subscribed = self.subscribe(&mut connection, &line.server, &channels).await?;
        loop {
            tokio::select! {
                () = gone.notified() => return Ok(()),
                changed = self.channels.changed() => {
                    // Without anybody who could name channels there is nobody who listens.
                    if changed.is_err() { std::future::pending::<()>().await }
                    return Ok(());
                }
                () = leads_elsewhere(&mut self.line, line.round) => return Ok(()),
                () = sleep(LONGEST_PAUSE), if subscribed.has_moved => return Ok(()),
                () = sleep(SILENCE) => {
                    redis::cmd("PING").query_async::<redis::Value>(&mut connection).await?;
                    // Somebody may have given the right meanwhile.
                    subscribed = self.subscribe(&mut connection, &line.server, &subscribed.refused).await?;
                }
            }
        }
    }

    /// Subscribes to each channel by itself: those of a cluster are in different slots.
    async fn subscribe(
        &mut self,
        connection: &mut MultiplexedConnection,
        server: &Server,
        channels: &[Channel],
    ) -> Result<Subscribed, RedisError> {
        let (mut subscribed, mut problem) = (Subscribed::default(), String::new());
        for channel in channels {
            let mut subscribe = redis::cmd(self.subscription.subscribe());
            match subscribe.arg(&channel.1).query_async::<redis::Value>(connection).await {
                Ok(_) => {}
                Err(error) if error.code().is_none() => return Err(error),
                Err(error) if Failure::Server(error.clone()).passes() => subscribed.has_moved = true,
                Err(error) => {
                    problem = error.to_string();
                    subscribed.refused.push(channel.clone());
                }
            }
        }
        if !problem.is_empty() && problem != self.told {
            tracing::warn!(%server, error = problem, "wakes are refused; jobs and events are found later, by looking");
        }
        self.told = problem;
        Ok(subscribed)
    }
}

/// Returns when the line is another one.
async fn leads_elsewhere(line: &mut watch::Receiver<State>, round: u64) {
    let is_other = |state: &State| match state {
        State::Up(line) => line.round != round,
        State::Down(_) => true,
    };
    if line.wait_for(is_other).await.is_err() {
        std::future::pending().await
    }
}

fn wake(channels: &[Channel], data: &[redis::Value]) -> Option<Wake> {
    let [redis::Value::BulkString(channel), redis::Value::BulkString(payload)] = data else { return None };
    let (home, _) = channels.iter().find(|(_, name)| name.as_bytes() == channel)?;
    let reason = match std::str::from_utf8(payload).ok()? {
        "" => WakeReason::Events,
        lane => WakeReason::Lane(ProviderName::parse(lane).ok()?),
    };
    Some(Wake { home: *home, reason })
}
