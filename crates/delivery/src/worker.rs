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

/// How long an account is left alone after its provider said that we are too fast, but not for how long.
const REST: Duration = Duration::from_millis(500);

/// The longest that an account is left alone before it is asked again.
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
    /// Until when nothing is claimed: the account is too busy, and what waits has nobody else to go to.
    shut: Mutex<Moment>,
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
        let shut = Mutex::new(Moment::EPOCH);
        let lane =
            Lane { worker: self, name: provider, leases: Arc::clone(&leases), phases: phases.clone(), shut };
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

    /// Until when nothing is claimed, if that is so.
    fn shut_until(&self, now: Moment) -> Option<Moment> {
        let shut = *self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        (now < shut).then_some(shut)
    }

    /// Claims nothing until then.
    fn shut(&self, until: Moment) {
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        *shut = until.max(*shut);
    }

    /// Leaves the account alone after its provider said that we are too fast. What waits goes to others meanwhile; the
    /// first that nobody else can take shuts the lane.
    fn slow_down(&self, failure: &Failure) {
        let until = self.worker.books.now() + failure.retry_after.unwrap_or(REST).min(LONGEST_REST);
        self.worker.view.leave_alone(&self.name, until);
    }
}
