//! One process of an installation, with its own way to the store.

use std::future::pending;
use std::sync::Arc;

use arc_swap::ArcSwap;
use otter_delivery::{Books, Desk, Feed, Intake, Keys, Setup, Slices, View};
use otter_runtime::{Grace, Lifecycle, SeededDice, Stopped};
use otter_store::{MemoryStore, Store};
use otter_telemetry::Metrics;
use tokio::task::JoinHandle;

use crate::store::FaultyStore;

/// One process.
pub(crate) struct Node {
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) books: Arc<Books>,
    pub(crate) view: Arc<View>,
    pub(crate) intake: Intake,
    pub(crate) desk: Desk,
    pub(crate) feed: Arc<Feed>,
    pub(crate) metrics: Arc<Metrics>,
    lifecycle: Option<Lifecycle>,
    pub(crate) tasks: Vec<JoinHandle<()>>,
}

impl Node {
    pub(crate) async fn start(
        memory: &Arc<MemoryStore>,
        setup: &Arc<ArcSwap<Setup>>,
        keys: &Arc<Keys>,
        seed: u64,
    ) -> Self {
        let store = FaultyStore::new(Arc::clone(memory));
        let metrics = Arc::new(Metrics::new(Vec::new(), "0", "0").unwrap());
        let shared: Arc<dyn Store> = store.clone();
        let dice = Arc::new(SeededDice::new(seed));
        let books = Books::open(shared, dice, Arc::clone(keys), Arc::clone(&metrics)).await.unwrap();
        let view = Arc::new(View::default());
        let lifecycle = Lifecycle::default();
        let fresh = Arc::clone(&view).keep_fresh(Arc::clone(&books), lifecycle.phases());
        let intake = Intake::new(
            Arc::clone(&books),
            Arc::clone(setup),
            Arc::clone(keys),
            Arc::clone(&view),
            Arc::new(Slices::default()),
        );
        Self {
            desk: Desk::new(
                Arc::clone(&books),
                Arc::clone(setup),
                Arc::clone(keys),
                Arc::clone(&view),
                Arc::clone(&metrics),
            ),
            feed: Feed::new(Arc::clone(&books)),
            tasks: vec![tokio::spawn(fresh)],
            store,
            books,
            view,
            intake,
            metrics,
            lifecycle: Some(lifecycle),
        }
    }

    pub(crate) fn lifecycle(&self) -> &Lifecycle {
        self.lifecycle.as_ref().unwrap()
    }

    /// Ends as a process does whose machine is gone: nothing of it runs any more.
    pub(crate) fn die(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    /// Stops as a process does that is asked to. Returns once its workers and schedulers have.
    pub(crate) async fn stop(mut self, grace: Grace) -> Stopped {
        let lifecycle = self.lifecycle.take().unwrap();
        let stopped = lifecycle.stop(grace, pending(), async {}).await;
        for task in self.tasks {
            task.await.unwrap();
        }
        stopped
    }

    /// The value of a series; 0 if it does not exist. `labels` are those that it must have.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics.render().unwrap();
        let is_it = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        text.lines().filter(is_it).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}
