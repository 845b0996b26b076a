//! `[tenants.ID]`, its purposes, and the defaults of both.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{
    CodePolicy, Country, LifecyclePolicy, LimitRule, Locale, MAX_SLOTS, PaymentPolicy, PurposeName,
    PurposePolicy, ResendPolicy, RouteName, TenantId, TenantPolicy, TenantRate,
};
use otter_message::TenantTexts;
use otter_provider::parse_span;
use toml::Value;

use crate::section::{Section, shown, shown_span};
use crate::settings::Tenant;
use crate::texts::{self, Places};
use crate::{callers, servers};

const SECOND: Duration = Duration::from_secs(1);

/// What every tenant has unless it says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct TenantRules {
    opaque_results: bool,
    recipient_limits: Vec<LimitRule>,
    rate: Option<TenantRate>,
}

/// What every purpose has unless it says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct PurposeRules {
    ttl: Duration,
    code_digits: u8,
    check_budget: u8,
    codes: CodeWord,
    accept_recent: u8,
    min_useful: Duration,
    resend: ResendPolicy,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum CodeWord {
    Same,
    FreshReplace,
    FreshAcceptRecent,
}

/// A tenant and what its texts are to be checked with.
#[derive(Debug)]
pub(crate) struct TenantEntry {
    pub(crate) tenant: Tenant,
    pub(crate) texts: TenantTexts,
    pub(crate) places: Places,
}

/// Reads the rules of a tenant; without `otherwise` every one must be given.
pub(crate) fn tenant_rules(section: &Section<'_>, otherwise: Option<&TenantRules>) -> TenantRules {
    let limits = section.section("limits");
    let recipient_limits = match limits.value("recipient") {
        Some(_) => limit_rules(&limits),
        None => otherwise.map(|rules| rules.recipient_limits.clone()).unwrap_or_default(),
    };
    let rate = match limits.optional_section("rate") {
        Some(rate) => Some(tenant_rate(rate)),
        None => otherwise.and_then(|rules| rules.rate),
    };
    limits.done();
    let opaque_results = section.switch("opaque_results", otherwise.map(|rules| rules.opaque_results));
    TenantRules { opaque_results, recipient_limits, rate }
}

fn limit_rules(limits: &Section<'_>) -> Vec<LimitRule> {
    let mut rules = Vec::new();
    for (_, entry) in limits.tables("recipient") {
        let max = entry.number("max", 1..=10_000, None);
        let window = entry.span("window", SECOND..=Duration::from_secs(7 * 86_400), None);
        entry.done();
        rules.push(LimitRule { max, window });
    }
    if rules.is_empty() {
        limits.warning("recipient", "is empty, so anybody's phone can be flooded; give at least one limit");
    }
    rules
}

fn tenant_rate(section: Section<'_>) -> TenantRate {
    let rate = TenantRate {
        per_second: section.real("per_second", 0.001..=100_000.0, None),
        burst: section.number("burst", 1..=1_000_000, None),
    };
    section.done();
    rate
}

/// Reads the rules of a purpose; without `otherwise` every one must be given.
pub(crate) fn purpose_rules(section: &Section<'_>, otherwise: Option<&PurposeRules>) -> PurposeRules {
    let codes = [
        ("same", CodeWord::Same),
        ("fresh_replace", CodeWord::FreshReplace),
        ("fresh_accept_recent", CodeWord::FreshAcceptRecent),
    ];
    let most = MAX_SLOTS as u8;
    PurposeRules {
        ttl: section.span("ttl", 60 * SECOND..=600 * SECOND, otherwise.map(|rules| rules.ttl)),
        code_digits: section.number("code_digits", 6..=10, otherwise.map(|rules| rules.code_digits)),
        check_budget: section.number("check_budget", 1..=10, otherwise.map(|rules| rules.check_budget)),
        codes: section.word("codes", &codes, otherwise.map(|rules| rules.codes)),
        accept_recent: section.number("accept_recent", 1..=most, otherwise.map(|rules| rules.accept_recent)),
        min_useful: section.span(
            "min_useful",
            10 * SECOND..=300 * SECOND,
            otherwise.map(|rules| rules.min_useful),
        ),
        resend: resend(section.section("resend"), otherwise.map(|rules| &rules.resend)),
    }
}

fn resend(section: Section<'_>, otherwise: Option<&ResendPolicy>) -> ResendPolicy {
    let max_attempts = section.number("max_attempts", 1..=10, otherwise.map(|policy| policy.max_attempts));
    let cooldowns = match section.items("cooldowns", "a list of spans such as [\"30s\", \"60s\"]") {
        Some(items) => cooldowns(&section, items),
        None => {
            if otherwise.is_none() && section.value("cooldowns").is_none() {
                section.missing("cooldowns", "a list of spans such as [\"30s\", \"60s\"]");
            }
            otherwise.map(|policy| policy.cooldowns.clone()).unwrap_or_default()
        }
    };
    section.done();
    ResendPolicy { cooldowns, max_attempts }
}

