//! One process's way to the store, on which calls and answers are delayed and lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    CheckScope, CheckSubmission, FailedChecks, Lift, Moment, Partition, PartitionCount, ProviderName,
    Verification, VerificationId,
};
use otter_store::{
    Board, BoardEntry, Burial, CheckAnswer, Claim, Claimed, Commit, CommitVerdict, DeadLetter, DeadLetters,
    Discarded, Earlier, Error, Events, EvidenceCell, Grant, LaneDepth, Lease, LetterKey, LetterPlace,
    MemoryStore, MergeVerdict, Position, ReceiptMerge, RequestKey, RequestScope, Stamped, Store, Wake,
};
use tokio::sync::broadcast;
use tokio::time::sleep;

use crate::gate::Gate;
use crate::weather::{Answer, Fate, Weather};

/// What a run is broken by on purpose, to see that it is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Nothing,
    /// The store says that a commit is done and forgets it.
    StoreForgets,
    /// The store judges a check twice.
    StoreChecksTwice,
    /// The store forgets when somebody has to look again.
    StoreLosesTimers,
    /// The store forgets under which name something was asked.
    StoreForgetsNames,
    /// A sender hands a message over twice.
    SenderRepeats,
    /// A sender calls failed what the vendor took.
    SenderDenies,
    /// A sender does not look at the clock.
    SenderIsLate,
}

impl Broken {
    pub(crate) const ALL: [Self; 7] = [
        Self::StoreForgets,
        Self::StoreChecksTwice,
        Self::StoreLosesTimers,
        Self::StoreForgetsNames,
        Self::SenderRepeats,
        Self::SenderDenies,
        Self::SenderIsLate,
    ];
}

/// Every so many calls a broken store does what it is broken by.
const EVERY: usize = 7;

#[derive(Debug)]
pub(crate) struct Way {
    inner: Arc<MemoryStore>,
    gate: Arc<Gate>,
    weather: Arc<Weather>,
    broken: Broken,
    calls: AtomicUsize,
}

impl Way {
    pub(crate) fn new(
        inner: Arc<MemoryStore>,
        gate: Arc<Gate>,
        weather: Arc<Weather>,
        broken: Broken,
    ) -> Arc<Self> {
        Arc::new(Self { inner, gate, weather, broken, calls: AtomicUsize::new(0) })
    }

    fn breaks(&self, by: Broken) -> bool {
        self.broken == by && self.calls.fetch_add(1, Ordering::SeqCst) % EVERY == EVERY - 1
    }

    /// Whether nothing can happen to a call now.
    fn is_clear(&self) -> bool {
        self.gate.is_open() && !self.gate.is_cut() && self.weather.is_calm()
    }

    /// A call that changes something: it takes a moment also in good weather.
    async fn change<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.gate.pass().await;
        let fate = self.changing_fate();
        self.travel(fate, call).await
    }

    /// A batch of calls; if its answer is lost midway, only the first of them are done.
    async fn batch<I: Send + 'static, T: Send + 'static, F>(
        &self,
        mut items: Vec<I>,
        call: impl FnOnce(Arc<MemoryStore>, Vec<I>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.gate.pass().await;
        let fate = self.changing_fate();
        if let Fate::Travels { answer: Answer::LostMidway, .. } = fate {
            items.truncate(self.weather.part(items.len()));
        }
        self.travel(fate, call(Arc::clone(&self.inner), items)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.gate.pass().await;
        let fate = self.weather.fate(&self.gate);
        self.travel(fate, call).await
    }

    fn changing_fate(&self) -> Fate {
        match self.weather.fate(&self.gate) {
            Fate::Smooth => self.weather.way(),
            fate @ (Fate::Refused { .. } | Fate::Travels { .. }) => fate,
        }
    }

    /// What is under way to the store arrives there also when its process has gone.
    async fn travel<T: Send + 'static>(
        &self,
        fate: Fate,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let lost = Err(Error::Unavailable { doing: "being disturbed", source: None });
        let answer = match fate {
            Fate::Smooth => call.await,
            Fate::Refused { after } => {
                sleep(after).await;
                lost
            }
            Fate::Travels { before, after, answer } => {
                let under_way = tokio::spawn(async move {
                    sleep(before).await;
                    let answer = call.await;
                    sleep(after).await;
                    answer
                });
                let arrived = under_way.await.expect("the store in memory does not panic");
                if answer == Answer::Arrives { arrived } else { lost }
            }
        };
        self.gate.pass().await;
        answer
    }
}

#[async_trait]
impl Store for Way {
    fn partitions(&self) -> PartitionCount {
        self.inner.partitions()
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.inner.wakes()
    }

    async fn now(&self) -> Result<Moment, Error> {
        self.inner.now().await
    }

