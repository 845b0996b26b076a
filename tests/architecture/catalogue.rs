//! A vendor is one folder and one line.

use std::collections::BTreeSet;

use otter_providers::REGISTRATIONS;

use crate::workspace::{edges, folder, members};

fn folders() -> BTreeSet<String> {
    members()
        .iter()
        .filter_map(|member| folder(member).strip_prefix("crates/providers/").map(str::to_owned))
        .collect()
}

#[test]
fn every_vendor_is_in_the_catalogue_under_the_name_of_its_folder() {
    let kinds: BTreeSet<_> = REGISTRATIONS.iter().map(|registration| registration.kind.to_owned()).collect();
    assert_eq!(kinds, folders());
}

#[test]
fn every_vendor_runs_the_conformance_suite() {
    for member in members().iter().filter(|member| folder(member).starts_with("crates/providers/")) {
        let examined = edges(member).any(|edge| edge.to == "otter-provider-testkit");
        assert!(examined, "{} does not use otter-provider-testkit", member.name);
        let run = member.targets.iter().any(|target| target.is_test() && target.name == "conformance");
        assert!(run, "{} has no tests/conformance.rs", member.name);
    }
}

#[test]
fn every_vendor_has_a_page_in_the_manual() {
    for vendor in folders() {
        let page = otter_tests::root().join(format!("docs/providers/{vendor}.md"));
        assert!(page.is_file(), "docs/providers/{vendor}.md is missing");
    }
}
