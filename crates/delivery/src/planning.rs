//! Gathers what is true of providers and lets `decision` make the plan.

use std::time::Duration;

use otter_decision::backlog;
use otter_decision::plan::{self, Facts, Limits, Wanted};
use otter_domain::{
    BreakerScope, Candidate, Channel, Context, Locale, Moment, Partition, PartitionCount, PhoneNumber, Plan,
    ProviderName, PurposePolicy, Route, RouteStep, Segment, ShutClass, TenantId, Verification,
};
use otter_message::Wish;

use crate::{Setup, View, learning};

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
    let limits = Limits { ttl: question.ttl, min_useful: question.purpose.lifecycle.min_useful };
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

/// Who of a verification's candidates may go at this moment, as far as this process knows: nobody is kept waiting for an
/// account that is gone, paused, ill, too busy or overloaded while another is free.
pub(crate) fn who_may_go<'a>(
    setup: &'a Setup,
    view: &'a View,
    partitions: PartitionCount,
    verification: &'a Verification,
    now: Moment,
) -> impl Fn(&Candidate) -> bool + 'a {
    let home = verification.id.partition(partitions);
    let is_full = move |provider: &ProviderName, max_queue_wait: Duration| {
        home.is_some_and(|home| full(setup, view, provider, home, max_queue_wait, now).is_some())
    };
    move |candidate| {
        let Candidate { provider, channel, max_queue_wait, .. } = candidate;
        let scopes = learning::scopes_of(setup, verification, provider, *channel, now);
        is_served(setup, view, candidate)
            && view.busy_until(provider, now).is_none()
            && !view.breakers.is_open(&scopes, now)
            && !is_full(provider, *max_queue_wait)
    }
}

/// Whether somebody works on a candidate's lane, as far as this process knows.
pub(crate) fn is_served(setup: &Setup, view: &View, candidate: &Candidate) -> bool {
    setup.providers.contains_key(&candidate.provider) && !view.directives.is_paused(&candidate.provider)
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
