//! Keeps what this process has claimed from being taken for lost while sends run.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{AttemptNumber, VerificationId, WorkerId};
use otter_runtime::{Phase, Phases};
use otter_store::Lease;
use tracing::warn;

use crate::Books;

/// How long a claim holds without being renewed.
pub(crate) const LEASE: Duration = Duration::from_secs(6);

/// How often claims are renewed.
const RENEWAL: Duration = Duration::from_secs(2);

/// The claims of one worker.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Mutex<HashSet<(VerificationId, AttemptNumber)>>,
}

impl Leases {
    /// Holds a claim until the guard is dropped.
    pub(crate) fn hold(self: &Arc<Self>, id: VerificationId, attempt: AttemptNumber) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert((id, attempt));
        Held { leases: Arc::clone(self), id, attempt }
    }

    /// Renews what is held until the process closes.
    pub(crate) async fn keep(self: Arc<Self>, books: Arc<Books>, worker: WorkerId, phases: Phases) {
        while phases.now() < Phase::Closing {
            tokio::select! {
                () = tokio::time::sleep(RENEWAL) => self.renew(&books, &worker).await,
                () = phases.reached(Phase::Closing) => {}
            }
        }
    }

    async fn renew(&self, books: &Books, worker: &WorkerId) {
        let held: Vec<_> = self.held.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        let mut by_home: BTreeMap<_, Vec<Lease>> = BTreeMap::new();
        for (id, attempt) in held {
            if let Some(home) = id.partition(books.store().partitions()) {
                by_home.entry(home).or_default().push(Lease { id, attempt, worker: worker.clone() });
            }
        }
        for (home, leases) in by_home {
            match books.store().renew(home, leases, LEASE).await {
                Ok(answer) => {
                    books.stamped(answer);
                }
                Err(error) => warn!(error = %error, "could not renew leases"),
            }
        }
    }
}

/// A claim that is being renewed; dropping it stops that.
#[derive(Debug)]
pub(crate) struct Held {
    leases: Arc<Leases>,
    id: VerificationId,
    attempt: AttemptNumber,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.leases.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&(self.id, self.attempt));
    }
}
