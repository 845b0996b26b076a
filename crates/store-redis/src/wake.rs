//! News from a primary: one subscription connection per primary and process.
//!
//! Scripts publish on one channel per partition, `<prefix>:{pNN}:wake`: the name of a lane that has new jobs, or an
//! empty text for new events. The connection follows the line that calls travel on: where that goes, it goes. What is
//! published while it is down is lost; everybody who waits polls as well.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Partition, ProviderName};
use otter_store::{Wake, WakeReason};
use redis::{PushInfo, PushKind, RedisError};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::address::Access;
use crate::line::{LONGEST_PAUSE, Line, State};
use crate::startup::Member;

/// How many wakes a receiver may lag behind before it misses some.
pub(crate) const BACKLOG: usize = 1024;

/// How long silence is believed before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// The first pause before a lost connection is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

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
        let ears = Ears { access, subscription, line, channels: followed, wakes };
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
}

impl Ears {
    async fn listen(mut self) {
        let mut pause = FIRST_PAUSE;
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
            match self.listen_on(&line).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => tracing::debug!(%error, "listening for wakes failed"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
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
        let subscribe = self.subscription.subscribe();
        let mut is_whole = true;
        for (_, channel) in channels.iter() {
            // One at a time: the channels of a cluster are in different slots, and one that has just moved is refused.
            match redis::cmd(subscribe).arg(channel).query_async::<redis::Value>(&mut connection).await {
                Err(error) if error.code().is_none() => return Err(error),
                subscribed => is_whole &= subscribed.is_ok(),
            }
        }
        loop {
            tokio::select! {
                () = gone.notified() => return Ok(()),
                changed = self.channels.changed() => {
                    // Without anybody who could name channels there is nobody who listens.
                    if changed.is_err() { std::future::pending::<()>().await }
                    return Ok(());
                }
                () = leads_elsewhere(&mut self.line, line.round) => return Ok(()),
                () = sleep(LONGEST_PAUSE), if !is_whole => return Ok(()),
                () = sleep(SILENCE) => {
                    redis::cmd("PING").query_async::<redis::Value>(&mut connection).await?;
                }
            }
        }
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
