//! Works on one provider's lane: claims, sends, books.

mod perform;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_domain::{Partition, ProviderName, WorkerId};
use otter_runtime::{Phase, Phases};
use otter_store::{Claim, Wake, WakeReason};
use otter_telemetry::Metrics;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use crate::leases::{LEASE, Leases};
use crate::{Books, BooksError, Keys, Setup, Slices, View};

/// The most jobs taken in one claim.
const CLAIM: usize = 32;

/// How often every partition is asked although nothing woke us.
const TICK: Duration = Duration::from_millis(250);

/// What the workers of a process share.
#[derive(Debug, Clone)]
pub struct Worker {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
    view: Arc<View>,
    slices: Arc<Slices>,
    metrics: Arc<Metrics>,
    id: WorkerId,
}

/// One lane being worked on.
#[derive(Debug)]
struct Lane {
    worker: Worker,
    name: ProviderName,
    slots: Arc<Semaphore>,
    leases: Arc<Leases>,
    phases: Phases,
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
        Self { books, setup, keys, view, slices: Arc::new(Slices::default()), metrics, id }
    }

    /// Works on a provider's lane until the process drains; sends in flight are held against the drain. A provider that
    /// cannot send with what is configured here is left alone.
    pub async fn run(self, provider: ProviderName, phases: Phases) {
        let setup = self.setup.load_full();
        let Some(configured) = setup.providers.get(&provider) else { return };
        let slots = Arc::new(Semaphore::new(usize::from(configured.capabilities.concurrency)));
        let leases = Arc::new(Leases::default());
        let renewal = Arc::clone(&leases).keep(Arc::clone(&self.books), self.id.clone(), phases.clone());
        let renewal = tokio::spawn(renewal);
        let lane = Arc::new(Lane { worker: self, name: provider, slots, leases, phases });
        lane.work().await;
        // Leases of sends in flight go on being renewed until the process closes.
        drop(renewal);
    }
}

impl Lane {
    async fn work(self: Arc<Self>) {
        let mut wakes = self.worker.books.store().wakes();
        let homes: Vec<_> = self.worker.books.store().partitions().all().collect();
        let mut round = 0_usize;
        let mut asked = homes.clone();
        while self.phases.now() < Phase::Leaving {
            if self.is_working() {
                round = round.wrapping_add(1);
                self.sweep(&asked, round).await;
            }
            asked = tokio::select! {
                woken = self.woken(&mut wakes) => woken.map_or_else(|| homes.clone(), |home| vec![home]),
                () = tokio::time::sleep(TICK) => homes.clone(),
                () = self.phases.reached(Phase::Leaving) => return,
            };
        }
    }

    /// Whether the lane is to be worked on: the provider is configured for sending and no operator paused it.
    fn is_working(&self) -> bool {
        let setup = self.worker.setup.load();
        let sends = setup.providers.get(&self.name).is_some_and(|provider| provider.sender.is_some());
        sends && !self.worker.view.directives.is_paused(&self.name)
    }

    /// Waits for this lane's next wake; `None` when some were missed.
    async fn woken(&self, wakes: &mut broadcast::Receiver<Wake>) -> Option<Partition> {
        loop {
            match wakes.recv().await {
                Ok(Wake { home, reason: WakeReason::Lane(lane) }) if lane == self.name => return Some(home),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return None,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }

    /// Takes all that can be started now from these partitions, in turn.
    async fn sweep(self: &Arc<Self>, homes: &[Partition], round: usize) {
        let start = round % homes.len().max(1);
        for home in homes.iter().cycle().skip(start).take(homes.len()) {
            loop {
                match self.take(*home).await {
                    Ok(CLAIM..) => {}
                    Ok(_) => break,
                    Err(error) => {
                        warn!(error = %error, provider = %self.name, "could not claim jobs");
                        break;
                    }
                }
                if self.phases.now() >= Phase::Leaving {
                    return;
                }
            }
        }
    }

    /// Claims what free slots and the account's rate can start now; says how many jobs that were.
    async fn take(self: &Arc<Self>, home: Partition) -> Result<usize, BooksError> {
        let Some(slots) = self.free_slots().await? else { return Ok(0) };
        let claim =
            Claim { lane: self.name.clone(), worker: self.worker.id.clone(), lease: LEASE, max: slots.len() };
        let books = &self.worker.books;
        let claimed = books.stamped(books.store().claim(home, claim).await?);
        let count = claimed.len();
        self.worker.slices.spent(&self.rate_key(), u32::try_from(count).unwrap_or(u32::MAX));
        for (job, slot) in claimed.into_iter().zip(slots) {
            let lane = Arc::clone(self);
            let held = self.phases.hold("sends");
            tokio::spawn(async move {
                lane.perform(job).await;
                drop((slot, held));
            });
        }
        Ok(count)
    }

    fn rate_key(&self) -> String {
        format!("provider:{}", self.name)
    }

    /// Waits for a free slot and takes what others are free, as many as the account's rate allows now.
    async fn free_slots(&self) -> Result<Option<Vec<OwnedSemaphorePermit>>, BooksError> {
        let Ok(first) = Arc::clone(&self.slots).acquire_owned().await else { return Ok(None) };
        let mut slots = vec![first];
        while slots.len() < CLAIM {
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => slots.push(slot),
                Err(_) => break,
            }
        }
        let rate = self.worker.setup.load().providers.get(&self.name).and_then(|p| p.capabilities.rate);
        let Some(rate) = rate else { return Ok(Some(slots)) };
        let books = &self.worker.books;
        let allowed = self.worker.slices.ready(books, &self.rate_key(), f64::from(rate), rate).await?;
        slots.truncate(usize::try_from(allowed).unwrap_or(CLAIM));
        Ok((!slots.is_empty()).then_some(slots))
    }
}
