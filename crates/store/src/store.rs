//! The trait that engines implement, and the values that go in and out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    AttemptNumber, ChannelClass, CheckScope, CheckSubmission, CheckVerdict, Effect, FailedChecks, Failure,
    Happening, JobKind, Lift, LimitRule, Measure, MessageId, Moment, Partition, PartitionCount, ProviderName,
    ReceiptStatus, RecipientRef, RequestId, Segment, ShutClass, TenantId, Verification, VerificationId,
    Version, WorkerId,
};
use thiserror::Error;
use tokio::sync::broadcast;

use crate::{Burial, DeadLetter, DeadLetters, Discarded, LetterKey, LetterPlace};

/// Durable state, divided into partitions.
///
/// Everything about one recipient is in one partition, and one call changes one partition in one atomic step per item:
/// a batch is transport, not a transaction, and each item has its own verdict. Every answer carries the store's clock.
/// An error means that nothing is known about any item of the batch; a commit may then be repeated with the same
/// [`Nonce`], all other calls may be repeated as they are.
///
/// **Versions.** A commit, a claim and a check that ends the verification count its version up. A renewed lease, a
/// merged receipt and a check that leaves it pending do not: they touch only fields that nobody else writes, and must
/// not make the worker that holds the attempt lose its commit. A commit may therefore have been decided on an older
/// receipt, lease or count of checks; it keeps, per attempt, the stronger of its own and the stored receipt and the
/// later end of a lease of the same worker, and the higher count of checks.
///
/// **Poison.** What cannot be worked on is buried, see [`crate::dead`], and stops nothing else of the same call. A
/// verification whose sealed part does not open here is handed out by reads and receipts without its private part; a
/// commit that leaves a verification pending and has no private part leaves the stored one as it is.
///
/// **Ends.** A verification that has ended and has no private part left is kept for [`Retention::ended`] from the
/// write that erased it. One that still has a private part (a message has to be taken back) is kept until it is gone.
///
/// A `home` that does not exist, or that is not the one named by the id of a commit, is [`Error::Unsuitable`].
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// How many partitions there are; fixed for the life of the installation.
    fn partitions(&self) -> PartitionCount;

    /// Wakes whoever waits for work or news. Messages can be lost: poll as well, at least every 250 ms.
    fn wakes(&self) -> broadcast::Receiver<Wake>;

    /// Reads the clock and proves that the store answers.
    async fn now(&self) -> Result<Moment, Error>;

    /// Creates or changes verifications, each with its jobs, timer, events, evidence, limits and request id. The items
    /// are taken in order, each as if it came alone.
    ///
    /// In this order: a version that is not the expected one is `Done` if the last commit of the verification carried
    /// the same nonce (its answer was lost); a request id that is known answers `Repeated` or `RequestReused`; any other
    /// wrong version is a `Conflict`; a reached limit is `Limited`, and if several are, by the one that lasts longest;
    /// classes whose codes could not be checked in time are `Shut`. Nothing is changed by any of these. Limits slide: they count the commits of this tenant and recipient that
    /// carried limits. `next.version` is set by the store.
    async fn commit(&self, home: Partition, items: Vec<Commit>)
    -> Result<Stamped<Vec<CommitVerdict>>, Error>;

    /// Says what was answered under a request's name before, as [`Self::commit`] would find it; changes nothing.
    async fn answered(
        &self,
        home: Partition,
        scope: RequestScope,
        request: RequestKey,
    ) -> Result<Stamped<Earlier>, Error>;

    /// Takes up to `claim.max` jobs off a lane, oldest first, and begins them: a send job's attempt becomes claimed
    /// under a lease in the same step. Stale pointers (not the record's current attempt, not queued, ended, past
    /// `send_before`) are dropped on the way, those whose record is missing or cannot be read are buried, both together
    /// a bounded number per call. Revoke jobs need no lease; they are repeated by
    /// the record's timer until settled, and are stale when nobody wants the message back (any more).
    ///
    /// Beginning sets the lease and the timer to its end, or to the verification's end if that is sooner, counts the try,
    /// and sets `claimed_at` the first time.
    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error>;

    /// Extends leases to `lease` from now if the worker still holds them, and the verification's timer with it if that is
    /// the lease's end; says for each whether it did. A lease that is over is not held: somebody may be declaring its
    /// send ambiguous.
    async fn renew(
        &self,
        home: Partition,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Stamped<Vec<bool>>, Error>;

    /// Judges submitted codes: one atomic step each (SEC-09), by the rules of `decision::check`. Counters of failed
    /// checks, evidence and events are booked in the same step. A check that ends the verification removes its timer, or
    /// sets it to `decision::check::due_after_the_end`.
    async fn check(
        &self,
        home: Partition,
        items: Vec<CheckSubmission>,
    ) -> Result<Stamped<Vec<CheckAnswer>>, Error>;

    /// Reads the counters of failed checks, one per class that has any; those past their retention are gone.
    async fn failed_checks(
        &self,
        home: Partition,
        scope: CheckScope,
    ) -> Result<Stamped<Vec<FailedChecks>>, Error>;

    /// Takes counters of failed checks away, so that nothing waits for them any more and no class of theirs is locked,
    /// with an event for each in the same step. Says what they were; a repeat finds nothing.
    async fn lift(&self, home: Partition, lift: Lift) -> Result<Stamped<Vec<FailedChecks>>, Error>;

    /// Merges receipts, by the rules of `decision::receipt`, with evidence and event in the same step.
    async fn merge(
        &self,
        home: Partition,
        items: Vec<ReceiptMerge>,
    ) -> Result<Stamped<Vec<MergeVerdict>>, Error>;

    /// Returns up to `max` verifications whose instant has come, earliest first, and hides each for 3 s so that two
    /// schedulers do not work on the same one. A commit sets the next instant.
    ///
    /// Those that cannot be read are buried instead. A pending one past its end needs nothing that is sealed, and comes
    /// without its private part if that does not open.
    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error>;

    /// Reads verifications; `None` for those that do not exist (any more). [`Error::Unreadable`] if there are some and
    /// none of them can be read.
    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error>;

    /// Reads up to `max` events after a position, oldest first; for `None` nothing yet, and the position from which on
    /// to read. Events are kept for [`Retention::events`]; a position that this store never gave out is too old.
    async fn events(
        &self,
        home: Partition,
        after: Option<Position>,
        max: usize,
    ) -> Result<Stamped<Events>, Error>;

    /// Reads all evidence cells that changed at or after a moment, each with its present counts.
    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error>;

    /// Reads how much waits on lanes.
    async fn lanes(
        &self,
        home: Partition,
        lanes: Vec<ProviderName>,
    ) -> Result<Stamped<Vec<LaneDepth>>, Error>;

    /// Buries verifications; says of each whether there was something to bury: not if it does not exist, or has ended and
    /// nothing sealed is left of it. Burying again changes the reason and keeps the first moment.
    async fn bury(&self, home: Partition, items: Vec<Burial>) -> Result<Stamped<Vec<bool>>, Error>;

    /// Reads up to `max` dead letters after a place, oldest first, and how many there are.
    async fn dead_letters(
        &self,
        home: Partition,
        after: Option<LetterPlace>,
        max: usize,
    ) -> Result<Stamped<DeadLetters>, Error>;

    /// Reads one dead letter.
    async fn dead_letter(
        &self,
        home: Partition,
        key: &LetterKey,
    ) -> Result<Stamped<Option<DeadLetter>>, Error>;

    /// Puts a buried verification back to work and takes its letter away: a queued attempt stands on its lane again for as
    /// long as it was to wait there at first, anything else is due now. What still cannot be read is buried again when
    /// somebody meets it. False if there is no such letter.
    async fn revive(&self, home: Partition, key: &LetterKey) -> Result<Stamped<bool>, Error>;

    /// Takes a dead letter away for good, in one step: its verification ends as failed, or as expired past its deadline,
    /// with an event, unless it has ended; everything sealed in it is erased, without taking messages back. A record that
    /// cannot be read is deleted. `None` if there is no such letter.
    async fn discard(&self, home: Partition, key: &LetterKey) -> Result<Stamped<Option<Discarded>>, Error>;

    /// Takes up to `want` tokens from a shared bucket that refills at `rate` a second up to `burst`; a new bucket is full.
    /// The key names the bucket's home; it holds no number.
    async fn take(&self, key: &str, rate: f64, burst: u32, want: u32) -> Result<Stamped<Grant>, Error>;

    /// Puts an entry on a board that every process reads; replaces one of the same key. Without a life it stays.
    async fn post(
        &self,
        board: Board,
        key: &str,
        value: Vec<u8>,
        life: Option<Duration>,
    ) -> Result<(), Error>;

    /// Reads a board's entries.
    async fn read(&self, board: Board) -> Result<Stamped<Vec<BoardEntry>>, Error>;
}

