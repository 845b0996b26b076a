//! Random work on a store, and the state that it has to come to.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    ChannelClass, CheckSubmission, Digest, Effect, Ending, JobKind, KeyId, LimitRule, MessageId, Moment,
    Partition, PartitionCount, Phase, PresentedDigest, ReceiptStatus, RequestId, VerificationId,
};
use otter_store::{
    Board, Changes, Claim, Commit, Error, Keyring, Lease, Nonce, ReceiptMerge, ReceiptTarget, RequestKey,
    Retention, Sealer, Store,
};
use otter_store_testkit::{ManualClock, fixture};

use crate::simulated_disk::Draws;
use crate::writer::State;
use crate::{EmbeddedStore, Options};

const LANE: &str = "alpha";

/// How fast a bucket refills, and how long an entry of a board lives: in minutes, so that both outlive a full disk.
const REFILL: f64 = 0.001;
const LIFE: Duration = Duration::from_secs(900);

/// How many verifications are worked on at a time.
const KNOWN: usize = 12;

/// One operation of a store.
#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Commit(Box<Commit>),
    Claim(Claim),
    Renew(Lease),
    Check(CheckSubmission),
    Merge(ReceiptMerge),
    Take(String),
    Post(String),
}

impl Operation {
    pub(crate) async fn ask(self, home: Partition, store: Arc<EmbeddedStore>) -> Result<(), Error> {
        match self {
            Self::Commit(item) => store.commit(home, vec![*item]).await.map(drop),
            Self::Claim(claim) => store.claim(home, claim).await.map(drop),
            Self::Renew(lease) => store.renew(home, vec![lease], fixture::seconds(6)).await.map(drop),
            Self::Check(item) => store.check(home, vec![item]).await.map(drop),
            Self::Merge(report) => store.merge(home, vec![report]).await.map(drop),
            Self::Take(key) => store.take(&key, REFILL, 10, 1).await.map(drop),
            Self::Post(key) => store.post(Board::Breakers, &key, vec![7], Some(LIFE)).await,
        }
    }

    /// What it has to come to, retention included.
    pub(crate) fn apply(self, home: Partition, state: &mut State, now: Moment) {
        let changes = &mut Changes::default();
        let partition = &mut state.partitions[usize::from(home.index())];
        match self {
            Self::Commit(item) => drop(partition.commit(*item, now, changes)),
            Self::Claim(claim) => drop(partition.claim(&claim, now, changes)),
            Self::Renew(lease) => drop(partition.renew(&lease, fixture::seconds(6), now, changes)),
            Self::Check(item) => drop(partition.check(&item, now, changes)),
            Self::Merge(report) => drop(partition.merge(&report, now, changes)),
            Self::Take(key) => {
                state.shared.take(&key, REFILL, 10, 1, now);
                state.shared.sweep(16, now);
                return;
            }
            Self::Post(key) => {
                state.shared.post(Board::Breakers, &key, vec![7], Some(LIFE), now);
                state.shared.sweep(16, now);
                return;
            }
        }
        partition.sweep(16, now, changes);
    }
}

/// What is drawn from.
#[derive(Debug, Default)]
pub(crate) struct Workload {
    known: Vec<(Partition, VerificationId)>,
    count: u64,
}

impl Workload {
    /// The next operation on a store in this state.
    pub(crate) fn next(&mut self, draws: &mut Draws, state: &State, now: Moment) -> (Partition, Operation) {
        self.count += 1;
        let home = state.partitions[draws.below(state.partitions.len())].home();
        let recent = self.known.len().min(KNOWN);
        let kind = draws.below(10);
        if recent == 0 || kind < 3 {
            return (home, self.creation(home, now));
        }
        if kind == 3 {
            let key = format!("key-{}", draws.below(5));
            return (home, if draws.below(2) == 0 { Operation::Take(key) } else { Operation::Post(key) });
        }
        let (home, id) = self.known[self.known.len() - 1 - draws.below(recent)];
        let worker = fixture::worker("worker-1");
        let operation = match kind {
            4 | 5 => Operation::Claim(Claim {
                lane: fixture::provider(LANE),
                worker,
                lease: fixture::seconds(6),
                max: 3,
            }),
            6 => Operation::Renew(Lease { id, attempt: fixture::nth(1), worker }),
            7 => Operation::Check(submission(id, 1 + draws.below(3) as u8)),
            8 => Operation::Merge(ReceiptMerge {
                target: ReceiptTarget::Attempt(id, fixture::nth(1)),
                provider: fixture::provider(LANE),
                status: ReceiptStatus::ALL[draws.below(ReceiptStatus::ALL.len())],
                because: None,
            }),
            _ => match change(state, home, id, draws, now) {
                Some(change) => Operation::Commit(Box::new(change)),
                None => self.creation(home, now),
            },
        };
        (home, operation)
    }

