//! Short words for what the behaviours do again and again.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    Attempt, AttemptNumber, CheckSubmission, CheckVerdict, Digest, Effect, Happening, JobKind, KeyId,
    Measure, Moment, Partition, PresentedDigest, ProviderName, ReceiptStatus, RequestId, Verification,
    VerificationId,
};
use otter_store::{
    CheckAnswer, Claim, Claimed, Commit, CommitVerdict, Events, Lease, MergeVerdict, Nonce, Position,
    ReceiptMerge, ReceiptTarget, RequestKey, Retention, Store,
};

use crate::bench::{Bench, Setup};
use crate::fixture::{self, provider, seconds, unique, worker};

/// A store under test, seen from one partition.
pub(crate) struct Kit<B> {
    pub(crate) bench: B,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) home: Partition,
    /// The store's clock when it was opened.
    pub(crate) now: Moment,
}

impl<B: Bench> Kit<B> {
    pub(crate) async fn open(open: impl AsyncFn(Setup) -> B) -> Self {
        Self::open_with(open, Retention::default()).await
    }

    pub(crate) async fn open_with(open: impl AsyncFn(Setup) -> B, retention: Retention) -> Self {
        let setup = Setup { retention, ..Setup::default() };
        let bench = open(setup).await;
        let store = bench.store();
        let now = store.now().await.unwrap();
        Self { bench, store, home: setup.partitions.at(1).unwrap(), now }
    }

    /// How much time has passed on the store's clock since the suite opened it. What must not have happened before a
    /// time is asserted only if that time has not passed anyway: a test machine may stall.
    pub(crate) async fn age(&self) -> Duration {
        self.store.now().await.unwrap().since(self.now)
    }

    /// Ends the engine and opens it again; `false` if it keeps nothing.
    pub(crate) async fn reopen(&mut self) -> bool {
        let reopened = self.bench.reopen().await;
        self.store = self.bench.store();
        reopened
    }

    pub(crate) fn verification(&self, attempts: Vec<Attempt>) -> Verification {
        fixture::verification(self.home, self.now, attempts)
    }

    pub(crate) fn queued(&self, number: u8, name: &str) -> Attempt {
        fixture::queued(number, name, self.now)
    }

    pub(crate) fn accepted(&self, number: u8, name: &str) -> Attempt {
        fixture::accepted(number, name, self.now)
    }

    pub(crate) async fn commit(&self, item: Commit) -> CommitVerdict {
        self.commit_all(vec![item]).await.remove(0)
    }

    pub(crate) async fn commit_all(&self, items: Vec<Commit>) -> Vec<CommitVerdict> {
        self.store.commit(self.home, items).await.unwrap().value
    }

    /// Creates a verification; returns it.
    pub(crate) async fn create(&self, verification: Verification) -> Verification {
        assert_eq!(self.commit(creation(&verification)).await, CommitVerdict::Done);
        verification
    }

    /// Creates a verification with the job of its current attempt.
    pub(crate) async fn dispatch(&self, verification: Verification) -> Verification {
        assert_eq!(self.commit(dispatch(creation(&verification))).await, CommitVerdict::Done);
        verification
    }

    pub(crate) async fn load(&self, id: VerificationId) -> Option<Verification> {
        self.store.load(self.home, vec![id]).await.unwrap().value.remove(0)
    }

    pub(crate) async fn claim(&self, lane: &str, max: usize) -> Vec<Claimed> {
        self.store.claim(self.home, claim(lane, max)).await.unwrap().value
    }

    pub(crate) async fn renew(&self, lease: Lease, time: Duration) -> bool {
        self.store.renew(self.home, vec![lease], time).await.unwrap().value.remove(0)
    }

    pub(crate) async fn due(&self, max: usize) -> Vec<VerificationId> {
        let due = self.store.due(self.home, max).await.unwrap().value;
        due.iter().map(|verification| verification.id).collect()
    }

    pub(crate) async fn check(&self, submission: CheckSubmission) -> CheckAnswer {
        self.store.check(self.home, vec![submission]).await.unwrap().value.remove(0)
    }

