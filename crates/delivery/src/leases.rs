//! Keeps what this process has claimed from being taken for lost while sends run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_domain::{AttemptNumber, Partition, VerificationId, WorkerId};
use otter_provider::Hold;
use otter_runtime::{Phase, Phases, Pulse};
use otter_store::Lease;
use tokio::time::timeout;
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
    held: Mutex<BTreeMap<Claim, Tenure>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tenure {
    /// How often it is held: a retry may be claimed before the try before has noticed that it was booked.
    count: usize,
    /// Until when it surely is, by [`Books::steady`]: the store counts from its answer, this from the question.
    until: Duration,
}

impl Leases {
    /// Holds a claim, which was asked for at `asked_at` by [`Books::steady`], until the guard is dropped.
    pub(crate) fn hold(
        self: &Arc<Self>,
        books: &Arc<Books>,
        id: VerificationId,
        attempt: AttemptNumber,
        asked_at: Duration,
    ) -> Held {
        let claim = (id, attempt);
        let mut held = self.lock();
        let tenure = held.entry(claim).or_default();
        tenure.count += 1;
        tenure.until = tenure.until.max(asked_at + LEASE);
        drop(held);
        Held { leases: Arc::clone(self), books: Arc::clone(books), claim }
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

    /// One batch per partition, all at once, and none longer than there is time for: a slow partition must not cost the
    /// leases of another.
    async fn renew(&self, books: &Books, worker: &WorkerId) {
        let mut by_home: BTreeMap<Partition, Vec<Lease>> = BTreeMap::new();
        for (id, attempt) in self.lock().keys().copied() {
            if let Some(home) = id.partition(books.store().partitions()) {
                by_home.entry(home).or_default().push(Lease { id, attempt, worker: worker.clone() });
            }
        }
        let asked_at = books.steady();
        let renewals = by_home.into_iter().map(async |(home, leases)| {
            match timeout(RENEWAL, books.store().renew(home, leases.clone(), LEASE)).await {
                Ok(Ok(answer)) => self.renewed(&leases, &books.stamped(answer), asked_at),
                Ok(Err(error)) => warn!(error = %error, partition = %home, "could not renew leases"),
                Err(_) => warn!(partition = %home, "could not renew leases in time"),
            }
        });
        futures::future::join_all(renewals).await;
    }

    fn renewed(&self, leases: &[Lease], are_held: &[bool], asked_at: Duration) {
        let mut held = self.lock();
        for (Lease { id, attempt, .. }, is_held) in leases.iter().zip(are_held) {
            let Some(tenure) = held.get_mut(&(*id, *attempt)) else { continue };
            let until = asked_at + LEASE;
            if *is_held {
                tenure.until = tenure.until.max(until);
            } else if tenure.until <= until {
                // One that was claimed again since the question is held longer.
                tenure.until = asked_at;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Claim, Tenure>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim that is being renewed; dropping it stops that.
#[derive(Debug)]
pub(crate) struct Held {
    leases: Arc<Leases>,
    books: Arc<Books>,
    claim: Claim,
}

impl Hold for Held {
    fn is_held(&self) -> bool {
        let until = self.leases.lock().get(&self.claim).map(|tenure| tenure.until);
        until.is_some_and(|until| self.books.steady() < until)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.leases.lock();
        match held.get_mut(&self.claim) {
            Some(tenure) if tenure.count > 1 => tenure.count -= 1,
            Some(_) | None => drop(held.remove(&self.claim)),
        }
    }
}
