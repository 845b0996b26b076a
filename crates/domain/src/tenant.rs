//! Who may send what, as the operator decided.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Country, LifecyclePolicy, LimitRule, Locale, PaymentPolicy, PurposeName, RouteName, TenantId};

/// The time beyond its useful rest that a code needs to reach anybody.
const TIME_TO_REACH: Duration = Duration::from_secs(15);

/// What one tenant may do.
#[derive(Debug, Clone, PartialEq)]
pub struct TenantPolicy {
    /// Whose.
    pub id: TenantId,
    /// The countries that may be sent to; `None` is all (FRD-04).
    pub countries: Option<Vec<Country>>,
    /// Limits on sends to one number (SEC-17).
    pub recipient_limits: Vec<LimitRule>,
    /// The limit on sends by the tenant; `None` is no limit.
    pub rate: Option<TenantRate>,
    /// Whether refused checks are told apart for the tenant's callers (SEC-12).
    pub opaque_results: bool,
    /// What its codes may be for.
    pub purposes: BTreeMap<PurposeName, PurposePolicy>,
}

/// How fast a tenant may send: a bucket that all processes share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TenantRate {
    /// Sends a second in the long run.
    pub per_second: f64,
    /// Sends at once after a pause.
    pub burst: u32,
}

/// What holds for the codes of one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurposePolicy {
    /// Its name; part of every digest (SEC-14).
    pub name: PurposeName,
    /// Who sends.
    pub route: RouteName,
    /// How long a code is valid unless the caller says otherwise; at most 600 s (SEC-02).
    pub ttl: Duration,
    /// How many digits a code has, 6 to 10 (SEC-01).
    pub code_digits: u8,
    /// How many checks a verification allows, 1 to 10; at most 5 for payments (SEC-04).
    pub budget: u8,
    /// What it asks of payments.
    pub payment: PaymentPolicy,
    /// The language of texts when the caller names none and the country tells none.
    pub locale: Option<Locale>,
    /// What the life of a verification is decided with.
    pub lifecycle: LifecyclePolicy,
}

impl PurposePolicy {
    /// The shortest life of a code that can reach anybody while it is still of use.
    pub fn least_ttl(&self) -> Duration {
        self.lifecycle.min_useful + TIME_TO_REACH
    }
}
