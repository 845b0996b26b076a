//! What is sealed: number, code, context and language.
//!
//! Bodies from before the plan outlived the end hold it as well; it is read and not written any more.

use std::time::Duration;

use otter_domain::{
    Candidate, ChoiceReason, Code, Considered, Context, Exclusion, Locale, Payment, PhoneNumber, Plan,
    Private, ProviderName, Ranking, RouteName,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ChannelRecord, SucceedOnRecord, field, letters, some};
use crate::Error;

letters!(
    /// How an order was made.
    RankingRecord for Ranking { Priority = "p", Weighted = "w" }
);

/// The private part of a verification, before it is sealed. It is wiped where it holds number and code, and has no
/// `Debug`.
#[derive(Serialize, Deserialize)]
pub(crate) struct PrivateRecord {
    number: Zeroizing<String>,
    code: Option<Zeroizing<String>>,
    callers_code: bool,
    context: ContextRecord,
    locale: String,
    #[serde(default, skip_serializing)]
    plan: Option<PlanRecord>,
}

impl From<&Private> for PrivateRecord {
    fn from(private: &Private) -> Self {
        Self {
            number: Zeroizing::new(private.number.reveal().to_owned()),
            code: private.code.as_ref().map(|code| Zeroizing::new(code.reveal().to_owned())),
            callers_code: private.callers_code,
            context: ContextRecord::from(&private.context),
            locale: private.locale.as_str().to_owned(),
            plan: None,
        }
    }
}

impl PrivateRecord {
    /// The private part, and the plan if it is still here.
    pub(crate) fn opened(self) -> Result<(Private, Option<Plan>), Error> {
        let plan = self.plan.map(PlanRecord::plan).transpose()?;
        let private = Private {
            number: field("number", PhoneNumber::parse(&self.number))?,
            code: self.code.map(|digits| field("code", Code::parse(&digits))).transpose()?,
            callers_code: self.callers_code,
            context: self.context.into(),
            locale: field("locale", Locale::parse(&self.locale))?,
        };
        Ok((private, plan))
    }
}

#[derive(Serialize, Deserialize)]
enum ContextRecord {
    #[serde(rename = "n")]
    None,
    #[serde(rename = "t")]
    Text(String),
    #[serde(rename = "p")]
    Payment { currency: String, minor_units: u64, payee_id: String, payee_name: String },
}

impl From<&Context> for ContextRecord {
    fn from(context: &Context) -> Self {
        match context {
            Context::None => Self::None,
            Context::Text(text) => Self::Text(text.clone()),
            Context::Payment(payment) => Self::Payment {
                currency: payment.currency.clone(),
                minor_units: payment.minor_units,
                payee_id: payment.payee_id.clone(),
                payee_name: payment.payee_name.clone(),
            },
        }
    }
}

impl From<ContextRecord> for Context {
    fn from(record: ContextRecord) -> Self {
        match record {
            ContextRecord::None => Self::None,
            ContextRecord::Text(text) => Self::Text(text),
            ContextRecord::Payment { currency, minor_units, payee_id, payee_name } => {
                Self::Payment(Payment { currency, minor_units, payee_id, payee_name })
            }
        }
    }
}

#[derive(Deserialize)]
struct PlanRecord {
    route: String,
    seed: u64,
    candidates: Vec<CandidateRecord>,
    considered: Vec<ConsideredRecord>,
}

impl PlanRecord {
    fn plan(self) -> Result<Plan, Error> {
        Ok(Plan {
            route: field("route", RouteName::parse(&self.route))?,
            seed: self.seed,
            candidates: self
                .candidates
                .into_iter()
                .map(CandidateRecord::candidate)
                .collect::<Result<_, _>>()?,
            considered: self
                .considered
                .into_iter()
                .map(ConsideredRecord::considered)
                .collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Deserialize)]
struct CandidateRecord {
    provider: String,
    channel: ChannelRecord,
    step: u8,
    succeed_on: SucceedOnRecord,
    wait: u64,
    max_queue_wait: u64,
    revocable: bool,
    idempotent: bool,
}

impl CandidateRecord {
    fn candidate(self) -> Result<Candidate, Error> {
        Ok(Candidate {
            provider: field("provider", ProviderName::parse(&self.provider))?,
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

#[derive(Deserialize)]
struct ConsideredRecord {
    provider: String,
    channel: ChannelRecord,
    step: u8,
    reason: ReasonRecord,
}

#[derive(Deserialize)]
enum ReasonRecord {
    #[serde(rename = "p")]
    Priority { place: u8 },
    #[serde(rename = "d")]
    Drawn { weight: u16, total: u32, after: u8 },
    #[serde(rename = "l")]
    LeastBad { ranking: RankingRecord },
    #[serde(rename = "x")]
    Excluded { word: String },
}

impl ConsideredRecord {
    fn considered(self) -> Result<Considered, Error> {
        let reason = match self.reason {
            ReasonRecord::Priority { place } => ChoiceReason::Priority { place },
            ReasonRecord::Drawn { weight, total, after } => ChoiceReason::Drawn { weight, total, after },
            ReasonRecord::LeastBad { ranking } => ChoiceReason::LeastBad { ranking: ranking.into() },
            ReasonRecord::Excluded { word } => {
                ChoiceReason::Excluded(some("reason", Exclusion::parse(&word))?)
            }
        };
        Ok(Considered {
            provider: field("provider", ProviderName::parse(&self.provider))?,
            channel: self.channel.into(),
            step: self.step,
            reason,
        })
    }
}