/// An answer with the store's clock at the time of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<T> {
    /// The store's clock.
    pub now: Moment,
    /// The answer.
    pub value: T,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A verification after its end.
    pub ended: Duration,
    /// An event.
    pub events: Duration,
    /// A request id.
    pub requests: Duration,
    /// Evidence, after its bucket began.
    pub evidence: Duration,
    /// A counter of failed checks, after the last failure (SEC-05).
    pub failed_checks: Duration,
    /// A dead letter that nobody decides on.
    pub dead: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let hours = |count: u64| Duration::from_secs(count * 3600);
        Self {
            ended: hours(24),
            events: hours(1),
            requests: hours(24),
            evidence: hours(26),
            failed_checks: hours(90 * 24),
            dead: hours(7 * 24),
        }
    }
}

/// Names one try to commit: a repeat with the same nonce after a lost answer is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub u64);

/// One change of one verification with everything that follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The version that the change was decided on; `None` creates.
    pub expected: Option<Version>,
    /// The verification as it is to be; its version is the one after `expected`, or 1.
    pub next: Verification,
    /// What follows from it.
    pub effects: Vec<Effect>,
    /// The next instant at which somebody must look; `None` removes the timer.
    pub due: Option<Moment>,
    /// Names this try.
    pub nonce: Nonce,
    /// The caller's name for the call that caused it.
    pub request: Option<RequestKey>,
    /// Limits on sends to this recipient by this tenant; the commit counts as one send if any are given.
    pub limits: Vec<LimitRule>,
    /// Ids that we give to the vendor for which receipts must be found: provider, message and attempt.
    pub message_ids: Vec<(ProviderName, MessageId, AttemptNumber)>,
    /// The classes in which codes have to be checkable by `next.send_before`, by the rules of `decision::check::shut`.
    pub at_stake: Vec<ChannelClass>,
}

