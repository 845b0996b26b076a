#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;
use crate::fixture::{GOOD, REGISTRATIONS, environment, loaded, loaded_with, read_file};
use crate::load;
use crate::reference_tests::everything_on;

fn settings_in(table: &Table, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = below(path, key);
        match value.as_table().filter(|table| !is_reference(table) && !table.is_empty()) {
            Some(table) => settings_in(table, &path, found),
            None => drop(found.insert(path)),
        }
    }
}

fn covers(rule: &str, path: &str) -> bool {
    path.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[test]
fn every_setting_of_the_reference_is_reloaded_or_named_when_it_needs_a_restart() {
    let mut settings = BTreeSet::new();
    settings_in(&everything_on().parse().unwrap(), "", &mut settings);
    assert!(settings.len() > 60, "{settings:?}");
    for path in &settings {
        let rules: Vec<_> = EFFECTS.iter().filter(|(rule, _)| covers(rule, path)).collect();
        assert_eq!(rules.len(), 1, "{path}: {rules:?}");
    }
    for (rule, _) in EFFECTS {
        assert!(settings.iter().any(|path| covers(rule, path)), "{rule} is no setting of the reference");
    }
}

#[test]
fn what_differs_and_needs_a_restart_is_named_and_nothing_else() {
    let check = |changes: &[(&str, &str)], expected: &[&str]| {
        let next = loaded_with(GOOD, changes).unwrap().settings;
        assert_eq!(loaded(GOOD).unwrap().settings.restart_needed_for(&next), expected, "{changes:?}");
    };
    check(&[], &[]);
    check(&[("OTTER__ADMIN__LISTEN", "127.0.0.1:1"), ("OTTER__METRICS__COUNTRIES", "[]")], &["admin.listen"]);
    check(
        &[("OTTER__GRPC__LISTEN", "127.0.0.1:1"), ("OTTER__TELEMETRY__LOG_FILTER", "debug")],
        &["grpc.listen"],
    );
    check(&[("OTTER__RECEIPTS__PUBLIC_URL", "https://otp.example.com")], &[]);
    check(&[("OTTER__STORE__URL", "redis://:sesame@localhost")], &["store.url"]);
    check(
        &[("OTTER__STORE__RETENTION__EVENTS", "2h"), ("OTTER__SHUTDOWN__DRAIN", "1s")],
        &["store.retention.events", "shutdown"],
    );
    check(&[("OTTER__TELEMETRY__LOG_FORMAT", "json")], &["telemetry.log_format"]);
    check(&[("OTTER__DEFAULTS__PURPOSE__CODE_DIGITS", "7")], &[]);
}

#[test]
fn another_secret_behind_the_same_setting_is_a_change() {
    let with_variable = |name: &str, value: &str| {
        let mut environment = environment();
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
        let sources = Sources { file: Some(GOOD), environment, read_file: &read_file };
        load(&sources, &REGISTRATIONS).unwrap().settings
    };
    let running = loaded(GOOD).unwrap().settings;
    let pepper = "909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
    assert_eq!(running.restart_needed_for(&with_variable("PEPPER", pepper)), ["keys.pepper"]);
    assert_eq!(running.restart_needed_for(&with_variable("ACME_TOKEN", "another")), [""; 0]);
}

#[test]
fn another_text_in_the_same_file_is_a_change_and_the_file_is_known() {
    let password = RefCell::new("redis://:sesame@localhost\n");
    let read = |path: &Path| match path.to_str() {
        Some("/secrets/url") => Ok((*password.borrow()).to_owned()),
        Some(_) | None => read_file(path),
    };
    let file = format!("{GOOD}\n[store]\nurl = {{ file = \"/secrets/url\" }}\n");
    let configured = || {
        let sources = Sources { file: Some(&file), environment: environment(), read_file: &read };
        load(&sources, &REGISTRATIONS).unwrap().settings
    };
    let running = configured();
    assert!(running.files().contains(&PathBuf::from("/secrets/url")), "{:?}", running.files());
    assert_eq!(running.restart_needed_for(&configured()), [""; 0]);
    *password.borrow_mut() = "redis://:open@localhost\n";
    assert_eq!(running.restart_needed_for(&configured()), ["store.url"]);
    assert!(!format!("{running:?}").contains("sesame"));
}
