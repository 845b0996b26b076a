//! A consumer of all events, as an internal one would be: it stores its place and comes back with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_contract::v1::{Event, StreamEventsRequest, StreamEventsResponse, event};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::{Status, Streaming};

use crate::callers::Callers;
use crate::stopwatch::Stopwatch;

/// A stream that is silent for longer than this hangs: it gives a sign of life every 15 s.
const SILENCE: Duration = Duration::from_secs(20);

/// How long events may take, with everybody alive; a bound, not a wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait before a stream is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads all events from its start on until it is dropped.
#[derive(Debug)]
pub struct Listener {
    heard: Arc<Mutex<Heard>>,
    reading: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    ids: BTreeSet<String>,
    stories: BTreeMap<String, Vec<Event>>,
    ended: BTreeSet<String>,
    repeats: usize,
}

/// What became of each verification, by its id: its events in order, each once.
pub type Stories = BTreeMap<String, Vec<Event>>;

impl Listener {
    /// Starts to listen; everything that happens after it returns is heard.
    pub async fn start(callers: Callers) -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (ready, is_ready) = oneshot::channel();
        let reading = tokio::spawn(read(callers, Arc::clone(&heard), ready));
        is_ready.await.expect("the reader goes on until it is dropped");
        Self { heard, reading }
    }

    /// Everything that was heard so far.
    pub fn stories(&self) -> Stories {
        locked(&self.heard).stories.clone()
    }

    /// Waits until the end of each of these was heard, or it is clear that it will not be.
    pub async fn hear_the_end_of<'a>(&self, ids: impl IntoIterator<Item = &'a String>) {
        let began = Stopwatch::start();
        for id in ids {
            while !locked(&self.heard).ended.contains(id) && began.elapsed() < PATIENCE {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// How many events came again.
    pub fn repeats(&self) -> usize {
        locked(&self.heard).repeats
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read(callers: Callers, heard: Arc<Mutex<Heard>>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    let mut token = String::new();
    loop {
        let request = StreamEventsRequest { resume_token: token.clone() };
        if let Ok(opened) = callers.line().stream_events(request).await {
            let mut updates = opened.into_inner();
            while let Some(update) = next(&mut updates).await {
                token = update.resume_token;
                if let Some(event) = update.event {
                    hear(&heard, event);
                }
                if let Some(ready) = ready.take() {
                    // Whoever waited may have given up.
                    let _ = ready.send(());
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn next(updates: &mut Streaming<StreamEventsResponse>) -> Option<StreamEventsResponse> {
    let update: Result<Option<_>, Status> = tokio::time::timeout(SILENCE, updates.message()).await.ok()?;
    update.ok()?
}

fn hear(heard: &Mutex<Heard>, event: Event) {
    let mut heard = locked(heard);
    if !heard.ids.insert(event.event_id.clone()) {
        heard.repeats += 1;
        return;
    }
    let id = event.verification_id.clone();
    if matches!(event.kind, Some(event::Kind::VerificationEnded(_))) {
        heard.ended.insert(id.clone());
    }
    heard.stories.entry(id).or_default().push(event);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
