//! The store as the rest of delivery uses it: one item at a time, decided again when somebody else was faster.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use otter_decision::challenge;
use otter_decision::lifecycle::{Step, at_stake, next_due, without_shut};
use otter_domain::{
    AttemptNumber, CheckScope, CheckSubmission, Clock, Effect, Ending, FailedChecks, JobKind,
    LifecyclePolicy, Lift, LimitRule, MessageId, Moment, Partition, State, Verification, VerificationId,
};
use otter_runtime::{Dice, StoreClock};
use otter_store::{
    CheckAnswer, Commit, CommitVerdict, Earlier, Error, LetterKey, MergeVerdict, Nonce, ReceiptMerge,
    RequestKey, RequestScope, Stamped, Store,
};
use thiserror::Error as ThisError;

use otter_telemetry::Metrics;

use crate::batch::Batcher;
use crate::{Keys, tally};

/// How often a decision is made again because somebody else committed first.
const ROUNDS: usize = 16;

/// How long a partition may leave commits unanswered before new messages are refused instead of waiting for it.
const STALL: Duration = Duration::from_secs(1);

/// How often a commit whose answer was lost is asked for again under the same nonce.
const REPEATS: usize = 2;

/// The store could not be asked, or something else is in the way.
#[derive(Debug, Clone, ThisError)]
pub enum BooksError {
    /// The store does not answer, or cannot read what it holds.
    #[error(transparent)]
    Store(Arc<Error>),
    /// Others kept changing the same verification.
    #[error("verification {id} was changed by others {ROUNDS} times in a row")]
    Contended {
        /// Which verification.
        id: VerificationId,
    },
}

