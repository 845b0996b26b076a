//! The handle that the rest of the process holds.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use otter_domain::{Moment, Partition, PartitionCount};
use otter_store::{Changes, Error, MachineEngine, PartitionState, SharedKey, SharedState, Stamped, Wake};
use thiserror::Error as ThisError;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::Options;
use crate::directory::Directory;
use crate::writer::{Answer, LastFailure, Opening, Step, Writer};

/// How many steps may wait for the writer; beyond that callers wait before they ask.
const QUEUE: usize = 1024;

/// How many wakes a slow listener may fall behind.
const WAKES: usize = 1024;

/// The embedded engine. Dropping it ends the writer after the steps that were already asked for, and frees the directory.
#[derive(Debug)]
pub struct EmbeddedStore {
    count: PartitionCount,
    /// `None` only while it is dropped.
    steps: Option<mpsc::Sender<Step>>,
    writer: Option<JoinHandle<()>>,
    wakes: broadcast::Sender<Wake>,
    failure: LastFailure,
}

/// What a caller is told whose step was dropped without a failed write before.
#[derive(Debug, ThisError)]
#[error("the step was not finished")]
struct Unfinished;

impl EmbeddedStore {
    /// Opens the directory, or makes it, and reads everything in it. Blocks while it reads.
    ///
    /// # Errors
    /// [`Error::Unsuitable`], with what would be right, if another process has it open, if it cannot be written, if its
    /// file is damaged or not one of ours, or if it was made with other partitions, under another install key or by a
    /// later version; [`Error::Unreadable`] if a record other than a verification is damaged: verifications that cannot
    /// be read or opened become dead letters;
    /// [`Error::Unavailable`] if the disk fails or is full.
    pub fn open(options: &Options) -> Result<Self, Error> {
        let directory = Directory::take(&options.directory)?;
        let settings = options.clone();
        let opening = move || {
            let disk = directory.open(&settings)?;
            let (state, mark) = disk.load(&settings)?;
            Ok((disk, state, mark))
        };
        Self::start(Box::new(opening), options)
    }

    fn start(opening: Opening, options: &Options) -> Result<Self, Error> {
        let (wakes, _) = broadcast::channel(WAKES);
        let (steps, waiting) = mpsc::channel(QUEUE);
        let failure = LastFailure::default();
        let clock = Arc::clone(&options.clock);
        let writer = Writer::open(opening, clock, wakes.clone(), Arc::clone(&failure))?;
        let writer = std::thread::Builder::new()
            .name("otter-store".to_owned())
            .spawn(move || writer.run(waiting))
            .map_err(|source| Error::Unavailable {
                doing: "starting its writer",
                source: Some(Box::new(source)),
            })?;
        Ok(Self { count: options.partitions, steps: Some(steps), writer: Some(writer), wakes, failure })
    }

    async fn ask<T>(&self, step: Step, answer: oneshot::Receiver<T>) -> Result<T, Error> {
        let steps = self.steps.as_ref().ok_or_else(|| self.unfinished())?;
        steps.send(step).await.map_err(|_| self.unfinished())?;
        answer.await.map_err(|_| self.unfinished())
    }

    fn unfinished(&self) -> Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let source =
            failure.map_or_else(|| Box::new(Unfinished) as Box<_>, |failure| Box::new(failure) as Box<_>);
        Error::Unavailable { doing: "writing to its directory", source: Some(source) }
    }
}

impl MachineEngine for EmbeddedStore {
    fn count(&self) -> PartitionCount {
        self.count
    }

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }

    async fn step<T: Send + 'static>(
        &self,
        home: Partition,
        step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T + Send + 'static,
    ) -> Result<Stamped<T>, Error> {
        let (tx, rx) = oneshot::channel();
        let step = move |state: &mut PartitionState, now: Moment, changes: &mut Changes| {
            answer(tx, Stamped { now, value: step(state, now, changes) })
        };
        self.ask(Step::Partition(home, Box::new(step)), rx).await
    }

    async fn shared_step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut SharedState, Moment) -> (T, Option<SharedKey>) + Send + 'static,
    ) -> Result<Stamped<T>, Error> {
        let (tx, rx) = oneshot::channel();
        let step = move |state: &mut SharedState, now: Moment| {
            let (value, key) = step(state, now);
            (answer(tx, Stamped { now, value }), key)
        };
        self.ask(Step::Shared(Box::new(step)), rx).await
    }
}

fn answer<T: Send + 'static>(tx: oneshot::Sender<T>, value: T) -> Answer {
    // Whoever asked may have gone; what was done stays done.
    Box::new(move || drop(tx.send(value)))
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.steps = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so, and has nothing left to write.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
