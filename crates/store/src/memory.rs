//! The reference: the state machine in memory, and nothing that survives the process. For tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otter_domain::{Clock, Moment, Partition, PartitionCount};
use tokio::sync::broadcast;

use crate::{
    Changes, Error, MachineEngine, PartitionState, Retention, Sealer, SharedKey, SharedState, Stamped, Wake,
};

/// How many wakes a slow listener may fall behind.
const WAKES: usize = 1024;

/// How much of what is past its retention each step deletes.
const SWEPT_PER_STEP: usize = 16;

/// A store in memory. It keeps verifications as they are; [`Self::dump`] shows them as a durable engine would keep them.
#[derive(Debug)]
pub struct MemoryStore {
    count: PartitionCount,
    partitions: Vec<Mutex<PartitionState>>,
    shared: Mutex<SharedState>,
    clock: Arc<dyn Clock>,
    wakes: broadcast::Sender<Wake>,
}

impl MemoryStore {
    /// An empty store; `clock` must not go back.
    pub fn new(count: PartitionCount, retention: Retention, clock: Arc<dyn Clock>) -> Self {
        let partitions = count.all().map(|home| Mutex::new(PartitionState::new(home, retention))).collect();
        let (wakes, _) = broadcast::channel(WAKES);
        Self { count, partitions, shared: Mutex::default(), clock, wakes }
    }

    /// Everything as bytes, keys and sealed values.
    pub fn dump(&self, sealer: &Sealer) -> Vec<u8> {
        let mut bytes = Vec::new();
        for partition in &self.partitions {
            let state = lock(partition);
            for key in state.keys() {
                bytes.extend(key.name().into_bytes());
                bytes.extend(state.value(&key, sealer).unwrap_or_default());
            }
        }
        let shared = lock(&self.shared);
        for key in shared.keys() {
            bytes.extend(key.name().into_bytes());
            bytes.extend(shared.value(&key).unwrap_or_default());
        }
        bytes
    }
}

impl MachineEngine for MemoryStore {
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
        let mut changes = Changes::default();
        let mut state = lock(&self.partitions[usize::from(home.index())]);
        let now = self.clock.now();
        let value = step(&mut state, now, &mut changes);
        state.sweep(SWEPT_PER_STEP, now, &mut Changes::default());
        drop(state);
        for reason in changes.wakes {
            // Without a listener nobody needs to be woken.
            let _ = self.wakes.send(Wake { home, reason });
        }
        Ok(Stamped { now, value })
    }

    async fn shared_step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut SharedState, Moment) -> (T, Option<SharedKey>) + Send + 'static,
    ) -> Result<Stamped<T>, Error> {
        let mut state = lock(&self.shared);
        let now = self.clock.now();
        let (value, _) = step(&mut state, now);
        state.sweep(SWEPT_PER_STEP, now);
        Ok(Stamped { now, value })
    }
}

/// A step that panicked has changed nothing that another one could not read.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
