//! `[providers.NAME]`: each table goes to its vendor's registration, with its secrets in place.

use std::collections::BTreeMap;

use otter_domain::ProviderName;
use otter_provider::Registration;
use toml::Table;

use crate::layers::Sources;
use crate::secret;
use crate::section::{Section, one_of};
use crate::settings::ConfiguredProvider;

/// Reads every account; those with problems are left out.
pub(crate) fn read(
    section: Section<'_>,
    registrations: &[Registration],
    sources: &Sources<'_>,
) -> BTreeMap<ProviderName, ConfiguredProvider> {
    let mut providers = BTreeMap::new();
    for (name, account) in section.entries() {
        match ProviderName::parse(name) {
            Ok(name) => {
                let configured = configure(&name, &account, registrations, sources);
                providers.extend(configured.map(|configured| (name, configured)));
            }
            Err(error) => account.notes().problem(account.own_path(), error.to_string()),
        }
    }
    providers
}

fn configure(
    name: &ProviderName,
    account: &Section<'_>,
    registrations: &[Registration],
    sources: &Sources<'_>,
) -> Option<ConfiguredProvider> {
    let expected = one_of(registrations.iter().map(|registration| registration.kind));
    if account.value("kind").is_none() {
        account.missing("kind", &expected);
    }
    let registration = account.parsed("kind", &expected, |kind| {
        registrations.iter().find(|registration| registration.kind == kind)
    })?;
    let empty = Table::new();
    let base = account.own_path();
    let table = secret::resolve_all(account.table().unwrap_or(&empty), base, sources, account.notes());
    match (registration.configure)(name, &table) {
        Ok(provider) => Some(ConfiguredProvider { name: name.clone(), kind: registration.kind, provider }),
        Err(problems) => {
            for problem in problems {
                let path = format!("{base}.{}", problem.path);
                // A secret that could not be found was reported already; the vendor only saw that it is no text.
                if !account.notes().has_problem_at(&path) {
                    account.notes().problem(path, problem.message);
                }
            }
            None
        }
    }
}
