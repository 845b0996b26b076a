//! What an engine brings to the suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{Clock, Moment, PartitionCount};
use otter_store::{MemoryStore, Retention, Sealer, Store};

use crate::fixture::sealer;

/// What a behaviour asks of the store that it is tried on.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many partitions.
    pub partitions: PartitionCount,
    /// How long things are kept.
    pub retention: Retention,
}

impl Default for Setup {
    fn default() -> Self {
        Self { partitions: PartitionCount::new(4).unwrap(), retention: Retention::default() }
    }
}

/// A store under test, empty when it is opened, with what the suite needs around it. Verifications are sealed with
/// [`crate::fixture::sealer`].
#[async_trait]
pub trait Bench: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Whether its clock can be moved, so that hours can pass.
    fn moves_clock(&self) -> bool;

    /// Returns when at least this much time has passed on the store's clock.
    async fn pass(&self, time: Duration);

    /// Everything that the engine keeps outside this process (or would), as bytes.
    async fn dump(&self) -> Vec<u8>;

    /// Ends the engine without a goodbye and opens it again on what is left; `false` if it keeps nothing.
    async fn reopen(&mut self) -> bool {
        false
    }

    /// The same with another key ring, until it is opened again; `false` if it seals nothing.
    async fn reopen_with(&mut self, _sealer: Sealer) -> bool {
        false
    }
}

/// Runs one behaviour on a runtime with two threads.
pub fn block_on(behaviour: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a test has threads to spare").block_on(behaviour);
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Stands at a day in 2026.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_767_225_600_000)))
    }

    /// Moves on.
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(time.as_millis() as u64, Ordering::SeqCst);
    }

    /// Moves to that moment, also backwards.
    pub fn set(&self, moment: Moment) {
        self.0.store(moment.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        Moment::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The reference on a clock that can be moved.
#[derive(Debug)]
pub struct MemoryBench {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl MemoryBench {
    /// An empty reference store.
    pub async fn open(setup: Setup) -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new(setup.partitions, setup.retention, clock.clone());
        Self { store: Arc::new(store), clock }
    }
}

#[async_trait]
impl Bench for MemoryBench {
    fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    fn moves_clock(&self) -> bool {
        true
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }

    async fn dump(&self) -> Vec<u8> {
        self.store.dump(&sealer())
    }
}