    fn creation(&mut self, home: Partition, now: Moment) -> Operation {
        let next = fixture::verification(home, now, vec![fixture::queued(1, LANE, now)]);
        self.known.push((home, next.id));
        let (provider, attempt) = (fixture::provider(LANE), fixture::nth(1));
        let mut hash = [0; 16];
        hash[9..16].copy_from_slice(&self.count.to_be_bytes()[1..]);
        let id = RequestId::parse(&format!("request-{}", self.count)).unwrap();
        Operation::Commit(Box::new(Commit {
            expected: None,
            effects: vec![Effect::Dispatch { provider: provider.clone(), attempt, job: JobKind::Send }],
            due: Some(now + fixture::seconds(5)),
            nonce: Nonce(self.count),
            request: Some(RequestKey { id, fingerprint: [1; 32] }),
            limits: vec![LimitRule { max: 5, window: fixture::seconds(60) }],
            message_ids: vec![(provider, MessageId::from_hash(home, hash), attempt)],
            at_stake: ChannelClass::ALL.to_vec(),
            next,
        }))
    }
}

/// The outcome of a claimed attempt, or the end of the verification.
fn change(
    state: &State,
    home: Partition,
    id: VerificationId,
    draws: &mut Draws,
    now: Moment,
) -> Option<Commit> {
    let stored = state.partitions[usize::from(home.index())].load(id, now)?;
    let expected = Some(stored.version);
    let mut next = stored;
    if draws.below(2) == 0 {
        next = fixture::ended(next, Ending::Cancelled, now);
    } else if let Some(attempt) = next.attempts.last_mut() {
        attempt.phase = Phase::Accepted { at: now, wait_until: now + fixture::seconds(30) };
    }
    let due = next.is_pending().then_some(now + fixture::seconds(30));
    Some(Commit {
        expected,
        next,
        effects: Vec::new(),
        due,
        nonce: Nonce(draws.next()),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
    })
}

fn submission(id: VerificationId, code: u8) -> CheckSubmission {
    let digests = vec![PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) }];
    CheckSubmission { id, tenant: fixture::tenant(), digests, request_id: None }
}

/// Settings under which much is deleted, and equal states have equal bytes.
pub(crate) fn options(clock: &Arc<ManualClock>) -> Options {
    let keyring = Keyring::new(KeyId(1), [(KeyId(1), [7; 32])]).unwrap();
    let seconds = Duration::from_secs;
    Options {
        directory: "simulated".into(),
        partitions: PartitionCount::new(2).unwrap(),
        retention: Retention {
            ended: seconds(60),
            events: seconds(30),
            requests: seconds(60),
            evidence: seconds(90),
            failed_checks: seconds(120),
            ..Retention::default()
        },
        sealer: Sealer::new(keyring, Arc::new(|| [0; 24])),
        install: [1; 32],
        clock: clock.clone(),
    }
}

/// Everything that a store has to keep, by name.
pub(crate) fn dump(state: &State, sealer: &Sealer) -> BTreeMap<String, Vec<u8>> {
    let partitions = state.partitions.iter().flat_map(|partition| {
        let keys = partition.keys().into_iter();
        keys.filter_map(|key| {
            let name = format!("{}:{}", partition.home(), key.name());
            Some((name, partition.value(&key, sealer)?))
        })
    });
    let shared = state.shared.keys().into_iter();
    let shared = shared.filter_map(|key| Some((key.name(), state.shared.value(&key)?)));
    partitions.chain(shared).collect()
}
