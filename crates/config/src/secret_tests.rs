//! Secrets: the same wherever they come from, refused where they cannot be right, and good for some time only.
#![allow(clippy::unwrap_used)]

use otter_domain::Moment;

use crate::fixture::{GOOD, changed, environment, loaded, loaded_with, read_file};
use crate::{Origin, Sources, load};

#[test]
fn a_secret_is_the_same_from_a_variable_a_file_or_the_text() {
    let token = "505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f";
    for around in
        [("", "\n"), ("", "\r\n"), ("\u{feff}", ""), (" \t", " "), ("\r\n", "\n\n"), ("\u{a0}", "\u{200b}")]
    {
        let written = format!("{}{token}{}", around.0, around.1);
        let by_variable = loaded_with(
            GOOD,
            &[("OTTER__KEYS__TOKEN", "[{ id = 1, secret = { env = \"T\" } }]"), ("T", &written)],
        );
        let file = changed("{ env = \"TOKEN\" }", "{ file = \"/t\" }");
        let read =
            |path: &std::path::Path| if path.ends_with("t") { Ok(written.clone()) } else { read_file(path) };
        let by_file = load(
            &Sources { file: Some(&file), environment: environment(), read_file: &read },
            &crate::fixture::REGISTRATIONS,
        );
        let inline = changed("{ env = \"TOKEN\" }", &toml::Value::String(written.clone()).to_string());
        for found in [by_variable, by_file, loaded(&inline)] {
            let key = found.unwrap().settings.keys.token[0].1.clone();
            assert_eq!(key.reveal()[..3], [0x50, 0x51, 0x52], "{written:?}");
        }
    }
}

#[test]
fn what_nobody_sees_inside_a_secret_is_refused_with_its_place() {
    let refused = |value: &str, path: &str, words: &str| {
        let found = loaded_with(GOOD, &[("ACME_TOKEN_2", value), ("TOKEN_2", value)]).map(|_| ());
        assert_eq!(found, Ok(()), "nothing names it yet");
        let file =
            changed("{ env = \"TOKEN\" }", "{ env = \"TOKEN_2\" }").replacen("ACME_TOKEN", "ACME_TOKEN_2", 1);
        let problems = loaded_with(&file, &[("ACME_TOKEN_2", value), ("TOKEN_2", value)]).unwrap_err();
        let told =
            problems.iter().find(|problem| problem.path == path).unwrap_or_else(|| panic!("{problems:?}"));
        assert!(told.message.contains(words), "{told}");
        assert!(!problems.iter().any(|problem| problem.message.contains("ses")), "{problems:?}");
    };
    for path in ["keys.token[0].secret", "providers.acme-eu.auth_token"] {
        refused("ses\0ame", path, "U+0000 after its character 3");
        refused("ses\u{feff}ame", path, "U+FEFF after its character 3");
        refused("ses\r\name", path, "line break after its character 3");
        refused(" \r\n", path, "is empty");
    }
}

#[test]
fn quotation_marks_that_came_along_are_a_warning() {
    let loaded = loaded_with(&changed("ACME_TOKEN", "QUOTED"), &[("QUOTED", "\"sesame\"")]).unwrap();
    let told = loaded.warnings.iter().find(|warning| warning.path == "providers.acme-eu.auth_token").unwrap();
    assert!(told.message.contains("\"QUOTED\", which begins and ends with quotation marks"), "{told}");
}

#[test]
fn a_key_whose_time_is_over_is_a_warning() {
    let warned = |seconds: u64| {
        let loaded = loaded(GOOD).unwrap().at(Moment::from_millis(seconds * 1000));
        loaded.warnings.into_iter().find(|warning| warning.path == "tenants.shop.api_keys[0].expires")
    };
    let expires = 1_801_353_600;
    assert_eq!(warned(expires - 1), None);
    let told = warned(expires + 86_400).unwrap();
    assert_eq!(
        told.message,
        "key \"backend\" expired 24 hours ago; it is refused: take it away, or give it time"
    );
    assert!(matches!(told.origin, Some(Origin::Line(_))), "{told}");
}
