//! Looks at verifications whose instant has come.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt;
use otter_decision::lifecycle;
use otter_domain::{
    Channel, Event, LifecyclePolicy, Partition, Phase as Stand, ProviderName, Verification, VerificationId,
};
use otter_runtime::{Phase, Phases, Pulse};
use otter_store::{Burial, DeadReason, Error};
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::failing::{Failing, TRIES};
use crate::standing::{TURN, Trouble, standing};
use crate::{Books, BooksError, Keys, Setup, View, drawing, planning};

/// The most verifications that are taken at once.
const ROUND: usize = 64;

/// The most verifications of a partition that are looked at at once. More stay in the store, where another scheduler
/// finds them.
const LOOKS: usize = 4 * ROUND;

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
    view: Arc<View>,
    failing: Arc<Failing>,
}

impl Scheduler {
    /// A scheduler over these books. The view tells who may go next at a moment.
    pub fn new(books: Arc<Books>, setup: Arc<ArcSwap<Setup>>, keys: Arc<Keys>, view: Arc<View>) -> Self {
        Self { books, setup, keys, view, failing: Arc::default() }
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
        let mut looks = JoinSet::new();
        while phases.now() < Phase::Draining {
            pulse.beat();
            while looks.try_join_next().is_some() {}
            if looks.len() >= LOOKS {
                looks.join_next().await;
                continue;
            }
            let room = ROUND.min(LOOKS - looks.len());
            // A panic here must not take the looks with it that are under way.
            let begun = AssertUnwindSafe(self.begin(home, room, phases, &mut looks)).catch_unwind().await;
            let begun = begun.unwrap_or_else(|_| Err(panicked()));
            let is_news = trouble.is_news(&begun);
            let pause = match begun {
                Ok(count) if count == room => continue,
                Ok(_) => TICK,
                Err(error) => {
                    if is_news {
                        warn!(error = %error, partition = %home, "could not look at what is due");
                    }
                    PAUSE
                }
            };
            tokio::select! {
                biased;
                () = phases.reached(Phase::Draining) => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        looks.join_all().await;
    }

    /// Begins to look at up to `room` verifications that are due in a partition, and says how many there were. Each is
    /// looked at by itself: a slow one holds up nobody, and a panic over one is the end of that look only.
    async fn begin(
        &self,
        home: Partition,
        room: usize,
        phases: &Phases,
        looks: &mut JoinSet<()>,
    ) -> Result<usize, BooksError> {
        // What cannot be decided here is left for another scheduler.
        if self.books.is_stalled(home) {
            return Ok(0);
        }
        let held = phases.hold("timers");
        let due = self.books.stamped(self.books.store().due(home, room).await?);
        let count = due.len();
        for verification in due {
            let (scheduler, held) = (self.clone(), phases.hold("timers"));
            looks.spawn(async move {
                scheduler.look_safely(verification).await;
                drop(held);
            });
        }
        drop(held);
        Ok(count)
    }

    /// What could not be decided now shows itself again when the store stops hiding it.
    async fn look_safely(&self, verification: Verification) {
        let id = verification.id;
        match AssertUnwindSafe(self.look(verification)).catch_unwind().await {
            Ok(Ok(())) => self.failing.worked(id),
            Ok(Err(error)) => {
                warn!(verification_id = %id, error = %error, "could not decide on what is due");
                if is_its_own(&error) {
                    self.count(id, &error.to_string()).await;
                }
            }
            Err(_) => {
                error!(verification_id = %id, "a look at what is due panicked");
                self.count(id, "a look at it panicked").await;
            }
        }
    }

    /// Counts a failure; one that fails again and again is put aside, so that it is not tried for ever.
    async fn count(&self, id: VerificationId, why: &str) {
        let Some(home) = id.partition(self.books.store().partitions()) else { return };
        if !self.failing.failed(id) {
            return;
        }
        let detail = format!("it failed {TRIES} times in a row when its time had come: {why}");
        let burial = Burial { id, reason: DeadReason::HandlingFailed, detail };
        if let Err(error) = self.books.store().bury(home, vec![burial]).await {
            warn!(verification_id = %id, error = %error, "could not put aside what fails");
        }
    }

    /// The store hides what it handed out, so something is committed whether or not anything changes: that sets the next
    /// instant again.
    async fn look(&self, verification: Verification) -> Result<(), BooksError> {
        let setup = self.setup.load_full();
        let (policy, digits) = policy_of(&setup, &verification);
        let id = verification.id;
        let awaited = lifecycle::awaited(&verification, &policy);
        let partitions = self.books.store().partitions();
        let mut lost = None;
        let decided = self.books.decide_and_touch(id, Some(verification), &policy, |before, now| {
            let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
            let may_go = planning::who_may_go(&setup, &self.view, partitions, before, now);
            let step = lifecycle::step_by(before, &Event::Due, &may_go, &fresh, &policy, now);
            lost = lost_by(before, &step.next);
            step
        });
        decided.await?;
        let now = self.books.now();
        if let Some(awaited) = awaited.filter(|awaited| *awaited <= now) {
            self.books.metrics().timer_fired(now.since(awaited));
        }
        if let Some((provider, channel)) = lost {
            self.books.metrics().reclaimed(&provider, channel);
        }
        Ok(())
    }
}

/// Whether an error is about the one verification, and not about the store.
fn is_its_own(error: &BooksError) -> bool {
    match error {
        BooksError::Contended { .. } => true,
        BooksError::Store(error) => match **error {
            Error::Unreadable { .. } => true,
            Error::Unavailable { .. } | Error::Unsuitable { .. } => false,
        },
    }
}

fn panicked() -> BooksError {
    Error::Unavailable { doing: "reading what is due from a store that panicked", source: None }.into()
}

/// The lane and channel of an attempt whose worker is found to be gone.
fn lost_by(before: &Verification, next: &Verification) -> Option<(ProviderName, Channel)> {
    let claimed = before.current().filter(|attempt| matches!(attempt.phase, Stand::Claimed { .. }))?;
    let after = next.attempt(claimed.number)?;
    matches!(after.phase, Stand::Ambiguous { .. }).then(|| (claimed.provider.clone(), claimed.channel))
}

/// The policy of a verification; one whose purpose was removed from the configuration lives on under the defaults.
pub(crate) fn policy_of(setup: &Setup, verification: &Verification) -> (LifecyclePolicy, u8) {
    match setup.purpose(&verification.tenant, &verification.purpose) {
        Some(purpose) => (purpose.lifecycle.clone(), purpose.code_digits),
        None => (LifecyclePolicy::default(), 6),
    }
}
