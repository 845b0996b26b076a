//! What may come from outside, and who may name it.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::DependencyKind;
use otter_tests::read;

use crate::workspace::{Locked, edges, locked, members, outside, versioned};

/// The page that says of each dependency what it is for and why it was chosen.
const PAGE: &str = "docs/dependencies.md";

/// Never in the build, not even by way of somebody else, on any platform.
const BANNED: [(&str, &str); 14] = [
    ("openssl", "TLS is rustls everywhere"),
    ("openssl-sys", "TLS is rustls everywhere"),
    ("native-tls", "TLS is rustls everywhere"),
    ("tokio-native-tls", "TLS is rustls everywhere"),
    ("hyper-tls", "TLS is rustls everywhere"),
    ("boring", "TLS is rustls everywhere"),
    ("boring-sys", "TLS is rustls everywhere"),
    ("aws-lc-rs", "ring is the one crypto provider"),
    ("aws-lc-sys", "ring is the one crypto provider"),
    ("rustls-openssl", "ring is the one crypto provider"),
    ("ureq", "reqwest is the one HTTP client"),
    ("isahc", "reqwest is the one HTTP client"),
    ("curl", "reqwest is the one HTTP client"),
    ("surf", "reqwest is the one HTTP client"),
];

/// Once in the build: two versions would be two TLS stacks or two HTTP clients.
const SINGLE: [&str; 7] = ["rustls", "ring", "reqwest", "hyper", "h2", "tonic", "tokio"];

/// Crates that know the wire, a store or a terminal; nobody else may name them, except in tests.
const RESERVED: [(&str, &[&str]); 10] = [
    ("backoff", &["otter-runtime"]),
    ("getrandom", &["otter-runtime"]),
    ("redis", &["otter-store-redis"]),
    ("redb", &["otter-store-embedded"]),
    ("reqwest", &["otter-provider-http", "otter-sandbox-vendor", "otter"]),
    ("prometheus", &["otter-telemetry"]),
    ("clap", &["otter"]),
    ("rlibphonenumber", &["otter-domain"]),
    ("icu_locale", &["otter-domain"]),
    ("icu_properties", &["otter-domain"]),
];

/// All that the pure crates may name: arithmetic on values. No runtime, no logs, no wire format.
const PURE: [(&str, &[&str]); 3] = [
    ("otter-domain", &["icu_locale", "icu_properties", "rlibphonenumber", "thiserror", "uuid", "zeroize"]),
    ("otter-decision", &["base64", "hmac", "sha2", "subtle", "thiserror"]),
    ("otter-message", &["thiserror"]),
];

/// Nowhere below a pure crate.
const IMPURE: [&str; 5] = ["tokio", "tracing", "hyper", "mio", "socket2"];

#[test]
fn one_tls_stack_and_one_http_client() {
    let lock = locked();
    let found: Vec<_> = BANNED
        .iter()
        .filter(|(name, _)| lock.iter().any(|package| package.name == *name))
        .map(|(name, reason)| format!("{name}: {reason}"))
        .collect();
    assert!(found.is_empty(), "cargo tree --invert NAME --target all shows who brings them: {found:#?}");
    for name in SINGLE {
        let versions: Vec<_> =
            lock.iter().filter(|package| package.name == name).map(|package| &package.version).collect();
        assert!(versions.len() <= 1, "{name} is built in versions {versions:?}");
    }
}

#[test]
fn reserved_dependencies_are_named_by_their_owners_only() {
    for (name, owners) in RESERVED {
        for member in members().iter().filter(|member| !owners.contains(&member.name.as_str())) {
            let named = edges(member).any(|edge| edge.to == name && edge.kind != DependencyKind::Development);
            assert!(!named, "{} names {name}, which is for {owners:?}", member.name);
        }
    }
}

#[test]
fn pure_crates_name_nothing_that_acts() {
    for (name, allowed) in PURE {
        let member =
            members().iter().find(|member| *member.name == name).expect("the direction table has it");
        for edge in edges(member).filter(|edge| !edge.ours && edge.kind == DependencyKind::Normal) {
            assert!(allowed.contains(&edge.to.as_str()), "{name} names {}", edge.to);
            for impure in IMPURE {
                assert!(!below(&edge.to).contains(impure), "{name} gets {impure} by way of {}", edge.to);
            }
        }
    }
}

/// Everything that a package outside brings along.
fn below(name: &str) -> BTreeSet<String> {
    let mut needs = BTreeMap::<_, Vec<_>>::new();
    for Locked { name, needs: its, .. } in locked() {
        needs.entry(name).or_default().extend(its);
    }
    let mut found = BTreeSet::from([name.to_owned()]);
    let mut waiting = vec![name.to_owned()];
    while let Some(next) = waiting.pop() {
        waiting.extend(
            needs.get(&next).into_iter().flatten().filter(|need| found.insert((*need).clone())).cloned(),
        );
    }
    found
}

#[test]
fn the_root_manifest_has_a_version_for_every_dependency_and_no_other() {
    let named: BTreeSet<_> = outside().into_keys().collect();
    let versioned = versioned();
    let strays: Vec<_> = named.difference(&versioned).collect();
    let unused: Vec<_> = versioned.difference(&named).collect();
    assert!(strays.is_empty() && unused.is_empty(), "without a version {strays:?}, unused {unused:?}");
}

#[test]
fn every_dependency_has_a_line_that_says_what_for() {
    let described = described();
    let expected = versioned();
    let missing: Vec<_> = expected.difference(&described).collect();
    let stale: Vec<_> = described.difference(&expected).collect();
    assert!(missing.is_empty() && stale.is_empty(), "{PAGE}: missing {missing:?}, stale {stale:?}");
}

/// The names in the first cells of the page's tables.
fn described() -> BTreeSet<String> {
    let page = read(PAGE);
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let first_cells = rows.filter_map(|row| row.split('|').next());
    first_cells
        .flat_map(|cell| cell.split('`'))
        .map(str::trim)
        .filter(|part| is_name(part))
        .map(str::to_owned)
        .collect()
}

fn is_name(part: &str) -> bool {
    !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
}