/// A caller's name for a call, scoped to (tenant, recipient).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The name.
    pub id: RequestId,
    /// A keyed hash of what was asked, so that another question under the same name is noticed.
    pub fingerprint: [u8; 32],
}

/// Within what a request's name is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestScope {
    /// Who calls.
    pub tenant: TenantId,
    /// For whom.
    pub recipient: RecipientRef,
}

/// What was answered under a request's name before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// Nothing was, or it is forgotten.
    Nothing,
    /// The same question was, by this verification.
    Answer(VerificationId),
    /// Another question was.
    OtherQuestion,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitVerdict {
    /// It is durable.
    Done,
    /// Somebody else changed the verification first, or it exists already or no longer; nothing was done. Load and
    /// decide again.
    Conflict,
    /// The same request was answered before, by this verification; nothing was done.
    Repeated(VerificationId),
    /// The request's name was used with another question; nothing was done.
    RequestReused,
    /// A limit of this recipient is reached; nothing was done.
    Limited {
        /// Which of the commit's limits, from 0.
        rule: usize,
        /// When one more would be allowed.
        retry_after: Duration,
    },
    /// Codes of these classes could not be checked in time; nothing was done. Decide again without them.
    Shut(Vec<ShutClass>),
}

/// A wish for work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose lane.
    pub lane: ProviderName,
    /// Who asks.
    pub worker: WorkerId,
    /// How long the lease is.
    pub lease: Duration,
    /// At most this many jobs.
    pub max: usize,
}

/// A job that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The verification as it is now.
    pub verification: Verification,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// What to do.
    pub job: JobKind,
}

/// A claim that is still held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which verification.
    pub id: VerificationId,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// Who holds it.
    pub worker: WorkerId,
}

