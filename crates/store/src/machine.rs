//! One partition as a deterministic state machine: every operation of [`crate::Store`] as a function of the state, the
//! arguments and `now`, without a clock, dice or I/O. The in-memory reference runs it as it is; the embedded engine runs
//! it and writes down what it touched.
//!
//! | what | by | written by | deleted by |
//! |---|---|---|---|
//! | verifications, with nonce, winner, next instant, expiry | id | commit, claim, renew, check, merge, due, bury, revive, discard; sweep, as it discards | sweep, [`Retention::ended`] after the private part went |
//! | timers: next instant, or the end of hiding | (moment, id) | the same, due | the same |
//! | lanes: pointers, oldest first | provider, sequence | commit, revive | claim |
//! | records that cannot be read, as they were found | id | restore | discard |
//! | dead letters | their key | claim, due, bury | revive, discard; sweep, [`Retention::dead`] after they were written |
//! | request ids | tenant, recipient, id | commit | sweep, after [`Retention::requests`] |
//! | sends, for sliding limits | tenant, recipient | commit | sweep, after the longest window |
//! | failed checks | tenant, recipient, subject | check | check (a success), lift, sweep |
//! | message ids | provider, id | commit | with their verification |
//! | events | sequence | commit, check, merge, lift; claim, due, bury, discard and sweep, of what they discard | sweep, after [`Retention::events`] |
//! | evidence | bucket, segment | commit, check, merge | sweep, after [`Retention::evidence`] |
//!
//! Everything but hiding survives a restart through [`PartitionState::value`] and [`PartitionState::restore`]. What is past
//! its retention reads as gone whether or not the sweep has come by.

mod check;
mod commit;
mod dead;
mod key;
mod merge;
mod persist;
mod read;
mod sweep;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use otter_domain::{
    AttemptNumber, FailedChecks, Happening, HappeningKind, JobKind, Measure, MessageId, Moment, Observation,
    Partition, ProviderName, RecipientRef, RequestId, Segment, Subject, TenantId, Verification,
    VerificationId,
};

pub use key::Key;

use crate::{DeadLetter, EvidenceCell, LetterKey, Nonce, Retention, WakeReason};

/// The state of one partition.
#[derive(Debug)]
pub struct PartitionState {
    home: Partition,
    retention: Retention,
    verifications: HashMap<VerificationId, Held>,
    timers: BTreeSet<(Moment, VerificationId)>,
    /// Kept as they were found, so that a later version can read them.
    damaged: BTreeMap<VerificationId, Damaged>,
    /// Those of them that have to be looked at.
    unburied: Vec<VerificationId>,
    letters: BTreeMap<LetterKey, DeadLetter>,
    letters_by_age: BTreeSet<(Moment, LetterKey)>,
    lanes: HashMap<ProviderName, VecDeque<(u64, Pointer)>>,
    last_pointer: u64,
    requests: HashMap<RequestName, Answered>,
    sends: HashMap<(TenantId, RecipientRef), Sends>,
    failed: HashMap<FailedScope, Vec<FailedChecks>>,
    references: HashMap<(ProviderName, MessageId), (VerificationId, AttemptNumber)>,
    events: VecDeque<(u64, Happening)>,
    last_event: u64,
    /// The last event that was swept away.
    forgotten_event: u64,
    evidence: BTreeMap<(Moment, Segment), Cell>,
    changed_evidence: BTreeSet<(Moment, (Moment, Segment))>,
    /// When to look whether a key has outlived its retention: at least one entry per key that can.
    expiries: BTreeSet<(Moment, Key)>,
}

/// What a call touched: the keys whose values have to be written, and who has to be woken once they are.
#[derive(Debug, Default)]
pub struct Changes {
    /// The keys, those that were deleted included.
    pub keys: BTreeSet<Key>,
    /// The news.
    pub wakes: Vec<WakeReason>,
    /// What was buried, for people to be told.
    pub buried: Vec<DeadLetter>,
}

impl Changes {
    fn touch(&mut self, key: Key) {
        self.keys.insert(key);
    }

    fn wake(&mut self, reason: WakeReason) {
        if !self.wakes.contains(&reason) {
            self.wakes.push(reason);
        }
    }
}

#[derive(Debug)]
struct Held {
    verification: Verification,
    /// Its private part, when it does not open here; the verification has none then.
    unopened: Option<Unopened>,
    nonce: Nonce,
    /// The `request_id` of the check that succeeded.
    winner: Option<RequestId>,
    /// The next instant at which somebody must look.
    due: Option<Moment>,
    /// Where it stands in `timers`: `due`, or the end of hiding.
    timer: Option<Moment>,
    /// Set when it has ended and its private part is gone.
    expires_at: Option<Moment>,
    references: Vec<(ProviderName, MessageId)>,
}