impl From<Error> for BooksError {
    fn from(error: Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<Arc<Error>> for BooksError {
    fn from(error: Arc<Error>) -> Self {
        Self::Store(error)
    }
}

/// What was asked for along with a change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Along {
    pub(crate) request: Option<RequestKey>,
    pub(crate) limits: Vec<LimitRule>,
}

/// The store, with a batcher per partition and this process's idea of its clock.
pub struct Books {
    store: Arc<dyn Store>,
    clock: Arc<StoreClock>,
    dice: Arc<dyn Dice>,
    keys: Arc<Keys>,
    metrics: Arc<Metrics>,
    commits: Vec<Batcher<Commit, CommitVerdict>>,
    checks: Vec<Batcher<CheckSubmission, CheckAnswer>>,
    merges: Vec<Batcher<ReceiptMerge, MergeVerdict>>,
}

impl fmt::Debug for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Books").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Books {
    /// Opens the books of a store; reads its clock. `keys` name the messages. Must be called within a tokio runtime.
    pub async fn open(
        store: Arc<dyn Store>,
        dice: Arc<dyn Dice>,
        keys: Arc<Keys>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, BooksError> {
        let clock = Arc::new(StoreClock::starting_at(store.now().await?));
        let commits = batchers(&store, &clock, |store, home, items| {
            async move { store.commit(home, items).await }.boxed()
        });
        let checks = batchers(&store, &clock, |store, home, items| {
            async move { store.check(home, items).await }.boxed()
        });
        let merges = batchers(&store, &clock, |store, home, items| {
            async move { store.merge(home, items).await }.boxed()
        });
        Ok(Arc::new(Self { store, clock, dice, keys, metrics, commits, checks, merges }))
    }

    /// The store itself, for what is not done item by item.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// This process's idea of the store's clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    /// The present moment on the store's clock.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// How long these books have been open, by the process's monotonic clock alone, whatever the store says.
    pub(crate) fn steady(&self) -> Duration {
        self.clock.steady()
    }

    /// Whether a partition has left commits unanswered for so long that no more should wait for it.
    pub(crate) fn is_stalled(&self, home: Partition) -> bool {
        let since = self.commits[usize::from(home.index())].silent_since();
        since.is_some_and(|since| self.now().since(since) > STALL)
    }

    /// Whether any partition is.
    pub fn is_any_stalled(&self) -> bool {
        self.store.partitions().all().any(|home| self.is_stalled(home))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn dice(&self) -> &dyn Dice {
        &*self.dice
    }

    /// The id that vendors are given for an attempt's message; `None` for a verification of another installation.
    pub(crate) fn message_id(&self, id: VerificationId, attempt: AttemptNumber) -> Option<MessageId> {
        let home = id.partition(self.store.partitions())?;
        Some(challenge::message_id(&self.keys.install, id, attempt, home))
    }

    /// Takes the clock off an answer.
    pub(crate) fn stamped<T>(&self, answer: Stamped<T>) -> T {
        self.clock.observe(answer.now);
        answer.value
    }

    /// Reads a verification.
    pub async fn load(&self, id: VerificationId) -> Result<Option<Verification>, BooksError> {
        let Some(home) = id.partition(self.store.partitions()) else { return Ok(None) };
        let answer = self.store.load(home, vec![id]).await?;
        Ok(self.stamped(answer).pop().flatten())
    }

    /// Judges a code.
    pub(crate) async fn check(
        &self,
        home: Partition,
        item: CheckSubmission,
    ) -> Result<CheckAnswer, BooksError> {
        Ok(self.stamped(self.checks[usize::from(home.index())].ask(item).await?))
    }

    /// Reads how checks stand.
    pub(crate) async fn failed_checks(
        &self,
        home: Partition,
        scope: CheckScope,
    ) -> Result<Vec<FailedChecks>, BooksError> {
        Ok(self.stamped(self.store.failed_checks(home, scope).await?))
    }

    /// Has failed checks forgotten; says what they were.
    pub(crate) async fn lift(&self, home: Partition, lift: Lift) -> Result<Vec<FailedChecks>, BooksError> {
        Ok(self.stamped(self.store.lift(home, lift).await?))
    }

    /// Merges a receipt.
    pub(crate) async fn merge(
        &self,
        home: Partition,
        item: ReceiptMerge,
    ) -> Result<MergeVerdict, BooksError> {
        Ok(self.stamped(self.merges[usize::from(home.index())].ask(item).await?))
    }

    /// Commits what `decision` decided on `before`, or on nothing for a new verification.
    pub(crate) async fn commit(
        &self,
        before: Option<&Verification>,
        step: Step,
        policy: &LifecyclePolicy,
        along: Along,
    ) -> Result<CommitVerdict, BooksError> {
        let home = step.next.id.partition(self.store.partitions());
        let home = home.expect("an id that was made or loaded here has a partition");
        let commit = self.commit_of(before, step, policy, along);
        let verdict = self.ask(home, &commit).await?;
        if verdict == CommitVerdict::Done {
            tally::committed(&self.metrics, &commit.next, &commit.effects, self.now());
        }
        Ok(verdict)
    }

    async fn ask(&self, home: Partition, commit: &Commit) -> Result<CommitVerdict, BooksError> {
        let batcher = &self.commits[usize::from(home.index())];
        for _ in 0..REPEATS {
            match batcher.ask(commit.clone()).await {
                Ok(answer) => return Ok(self.stamped(answer)),
                Err(error) if !matches!(*error, Error::Unavailable { .. }) => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(self.stamped(batcher.ask(commit.clone()).await?))
    }

    /// Takes a dead letter away for good, and counts the end that it brings; false if there is no such letter.
    pub async fn discard(&self, home: Partition, key: &LetterKey) -> Result<bool, BooksError> {
        let Some(discarded) = self.stamped(self.store.discard(home, key).await?) else { return Ok(false) };
        if let Some((verification, how)) = discarded.ended {
            tally::ended(&self.metrics, &verification, how, self.now());
        }
        Ok(true)
    }

    /// Says what was answered before under a request's name, for the tenant and recipient of this verification.
    pub(crate) async fn answered(
        &self,
        verification: &Verification,
        request: RequestKey,
    ) -> Result<Earlier, BooksError> {
        let home = verification.id.partition(self.store.partitions());
        let home = home.expect("an id that was made or loaded here has a partition");
        let Verification { tenant, recipient, .. } = verification.clone();
        Ok(self.stamped(self.store.answered(home, RequestScope { tenant, recipient }, request).await?))
    }

    fn commit_of(
        &self,
        before: Option<&Verification>,
        step: Step,
        policy: &LifecyclePolicy,
        along: Along,
    ) -> Commit {
        let Step { mut next, effects, .. } = step;
        let expected = before.map(|verification| verification.version);
        next.version = next.version.next();
        let at_stake = at_stake(before, &next, self.now());
        let due = next_due(&next, policy, self.now());
        let message_ids = effects.iter().filter_map(|effect| match effect {
            Effect::Dispatch { provider, attempt, job: JobKind::Send } => {
                Some((provider.clone(), self.message_id(next.id, *attempt)?, *attempt))
            }
            Effect::Dispatch { job: JobKind::Revoke, .. } | Effect::Observe(_) | Effect::Publish(_) => None,
        });
        let message_ids = message_ids.collect();
        let nonce = Nonce(self.dice.u64());
        let Along { request, limits } = along;
        Commit { expected, next, effects, due, nonce, request, limits, message_ids, at_stake }
    }

    /// Decides on a verification and commits, again and again until nobody else was faster. Returns the verification as
    /// it is then, whether or not anything changed; `None` if it does not exist.
    ///
    /// Without its private part nobody knows who could be tried next. So a decision that depends on it is
    /// [`Error::Unreadable`], while the verification can be ended by its caller or by its deadline.
    ///
    /// An attempt whose code could not be checked is not made: it is decided again on a plan without whoever cannot go.
    pub(crate) async fn decide(
        &self,
        id: VerificationId,
        held: Option<Verification>,
        policy: &LifecyclePolicy,
        mut decide: impl FnMut(&Verification, Moment) -> Step,
    ) -> Result<Option<Verification>, BooksError> {
        let mut held = held;
        let mut is_cut = false;
        for _ in 0..ROUNDS {
            let before = match held.take() {
                Some(verification) => verification,
                None => match self.load(id).await? {
                    Some(verification) => verification,
                    None => return Ok(None),
                },
            };
            let mut step = decide(&before, self.now());
            step.changed |= std::mem::take(&mut is_cut);
            if !step.changed {
                return Ok(Some(before));
            }
            if is_blind(&before, &step.next) {
                let why = format!("what is sealed of verification {id} does not open here");
                return Err(Error::Unreadable { why }.into());
            }
            let next = step.next.clone();
            match self.commit(Some(&before), step, policy, Along::default()).await? {
                CommitVerdict::Done => return Ok(Some(next)),
                CommitVerdict::Shut(shut) => {
                    let queued = next.current().map(|attempt| attempt.channel.class());
                    held = queued.map(|class| without_shut(&before, class, &shut));
                    is_cut = true;
                }
                CommitVerdict::Conflict
                | CommitVerdict::Repeated(_)
                | CommitVerdict::RequestReused
                | CommitVerdict::Limited { .. } => {}
            }
        }
        Err(BooksError::Contended { id })
    }

    /// Decides as [`Self::decide`] does and commits at least once even if nothing changed, unless somebody else does in
    /// between: every commit sets the next instant, and makes whoever decided on the version before decide again.
    pub(crate) async fn decide_and_touch(
        &self,
        id: VerificationId,
        held: Option<Verification>,
        policy: &LifecyclePolicy,
        mut decide: impl FnMut(&Verification, Moment) -> Step,
    ) -> Result<Option<Verification>, BooksError> {
        let mut is_first = true;
        let touching = |before: &Verification, now: Moment| {
            let mut step = decide(before, now);
            step.changed |= std::mem::take(&mut is_first);
            step
        };
        self.decide(id, held, policy, touching).await
    }
}

/// Whether a decision was made without knowing the plan that it depends on.
fn is_blind(before: &Verification, next: &Verification) -> bool {
    let goes_by_plan = match next.state {
        State::Pending | State::Ended { how: Ending::Failed, .. } => true,
        State::Ended {
            how: Ending::Verified { .. } | Ending::Expired | Ending::Exhausted | Ending::Cancelled,
            ..
        } => false,
    };
    before.is_pending() && before.private.is_none() && goes_by_plan
}

type Ask<I, O> = fn(Arc<dyn Store>, Partition, Vec<I>) -> BoxFuture<'static, Result<Stamped<Vec<O>>, Error>>;

fn batchers<I: Send + 'static, O: Send + 'static>(
    store: &Arc<dyn Store>,
    clock: &Arc<StoreClock>,
    ask: Ask<I, O>,
) -> Vec<Batcher<I, O>> {
    let batcher = |home| {
        let (store, clock) = (Arc::clone(store), Arc::clone(clock));
        Batcher::start(home, Arc::new(move |home, items| ask(Arc::clone(&store), home, items)), clock)
    };
    store.partitions().all().map(batcher).collect()
}