fn cooldowns(section: &Section<'_>, items: &[Value]) -> Vec<Duration> {
    const LONGEST: Duration = Duration::from_secs(3600);
    if items.is_empty() || items.len() > 10 {
        section.problem("cooldowns", "must be 1 to 10 spans; the last one holds for all later sends");
    }
    let mut cooldowns = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match item.as_str().and_then(parse_span).filter(|span| *span <= LONGEST) {
            Some(span) => cooldowns.push(span),
            None => {
                let message = format!("must be a span such as \"30s\" up to 1h, not {}", shown(item));
                section.notes().problem(section.item_path("cooldowns", place), message);
            }
        }
    }
    cooldowns
}

/// Reads every tenant; those whose name is wrong are left out.
pub(crate) fn read(
    section: Section<'_>,
    tenant_defaults: &TenantRules,
    purpose_defaults: &PurposeRules,
) -> BTreeMap<TenantId, TenantEntry> {
    let mut tenants = BTreeMap::new();
    for (name, section) in section.entries() {
        match TenantId::parse(name) {
            Ok(id) => {
                tenants.insert(id.clone(), tenant(id, section, tenant_defaults, purpose_defaults));
            }
            Err(error) => section.notes().problem(section.own_path(), error.to_string()),
        }
    }
    tenants
}

fn tenant(
    id: TenantId,
    section: Section<'_>,
    tenant_defaults: &TenantRules,
    purpose_defaults: &PurposeRules,
) -> TenantEntry {
    let rules = tenant_rules(&section, Some(tenant_defaults));
    let written = section.section("purposes");
    let has_purposes = written.table().is_some_and(|table| !table.is_empty());
    let purposes = purposes(written, purpose_defaults);
    if !has_purposes {
        section
            .problem("purposes", "must hold at least one purpose, for example [tenants.shop.purposes.login]");
    }
    let countries = allowed_countries(&section);
    // Without a list there is nothing to judge texts by; that it is missing is told already.
    let everywhere = section.value("countries").is_some_and(|value| value.as_str() == Some("all"));
    let written_to = if everywhere { None } else { Some(countries.clone().unwrap_or_default()) };
    let (texts, places) = texts::read(&section, &purposes, written_to);
    let policy = TenantPolicy {
        id,
        countries,
        recipient_limits: rules.recipient_limits,
        rate: rules.rate,
        opaque_results: rules.opaque_results,
        purposes,
    };
    let tenant = Tenant {
        policy,
        api_keys: callers::api_keys(&section),
        mtls_identities: callers::mtls_identities(&section),
    };
    section.done();
    TenantEntry { tenant, texts, places }
}

/// A new tenant may send nowhere until it says where (FRD-04).
fn allowed_countries(section: &Section<'_>) -> Option<Vec<Country>> {
    const EXPECTED: &str = "a list of countries such as [\"DE\", \"FR\"], or \"all\"";
    match section.value("countries") {
        None => {
            section.missing("countries", EXPECTED);
            None
        }
        Some(Value::String(word)) if word == "all" => None,
        Some(Value::Array(_)) => servers::countries(
            section,
            "countries",
            "no code can be sent anywhere; name countries, or write \"all\"",
        ),
        Some(other) => {
            section.problem("countries", format!("must be {EXPECTED}, not {}", shown(other)));
            None
        }
    }
}

fn purposes(section: Section<'_>, defaults: &PurposeRules) -> BTreeMap<PurposeName, PurposePolicy> {
    let mut purposes = BTreeMap::new();
    for (name, section) in section.entries() {
        match PurposeName::parse(name) {
            Ok(name) => {
                purposes.extend(purpose(name.clone(), &section, defaults).map(|purpose| (name, purpose)));
            }
            Err(error) => section.notes().problem(section.own_path(), error.to_string()),
        }
        section.done();
    }
    purposes
}

fn purpose(name: PurposeName, section: &Section<'_>, defaults: &PurposeRules) -> Option<PurposePolicy> {
    if section.value("route").is_none() {
        section.missing("route", "the name of a route");
    }
    let route = section.parsed("route", "the name of a route", |text| RouteName::parse(text).ok());
    let locale = section
        .parsed("locale", "a language tag such as \"en\" or \"pt-BR\"", |text| Locale::parse(text).ok());
    let payment = if section.switch("payment", Some(false)) {
        PaymentPolicy::Required
    } else {
        PaymentPolicy::NotAPayment
    };
    let rules = purpose_rules(section, Some(defaults));
    if payment == PaymentPolicy::Required && rules.check_budget > 5 {
        section.problem("check_budget", "must be at most 5 for payments");
    }
    let least = rules.min_useful + 15 * SECOND;
    if rules.ttl < least {
        let (ttl, least) = (shown_span(rules.ttl), shown_span(least));
        section.problem("ttl", format!("is {ttl}; must be at least {least}, which is min_useful and 15s"));
    }
    let codes = match rules.codes {
        CodeWord::Same => CodePolicy::Same,
        CodeWord::FreshReplace => CodePolicy::FreshReplace,
        CodeWord::FreshAcceptRecent => CodePolicy::FreshAcceptRecent(rules.accept_recent),
    };
    Some(PurposePolicy {
        name,
        route: route?,
        ttl: rules.ttl,
        code_digits: rules.code_digits,
        budget: rules.check_budget,
        payment,
        locale,
        lifecycle: LifecyclePolicy { min_useful: rules.min_useful, codes, resend: rules.resend },
    })
}
