//! Works on one provider's lane: claims, sends, books.

mod asked;
mod booking;
mod claiming;
mod lane;
mod pace;
mod perform;
mod revoke;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_domain::{Failure, Moment, ProviderName, WorkerId};
use otter_provider::Provider;
use otter_runtime::Phases;
use otter_telemetry::Metrics;

use crate::leases::Leases;
use crate::standing::{TURN, standing};
use crate::{Books, Keys, Setup, View};

/// How long a lane is left alone after its provider said that we are too fast, but not for how long.
const REST: Duration = Duration::from_millis(500);

/// The longest that a lane is left alone: what waits longer goes to other providers.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How much longer than its own deadline a provider may take to answer before the answer is given up.
const OVERTIME: Duration = Duration::from_secs(2);

/// What the workers of a process share.
#[derive(Debug, Clone)]
pub struct Worker {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
    view: Arc<View>,
    metrics: Arc<Metrics>,
    id: WorkerId,
}

/// One lane being worked on, as its sends see it.
#[derive(Debug)]
struct Lane {
    worker: Worker,
    name: ProviderName,
    leases: Arc<Leases>,
    phases: Phases,
    /// Until when the lane is left alone.
    rest: Mutex<Moment>,
}

impl Worker {
    /// A worker over these books; its id must differ from that of every other process.
    pub fn new(
        books: Arc<Books>,
        setup: Arc<ArcSwap<Setup>>,
        keys: Arc<Keys>,
        view: Arc<View>,
        metrics: Arc<Metrics>,
        id: WorkerId,
    ) -> Self {
        Self { books, setup, keys, view, metrics, id }
    }

    /// Works on a provider's lane. A provider that cannot send with what is configured here is left alone.
    ///
    /// While the process is leaving it goes on, because callers are still served; once it drains nothing is claimed any
    /// more, and sends in flight are finished and booked, held against the drain. Returns when they are, or when the
    /// process closes. Dropping it drops its sends: their leases run out, and their outcome is then ambiguous.
    pub async fn run(self, provider: ProviderName, phases: Phases) {
        let leases = Arc::new(Leases::default());
        let (books, id) = (Arc::clone(&self.books), self.id.clone());
        let (renewing, working) = (phases.pulse("leases", TURN), phases.pulse("lane", TURN));
        let renewal = standing("leases", || leases.keep(&books, &id, &phases, &renewing));
        let rest = Mutex::new(Moment::EPOCH);
        let lane =
            Lane { worker: self, name: provider, leases: Arc::clone(&leases), phases: phases.clone(), rest };
        let lane = Arc::new(lane);
        let work = standing("lane", || lane::Work::new(Arc::clone(&lane)).run(&working));
        tokio::select! {
            biased;
            () = work => {}
            () = renewal => {}
        }
    }
}

impl Lane {
    /// What is configured of the provider, if it sends from here and no operator paused it.
    fn at_work(&self, setup: &Setup) -> Option<Provider> {
        let provider = setup.providers.get(&self.name).filter(|provider| provider.sender.is_some())?;
        (!self.worker.view.directives.is_paused(&self.name)).then(|| provider.clone())
    }

    /// Until when the lane is left alone, if it is.
    fn rests_until(&self, now: Moment) -> Option<Moment> {
        let rest = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        (now < rest).then_some(rest)
    }

    /// Slows the lane after its provider said that we are too fast.
    fn slow_down(&self, failure: &Failure) {
        let until = self.worker.books.now() + failure.retry_after.unwrap_or(REST).min(LONGEST_REST);
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        *rest = until.max(*rest);
    }
}
