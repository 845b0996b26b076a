//! What refers to what, and what cannot work although every part of it is well written.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use otter_domain::{
    Channel, PaymentPolicy, ProviderName, PurposePolicy, Route, RouteName, RouteStep, SucceedOn, TenantId,
};

use crate::dates::Span;
use crate::problem::Notes;
use crate::section::{one_of, shown_span};
use crate::settings::{Admin, ConfiguredProvider, Grpc, Receipts, Shutdown, Tenant};
use crate::tenants::TenantEntry;

/// Everything that was read, for looking across it. Names of things that were left out after a problem are in
/// `known_*`, so that nobody is told that they do not exist.
pub(crate) struct Whole<'a> {
    pub(crate) tenants: &'a BTreeMap<TenantId, TenantEntry>,
    pub(crate) routes: &'a BTreeMap<RouteName, Route>,
    pub(crate) providers: &'a BTreeMap<ProviderName, ConfiguredProvider>,
    pub(crate) known_providers: &'a BTreeSet<String>,
    pub(crate) grpc: &'a Grpc,
    pub(crate) receipts: &'a Receipts,
    pub(crate) admin: &'a Admin,
    pub(crate) shutdown: &'a Shutdown,
    pub(crate) notes: &'a Notes,
}

/// Notes every problem and warning.
pub(crate) fn whole(whole: &Whole<'_>) {
    for (name, route) in whole.routes {
        for (place, step) in route.steps.iter().enumerate() {
            step_works(whole, &format!("routes.{name}.steps[{place}]"), step);
        }
    }
    for (id, entry) in whole.tenants {
        for (name, purpose) in &entry.tenant.policy.purposes {
            purpose_works(whole, &format!("tenants.{id}.purposes.{name}"), purpose, entry);
        }
        own_words_are_spoken(whole, &format!("tenants.{id}"), entry);
    }
    callers_differ(whole);
    listeners_differ(whole);
    sends_are_finished(whole);
    nothing_is_idle(whole);
}

fn step_works(whole: &Whole<'_>, path: &str, step: &RouteStep) {
    for (place, listed) in step.providers.iter().enumerate() {
        let path = format!("{path}.providers[{place}]");
        let Some(configured) = whole.providers.get(&listed.name) else {
            if !whole.known_providers.contains(listed.name.as_str()) {
                let known = one_of(whole.known_providers.iter().map(String::as_str));
                whole.notes.problem(
                    path,
                    format!("names {:?}, which is not configured; must be {known}", listed.name.as_str()),
                );
            }
            continue;
        };
        let capabilities = &configured.provider.capabilities;
        match capabilities.on(step.channel) {
            None => {
                let can = one_of(capabilities.channels.iter().map(|ability| ability.channel.as_str()));
                let message =
                    format!("names {:?}, which cannot do {}, only {can}", listed.name.as_str(), step.channel);
                whole.notes.problem(path, message);
            }
            Some(ability) if !ability.receipts && step.succeed_on == SucceedOn::Delivered => {
                let message = "reports no deliveries, so the whole wait passes each time; use succeed_on = \"accepted\" \
                               or \"verified\"";
                whole.notes.warning(path, message);
            }
            Some(_) => {}
        }
    }
}

fn purpose_works(whole: &Whole<'_>, path: &str, purpose: &PurposePolicy, entry: &TenantEntry) {
    let Some(route) = whole.routes.get(&purpose.route) else {
        let known = one_of(whole.routes.keys().map(RouteName::as_str));
        let message = format!("names {:?}, which is not configured; must be {known}", purpose.route.as_str());
        whole.notes.problem(format!("{path}.route"), message);
        return;
    };
    let waits: Duration = route.steps.iter().map(|step| step.wait * step.providers.len() as u32).sum();
    let needed = waits + Duration::from_secs(60);
    if needed > purpose.ttl {
        let (needed, ttl) = (shown_span(needed), shown_span(purpose.ttl));
        let message = format!(
            "is {ttl}; the route's waits and 60s are {needed}, so waits are shortened when messages stay silent"
        );
        whole.notes.warning(format!("{path}.ttl"), message);
    }
    let over_whatsapp = route.steps.iter().filter(|step| step.channel == Channel::WhatsApp).count();
    if over_whatsapp == 0 {
        return;
    }
    match purpose.payment {
        PaymentPolicy::Required if over_whatsapp == route.steps.len() => {
            let message =
                "has only WhatsApp, whose fixed text cannot show amount and payee; add sms, rcs or voice";
            whole.notes.problem(format!("{path}.route"), message);
        }
        PaymentPolicy::Required => {
            let message =
                "has WhatsApp in it, which is left out for payments: its text cannot show amount and payee";
            whole.notes.warning(format!("{path}.route"), message);
        }
        PaymentPolicy::NotAPayment => templates_fit(whole, path, purpose, entry),
    }
}

/// A text for calls has to be in a language that every voice on its way speaks. Built-in texts that a voice does not speak
/// are refused when they are sent, and the next provider goes.
fn own_words_are_spoken(whole: &Whole<'_>, path: &str, entry: &TenantEntry) {
    for (index, text) in entry.texts.overrides.iter().enumerate() {
        if text.channel != Channel::Voice {
            continue;
        }
        let purposes = entry.tenant.policy.purposes.values();
        let routes = purposes
            .filter(|purpose| text.purpose.as_ref().is_none_or(|name| *name == purpose.name))
            .filter_map(|purpose| whole.routes.get(&purpose.route));
        let steps = routes.flat_map(|route| &route.steps).filter(|step| step.channel == Channel::Voice);
        let mute = steps.flat_map(|step| &step.providers).find(|listed| {
            let configured = whole.providers.get(&listed.name);
            configured.is_some_and(|configured| !configured.provider.capabilities.speaks(&text.locale))
        });
        if let Some(mute) = mute {
            let (locale, name) = (text.locale.as_str(), mute.name.as_str());
            whole.notes.problem(
                format!("{path}.texts[{}].locale", entry.places.text(index)),
                format!("is {locale:?}, which no voice of {name:?} speaks; must be a language that it speaks, or leave the text out"),
            );
        }
    }
}

