//! One process's way to the store, which a test can disturb.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
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
use tokio::sync::{broadcast, watch};

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Commit,
    Claim,
    Renew,
    Check,
    Merge,
    Due,
    Bury,
    Load,
    Events,
    Post,
    Lanes,
    Take,
}

/// How long an engine lets a call take.
const DEADLINE: Duration = Duration::from_millis(500);

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: the faults that follow wait their turn.
    Nothing,
    /// It does not reach the store.
    Refused,
    /// The same, and that is known only when the store's deadline is over.
    TimesOut,
    /// It is done and the answer is lost.
    AnswerLost,
    /// It answers that a record cannot be read.
    Unreadable,
    /// The engine panics.
    Panics,
    /// It waits until the faults are gone.
    Hangs,
    /// It is done, and the answer waits until the faults are gone.
    AnswerHangs,
}

#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<MemoryStore>,
    faults: watch::Sender<Vec<(Op, Fault, usize)>>,
    /// How often each kind of call was made.
    calls: Mutex<Vec<Op>>,
    /// Whether what is sealed does not open any more.
    is_blind: AtomicBool,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            faults: watch::Sender::new(Vec::new()),
            calls: Mutex::default(),
            is_blind: AtomicBool::new(false),
        })
    }

    /// Lets the next calls of a kind go wrong.
    pub(crate) fn disturb(&self, op: Op, fault: Fault, times: usize) {
        self.faults.send_modify(|faults| faults.push((op, fault, times)));
    }

    pub(crate) fn calm(&self) {
        self.faults.send_modify(Vec::clear);
    }

    pub(crate) fn calls(&self, op: Op) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| **call == op).count()
    }

    /// From now on reads and receipts show nothing that is sealed.
    pub(crate) fn lose_key(&self) {
        self.is_blind.store(true, Ordering::SeqCst);
    }

    fn hide(&self, verification: &mut Verification) {
        if self.is_blind.load(Ordering::SeqCst) {
            verification.private = None;
        }
    }

    fn fault(&self, op: Op) -> Option<Fault> {
        let mut found = None;
        self.faults.send_if_modified(|faults| {
            if let Some((_, fault, times)) = faults.iter_mut().find(|(of, _, left)| *of == op && *left > 0) {
                found = Some(*fault);
                *times -= 1;
            }
            false
        });
        found
    }

    async fn calmed(&self) {
        self.faults.subscribe().wait_for(Vec::is_empty).await.unwrap();
    }

    async fn pass<T>(&self, op: Op, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.calls.lock().unwrap().push(op);
        let lost = Err(Error::Unavailable { doing: "being disturbed", source: None });
        match self.fault(op) {
            None | Some(Fault::Nothing) => call.await,
            Some(Fault::Refused) => lost,
            Some(Fault::TimesOut) => {
                tokio::time::sleep(DEADLINE).await;
                lost
            }
            Some(Fault::AnswerLost) => call.await.and(lost),
            Some(Fault::Unreadable) => Err(Error::Unreadable { why: "a test says so".to_owned() }),
            Some(Fault::Panics) => panic!("the engine of a test panics"),
            Some(Fault::Hangs) => {
                self.calmed().await;
                call.await
            }
            Some(Fault::AnswerHangs) => {
                let answer = call.await;
                self.calmed().await;
                answer
            }
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
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
        items: Vec<Commit>,
    ) -> Result<Stamped<Vec<CommitVerdict>>, Error> {
        self.pass(Op::Commit, self.inner.commit(home, items)).await
    }

    async fn answered(
        &self,
        home: Partition,
        scope: RequestScope,
        request: RequestKey,
    ) -> Result<Stamped<Earlier>, Error> {
        self.pass(Op::Commit, self.inner.answered(home, scope, request)).await
    }

    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error> {
        self.pass(Op::Claim, self.inner.claim(home, claim)).await
    }

    async fn renew(
        &self,
        home: Partition,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Stamped<Vec<bool>>, Error> {
        self.pass(Op::Renew, self.inner.renew(home, leases, lease)).await
    }

    async fn check(
        &self,
        home: Partition,
        items: Vec<CheckSubmission>,
    ) -> Result<Stamped<Vec<CheckAnswer>>, Error> {
        self.pass(Op::Check, self.inner.check(home, items)).await
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
        let mut answer = self.pass(Op::Merge, self.inner.merge(home, items)).await?;
        for verdict in &mut answer.value {
            if let MergeVerdict::Advanced { verification, .. } = verdict {
                self.hide(verification);
            }
        }
        Ok(answer)
    }

    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error> {
        self.pass(Op::Due, self.inner.due(home, max)).await
    }

    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error> {
        let mut answer = self.pass(Op::Load, self.inner.load(home, ids)).await?;
        answer.value.iter_mut().flatten().for_each(|verification| self.hide(verification));
        Ok(answer)
    }

    async fn events(
        &self,
        home: Partition,
        after: Option<Position>,
        max: usize,
    ) -> Result<Stamped<Events>, Error> {
        self.pass(Op::Events, self.inner.events(home, after, max)).await
    }

    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error> {
        self.inner.evidence(home, since).await
    }

    async fn lanes(
        &self,
        home: Partition,
        lanes: Vec<ProviderName>,
    ) -> Result<Stamped<Vec<LaneDepth>>, Error> {
        self.pass(Op::Lanes, self.inner.lanes(home, lanes)).await
    }

    async fn bury(&self, home: Partition, items: Vec<Burial>) -> Result<Stamped<Vec<bool>>, Error> {
        self.pass(Op::Bury, self.inner.bury(home, items)).await
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
        self.pass(Op::Take, self.inner.take(key, rate, burst, want)).await
    }

    async fn post(
        &self,
        board: Board,
        key: &str,
        value: Vec<u8>,
        life: Option<Duration>,
    ) -> Result<(), Error> {
        self.pass(Op::Post, self.inner.post(board, key, value, life)).await
    }

    async fn read(&self, board: Board) -> Result<Stamped<Vec<BoardEntry>>, Error> {
        self.inner.read(board).await
    }
}
