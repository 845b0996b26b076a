//! What the operator decided, as values that decisions are made with.

use std::time::Duration;

use crate::{Channel, ProviderName, RouteName};

/// Which code travels with a second attempt (SEC-18).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePolicy {
    /// Every attempt carries the same code.
    Same,
    /// Every attempt carries a new code, and only the latest is valid.
    FreshReplace,
    /// Every attempt carries a new code, and the latest few are valid: each code names the attempt that worked.
    FreshAcceptRecent(u8),
}

/// Limits on sends within one verification (SEC-19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResendPolicy {
    /// How long after the first, second, … send the caller has to wait; the last entry holds for all later ones.
    pub cooldowns: Vec<Duration>,
    /// How many attempts a verification may have in all.
    pub max_attempts: u8,
}

impl Default for ResendPolicy {
    fn default() -> Self {
        Self { cooldowns: [30, 60, 120].map(Duration::from_secs).to_vec(), max_attempts: 5 }
    }
}

/// What a purpose asks of payments (CMP-20 to CMP-23).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentPolicy {
    /// The purpose is not about a payment; a payment context is refused.
    NotAPayment,
    /// Amount and payee are required, shown in the text and bound into the code.
    Required,
}

/// What the life of one verification is decided with: the purpose's settings, resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecyclePolicy {
    /// A code with less time left than this is not handed over any more (RTE-30).
    pub min_useful: Duration,
    /// Which code travels.
    pub codes: CodePolicy,
    /// Limits on sends.
    pub resend: ResendPolicy,
}

impl Default for LifecyclePolicy {
    fn default() -> Self {
        Self {
            min_useful: Duration::from_secs(45),
            codes: CodePolicy::FreshAcceptRecent(3),
            resend: ResendPolicy::default(),
        }
    }
}

/// What counts as success of a step, so that the next one is not tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SucceedOn {
    /// The provider took it.
    Accepted,
    /// A receipt says that it arrived.
    Delivered,
    /// The code was entered.
    Verified,
}

impl SucceedOn {
    /// The word used in configuration and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Verified => "verified",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Accepted, Self::Delivered, Self::Verified].into_iter().find(|value| value.as_str() == word)
    }
}

/// How the providers of a step are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// As configured.
    Priority,
    /// Drawn by weight, so that traffic is shared.
    Weighted,
}

impl Ranking {
    /// The word used in configuration and plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Priority => "priority",
            Self::Weighted => "weighted",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Priority, Self::Weighted].into_iter().find(|value| value.as_str() == word)
    }
}

/// Ordered steps configured by the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// The steps, tried in order.
    pub steps: Vec<RouteStep>,
}

/// One step of a route: a channel and the providers that may serve it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteStep {
    /// The way to the person.
    pub channel: Channel,
    /// Who may send, at least one.
    pub providers: Vec<StepProvider>,
    /// How the providers are put in order.
    pub ranking: Ranking,
    /// What counts as success.
    pub succeed_on: SucceedOn,
    /// How long success may take before the next candidate goes, counted from the claim (RTE-31).
    pub wait: Duration,
    /// How long the job may wait in the lane.
    pub max_queue_wait: Duration,
}

/// One provider of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepProvider {
    /// Whose account.
    pub name: ProviderName,
    /// Its share under [`Ranking::Weighted`]; 1 to 1000.
    pub weight: u16,
}
