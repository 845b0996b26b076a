//! The thread that owns state and file.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{Clock, Moment, Partition, PartitionCount};
use otter_store::{Changes, Error, Key, PartitionState, Retention, SharedKey, SharedState, Wake};
use thiserror::Error as ThisError;
use tokio::sync::{broadcast, mpsc};

use crate::disk::{Disk, Entry};
use crate::time::Time;

/// How many steps one transaction carries at most.
const STEPS_PER_BATCH: usize = 256;

/// How much of what is past its retention each step deletes.
const SWEPT_PER_STEP: usize = 16;

/// How far the clock may be ahead of the last write while there is nothing else to write: a restart with a wall clock
/// that was set back turns the store's clock back by no more.
const MARKED_EVERY: Duration = Duration::from_secs(10);

/// How long after a failed write the file is opened again, at first, and at most: reading all of it takes its time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Everything that the engine holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) partitions: Vec<PartitionState>,
    pub(crate) shared: SharedState,
}

impl State {
    pub(crate) fn new(count: PartitionCount, retention: Retention) -> Self {
        let partitions = count.all().map(|home| PartitionState::new(home, retention)).collect();
        Self { partitions, shared: SharedState::default() }
    }
}

/// Gives the answer to whoever asked; called once what was done is on disk, dropped if it never will be.
pub(crate) type Answer = Box<dyn FnOnce() + Send>;

/// What is to be done with one partition.
pub(crate) type PartitionStep = dyn FnOnce(&mut PartitionState, Moment, &mut Changes) -> Answer + Send;

/// What is to be done with what belongs to no partition; names the key that it changed.
pub(crate) type SharedStep = dyn FnOnce(&mut SharedState, Moment) -> (Answer, Option<SharedKey>) + Send;

/// One step that waits.
pub(crate) enum Step {
    Partition(Partition, Box<PartitionStep>),
    Shared(Box<SharedStep>),
}

/// Opens the file, at first and again after a failed write: the file, what it holds, and the moment of its last write.
pub(crate) type Opening = Box<dyn Fn() -> Result<(Disk, State, Moment), Error> + Send>;

/// Why the last batch that failed did; set before its callers learn that it did.
pub(crate) type LastFailure = Arc<Mutex<Option<Failure>>>;

/// A batch that could not be written.
#[derive(Debug, Clone, ThisError)]
#[error("{why} (nothing acknowledged is lost; it is tried again in {} s)", again_in.as_secs())]
pub(crate) struct Failure {
    why: String,
    again_in: Duration,
}

pub(crate) struct Writer {
    /// `None` after a failed write, until the file is open again. Dropped before what owns the directory.
    held: Option<(Disk, State)>,
    opening: Opening,
    time: Time,
    wakes: broadcast::Sender<Wake>,
    failure: LastFailure,
    /// The moment of the last write.
    marked_at: Moment,
    /// When the file may be opened again after a failure, and how long to wait after the next one.
    again_at: Moment,
    pause: Duration,
}

/// What a batch of steps did, before it is on disk.
#[derive(Default)]
struct Batch {
    keys: BTreeSet<(Partition, Key)>,
    shared_keys: BTreeSet<SharedKey>,
    wakes: Vec<Wake>,
    answers: Vec<Answer>,
}

impl Writer {
    pub(crate) fn open(
        opening: Opening,
        clock: Arc<dyn Clock>,
        wakes: broadcast::Sender<Wake>,
        failure: LastFailure,
    ) -> Result<Self, Error> {
        let (disk, state, mark) = opening()?;
        Ok(Self {
            held: Some((disk, state)),
            opening,
            time: Time::starting_at(mark, clock),
            wakes,
            failure,
            marked_at: mark,
            again_at: mark,
            pause: FIRST_PAUSE,
        })
    }

    /// Runs until nobody can ask any more. Steps that are left unanswered are dropped, which their callers see as an
    /// unavailable store.
    pub(crate) fn run(mut self, mut steps: mpsc::Receiver<Step>) {
        let mut waiting = Vec::with_capacity(STEPS_PER_BATCH);
        while steps.blocking_recv_many(&mut waiting, STEPS_PER_BATCH) > 0 {
            let mut batch = Batch::default();
            // A step that panics may have changed half of what it should, so it counts as a failed write.
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.open_again()?;
                self.take_all(&mut waiting, &mut batch);
                self.write(&batch)
            }));
            match done.unwrap_or_else(|_| Err(Some("a step panicked".to_owned()))) {
                Ok(()) => self.answer(batch),
                Err(why) => self.fail(why),
            }
            waiting.clear();
        }
    }

    /// Opens the file again after a failure: memory was ahead of the disk then, and could not be read by anybody.
    fn open_again(&mut self) -> Result<(), Option<String>> {
        let now = self.time.now();
        if self.held.is_some() {
            return Ok(());
        }
        if now < self.again_at {
            return Err(None);
        }
        let (disk, state, _) = (self.opening)().map_err(|error| Some(in_full(&error)))?;
        // A disk that can be read and is still full must not pass for one that works.
        disk.write(&[], now).map_err(|error| Some(in_full(&error)))?;
        self.held = Some((disk, state));
        self.pause = FIRST_PAUSE;
        Ok(())
    }

    fn take_all(&mut self, waiting: &mut Vec<Step>, batch: &mut Batch) {
        let Some((_, state)) = &mut self.held else { return };
        for step in waiting.drain(..) {
            take(step, state, self.time.now(), batch);
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), Option<String>> {
        let Some((disk, state)) = &self.held else { return Err(None) };
        let now = self.time.now();
        let partitions = batch.keys.iter().filter_map(|(home, key)| {
            let state = state.partitions.get(usize::from(home.index()))?;
            Some(Entry::Partition(*home, key.name(), state.value(key, disk.sealer())))
        });
        let shared = batch.shared_keys.iter();
        let shared = shared.map(|key| Entry::Shared(key.name(), state.shared.value(key)));
        let entries: Vec<Entry> = partitions.chain(shared).collect();
        if entries.is_empty() && now < self.marked_at + MARKED_EVERY {
            return Ok(());
        }
        disk.write(&entries, now).map_err(|error| Some(in_full(&error)))?;
        self.marked_at = now;
        Ok(())
    }

    fn answer(&self, batch: Batch) {
        for answer in batch.answers {
            answer();
        }
        for wake in batch.wakes {
            // Without a listener nobody needs to be woken.
            let _ = self.wakes.send(wake);
        }
    }

    /// Lets go of the file, with a new reason if there is one, and says when it is tried again.
    fn fail(&mut self, why: Option<String>) {
        self.held = None;
        let Some(why) = why else { return };
        self.again_at = self.time.now() + self.pause;
        let failure = Failure { why, again_in: self.pause };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

fn take(step: Step, state: &mut State, now: Moment, batch: &mut Batch) {
    match step {
        Step::Partition(home, step) => {
            let Some(state) = state.partitions.get_mut(usize::from(home.index())) else { return };
            let mut changes = Changes::default();
            batch.answers.push(step(state, now, &mut changes));
            state.sweep(SWEPT_PER_STEP, now, &mut changes);
            batch.keys.extend(changes.keys.into_iter().map(|key| (home, key)));
            batch.wakes.extend(changes.wakes.into_iter().map(|reason| Wake { home, reason }));
        }
        Step::Shared(step) => {
            let (answer, key) = step(&mut state.shared, now);
            batch.answers.push(answer);
            batch.shared_keys.extend(key);
            batch.shared_keys.extend(state.shared.sweep(SWEPT_PER_STEP, now));
        }
    }
}

/// An error with all that it goes back to.
fn in_full(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