/// What a check learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// The verdict.
    pub verdict: CheckVerdict,
    /// The verification as it is now, when the caller may know it; without its private part.
    pub verification: Option<Verification>,
}

/// A report to be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptMerge {
    /// Which message.
    pub target: ReceiptTarget,
    /// Who reports; another provider's attempt is unknown to it.
    pub provider: ProviderName,
    /// What it says.
    pub status: ReceiptStatus,
    /// For negative reports: what to do next and what happened.
    pub because: Option<Failure>,
}

/// How a report finds its attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptTarget {
    /// By a token that named it.
    Attempt(VerificationId, AttemptNumber),
    /// By the id that we gave the message.
    Message(MessageId),
}

/// What became of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeVerdict {
    /// No attempt that was handed to this provider is known by that name.
    Unknown,
    /// Nothing new about this attempt.
    Stale {
        /// Whose.
        id: VerificationId,
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// It says more than was known. Evidence and event are booked; the verification as it is now.
    Advanced {
        /// The verification, with the receipt in it.
        verification: Box<Verification>,
        /// Which attempt.
        attempt: AttemptNumber,
    },
}

/// A place in a partition's events, in the engine's own words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub String);

/// What was read of a partition's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// These came after the position; `next` is where to go on, also when there were none.
    Read {
        /// The events with their positions, oldest first.
        events: Vec<(Position, Happening)>,
        /// Where to go on.
        next: Position,
    },
    /// Events after the position have been forgotten.
    TooOld,
}

/// Outcomes of one segment in one bucket of 10 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceCell {
    /// When the bucket begins: a whole multiple of 10 s.
    pub bucket: Moment,
    /// Where the outcomes belong.
    pub segment: Segment,
    /// How many of each.
    pub counts: BTreeMap<Measure, u64>,
}

impl EvidenceCell {
    /// The length of a bucket.
    pub const BUCKET: Duration = Duration::from_secs(10);

    /// The bucket that a moment belongs to.
    pub fn bucket_of(moment: Moment) -> Moment {
        let length = Self::BUCKET.as_millis() as u64;
        Moment::from_millis(moment.as_millis() / length * length)
    }
}

/// How much waits on a lane of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LaneDepth {
    /// Pointers that nobody has claimed, stale ones included.
    pub ready: u64,
    /// When the oldest of them was put there.
    pub oldest: Option<Moment>,
}

/// What a shared bucket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// How many tokens.
    pub granted: u32,
    /// When there will be one more, if fewer than wanted were given.
    pub retry_after: Duration,
}

/// A set of small entries that every process reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Board {
    /// What operators ordered for providers.
    Directives,
    /// Breakers that are not closed.
    Breakers,
    /// Vendors' codes that stand in no table.
    Codes,
    /// The facts that an installation must agree on, such as the number of partitions.
    Installation,
}

impl Board {
    /// The word used in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Directives => "directives",
            Self::Breakers => "breakers",
            Self::Codes => "codes",
            Self::Installation => "installation",
        }
    }
}

/// One entry of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardEntry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
}

/// News for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wake {
    /// Where.
    pub home: Partition,
    /// What.
    pub reason: WakeReason,
}

/// What there is to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WakeReason {
    /// A lane has jobs.
    Lane(ProviderName),
    /// There are new events.
    Events,
}

/// Why the store could not do it.
#[derive(Debug, Error)]
pub enum Error {
    /// The store does not answer, or not in time. What was asked may have been done.
    #[error("the store is unavailable while {doing}{}", why(source.as_deref()))]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the engine said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A record cannot be read: it was written by a later version, or it is damaged, or its key is missing.
    #[error("a record of the store cannot be read: {why}")]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// The store is not one that this process can work with.
    #[error("the store cannot be used: {why}")]
    Unsuitable {
        /// What is wrong and what would be right.
        why: String,
    },
}

/// What the engine said, as the end of a sentence. Whoever logs an error logs its text only, and this is what helps.
fn why(source: Option<&(dyn std::error::Error + Send + Sync + 'static)>) -> String {
    source.map(|source| format!(": {source}")).unwrap_or_default()
}
