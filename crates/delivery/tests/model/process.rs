//! One process with all roles, which can stand still and be gone.

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use otter_delivery::{Books, Desk, Intake, Scheduler, Slices, View, Worker};
use otter_domain::WorkerId;
use otter_runtime::{Lifecycle, SeededDice};
use otter_store::Store;
use tokio::task::AbortHandle;

use crate::gate::Gate;
use crate::town::Town;
use crate::way::Way;

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) number: usize,
    pub(crate) gate: Arc<Gate>,
    pub(crate) intake: Intake,
    pub(crate) desk: Desk,
    /// Kept: a process that is gone has no time to close.
    lifecycle: Lifecycle,
    tasks: Mutex<Vec<AbortHandle>>,
}

impl Process {
    pub(crate) async fn start(town: &Arc<Town>, number: usize, seed: u64) -> Arc<Self> {
        let gate = Arc::new(Gate::open());
        let store: Arc<dyn Store> = Way::new(
            Arc::clone(&town.memory),
            Arc::clone(&gate),
            Arc::clone(&town.weather),
            town.rules.broken,
        );
        let (keys, metrics) = (Arc::clone(&town.keys), Arc::clone(&town.metrics));
        let dice = Arc::new(SeededDice::new(seed));
        let books = Books::open(store, dice, Arc::clone(&keys), Arc::clone(&metrics));
        let books = books.await.expect("a new process reads the clock");
        let setup = Arc::new(ArcSwap::from_pointee(town.setup(number, &gate)));
        let view = Arc::new(View::default());
        let slices = Arc::new(Slices::default());
        let intake = Intake::new(books.clone(), setup.clone(), keys.clone(), view.clone(), slices);
        let desk = Desk::new(books.clone(), setup.clone(), keys.clone(), view.clone(), metrics.clone());
        let process =
            Self { number, gate, intake, desk, lifecycle: Lifecycle::default(), tasks: Mutex::default() };
        let phases = || process.lifecycle.phases();
        process.spawn(Arc::clone(&view).keep_fresh(books.clone(), phases()));
        process.spawn(Scheduler::new(books.clone(), setup.clone(), keys.clone(), view.clone()).run(phases()));
        let worker = Worker::new(books, setup, keys, view, metrics, worker_id(number));
        for name in town.providers() {
            process.spawn(worker.clone().run(name, phases()));
        }
        Arc::new(process)
    }

    /// Runs something in this process: it ends with it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap().push(tokio::spawn(task).abort_handle());
    }

    /// Nothing of it runs any more, wherever it was.
    pub(crate) fn crash(&self) {
        self.gate.remove();
        self.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }
}

/// The name under which a process holds what it claims.
pub(crate) fn worker_id(number: usize) -> WorkerId {
    WorkerId::parse(&format!("worker-{number}")).unwrap()
}
