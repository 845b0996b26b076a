//! Looks at verifications whose instant has come.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_decision::lifecycle;
use otter_domain::{Event, LifecyclePolicy, Partition, Phase as Stand, ProviderName, Verification};
use otter_runtime::{Phase, Phases, Pulse};
use tokio::task::JoinSet;
use tracing::warn;

use crate::standing::{TURN, Trouble, standing};
use crate::{Books, BooksError, Keys, Setup, drawing};

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

    /// Works on all partitions until the process drains. Dropping it stops it at once; what it had begun is due again
    /// for another.
    pub async fn run(self, phases: Phases) {
        let mut loops = JoinSet::new();
        for home in self.books.store().partitions().all() {
            let (scheduler, phases) = (self.clone(), phases.clone());
            loops.spawn(async move {
                let pulse = phases.pulse("timers", TURN);
                standing("timers", || scheduler.watch(home, &phases, &pulse)).await;
            });
        }
        loops.join_all().await;
    }

    async fn watch(&self, home: Partition, phases: &Phases, pulse: &Pulse) {
        let mut trouble = Trouble::default();
        while phases.now() < Phase::Draining {
            pulse.beat();
            let round = self.round(home, phases).await;
            let is_news = trouble.is_news(&round);
            let pause = match round {
                Ok(ROUND..) => continue,
                Ok(_) => TICK,
                Err(error) => {
                    if is_news {
                        warn!(error = %error, %home, "could not look at what is due");
                    }
                    PAUSE
                }
            };
            tokio::select! {
                biased;
                () = phases.reached(Phase::Draining) => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Looks at what is due in a partition now, and says how much that was.
    async fn round(&self, home: Partition, phases: &Phases) -> Result<usize, BooksError> {
        let _held = phases.hold("timers");
        let due = self.books.stamped(self.books.store().due(home, ROUND).await?);
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

    /// The store hides what it handed out, so something is committed whether or not anything changes: that sets the next
    /// instant again.
    async fn look(&self, verification: Verification) -> Result<(), BooksError> {
        let setup = self.setup.load_full();
        let (policy, digits) = policy_of(&setup, &verification);
        let id = verification.id;
        let mut lost = None;
        let decided = self.books.decide_and_touch(id, Some(verification), &policy, |before, now| {
            let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
            let step = lifecycle::step(before, &Event::Due, &fresh, &policy, now);
            lost = lost_by(before, &step.next);
            step
        });
        decided.await?;
        if let Some(provider) = lost {
            self.books.metrics().reclaimed(&provider);
        }
        Ok(())
    }
}

/// Whose lane an attempt was on whose worker is found to be gone.
fn lost_by(before: &Verification, next: &Verification) -> Option<ProviderName> {
    let claimed = before.current().filter(|attempt| matches!(attempt.phase, Stand::Claimed { .. }))?;
    let after = next.attempt(claimed.number)?;
    matches!(after.phase, Stand::Ambiguous { .. }).then(|| claimed.provider.clone())
}

/// The policy of a verification; one whose purpose was removed from the configuration lives on under the defaults.
pub(crate) fn policy_of(setup: &Setup, verification: &Verification) -> (LifecyclePolicy, u8) {
    match setup.purpose(&verification.tenant, &verification.purpose) {
        Some(purpose) => (purpose.lifecycle.clone(), purpose.code_digits),
        None => (LifecyclePolicy::default(), 6),
    }
}
