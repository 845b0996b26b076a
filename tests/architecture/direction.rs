//! Who may know whom.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Package};

use crate::workspace::{Edge, edges, folder, members};

/// The row of all vendors' crates: the folder they lie in.
const VENDORS: &str = "crates/providers/";

/// In a row: and whatever the row's other entries may name, all the way down.
const AND_BELOW: &str = "and below";

/// May name every crate of ours: the binary puts everything together, the suites look at everything.
const SEES_ALL: [&str; 2] = ["otter", "otter-tests"];

/// The crates that each crate may name. A crate without a row, a row without a crate and an edge without an entry
/// fail.
///
/// Two entries go beyond the first design: the in-memory store runs `decision`'s executable specifications
/// (docs/adr/0003-reference-runs-the-specification.md), so `store-testkit`, which compares engines with it, sees them
/// too.
const TABLE: [(&str, &[&str]); 21] = [
    ("otter-contract", &[]),
    ("otter-domain", &[]),
    ("otter-decision", &["otter-domain"]),
    ("otter-message", &["otter-domain"]),
    ("otter-provider", &["otter-domain", "otter-message"]),
    ("otter-provider-http", &["otter-domain", "otter-provider"]),
    ("otter-provider-testkit", &["otter-domain", "otter-provider"]),
    (VENDORS, &["otter-domain", "otter-message", "otter-provider", "otter-provider-http"]),
    ("otter-providers", &["otter-provider", VENDORS]),
    ("otter-store", &["otter-domain", "otter-decision"]),
    ("otter-store-redis", &["otter-domain", "otter-store"]),
    ("otter-store-embedded", &["otter-domain", "otter-store"]),
    ("otter-store-testkit", &["otter-domain", "otter-decision", "otter-store"]),
    ("otter-evidence", &["otter-domain", "otter-decision", "otter-store"]),
    ("otter-sandbox-vendor", &["otter-domain"]),
    ("otter-config", &["otter-domain", "otter-message", "otter-provider"]),
    ("otter-telemetry", &["otter-domain"]),
    ("otter-runtime", &["otter-domain"]),
    (
        "otter-delivery",
        &[
            "otter-domain",
            "otter-decision",
            "otter-message",
            "otter-provider",
            "otter-store",
            "otter-evidence",
            "otter-telemetry",
            "otter-runtime",
        ],
    ),
    ("otter-api", &["otter-contract", "otter-delivery", AND_BELOW]),
    ("otter-receipts", &["otter-delivery", AND_BELOW]),
];

/// The catalogue lists vendors; everybody else is handed the list. Suites may look closer.
const MAY_NAME_VENDORS: [&str; 2] = ["otter-providers", "otter-tests"];

/// The suites that implementations have to pass, with what they need for it. Tests of any crate may name them, other
/// code never.
const TESTKITS: [&str; 2] = ["otter-provider-testkit", "otter-store-testkit"];

fn is_vendor(name: &str) -> bool {
    members().iter().any(|member| *member.name == name && folder(member).starts_with(VENDORS))
}

fn row(name: &str) -> Option<&'static [&'static str]> {
    let key = if is_vendor(name) { VENDORS } else { name };
    TABLE.iter().find(|(crate_name, _)| *crate_name == key).map(|(_, may_name)| *may_name)
}

fn entries(name: &str) -> BTreeSet<&'static str> {
    row(name).into_iter().flatten().copied().collect()
}

/// All that a crate can get to know by the table, itself included.
fn reach(name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([name.to_owned()]);
    let mut waiting = vec![name.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in entries(&next) {
            if reached.insert(entry.to_owned()) {
                waiting.push(entry.to_owned());
            }
        }
    }
    reached
}

fn may_name(member: &str, to: &str) -> bool {
    let listed = entries(member);
    listed.contains(to)
        || listed.contains(VENDORS) && is_vendor(to)
        || listed.contains(AND_BELOW) && reach(member).contains(to)
}

fn allows(member: &Package, edge: &Edge) -> bool {
    let (from, to) = (member.name.as_str(), edge.to.as_str());
    let is_testkit = TESTKITS.contains(&to);
    if edge.kind == DependencyKind::Development || from == "otter-tests" {
        return is_testkit || SEES_ALL.contains(&from) || reach(from).contains(to);
    }
    !is_testkit && (SEES_ALL.contains(&from) || may_name(from, to))
}

#[test]
fn dependencies_point_down() {
    let wrong: Vec<_> = members()
        .iter()
        .flat_map(|member| edges(member).map(move |edge| (member, edge)))
        .filter(|(member, edge)| edge.ours && !allows(member, edge))
        .map(|(member, edge)| format!("{} → {} ({})", member.name, edge.to, edge.kind))
        .collect();
    assert!(
        wrong.is_empty(),
        "not in the direction table; usually the code stands in the wrong crate: {wrong:#?}"
    );
}

#[test]
fn every_crate_has_a_row_and_every_row_a_crate() {
    let without_row: Vec<_> = members()
        .iter()
        .map(|member| member.name.as_str())
        .filter(|name| row(name).is_none() && !SEES_ALL.contains(name))
        .collect();
    assert!(without_row.is_empty(), "crates without a row: {without_row:?}");
    let exists = |name: &str| name == VENDORS || members().iter().any(|member| *member.name == name);
    let without_crate: Vec<_> = TABLE.iter().map(|(name, _)| *name).filter(|name| !exists(name)).collect();
    assert!(without_crate.is_empty(), "rows without a crate: {without_crate:?}");
}

#[test]
fn a_crate_is_called_after_its_folder() {
    for member in members() {
        let folder = folder(member);
        let expected = match folder.strip_prefix("crates/") {
            Some("otter") => "otter".to_owned(),
            Some(inner) => format!("otter-{}", inner.replace("providers/", "provider-")),
            None if folder.is_empty() => "otter-contract".to_owned(),
            None => format!("otter-{folder}"),
        };
        assert_eq!(*member.name, expected, "in {folder}");
    }
}

#[test]
fn only_the_catalogue_names_vendors() {
    let others = members().iter().filter(|member| !MAY_NAME_VENDORS.contains(&member.name.as_str()));
    for member in others {
        let named: Vec<_> = edges(member).map(|edge| edge.to).filter(|to| is_vendor(to)).collect();
        assert!(named.is_empty(), "{} names {named:?}; it should take what the catalogue lists", member.name);
    }
}