impl Held {
    /// Whether it has ended and nothing private is left of it.
    fn is_over(&self) -> bool {
        !self.verification.is_pending() && self.verification.private.is_none() && self.unopened.is_none()
    }
}

/// A sealed private part, as it was found, and why it does not open.
#[derive(Debug)]
struct Unopened {
    body: Vec<u8>,
    why: String,
}

/// A record as it was found, and why it cannot be read.
#[derive(Debug)]
struct Damaged {
    value: Vec<u8>,
    why: String,
}

#[derive(Debug, Clone, Copy)]
struct Pointer {
    id: VerificationId,
    attempt: AttemptNumber,
    job: JobKind,
    queued_at: Moment,
}

type RequestName = (TenantId, RecipientRef, RequestId);

#[derive(Debug)]
struct Answered {
    by: VerificationId,
    fingerprint: [u8; 32],
    until: Moment,
}

#[derive(Debug, Default)]
struct Sends {
    /// Oldest first, no more than the limits can ask for.
    at: VecDeque<Moment>,
    until: Moment,
}

type FailedScope = (TenantId, RecipientRef, Option<Subject>);

#[derive(Debug, Default)]
struct Cell {
    counts: BTreeMap<Measure, u64>,
    changed_at: Moment,
}

impl PartitionState {
    /// An empty partition.
    pub fn new(home: Partition, retention: Retention) -> Self {
        Self {
            home,
            retention,
            verifications: HashMap::new(),
            timers: BTreeSet::new(),
            damaged: BTreeMap::new(),
            unburied: Vec::new(),
            letters: BTreeMap::new(),
            letters_by_age: BTreeSet::new(),
            lanes: HashMap::new(),
            last_pointer: 0,
            requests: HashMap::new(),
            sends: HashMap::new(),
            failed: HashMap::new(),
            references: HashMap::new(),
            events: VecDeque::new(),
            last_event: 0,
            forgotten_event: 0,
            evidence: BTreeMap::new(),
            changed_evidence: BTreeSet::new(),
            expiries: BTreeSet::new(),
        }
    }

    /// Which partition it is.
    pub fn home(&self) -> Partition {
        self.home
    }

    fn held(&self, id: VerificationId, now: Moment) -> Option<&Held> {
        self.verifications.get(&id).filter(|held| held.expires_at.is_none_or(|end| now < end))
    }

    fn held_mut(&mut self, id: VerificationId, now: Moment) -> Option<&mut Held> {
        self.verifications.get_mut(&id).filter(|held| held.expires_at.is_none_or(|end| now < end))
    }

    /// Sets the next instant of a verification, and ends its hiding.
    fn set_due(&mut self, id: VerificationId, due: Option<Moment>) {
        self.set_timer(id, due);
        if let Some(held) = self.verifications.get_mut(&id) {
            held.due = due;
        }
    }

    fn set_timer(&mut self, id: VerificationId, timer: Option<Moment>) {
        let Some(held) = self.verifications.get_mut(&id) else { return };
        if let Some(before) = held.timer.take() {
            self.timers.remove(&(before, id));
        }
        held.timer = timer;
        self.timers.extend(timer.map(|moment| (moment, id)));
    }

    /// Starts the retention of a verification that has ended and has nothing left to erase.
    fn set_expiry(&mut self, id: VerificationId, now: Moment) {
        let until = now + self.retention.ended;
        let Some(held) = self.verifications.get_mut(&id) else { return };
        if held.is_over() && held.expires_at.is_none() {
            held.expires_at = Some(until);
            self.expiries.insert((until, Key::Verification(id)));
        }
    }

    fn observe(&mut self, observation: Observation, now: Moment, changes: &mut Changes) {
        let bucket = EvidenceCell::bucket_of(observation.attempted_at);
        if bucket + self.retention.evidence <= now {
            return;
        }
        let place = (bucket, observation.segment);
        let cell = self.evidence.entry(place.clone()).or_default();
        *cell.counts.entry(observation.measure).or_default() += 1;
        self.changed_evidence.remove(&(cell.changed_at, place.clone()));
        cell.changed_at = now;
        self.changed_evidence.insert((now, place.clone()));
        changes.touch(Key::Evidence(place.0, place.1));
    }

    fn publish(
        &mut self,
        verification: VerificationId,
        tenant: TenantId,
        kind: HappeningKind,
        at: Moment,
        changes: &mut Changes,
    ) {
        self.last_event += 1;
        self.events.push_back((self.last_event, Happening { verification, tenant, at, kind }));
        changes.touch(Key::Event(self.last_event));
        changes.wake(WakeReason::Events);
    }
}