    async fn commit(
        &self,
        home: Partition,
        mut items: Vec<Commit>,
    ) -> Result<Stamped<Vec<CommitVerdict>>, Error> {
        if self.breaks(Broken::StoreForgets) {
            let value = items.iter().map(|_| CommitVerdict::Done).collect();
            return Ok(Stamped { now: self.inner.now().await?, value });
        }
        if self.breaks(Broken::StoreLosesTimers) {
            items.iter_mut().for_each(|item| item.due = None);
        }
        if self.breaks(Broken::StoreForgetsNames) {
            items.iter_mut().for_each(|item| item.request = None);
        }
        self.batch(items, move |inner, items| async move { inner.commit(home, items).await }).await
    }

    async fn answered(
        &self,
        home: Partition,
        scope: RequestScope,
        request: RequestKey,
    ) -> Result<Stamped<Earlier>, Error> {
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.answered(home, scope, request).await }).await
    }

    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error> {
        // Most claims find nothing: only some of them take a moment.
        if self.is_clear() && !self.calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(4) {
            return self.inner.claim(home, claim).await;
        }
        let inner = Arc::clone(&self.inner);
        self.change(async move { inner.claim(home, claim).await }).await
    }

    async fn renew(
        &self,
        home: Partition,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Stamped<Vec<bool>>, Error> {
        let inner = Arc::clone(&self.inner);
        self.change(async move { inner.renew(home, leases, lease).await }).await
    }

    async fn check(
        &self,
        home: Partition,
        items: Vec<CheckSubmission>,
    ) -> Result<Stamped<Vec<CheckAnswer>>, Error> {
        if self.breaks(Broken::StoreChecksTwice) {
            self.inner.check(home, items.clone()).await?;
        }
        self.batch(items, move |inner, items| async move { inner.check(home, items).await }).await
    }

    async fn failed_checks(
        &self,
        home: Partition,
        scope: CheckScope,
    ) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        self.inner.failed_checks(home, scope).await
    }

    async fn lift(&self, home: Partition, lift: Lift) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        self.inner.lift(home, lift).await
    }

    async fn merge(
        &self,
        home: Partition,
        items: Vec<ReceiptMerge>,
    ) -> Result<Stamped<Vec<MergeVerdict>>, Error> {
        self.batch(items, move |inner, items| async move { inner.merge(home, items).await }).await
    }

    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error> {
        // Asked for so often that a shorter way makes runs shorter.
        if self.is_clear() {
            return self.inner.due(home, max).await;
        }
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.due(home, max).await }).await
    }

    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error> {
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.load(home, ids).await }).await
    }

    async fn events(
        &self,
        home: Partition,
        after: Option<Position>,
        max: usize,
    ) -> Result<Stamped<Events>, Error> {
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.events(home, after, max).await }).await
    }

    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error> {
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.evidence(home, since).await }).await
    }

    async fn lanes(
        &self,
        home: Partition,
        lanes: Vec<ProviderName>,
    ) -> Result<Stamped<Vec<LaneDepth>>, Error> {
        let inner = Arc::clone(&self.inner);
        self.read(async move { inner.lanes(home, lanes).await }).await
    }

    async fn bury(&self, home: Partition, items: Vec<Burial>) -> Result<Stamped<Vec<bool>>, Error> {
        let inner = Arc::clone(&self.inner);
        self.change(async move { inner.bury(home, items).await }).await
    }

    async fn dead_letters(
        &self,
        home: Partition,
        after: Option<LetterPlace>,
        max: usize,
    ) -> Result<Stamped<DeadLetters>, Error> {
        self.inner.dead_letters(home, after, max).await
    }

    async fn dead_letter(
        &self,
        home: Partition,
        key: &LetterKey,
    ) -> Result<Stamped<Option<DeadLetter>>, Error> {
        self.inner.dead_letter(home, key).await
    }

    async fn revive(&self, home: Partition, key: &LetterKey) -> Result<Stamped<bool>, Error> {
        self.inner.revive(home, key).await
    }

    async fn discard(&self, home: Partition, key: &LetterKey) -> Result<Stamped<Option<Discarded>>, Error> {
        self.inner.discard(home, key).await
    }

    async fn take(&self, key: &str, rate: f64, burst: u32, want: u32) -> Result<Stamped<Grant>, Error> {
        let (inner, key) = (Arc::clone(&self.inner), key.to_owned());
        self.change(async move { inner.take(&key, rate, burst, want).await }).await
    }

    async fn post(
        &self,
        board: Board,
        key: &str,
        value: Vec<u8>,
        life: Option<Duration>,
    ) -> Result<(), Error> {
        let (inner, key) = (Arc::clone(&self.inner), key.to_owned());
        self.change(async move { inner.post(board, &key, value, life).await }).await
    }

    async fn read(&self, board: Board) -> Result<Stamped<Vec<BoardEntry>>, Error> {
        let inner = Arc::clone(&self.inner);
        Way::read(self, async move { inner.read(board).await }).await
    }
}
