//! The embedded engine passes the suite of the engines. Its restarts are crashes: the file is opened as it lay on disk
//! while the engine was still running.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_store::{Sealer, Store};
use otter_store_embedded::{EmbeddedStore, Options};
use otter_store_testkit::{Bench, ManualClock, Setup, fixture};
use tempfile::TempDir;

struct EmbeddedBench {
    store: Arc<EmbeddedStore>,
    options: Options,
    clock: Arc<ManualClock>,
    directory: TempDir,
}

async fn open(setup: Setup) -> EmbeddedBench {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = Options {
        directory: directory.path().to_owned(),
        partitions: setup.partitions,
        retention: setup.retention,
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: clock.clone(),
    };
    EmbeddedBench { store: Arc::new(EmbeddedStore::open(&options).unwrap()), options, clock, directory }
}

#[async_trait]
impl Bench for EmbeddedBench {
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
        std::fs::read(self.options.directory.join("otter.redb")).unwrap()
    }

    async fn reopen(&mut self) -> bool {
        self.reopen_with(fixture::sealer()).await
    }

    async fn reopen_with(&mut self, sealer: Sealer) -> bool {
        self.options.sealer = sealer;
        let left = TempDir::new().unwrap();
        std::fs::copy(self.options.directory.join("otter.redb"), left.path().join("otter.redb")).unwrap();
        self.options.directory = left.path().to_owned();
        self.store = Arc::new(EmbeddedStore::open(&self.options).unwrap());
        self.directory = left;
        true
    }
}

otter_store_testkit::store_suite!(open);
