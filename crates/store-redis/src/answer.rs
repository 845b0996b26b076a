//! What scripts answer.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{
    AttemptNumber, Channel, CheckVerdict, Country, Ending, JobKind, Measure, Moment, ProviderName, Segment,
    VerificationId,
};
use otter_store::{
    CheckAnswer, Claimed, CommitVerdict, Error, Events, EvidenceCell, MergeVerdict, Position, Sealer,
    event_record,
};
use serde::Deserialize;
use serde_bytes::ByteBuf;

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
    Unreadable,
}

impl CommitOutcome {
    pub(crate) fn verdict(self) -> Result<CommitVerdict, Error> {
        Ok(match self {
            Self::Done => CommitVerdict::Done,
            // Whoever loads the record then is told what is wrong with it.
            Self::Conflict | Self::Unreadable => CommitVerdict::Conflict,
            Self::Repeated(id) => {
                let id = id.as_slice().try_into().ok().and_then(|id| VerificationId::from_bytes(id).ok());
                CommitVerdict::Repeated(id.ok_or_else(|| damaged("a request id's verification"))?)
            }
            Self::Reused => CommitVerdict::RequestReused,
            Self::Limited(rule, wait) => {
                CommitVerdict::Limited { rule, retry_after: Duration::from_millis(wait) }
            }
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct ClaimedJob(Fields, u8, String);

impl ClaimedJob {
    pub(crate) fn claimed(self, sealer: &Sealer) -> Result<Claimed, Error> {
        let verification = self.0.verification(sealer)?.ok_or_else(|| damaged("a claimed record"))?;
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
                tracing::error!("a check met a record that cannot be read");
                return Ok(CheckAnswer { verdict: CheckVerdict::Unknown, verification: None });
            }
        };
        let verification = judged.record.map(|record| record.without_private()).transpose()?.flatten();
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
            Self::Waiting(wait) => {
                // A lock has no end.
                CheckVerdict::Waiting { retry_after: u64::try_from(wait).ok().map(Duration::from_millis) }
            }
            Self::Unknown => CheckVerdict::Unknown,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MergeOutcome {
    Unknown,
    Stale,
    Advanced(Box<Fields>, u8),
    Unreadable,
}

impl MergeOutcome {
    pub(crate) fn verdict(self, sealer: &Sealer) -> Result<MergeVerdict, Error> {
        Ok(match self {
            Self::Unknown => MergeVerdict::Unknown,
            Self::Stale => MergeVerdict::Stale,
            Self::Advanced(record, attempt) => MergeVerdict::Advanced {
                verification: Box::new(
                    record.verification(sealer)?.ok_or_else(|| damaged("a merged record"))?,
                ),
                attempt: AttemptNumber::new(attempt).ok_or_else(|| damaged("a receipt's attempt"))?,
            },
            Self::Unreadable => {
                tracing::error!("a receipt met a record that cannot be read");
                MergeVerdict::Unknown
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
                Err(error) => tracing::error!(%error, position, "an event cannot be read and is left out"),
            }
        }
        Events::Read { events, next: Position(self.next) }
    }
}

/// A cell's name and its measures and counts in turn.
#[derive(Deserialize)]
pub(crate) struct Cell(String, Vec<String>);

impl Cell {
    pub(crate) fn cell(self) -> Result<EvidenceCell, Error> {
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
    let country = Country::parse(parts.next()?).ok()?;
    parts.next().is_none().then_some((bucket, Segment { provider, channel, country }))
}

/// Milliseconds until a bucket has one more token; negative if it never will.
pub(crate) fn refill(wait: i64) -> Duration {
    u64::try_from(wait).map_or(NEVER, Duration::from_millis).min(NEVER)
}

fn damaged(what: &str) -> Error {
    Error::Unreadable { why: format!("{what} is damaged") }
}
