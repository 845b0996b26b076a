//! From the layers to the settings.

use std::collections::BTreeSet;

use otter_domain::Moment;
use otter_provider::Registration;
use toml::Table;

use crate::check::{self, Whole};
use crate::dates::Dated;
use crate::effect::Effective;
use crate::layers::{Sources, merge};
use crate::problem::{Notes, Problem};
use crate::section::Section;
use crate::settings::Settings;
use crate::show::Shown;
use crate::{install, providers, routes, servers, store, tenants, texts};

/// Settings, and what is questionable about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What works but is probably not meant.
    pub warnings: Vec<Problem>,
    dated: Vec<Dated>,
}

impl Loaded {
    /// Adds a warning for each certificate and API key whose time is over at a moment, or has not come.
    #[must_use]
    pub fn at(mut self, now: Moment) -> Self {
        self.warnings.extend(self.dated.iter().filter_map(|dated| dated.at(now)));
        self
    }
}

/// Reads the configuration. Fails with every problem at once; only where the file is not TOML at all, with those places
/// alone. `registrations` are the vendors that accounts can be of.
pub fn load(sources: &Sources<'_>, registrations: &[Registration]) -> Result<Loaded, Vec<Problem>> {
    let mut notes = Notes::default();
    let merged = merge(sources, &mut notes);
    let settings = if notes.has_problems() { None } else { read(&merged, sources, registrations, &notes) };
    let has_problems = notes.has_problems();
    let dated = notes.take_dated();
    let (problems, warnings) = notes.into_findings();
    match settings {
        Some(settings) if !has_problems => Ok(Loaded { settings, warnings, dated }),
        Some(_) | None => Err(problems),
    }
}

fn read(
    merged: &Table,
    sources: &Sources<'_>,
    registrations: &[Registration],
    notes: &Notes,
) -> Option<Settings> {
    let root = Section::new(String::new(), Some(merged), notes);
    let keys = install::keys(root.section("install"), root.section("keys"), sources);
    let store = store::store(root.section("store"), sources);
    let grpc = servers::grpc(root.section("grpc"), sources);
    let receipts = servers::receipts(root.section("receipts"));
    let admin = servers::admin(root.section("admin"));
    let shutdown = servers::shutdown(root.section("shutdown"));
    let metrics = servers::metrics(root.section("metrics"));
    let telemetry = servers::telemetry(root.section("telemetry"));
    let defaults = Defaults::read(root.section("defaults"));
    let known_providers = names_in(merged, "providers");
    let providers = providers::read(root.section("providers"), registrations, sources);
    let routes = routes::read(root.section("routes"), defaults.step);
    let entries = tenants::read(root.section("tenants"), &defaults.tenant, &defaults.purpose);
    root.done();
    check::whole(&Whole {
        tenants: &entries,
        routes: &routes,
        providers: &providers,
        known_providers: &known_providers,
        grpc: &grpc,
        receipts: &receipts,
        admin: &admin,
        shutdown: &shutdown,
        notes,
    });
    let catalogue = texts::catalogue(&entries, notes);
    Some(Settings {
        keys: keys?,
        store: store?,
        grpc,
        receipts,
        admin,
        shutdown,
        metrics,
        telemetry,
        tenants: entries.into_iter().map(|(id, entry)| (id, entry.tenant)).collect(),
        routes,
        providers,
        catalogue: catalogue?,
        shown: Shown::of(merged),
        effective: Effective::of(merged, sources),
    })
}

/// `[defaults]`: what tenants, purposes and steps have unless they say otherwise.
struct Defaults {
    tenant: tenants::TenantRules,
    purpose: tenants::PurposeRules,
    step: routes::StepRules,
}

impl Defaults {
    fn read(section: Section<'_>) -> Self {
        let (tenant, purpose, step) =
            (section.section("tenant"), section.section("purpose"), section.section("step"));
        let defaults = Self {
            tenant: tenants::tenant_rules(&tenant, None),
            purpose: tenants::purpose_rules(&purpose, None),
            step: routes::rules(&step, None),
        };
        for section in [tenant, purpose, step, section] {
            section.done();
        }
        defaults
    }
}

fn names_in(merged: &Table, key: &str) -> BTreeSet<String> {
    merged.get(key).and_then(|value| value.as_table()).into_iter().flat_map(Table::keys).cloned().collect()
}
