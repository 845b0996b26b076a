//! The thread that owns state and file.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use otter_domain::{Moment, Partition, PartitionCount};
use otter_store::{Changes, Key, PartitionState, Retention, SharedKey, SharedState, Wake};
use tokio::sync::{broadcast, mpsc};

use crate::disk::{Disk, Entry};
use crate::time::Time;

/// How many steps one transaction carries at most.
const STEPS_PER_BATCH: usize = 256;

/// How much of what is past its retention each step deletes.
const SWEPT_PER_STEP: usize = 16;

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

pub(crate) struct Writer {
    pub(crate) disk: Disk,
    pub(crate) state: State,
    pub(crate) time: Time,
    pub(crate) wakes: broadcast::Sender<Wake>,
    /// Why it stopped, for those who ask later.
    pub(crate) failure: Arc<OnceLock<String>>,
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
    /// Runs until nobody can ask any more or a write fails. Steps that are left unanswered are dropped, which their
    /// callers see as an unavailable store.
    pub(crate) fn run(mut self, mut steps: mpsc::Receiver<Step>) {
        let mut waiting = Vec::with_capacity(STEPS_PER_BATCH);
        while steps.blocking_recv_many(&mut waiting, STEPS_PER_BATCH) > 0 {
            let mut batch = Batch::default();
            for step in waiting.drain(..) {
                self.take(step, &mut batch);
            }
            if let Err(error) = self.write(&batch) {
                // Memory is ahead of the disk now and must not be read by anybody.
                self.failure.get_or_init(|| error.to_string());
                return;
            }
            for answer in batch.answers {
                answer();
            }
            for wake in batch.wakes {
                // Without a listener nobody needs to be woken.
                let _ = self.wakes.send(wake);
            }
        }
    }

    fn take(&mut self, step: Step, batch: &mut Batch) {
        let now = self.time.now();
        match step {
            Step::Partition(home, step) => {
                let Some(state) = self.state.partitions.get_mut(usize::from(home.index())) else { return };
                let mut changes = Changes::default();
                batch.answers.push(step(state, now, &mut changes));
                state.sweep(SWEPT_PER_STEP, now, &mut changes);
                batch.keys.extend(changes.keys.into_iter().map(|key| (home, key)));
                batch.wakes.extend(changes.wakes.into_iter().map(|reason| Wake { home, reason }));
            }
            Step::Shared(step) => {
                let (answer, key) = step(&mut self.state.shared, now);
                batch.answers.push(answer);
                batch.shared_keys.extend(key);
                batch.shared_keys.extend(self.state.shared.sweep(SWEPT_PER_STEP, now));
            }
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), redb::Error> {
        let partitions = batch.keys.iter().filter_map(|(home, key)| {
            let state = self.state.partitions.get(usize::from(home.index()))?;
            Some(Entry::Partition(*home, key.name(), state.value(key, self.disk.sealer())))
        });
        let shared = batch.shared_keys.iter();
        let shared = shared.map(|key| Entry::Shared(key.name(), self.state.shared.value(key)));
        let entries: Vec<Entry> = partitions.chain(shared).collect();
        if entries.is_empty() { Ok(()) } else { self.disk.write(&entries, self.time.now()) }
    }
}
