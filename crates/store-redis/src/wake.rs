//! News from the server: one subscription connection per process.
//!
//! Scripts publish on one channel per partition, `<prefix>:{pNN}:wake`: the name of a lane that has new jobs, or an
//! empty text for new events. What is published while the connection is down is lost; everybody who waits polls as well.

use std::time::Duration;

use futures::StreamExt;
use otter_domain::{Partition, ProviderName};
use otter_store::{Wake, WakeReason};
use redis::{Client, Msg, RedisError};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

use crate::line::LONGEST_PAUSE;

/// How many wakes a receiver may lag behind before it misses some.
const BACKLOG: usize = 1024;

/// How long silence is believed before the server is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How long the server has to say so.
const PATIENCE: Duration = Duration::from_secs(2);

/// The first pause before a lost connection is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    sender: broadcast::Sender<Wake>,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Starts to listen to these channels in the background.
    pub(crate) fn start(client: Client, channels: Vec<(Partition, String)>) -> Self {
        let (sender, _) = broadcast::channel(BACKLOG);
        let task = tokio::spawn(listen(client, channels, sender.clone()));
        Self { sender, task }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.sender.subscribe()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(client: Client, channels: Vec<(Partition, String)>, sender: broadcast::Sender<Wake>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listen_once(&client, &channels, &sender).await {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => tracing::debug!(%error, "listening for wakes failed"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens on one connection until it is lost; an error means that there was none.
async fn listen_once(
    client: &Client,
    channels: &[(Partition, String)],
    sender: &broadcast::Sender<Wake>,
) -> Result<(), RedisError> {
    let mut connection =
        timeout(PATIENCE, client.get_async_pubsub()).await.map_err(std::io::Error::from)??;
    let names: Vec<&str> = channels.iter().map(|(_, name)| name.as_str()).collect();
    timeout(PATIENCE, connection.subscribe(names)).await.map_err(std::io::Error::from)??;
    let (mut sink, mut messages) = connection.split();
    loop {
        match timeout(SILENCE, messages.next()).await {
            // Nobody waiting is no error.
            Ok(Some(message)) => drop(wake(channels, &message).map(|wake| sender.send(wake))),
            Ok(None) => return Ok(()),
            Err(_) => {
                if !matches!(timeout(PATIENCE, sink.ping::<redis::Value>()).await, Ok(Ok(_))) {
                    return Ok(());
                }
            }
        }
    }
}

fn wake(channels: &[(Partition, String)], message: &Msg) -> Option<Wake> {
    let (home, _) = channels.iter().find(|(_, name)| name == message.get_channel_name())?;
    let reason = match std::str::from_utf8(message.get_payload_bytes()).ok()? {
        "" => WakeReason::Events,
        lane => WakeReason::Lane(ProviderName::parse(lane).ok()?),
    };
    Some(Wake { home: *home, reason })
}
