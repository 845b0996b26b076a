//! Reading the configuration.

use std::sync::Arc;

use toml::{Table, Value};

use crate::stage::{configured, name};
use crate::{Subject, assert_silent};

const BASE_URL: &str = "http://127.0.0.1:9";

/// Missing settings and unknown ones are all named in one go.
pub async fn settings_name_every_problem_at_once(subject: Arc<dyn Subject>) {
    let mut table = Table::new();
    table.insert("no_such_setting".to_owned(), Value::Integer(1));
    let problems = (subject.registration().configure)(&name(), &table).expect_err("settings are missing");
    for key in subject.required().into_iter().chain(["no_such_setting"]) {
        assert!(problems.iter().any(|problem| problem.path == key), "{key} is not named in {problems:?}");
    }
}

/// Whatever stands in a setting, reading ends in an account or in problems, and neither shows a secret.
pub async fn settings_of_any_form_never_panic_or_show_a_secret(subject: Arc<dyn Subject>) {
    let oddities = [
        Value::Integer(-1),
        Value::Integer(i64::MAX),
        Value::Float(f64::NAN),
        Value::Boolean(true),
        Value::String(String::new()),
        Value::String("\u{0}\r\n\u{feff}ü".repeat(99)),
        Value::Array(vec![Value::Integer(1)]),
        Value::Array(Vec::new()),
        Value::Table(Table::new()),
    ];
    let settings = subject.settings(BASE_URL);
    for key in settings.keys() {
        for oddity in &oddities {
            let mut table = settings.clone();
            table.insert(key.clone(), oddity.clone());
            let outcome = (subject.registration().configure)(&name(), &table);
            assert_no_secret(subject.as_ref(), "reading odd settings", &format!("{outcome:?}"));
        }
    }
    for (key, value) in settings.iter().filter(|(_, value)| value.is_str()) {
        let mut table = settings.clone();
        table.insert(key.clone(), Value::Array(vec![value.clone()]));
        let outcome = (subject.registration().configure)(&name(), &table);
        assert_no_secret(subject.as_ref(), "reading a misplaced secret", &format!("{outcome:?}"));
    }
}

/// The capabilities agree with the abilities, the abilities with the subject's declarations, and all are bounded.
pub async fn abilities_are_what_was_declared(subject: Arc<dyn Subject>) {
    let provider = configured(subject.as_ref(), BASE_URL);
    let capabilities = &provider.capabilities;
    let channels: Vec<_> = capabilities.channels.iter().map(|ability| ability.channel).collect();
    assert_eq!(channels, subject.channels(), "the channels");
    assert!(provider.sender.is_some(), "the settings of a subject are complete");
    assert!(capabilities.concurrency > 0 && capabilities.rate != Some(0), "no sends would ever run");
    assert!(!capabilities.timeout.is_zero(), "no answer would ever be in time");

    let revocable = capabilities.channels.iter().any(|ability| ability.revocable);
    assert_eq!(
        revocable,
        provider.revoker.is_some(),
        "a revocable channel needs a revoker and the other way round"
    );
    assert_eq!(revocable, subject.recalls().is_some(), "the subject declares recalls");
    let reporting = capabilities.channels.iter().any(|ability| ability.receipts);
    assert_eq!(
        reporting,
        provider.receipts.is_some(),
        "a reporting channel needs a decoder and the other way round"
    );
    assert_eq!(reporting, !subject.receipts().is_empty(), "the subject declares receipts");
    assert_no_secret(subject.as_ref(), "the account's Debug", &format!("{provider:?}"));
}

fn assert_no_secret(subject: &dyn Subject, place: &str, text: &str) {
    for secret in subject.secrets() {
        assert_silent(place, text, &secret);
    }
}
