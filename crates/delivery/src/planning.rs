//! Gathers what is true of providers and lets `decision` make the plan.

use std::time::Duration;

use otter_decision::backlog;
use otter_decision::plan::{self, Facts, Limits, Wanted};
use otter_domain::{
    BreakerScope, Channel, Context, Locale, Moment, Partition, PhoneNumber, Plan, ProviderName,
    PurposePolicy, Route, RouteStep, Segment, ShutClass, TenantId,
};
use otter_message::Wish;

use crate::{Setup, View};

/// Everything that a plan depends on besides the view of providers.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) purpose: &'a PurposePolicy,
    pub(crate) route: &'a Route,
    pub(crate) number: &'a PhoneNumber,
    pub(crate) context: &'a Context,
    pub(crate) locale: &'a Locale,
    pub(crate) allowed: Option<Vec<Channel>>,
    pub(crate) preferred: Vec<Channel>,
    pub(crate) shut: Vec<ShutClass>,
    pub(crate) ttl: Duration,
    pub(crate) home: Partition,
    pub(crate) seed: u64,
}

/// Makes the plan.
pub(crate) fn plan(setup: &Setup, view: &View, question: &Question<'_>, now: Moment) -> Plan {
    let wanted = Wanted {
        allowed: question.allowed.clone(),
        preferred: question.preferred.clone(),
        line: question.number.line(),
        payment: matches!(question.context, Context::Payment(_)),
        shut: question.shut.clone(),
    };
    let lifecycle = &question.purpose.lifecycle;
    let limits = Limits {
        ttl: question.ttl,
        min_useful: lifecycle.min_useful,
        max_attempts: lifecycle.resend.max_attempts,
    };
    let facts = |provider: &ProviderName, step: &RouteStep| facts(setup, view, question, provider, step, now);
    plan::choose(question.route, &wanted, facts, &limits, question.seed)
}

fn facts(
    setup: &Setup,
    view: &View,
    question: &Question<'_>,
    provider: &ProviderName,
    step: &RouteStep,
    now: Moment,
) -> Facts {
    let channel = step.channel;
    let configured = setup.providers.get(provider);
    let ability = configured.and_then(|configured| configured.capabilities.on(channel));
    let country = question.number.country();
    let segment = Segment { provider: provider.clone(), channel, country };
    let wish = Wish {
        tenant: question.tenant,
        purpose: &question.purpose.name,
        channel,
        locale: question.locale,
        country,
        context: question.context,
        remaining: question.ttl,
    };
    let text = setup.catalogue.text_name(&wish);
    let scopes = BreakerScope::all(&segment, text.as_ref().ok());
    let breaker_open = view.breakers.is_open(&scopes, now);
    Facts {
        supports_channel: ability.is_some(),
        supports_country: configured.is_some_and(|configured| configured.capabilities.serves(country)),
        content: text.is_ok(),
        paused: view.directives.is_paused(provider),
        breaker_open,
        lane_full: full(setup, view, provider, question.home, step.max_queue_wait, now).is_some(),
        health: if breaker_open { 0.0 } else { 1.0 },
        revocable: ability.is_some_and(|ability| ability.revocable),
        idempotent: ability.is_some_and(|ability| ability.idempotent),
    }
}

/// `None` if one more message can wait in a provider's lane; otherwise when to ask again.
pub(crate) fn full(
    setup: &Setup,
    view: &View,
    provider: &ProviderName,
    home: Partition,
    max_queue_wait: Duration,
    now: Moment,
) -> Option<Duration> {
    let rate = setup.providers.get(provider).and_then(|provider| provider.capabilities.rate);
    view.lanes.full(provider, &backlog::Question { home, max_queue_wait, rate }, now)
}
