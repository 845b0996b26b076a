//! `[routes.NAME]` and `[defaults.step]`.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, ProviderName, Ranking, Route, RouteName, RouteStep, StepProvider, SucceedOn};
use toml::Value;

use crate::section::{Section, one_of, shown};

const MAX_STEPS: usize = 10;
const MAX_PROVIDERS: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

/// What every step has unless it says otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepRules {
    ranking: Ranking,
    succeed_on: SucceedOn,
    wait: Duration,
    max_queue_wait: Duration,
}

/// Reads the rules of a step; without `otherwise` every one must be given.
pub(crate) fn rules(section: &Section<'_>, otherwise: Option<StepRules>) -> StepRules {
    let rankings = [Ranking::Priority, Ranking::Weighted].map(|ranking| (ranking.as_str(), ranking));
    let successes = [SucceedOn::Accepted, SucceedOn::Delivered, SucceedOn::Verified]
        .map(|success| (success.as_str(), success));
    StepRules {
        ranking: section.word("ranking", &rankings, otherwise.map(|rules| rules.ranking)),
        succeed_on: section.word("succeed_on", &successes, otherwise.map(|rules| rules.succeed_on)),
        wait: section.span("wait", 5 * SECOND..=300 * SECOND, otherwise.map(|rules| rules.wait)),
        max_queue_wait: section.span(
            "max_queue_wait",
            SECOND..=60 * SECOND,
            otherwise.map(|rules| rules.max_queue_wait),
        ),
    }
}

/// Reads every route; those without a usable step are left out.
pub(crate) fn read(section: Section<'_>, defaults: StepRules) -> BTreeMap<RouteName, Route> {
    let mut routes = BTreeMap::new();
    for (name, section) in section.entries() {
        let steps = steps(&section, defaults);
        match RouteName::parse(name) {
            Ok(name) => {
                routes.insert(name.clone(), Route { name, steps });
            }
            Err(error) => section.notes().problem(section.own_path(), error.to_string()),
        }
        section.done();
    }
    routes
}

fn steps(section: &Section<'_>, defaults: StepRules) -> Vec<RouteStep> {
    let tables = section.tables("steps");
    if tables.is_empty() {
        section.problem(
            "steps",
            "must be a list of at least one step: [{ channel = \"sms\", providers = [\"NAME\"] }]",
        );
    } else if tables.len() > MAX_STEPS {
        section.problem("steps", format!("must be at most {MAX_STEPS} steps"));
    }
    tables.into_iter().filter_map(|(_, table)| step(table, defaults)).collect()
}

fn step(section: Section<'_>, defaults: StepRules) -> Option<RouteStep> {
    let expected = one_of(Channel::ALL.map(Channel::as_str));
    if section.value("channel").is_none() {
        section.missing("channel", &expected);
    }
    let channel = section.parsed("channel", &expected, Channel::parse);
    let providers = step_providers(&section);
    let StepRules { ranking, succeed_on, wait, max_queue_wait } = rules(&section, Some(defaults));
    section.done();
    Some(RouteStep { channel: channel?, providers, ranking, succeed_on, wait, max_queue_wait })
}

fn step_providers(section: &Section<'_>) -> Vec<StepProvider> {
    let expected = "a list of providers, each a name or { name = \"NAME\", weight = 1 }";
    let items = section.items("providers", expected);
    let count = items.map_or(0, Vec::len);
    if count == 0 || count > MAX_PROVIDERS {
        section.problem("providers", format!("must name 1 to {MAX_PROVIDERS} providers, as {expected}"));
    }
    let mut providers: Vec<StepProvider> = Vec::new();
    for (place, item) in items.into_iter().flatten().enumerate() {
        let path = section.item_path("providers", place);
        let Some(provider) = step_provider(section, path.clone(), item) else { continue };
        if providers.iter().any(|earlier| earlier.name == provider.name) {
            section.notes().problem(path, "stands twice in this step; name each provider once");
        } else {
            providers.push(provider);
        }
    }
    providers
}

fn step_provider(section: &Section<'_>, path: String, item: &Value) -> Option<StepProvider> {
    let Some(table) = item.as_table() else {
        let name = item.as_str().and_then(|text| ProviderName::parse(text).ok());
        if name.is_none() {
            section.notes().problem(path, format!("must be the name of a provider, not {}", shown(item)));
        }
        return name.map(|name| StepProvider { name, weight: 1 });
    };
    let entry = Section::new(path, Some(table), section.notes());
    if entry.value("name").is_none() {
        entry.missing("name", "the name of a provider");
    }
    let name = entry.parsed("name", "the name of a provider", |text| ProviderName::parse(text).ok());
    let weight = entry.number("weight", 1..=1000, Some(1));
    entry.done();
    Some(StepProvider { name: name?, weight })
}