fn templates_fit(whole: &Whole<'_>, path: &str, purpose: &PurposePolicy, entry: &TenantEntry) {
    let templates = entry.texts.whatsapp.iter();
    let for_purpose =
        templates.filter(|template| template.purpose.as_ref().is_none_or(|name| *name == purpose.name));
    match for_purpose.map(|template| template.send_ttl).min() {
        None => whole.notes.warning(
            format!("{path}.route"),
            "has WhatsApp in it, but the tenant has no whatsapp_templates for this purpose, so it is left out",
        ),
        Some(shortest) if shortest > purpose.ttl => {
            let (shortest, ttl) = (shown_span(shortest), shown_span(purpose.ttl));
            let message = format!("is {ttl}, less than the {shortest} for which WhatsApp keeps the template, so WhatsApp is left out");
            whole.notes.warning(format!("{path}.ttl"), message);
        }
        Some(_) => {}
    }
}

fn callers_differ(whole: &Whole<'_>) {
    let mut digests = BTreeSet::new();
    let mut identities = BTreeSet::new();
    for (id, TenantEntry { tenant: Tenant { api_keys, mtls_identities, .. }, .. }) in whole.tenants {
        for (place, key) in api_keys.iter().enumerate() {
            let path = format!("tenants.{id}.api_keys[{place}].expires");
            let span = Span { from: None, until: key.expires };
            whole.notes.dated(
                path,
                span,
                &format!("key {:?}", key.id),
                "it is refused: take it away, or give it time",
            );
            if !digests.insert(key.digest) {
                let message = format!("lists key {:?} a second time; each key belongs to one entry", key.id);
                whole.notes.problem(format!("tenants.{id}.api_keys"), message);
            }
        }
        for (place, identity) in mtls_identities.iter().enumerate() {
            let path = format!("tenants.{id}.mtls_identities[{place}]");
            if !identities.insert(identity) {
                whole.notes.problem(path, "is listed a second time; each identity belongs to one tenant");
            } else if whole.grpc.tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
                whole.notes.problem(path, "can never be proven; set grpc.tls.client_ca");
            }
        }
        if api_keys.is_empty() && mtls_identities.is_empty() {
            whole.notes.warning(
                format!("tenants.{id}"),
                "has neither api_keys nor mtls_identities, so nobody can call",
            );
        }
    }
}

/// Two that listen at the same place keep each other from starting. Which roles a process has is not known here: each
/// has a place of its own, whichever run together.
fn listeners_differ(whole: &Whole<'_>) {
    let listeners = [
        ("grpc.listen", whole.grpc.listen),
        ("receipts.listen", whole.receipts.listen),
        ("admin.listen", whole.admin.listen),
    ];
    for (place, (path, address)) in listeners.iter().enumerate() {
        if let Some((other, _)) = listeners[..place].iter().find(|(_, other)| collide(*address, *other)) {
            let message = format!("is {address}, where {other} listens already; give each a port of its own");
            whole.notes.problem(*path, message);
        }
    }
}

/// Whether one address takes a port that the other wants; port 0 is whichever is free.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    // The unspecified address of IPv6 takes IPv4 too.
    let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    one.port() != 0 && one.port() == other.port() && (a == b || covers(a, b) || covers(b, a))
}

/// What a worker gives a send beyond its provider's timeout before it takes the send for ambiguous.
const OVERTIME: Duration = Duration::from_secs(2);

fn sends_are_finished(whole: &Whole<'_>) {
    let drain = whole.shutdown.drain;
    for (name, configured) in whole.providers {
        let timeout = configured.provider.capabilities.timeout;
        let needed = timeout + OVERTIME;
        if needed > drain {
            let fits = drain.checked_sub(OVERTIME).filter(|fits| !fits.is_zero());
            let shorter =
                fits.map(|fits| format!(", or this at most {}", shown_span(fits))).unwrap_or_default();
            let (timeout, needed, drain) = (shown_span(timeout), shown_span(needed), shown_span(drain));
            let message = format!(
                "is {timeout}, too long for shutdown.drain, which is {drain}: a stop may cut a send off, whose outcome is \
                 then unknown; make shutdown.drain at least {needed}{shorter}"
            );
            whole.notes.warning(format!("providers.{name}.timeout"), message);
        }
    }
}

fn nothing_is_idle(whole: &Whole<'_>) {
    if whole.tenants.is_empty() {
        whole.notes.warning("tenants", "is empty, so nobody can call");
    }
    let purposes = || whole.tenants.values().flat_map(|entry| entry.tenant.policy.purposes.values());
    for name in whole.routes.keys().filter(|name| !purposes().any(|purpose| purpose.route == **name)) {
        whole.notes.warning(format!("routes.{name}"), "is not used by any purpose");
    }
    let steps = || whole.routes.values().flat_map(|route| &route.steps);
    let listed =
        |name: &ProviderName| steps().any(|step| step.providers.iter().any(|listed| listed.name == *name));
    for name in whole.providers.keys().filter(|name| !listed(name)) {
        whole.notes.warning(format!("providers.{name}"), "is not used by any route");
    }
}
