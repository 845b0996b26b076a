//! Looks at verifications whose instant has come.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_decision::lifecycle;
use otter_domain::{Event, LifecyclePolicy, Partition, Verification};
use otter_runtime::{Phase, Phases};
use tracing::warn;

use crate::{Books, Keys, Setup, drawing};

/// The most verifications that are looked at in one round of a partition.
const ROUND: usize = 64;

/// How often a partition is asked when nothing was due: timers fire this late at most.
const TICK: Duration = Duration::from_millis(50);

/// How long to leave a store alone that did not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// Fires timers. Any number of schedulers may run; each instant takes effect once.
#[derive(Debug, Clone)]
pub struct Scheduler {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
}

impl Scheduler {
    /// A scheduler over these books.
    pub fn new(books: Arc<Books>, setup: Arc<ArcSwap<Setup>>, keys: Arc<Keys>) -> Self {
        Self { books, setup, keys }
    }

    /// Works on all partitions until the process drains.
    pub async fn run(self, phases: Phases) {
        let homes = self.books.store().partitions().all();
        let loops = homes.map(|home| tokio::spawn(self.clone().watch(home, phases.clone())));
        futures::future::join_all(loops.collect::<Vec<_>>()).await;
    }

    async fn watch(self, home: Partition, phases: Phases) {
        while phases.now() < Phase::Draining {
            let pause = match self.round(home, &phases).await {
                Ok(ROUND..) => continue,
                Ok(_) => TICK,
                Err(error) => {
                    warn!(error = %error, "could not look at what is due");
                    PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = phases.reached(Phase::Draining) => {}
            }
        }
    }

    /// Looks at what is due in a partition now, and says how much that was.
    async fn round(&self, home: Partition, phases: &Phases) -> Result<usize, crate::BooksError> {
        let due = self.books.stamped(self.books.store().due(home, ROUND).await?);
        let _held = (!due.is_empty()).then(|| phases.hold("timers"));
        let count = due.len();
        let looks = due.into_iter().map(|verification| self.look(verification));
        for result in futures::future::join_all(looks).await {
            // What could not be decided now shows itself again when the store stops hiding it.
            if let Err(error) = result {
                warn!(error = %error, "could not decide on what is due");
            }
        }
        Ok(count)
    }

    async fn look(&self, verification: Verification) -> Result<(), crate::BooksError> {
        let setup = self.setup.load_full();
        let (policy, digits) = policy_of(&setup, &verification);
        let id = verification.id;
        let mut first = true;
        self.books
            .decide(id, Some(verification), &policy, |before, now| {
                let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
                let mut step = lifecycle::step(before, &Event::Due, &fresh, &policy, now);
                // The store hides what it handed out: commit once, so that the next instant is set again.
                step.changed |= std::mem::take(&mut first);
                step
            })
            .await?;
        Ok(())
    }
}

/// The policy of a verification; one whose purpose was removed from the configuration lives on under the defaults.
pub(crate) fn policy_of(setup: &Setup, verification: &Verification) -> (LifecyclePolicy, u8) {
    match setup.purpose(&verification.tenant, &verification.purpose) {
        Some(purpose) => (purpose.lifecycle.clone(), purpose.code_digits),
        None => (LifecyclePolicy::default(), 6),
    }
}
