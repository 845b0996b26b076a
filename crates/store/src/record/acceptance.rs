//! What the caller was told when the verification was accepted: the plan with its reasons, and when to ask again.
//!
//! It stays in the ended record, so it is kept small: one packed value of its own, which scripts carry along unread, with
//! every name once and a letter for every word. It holds nothing that has to be sealed.

use std::time::Duration;

use otter_domain::{
    Acceptance, Candidate, ChoiceReason, Considered, Exclusion, Locale, Moment, Plan, ProviderName, RouteName,
};
use serde::{Deserialize, Serialize};

use super::private::RankingRecord;
use super::{ChannelRecord, SucceedOnRecord, at, field, letters, offset, some};
use crate::Error;
use crate::format::{pack, unpack};

letters!(
    /// Why a provider is not in the plan.
    ExclusionRecord for Exclusion {
        ChannelNotAllowed = "a",
        ChannelUnsupported = "c",
        CountryUnsupported = "y",
        LineUnsuitable = "l",
        NoContent = "n",
        Paused = "p",
        BreakerOpen = "b",
        LaneFull = "f",
        NoTime = "t",
        TooManyAttempts = "m",
        ChecksLocked = "k",
        ChecksWaiting = "w",
    }
);

/// The bytes of an acceptance of a verification that was created at `base`.
pub(super) fn encode(acceptance: &Acceptance, base: Moment) -> Vec<u8> {
    pack(&AcceptanceRecord::of(acceptance, base))
}

/// Reads the bytes of [`encode`].
pub(super) fn decode(bytes: &[u8], base: Moment) -> Result<Acceptance, Error> {
    unpack::<AcceptanceRecord>(bytes)?.acceptance(base)
}

#[derive(Serialize, Deserialize)]
struct AcceptanceRecord {
    route: String,
    seed: u64,
    /// Counted from the creation.
    resend_allowed_at: Option<i64>,
    /// Every provider's name, once.
    names: Vec<String>,
    candidates: Vec<CandidateRecord>,
    considered: Vec<ConsideredRecord>,
    locale: String,
}

#[derive(Serialize, Deserialize)]
struct CandidateRecord {
    /// The place of the provider's name.
    name: usize,
    channel: ChannelRecord,
    step: u8,
    succeed_on: SucceedOnRecord,
    wait: u64,
    max_queue_wait: u64,
    revocable: bool,
    idempotent: bool,
}

#[derive(Serialize, Deserialize)]
struct ConsideredRecord {
    /// The place of the provider's name.
    name: usize,
    channel: ChannelRecord,
    step: u8,
    reason: ReasonRecord,
}

#[derive(Serialize, Deserialize)]
enum ReasonRecord {
    #[serde(rename = "p")]
    Priority(u8),
    #[serde(rename = "d")]
    Drawn(u16, u32, u8),
    #[serde(rename = "l")]
    LeastBad(RankingRecord),
    #[serde(rename = "x")]
    Excluded(ExclusionRecord),
}

/// The names met so far.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn place(&mut self, name: &ProviderName) -> usize {
        self.0.iter().position(|met| met == name.as_str()).unwrap_or_else(|| {
            self.0.push(name.as_str().to_owned());
            self.0.len() - 1
        })
    }
}

impl AcceptanceRecord {
    fn of(acceptance: &Acceptance, base: Moment) -> Self {
        let plan = &acceptance.plan;
        let mut names = Names::default();
        Self {
            route: plan.route.as_str().to_owned(),
            seed: plan.seed,
            resend_allowed_at: acceptance.resend_allowed_at.map(|moment| offset(base, moment)),
            candidates: plan.candidates.iter().map(|one| CandidateRecord::of(one, &mut names)).collect(),
            considered: plan.considered.iter().map(|one| ConsideredRecord::of(one, &mut names)).collect(),
            names: names.0,
            locale: acceptance.locale.as_str().to_owned(),
        }
    }

    fn acceptance(self, base: Moment) -> Result<Acceptance, Error> {
        let names: Vec<_> = self
            .names
            .iter()
            .map(|name| field("provider", ProviderName::parse(name)))
            .collect::<Result<_, _>>()?;
        let candidates = self.candidates.into_iter().map(|one| one.candidate(&names));
        let considered = self.considered.into_iter().map(|one| one.considered(&names));
        let plan = Plan {
            route: field("route", RouteName::parse(&self.route))?,
            seed: self.seed,
            candidates: candidates.collect::<Result<_, _>>()?,
            considered: considered.collect::<Result<_, _>>()?,
        };
        let locale = field("locale", Locale::parse(&self.locale))?;
        Ok(Acceptance {
            plan,
            locale,
            resend_allowed_at: self.resend_allowed_at.map(|after| at(base, after)),
        })
    }
}

impl CandidateRecord {
    fn of(candidate: &Candidate, names: &mut Names) -> Self {
        Self {
            name: names.place(&candidate.provider),
            channel: candidate.channel.into(),
            step: candidate.step,
            succeed_on: candidate.succeed_on.into(),
            wait: candidate.wait.as_millis() as u64,
            max_queue_wait: candidate.max_queue_wait.as_millis() as u64,
            revocable: candidate.revocable,
            idempotent: candidate.idempotent,
        }
    }

    fn candidate(self, names: &[ProviderName]) -> Result<Candidate, Error> {
        Ok(Candidate {
            provider: some("provider", names.get(self.name).cloned())?,
            channel: self.channel.into(),
            step: self.step,
            succeed_on: self.succeed_on.into(),
            wait: Duration::from_millis(self.wait),
            max_queue_wait: Duration::from_millis(self.max_queue_wait),
            revocable: self.revocable,
            idempotent: self.idempotent,
        })
    }
}

impl ConsideredRecord {
    fn of(considered: &Considered, names: &mut Names) -> Self {
        Self {
            name: names.place(&considered.provider),
            channel: considered.channel.into(),
            step: considered.step,
            reason: ReasonRecord::from(&considered.reason),
        }
    }

    fn considered(self, names: &[ProviderName]) -> Result<Considered, Error> {
        Ok(Considered {
            provider: some("provider", names.get(self.name).cloned())?,
            channel: self.channel.into(),
            step: self.step,
            reason: self.reason.into(),
        })
    }
}

impl From<&ChoiceReason> for ReasonRecord {
    fn from(reason: &ChoiceReason) -> Self {
        match *reason {
            ChoiceReason::Priority { place } => Self::Priority(place),
            ChoiceReason::Drawn { weight, total, after } => Self::Drawn(weight, total, after),
            ChoiceReason::LeastBad { ranking } => Self::LeastBad(ranking.into()),
            ChoiceReason::Excluded(exclusion) => Self::Excluded(exclusion.into()),
        }
    }
}

impl From<ReasonRecord> for ChoiceReason {
    fn from(record: ReasonRecord) -> Self {
        match record {
            ReasonRecord::Priority(place) => Self::Priority { place },
            ReasonRecord::Drawn(weight, total, after) => Self::Drawn { weight, total, after },
            ReasonRecord::LeastBad(ranking) => Self::LeastBad { ranking: ranking.into() },
            ReasonRecord::Excluded(exclusion) => Self::Excluded(exclusion.into()),
        }
    }
}
