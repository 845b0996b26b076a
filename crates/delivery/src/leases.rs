//! Keeps what this process has claimed from being taken for lost while sends run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_domain::{AttemptNumber, Partition, VerificationId, WorkerId};
use otter_runtime::{Phase, Phases, Pulse};
use otter_store::Lease;
use tracing::warn;

use crate::Books;

/// How long a claim holds without being renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(6);

/// How often claims are renewed.
const RENEWAL: Duration = Duration::from_secs(2);

type Claim = (VerificationId, AttemptNumber);

/// The claims of one worker.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    /// How often each is held: a retry may be claimed before the try before has noticed that it was booked.
    held: Mutex<BTreeMap<Claim, usize>>,
}

impl Leases {
    /// Holds a claim until the guard is dropped.
    pub(crate) fn hold(self: &Arc<Self>, id: VerificationId, attempt: AttemptNumber) -> Held {
        *self.lock().entry((id, attempt)).or_default() += 1;
        Held { leases: Arc::clone(self), claim: (id, attempt) }
    }

    /// Renews what is held until the process closes.
    pub(crate) async fn keep(&self, books: &Books, worker: &WorkerId, phases: &Phases, pulse: &Pulse) {
        while phases.now() < Phase::Closing {
            pulse.beat();
            tokio::select! {
                biased;
                () = phases.reached(Phase::Closing) => return,
                () = tokio::time::sleep(RENEWAL) => self.renew(books, worker).await,
            }
        }
    }

    /// One batch per partition, all at once: a slow partition must not cost the leases of another.
    async fn renew(&self, books: &Books, worker: &WorkerId) {
        let mut by_home: BTreeMap<Partition, Vec<Lease>> = BTreeMap::new();
        for (id, attempt) in self.lock().keys().copied() {
            if let Some(home) = id.partition(books.store().partitions()) {
                by_home.entry(home).or_default().push(Lease { id, attempt, worker: worker.clone() });
            }
        }
        let renewals = by_home.into_iter().map(async |(home, leases)| {
            match books.store().renew(home, leases, LEASE).await {
                Ok(answer) => drop(books.stamped(answer)),
                Err(error) => warn!(error = %error, "could not renew leases"),
            }
        });
        futures::future::join_all(renewals).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Claim, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is being renewed; dropping it stops that.
#[derive(Debug)]
pub(crate) struct Held {
    leases: Arc<Leases>,
    claim: Claim,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        match held.get_mut(&self.claim) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(held.remove(&self.claim)),
        }
    }
}
