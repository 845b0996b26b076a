//! One call for whatever waits: items of many callers travel to a partition together.
//!
//! There is no timer: a batch is what has gathered while the one before it was under way, so at low load a batch is one
//! item and waits for nothing.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use otter_domain::{Clock, Moment, Partition};
use otter_store::{Error, Stamped};
use tokio::sync::{mpsc, oneshot};

/// The most items in one call.
const BATCH: usize = 64;

/// How many items may wait for a partition before callers wait to be let in.
const WAITING: usize = 1024;

/// A silence that nobody asked into for so long says nothing of the partition any more: the next call finds out anew.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(1);

pub(crate) type Answer<O> = Result<Stamped<O>, Arc<Error>>;
type Answers<O> = Result<Stamped<Vec<O>>, Error>;
type Call<I, O> = Arc<dyn Fn(Partition, Vec<I>) -> BoxFuture<'static, Answers<O>> + Send + Sync>;
type Item<I, O> = (I, oneshot::Sender<Answer<O>>);

/// Gathers items for one partition.
#[derive(Debug)]
pub(crate) struct Batcher<I, O> {
    queue: mpsc::Sender<Item<I, O>>,
    answering: Arc<Answering>,
}

/// Whether a partition answers.
#[derive(Debug, Default)]
struct Answering {
    /// When the first call began that it has not answered since it last did; 0 if there is none.
    silent_since: AtomicU64,
    /// When the last call ended that it has not answered.
    failed_at: AtomicU64,
    /// Whether a call is under way.
    is_asked: AtomicBool,
}

impl Answering {
    fn asked(&self, now: Moment) {
        // A call that fails leaves the moment as it is: only an answer ends the silence, or that nobody asked for long.
        let failed_at = Moment::from_millis(self.failed_at.load(Ordering::Acquire));
        if self.silent_since.load(Ordering::Acquire) == 0 || now.since(failed_at) > FORGOTTEN_AFTER {
            self.silent_since.store(now.as_millis(), Ordering::Release);
        }
        self.is_asked.store(true, Ordering::Release);
    }

    fn ended(&self, now: Moment, has_answered: bool) {
        self.is_asked.store(false, Ordering::Release);
        if has_answered {
            self.silent_since.store(0, Ordering::Release);
        } else {
            self.failed_at.store(now.as_millis(), Ordering::Release);
        }
    }
}

impl<I: Send + 'static, O: Send + 'static> Batcher<I, O> {
    /// Starts gathering. It ends when the batcher is dropped.
    pub(crate) fn start(home: Partition, call: Call<I, O>, clock: Arc<dyn Clock>) -> Self {
        let (queue, items) = mpsc::channel(WAITING);
        let answering = Arc::<Answering>::default();
        tokio::spawn(gather(home, call, items, Arc::clone(&answering), clock));
        Self { queue, answering }
    }

    /// Since when the partition has left calls unanswered, if one is under way. Between calls nothing is known: whoever
    /// asks then finds out.
    pub(crate) fn silent_since(&self) -> Option<Moment> {
        let since = self.answering.silent_since.load(Ordering::Acquire);
        let is_asked = self.answering.is_asked.load(Ordering::Acquire);
        (is_asked && since > 0).then(|| Moment::from_millis(since))
    }

    /// Sends an item along and returns its answer. An item that travels is carried out whether or not anybody still waits
    /// for the answer; one whose caller has gone before is not sent at all.
    pub(crate) async fn ask(&self, item: I) -> Answer<O> {
        let (answer, answered) = oneshot::channel();
        if self.queue.send((item, answer)).await.is_err() {
            return Err(stopped());
        }
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

async fn gather<I: Send, O: Send>(
    home: Partition,
    call: Call<I, O>,
    mut queue: mpsc::Receiver<Item<I, O>>,
    answering: Arc<Answering>,
    clock: Arc<dyn Clock>,
) {
    let mut waiting = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        // Whoever stopped waiting while the store was slow has been told so, and asks again if it matters.
        let (items, answers): (Vec<I>, Vec<_>) =
            waiting.drain(..).filter(|(_, answer)| !answer.is_closed()).unzip();
        if items.is_empty() {
            continue;
        }
        let expected = items.len();
        answering.asked(clock.now());
        // A call that panics must not leave the partition without anybody who gathers.
        let answer = AssertUnwindSafe(async { call(home, items).await }).catch_unwind().await;
        answering.ended(clock.now(), !matches!(answer, Err(_) | Ok(Err(Error::Unavailable { .. }))));
        match answer {
            Ok(Ok(Stamped { now, value })) if value.len() == expected => {
                for (answer, value) in answers.into_iter().zip(value) {
                    // A caller that has gone needs no answer.
                    let _ = answer.send(Ok(Stamped { now, value }));
                }
            }
            Ok(Ok(_)) => {
                let why = "an answer for each item was expected".to_owned();
                refuse(answers, Error::Unreadable { why });
            }
            Ok(Err(error)) => refuse(answers, error),
            Err(_) => {
                refuse(answers, Error::Unavailable { doing: "asking a store that panicked", source: None });
            }
        }
    }
}

fn refuse<O>(answers: Vec<oneshot::Sender<Answer<O>>>, error: Error) {
    let error = Arc::new(error);
    for answer in answers {
        let _ = answer.send(Err(Arc::clone(&error)));
    }
}

fn stopped() -> Arc<Error> {
    Arc::new(Error::Unavailable { doing: "asking a store that this process has closed", source: None })
}