    pub(crate) async fn verdict(&self, submission: CheckSubmission) -> CheckVerdict {
        self.check(submission).await.verdict
    }

    pub(crate) async fn merge(&self, report: ReceiptMerge) -> MergeVerdict {
        self.store.merge(self.home, vec![report]).await.unwrap().value.remove(0)
    }

    /// The position from which on events are news.
    pub(crate) async fn tail(&self) -> Position {
        match self.store.events(self.home, None, 10).await.unwrap().value {
            Events::Read { events, next } => {
                assert!(events.is_empty(), "nothing is news yet");
                next
            }
            Events::TooOld => panic!("the present is never too old"),
        }
    }

    /// All events after a position.
    pub(crate) async fn events_after(&self, position: &Position) -> Vec<Happening> {
        match self.store.events(self.home, Some(position.clone()), 1_000).await.unwrap().value {
            Events::Read { events, .. } => events.into_iter().map(|(_, event)| event).collect(),
            Events::TooOld => panic!("the position is too old"),
        }
    }

    /// What was counted of one provider, all buckets and segments together.
    pub(crate) async fn counted(&self, name: &str) -> Vec<(Measure, u64)> {
        let mut sums = std::collections::BTreeMap::new();
        for cell in self.store.evidence(self.home, Moment::EPOCH).await.unwrap().value {
            if cell.segment.provider.as_str() == name {
                for (measure, count) in cell.counts {
                    *sums.entry(measure).or_insert(0) += count;
                }
            }
        }
        sums.into_iter().collect()
    }
}

/// A commit that creates and does nothing else.
pub(crate) fn creation(verification: &Verification) -> Commit {
    Commit {
        expected: None,
        next: verification.clone(),
        effects: Vec::new(),
        due: None,
        nonce: Nonce(unique()),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
    }
}

/// A commit that replaces the verification of this version by this one.
pub(crate) fn change(verification: &Verification) -> Commit {
    Commit { expected: Some(verification.version), ..creation(&after(verification)) }
}

/// The verification as it is after a commit of it.
pub(crate) fn after(verification: &Verification) -> Verification {
    Verification { version: verification.version.next(), ..verification.clone() }
}

/// The same with the job of the current attempt, and the timer at the end of its queue wait.
pub(crate) fn dispatch(item: Commit) -> Commit {
    let attempt = item.next.current().expect("there is an attempt to dispatch");
    let job =
        Effect::Dispatch { provider: attempt.provider.clone(), attempt: attempt.number, job: JobKind::Send };
    Commit { effects: vec![job], due: Some(attempt.queued_at + seconds(5)), ..item }
}

pub(crate) fn claim(lane: &str, max: usize) -> Claim {
    Claim { lane: provider(lane), worker: worker("worker-1"), lease: seconds(6), max }
}

pub(crate) fn lease(verification: &Verification, name: &str) -> Lease {
    Lease { id: verification.id, attempt: AttemptNumber::FIRST, worker: worker(name) }
}

pub(crate) fn request(id: &str, fingerprint: u8) -> RequestKey {
    RequestKey { id: RequestId::parse(id).unwrap(), fingerprint: [fingerprint; 32] }
}

/// A submission of the code with this number.
pub(crate) fn submission(verification: &Verification, code: u8) -> CheckSubmission {
    CheckSubmission {
        id: verification.id,
        tenant: verification.tenant.clone(),
        digests: vec![
            PresentedDigest { key: KeyId(2), digest: Digest([code.wrapping_add(100); 32]) },
            PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) },
        ],
        request_id: None,
    }
}

pub(crate) fn named(verification: &Verification, code: u8, request_id: &str) -> CheckSubmission {
    CheckSubmission {
        request_id: Some(RequestId::parse(request_id).unwrap()),
        ..submission(verification, code)
    }
}

pub(crate) fn report(
    verification: &Verification,
    number: u8,
    name: &ProviderName,
    status: ReceiptStatus,
) -> ReceiptMerge {
    ReceiptMerge {
        target: ReceiptTarget::Attempt(verification.id, fixture::nth(number)),
        provider: name.clone(),
        status,
        because: None,
    }
}
