//! What scripts answer.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{
    AttemptNumber, Channel, ChannelClass, CheckScope, CheckVerdict, Country, Ending, FailedChecks, JobKind,
    Measure, Moment, ProviderName, Segment, ShutClass, TenantId, Verification, VerificationId,
};
use otter_store::{
    CheckAnswer, Claimed, CommitVerdict, DeadLetter, DeadReason, Discarded, Earlier, Error, Events,
    EvidenceCell, LetterKey, MergeVerdict, Position, Sealer, event_record,
};
use serde::Deserialize;
use serde_bytes::ByteBuf;
use tracing::error;

use crate::argument::class_letter;
use crate::layout::Fields;

/// What is answered for a bucket that does not refill: a century.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CommitOutcome {
    Done,
    Conflict,
    Repeated(ByteBuf),
    Reused,
    Limited(usize, u64),
    Shut(Vec<(String, i64)>),
    Unreadable,
}

impl CommitOutcome {
    pub(crate) fn verdict(self) -> Result<CommitVerdict, Error> {
        Ok(match self {
            Self::Done => CommitVerdict::Done,
            // Whoever loads the record then is told what is wrong with it.
            Self::Conflict | Self::Unreadable => CommitVerdict::Conflict,
            Self::Repeated(id) => CommitVerdict::Repeated(answerer(&id)?),
            Self::Reused => CommitVerdict::RequestReused,
            Self::Limited(rule, wait) => {
                CommitVerdict::Limited { rule, retry_after: Duration::from_millis(wait) }
            }
            Self::Shut(classes) => {
                let shut = classes.into_iter().map(|(letter, wait)| {
                    Ok(ShutClass { class: class_of(&letter)?, retry_after: wait_of(wait) })
                });
                CommitVerdict::Shut(shut.collect::<Result<_, _>>()?)
            }
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RequestOutcome {
    Nothing,
    Repeated(ByteBuf),
    Reused,
}

impl RequestOutcome {
    pub(crate) fn earlier(self) -> Result<Earlier, Error> {
        Ok(match self {
            Self::Nothing => Earlier::Nothing,
            Self::Repeated(id) => Earlier::Answer(answerer(&id)?),
            Self::Reused => Earlier::OtherQuestion,
        })
    }
}

fn answerer(id: &[u8]) -> Result<VerificationId, Error> {
    let id = id.try_into().ok().and_then(|id| VerificationId::from_bytes(id).ok());
    id.ok_or_else(|| damaged("a request id's verification"))
}

#[derive(Deserialize)]
pub(crate) struct ClaimedJob(pub(crate) Fields, u8, String);

impl ClaimedJob {
    /// The job of this record.
    pub(crate) fn of(&self, verification: Verification) -> Result<Claimed, Error> {
        let attempt = AttemptNumber::new(self.1).ok_or_else(|| damaged("a pointer's attempt"))?;
        let job = JobKind::parse(&self.2).ok_or_else(|| damaged("a pointer's job"))?;
        Ok(Claimed { verification, attempt, job })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LeaseOutcome {
    Held,
    Lost,
    Unreadable,
}

impl LeaseOutcome {
    pub(crate) fn held(self) -> bool {
        match self {
            Self::Held => true,
            Self::Lost | Self::Unreadable => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CheckOutcome {
    Judged(Judged),
    Unreadable,
}

#[derive(Deserialize)]
pub(crate) struct Judged {
    verdict: Verdict,
    #[serde(default)]
    record: Option<Fields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Verified(u8, bool),
    Wrong(u8),
    Ended(String, u8),
    Waiting(i64),
    Unknown,
}

impl CheckOutcome {
    pub(crate) fn answer(self) -> Result<CheckAnswer, Error> {
        let judged = match self {
            Self::Judged(judged) => judged,
            Self::Unreadable => {
                error!("a check met a record that cannot be read");
                return Ok(CheckAnswer { verdict: CheckVerdict::Unknown, verification: None });
            }
        };
        // The verdict stands whatever else is in the record.
        let verification = judged.record.and_then(|record| {
            let read = record.without_private();
            read.inspect_err(|error| error!(%error, "a checked record cannot be read")).ok().flatten()
        });
        Ok(CheckAnswer { verdict: judged.verdict.verdict()?, verification })
    }
}

impl Verdict {
    fn verdict(self) -> Result<CheckVerdict, Error> {
        Ok(match self {
            Self::Verified(by, repeated) => CheckVerdict::Verified { by: AttemptNumber::new(by), repeated },
            Self::Wrong(remaining) => CheckVerdict::Wrong { remaining },
            Self::Ended(how, by) => {
                let how = Ending::parse(&how, AttemptNumber::new(by));
                CheckVerdict::Ended(how.ok_or_else(|| damaged("a record's ending"))?)
            }
            Self::Waiting(wait) => CheckVerdict::Waiting { retry_after: wait_of(wait) },
            Self::Unknown => CheckVerdict::Unknown,
        })
    }
}

/// A lock has no end.
fn wait_of(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

fn class_of(letter: &str) -> Result<ChannelClass, Error> {
    let class = ChannelClass::ALL.into_iter().find(|class| class_letter(*class) == letter);
    class.ok_or_else(|| damaged("a class of channel"))
}

/// One counter of failed checks: class, count, last moment and last verification.
#[derive(Deserialize)]
pub(crate) struct Counter(String, u16, u64, String);

impl Counter {
    fn failed_checks(self, scope: &CheckScope) -> Result<FailedChecks, Error> {
        let Self(letter, count, last_at, last_in) = self;
        let CheckScope { tenant, recipient, subject } = scope.clone();
        Ok(FailedChecks {
            tenant,
            recipient,
            subject,
            class: class_of(&letter)?,
            count,
            last_at: Moment::from_millis(last_at),
            last_in: VerificationId::parse(&last_in).map_err(|_| damaged("a counter of failed checks"))?,
        })
    }
}

/// The counters that a script answered with.
pub(crate) fn counters(found: Vec<Counter>, scope: &CheckScope) -> Result<Vec<FailedChecks>, Error> {
    found.into_iter().map(|counter| counter.failed_checks(scope)).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MergeOutcome {
    Unknown,
    Stale(String, u8),
    Advanced(Box<Fields>, u8),
    Unreadable,
}

impl MergeOutcome {
    pub(crate) fn verdict(self, sealer: &Sealer) -> MergeVerdict {
        self.news(sealer).unwrap_or_else(|error| {
            error!(%error, "a receipt met a record that cannot be read");
            MergeVerdict::Unknown
        })
    }

    fn news(self, sealer: &Sealer) -> Result<MergeVerdict, Error> {
        let number = |number| AttemptNumber::new(number).ok_or_else(|| damaged("a receipt's attempt"));
        Ok(match self {
            Self::Unknown => MergeVerdict::Unknown,
            Self::Stale(id, attempt) => {
                let id = VerificationId::parse(&id).map_err(|_| damaged("a receipt's verification"))?;
                MergeVerdict::Stale { id, attempt: number(attempt)? }
            }
            Self::Advanced(record, attempt) => {
                let verification = record.legible(sealer)?.ok_or_else(|| damaged("a merged record"))?;
                MergeVerdict::Advanced { verification: Box::new(verification), attempt: number(attempt)? }
            }
            Self::Unreadable => return Err(damaged("its record")),
        })
    }
}

/// A dead letter's key and content.
#[derive(Deserialize)]
pub(crate) struct Letter(String, LetterFields);

/// As scripts keep it; the letters are explained in letters.lua.
#[derive(Deserialize)]
struct LetterFields {
    #[serde(rename = "v", default)]
    verification: Option<String>,
    #[serde(rename = "t", default)]
    tenant: Option<String>,
    #[serde(rename = "p", default)]
    provider: Option<String>,
    #[serde(rename = "a", default)]
    attempt: Option<u8>,
    #[serde(rename = "j", default)]
    job: Option<String>,
    #[serde(rename = "w")]
    reason: String,
    #[serde(rename = "d")]
    detail: String,
    #[serde(rename = "s")]
    since: u64,
}

impl Letter {
    /// The letter; what is damaged in it is left out, so that it can still be taken away.
    fn letter(self) -> Option<DeadLetter> {
        let Self(key, fields) = self;
        Some(DeadLetter {
            key: LetterKey::parse(&key)?,
            verification: fields.verification.and_then(|id| VerificationId::parse(&id).ok()),
            tenant: fields.tenant.and_then(|tenant| TenantId::parse(&tenant).ok()),
            provider: fields.provider.and_then(|name| ProviderName::parse(&name).ok()),
            attempt: fields.attempt.and_then(AttemptNumber::new),
            job: fields.job.and_then(|job| JobKind::parse(&job)),
            reason: DeadReason::parse(&fields.reason).unwrap_or(DeadReason::RecordUnreadable),
            detail: fields.detail,
            since: Moment::from_millis(fields.since),
        })
    }
}

/// The letters that a script answered with.
pub(crate) fn letters(found: Vec<Letter>) -> Vec<DeadLetter> {
    found.into_iter().filter_map(Letter::letter).collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BurialOutcome {
    Buried,
    Nothing,
}

impl BurialOutcome {
    pub(crate) fn is_buried(&self) -> bool {
        match self {
            Self::Buried => true,
            Self::Nothing => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiscardOutcome {
    Nothing,
    Taken,
    Ended(Box<Fields>, String),
}

impl DiscardOutcome {
    pub(crate) fn discarded(self) -> Result<Option<Discarded>, Error> {
        Ok(match self {
            Self::Nothing => None,
            Self::Taken => Some(Discarded { ended: None }),
            Self::Ended(record, how) => {
                let how = Ending::parse(&how, None).ok_or_else(|| damaged("a record's ending"))?;
                let ended = record.without_private()?.map(|verification| (Box::new(verification), how));
                Some(Discarded { ended })
            }
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct FoundEvents {
    /// Each with its position and its fields, names and values in turn.
    events: Vec<(String, Vec<String>)>,
    next: String,
    too_old: bool,
}

impl FoundEvents {
    pub(crate) fn events(self) -> Events {
        if self.too_old {
            return Events::TooOld;
        }
        let mut events = Vec::with_capacity(self.events.len());
        for (position, fields) in self.events {
            let pairs = fields.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
            match event_record::happening(pairs) {
                Ok(happening) => events.push((Position(position), happening)),
                // One that a later version wrote must not stop those after it.
                Err(error) => error!(%error, position, "an event cannot be read and is left out"),
            }
        }
        Events::Read { events, next: Position(self.next) }
    }
}

/// A cell's name and its measures and counts in turn.
#[derive(Deserialize)]
pub(crate) struct Cell(String, Vec<String>);

impl Cell {
    /// The cell. One that a later version wrote must not hide all others.
    pub(crate) fn cell(self) -> Option<EvidenceCell> {
        let read = self.read();
        read.inspect_err(|error| error!(%error, "evidence cannot be read and is left out")).ok()
    }

    fn read(self) -> Result<EvidenceCell, Error> {
        let (bucket, segment) = cell_name(&self.0).ok_or_else(|| damaged("evidence"))?;
        let pairs = self.1.chunks_exact(2);
        let counts = pairs.map(|pair| Some((Measure::parse(&pair[0])?, pair[1].parse().ok()?)));
        let counts: Option<BTreeMap<_, _>> = counts.collect();
        Ok(EvidenceCell { bucket, segment, counts: counts.ok_or_else(|| damaged("evidence"))? })
    }
}

fn cell_name(name: &str) -> Option<(Moment, Segment)> {
    let mut parts = name.split(':');
    let bucket = Moment::from_millis(parts.next()?.parse().ok()?);
    let provider = ProviderName::parse(parts.next()?).ok()?;
    let channel = Channel::parse(parts.next()?)?;
    let country = Country::recorded(parts.next()?)?;
    parts.next().is_none().then_some((bucket, Segment { provider, channel, country }))
}

/// Milliseconds until a bucket has one more token; negative if it never will.
pub(crate) fn refill(wait: i64) -> Duration {
    u64::try_from(wait).map_or(NEVER, Duration::from_millis).min(NEVER)
}

fn damaged(what: &str) -> Error {
    Error::Unreadable { why: format!("{what} is damaged") }
}
