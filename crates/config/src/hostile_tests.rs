//! Whatever stands in the file: no panic, a path for every problem, and never a secret in an answer.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use toml::{Table, Value};

use crate::fixture::{GOOD, loaded, loaded_with};
use crate::problem::Origin;
use crate::{REFERENCE, load};

const CANARY: &str = "s3s4m3-0p3n";

/// Every path to a value that is no table.
fn leaves(value: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    let mut go = |key: String, value: &Value| {
        let path = [path, &[key]].concat();
        leaves(value, &path, found);
    };
    if let Some(table) = value.as_table() {
        table.iter().for_each(|(key, value)| go(key.clone(), value));
    } else if let Some(items) = value.as_array() {
        items.iter().enumerate().for_each(|(place, item)| go(place.to_string(), item));
    } else {
        found.push(path.to_vec());
    }
}

fn replace(value: &mut Value, path: &[String], with: &Value) {
    match (value, path) {
        (place, []) => *place = with.clone(),
        (Value::Array(items), [first, rest @ ..]) => {
            replace(&mut items[first.parse::<usize>().unwrap()], rest, with)
        }
        (Value::Table(table), [first, rest @ ..]) => replace(table.get_mut(first).unwrap(), rest, with),
        (_, _) => unreachable!("paths lead through tables and lists"),
    }
}

fn good_table() -> Value {
    let mut reference: Table = REFERENCE.parse().unwrap();
    for (key, value) in GOOD.parse::<Table>().unwrap() {
        reference.insert(key, value);
    }
    Value::Table(reference)
}

fn strange_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        (-1e9..1e9_f64).prop_map(Value::Float),
        "\\PC{0,50}".prop_map(Value::String),
        "[0-9]{1,20}(ms|s|m|h)".prop_map(Value::String),
        Just(Value::String(String::new())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z_.\" \\PC]{0,8}", inner, 0..4)
                .prop_map(|map| Value::Table(map.into_iter().collect())),
        ]
    })
}

/// Every answer names a place, and none has line breaks.
fn assert_answers(file: &str) {
    if let Err(problems) = loaded(file) {
        assert!(!problems.is_empty());
        for problem in problems {
            let named = !problem.path.is_empty() || matches!(problem.origin, Some(Origin::Line(_)));
            assert!(named, "{problem:?}");
            assert!(!problem.to_string().contains('\n'), "{problem}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        assert_answers(&text);
    }

    #[test]
    fn no_broken_copy_of_a_good_file_makes_it_panic(cut in 0..GOOD.len(), junk in "[\"\\[\\]{}=.,#a0\n]{0,4}") {
        prop_assume!(GOOD.is_char_boundary(cut));
        assert_answers(&format!("{}{junk}{}", &GOOD[..cut], &GOOD[cut..]));
    }

    #[test]
    fn no_value_in_the_wrong_place_makes_it_panic(seed in any::<prop::sample::Index>(), with in strange_value()) {
        let mut table = good_table();
        let mut paths = Vec::new();
        leaves(&table, &[], &mut paths);
        let path = &paths[seed.index(paths.len())];
        replace(&mut table, path, &with);
        assert_answers(&toml::to_string(&table).unwrap());
    }

    #[test]
    fn no_key_of_any_name_makes_it_panic(key in "\\PC{0,80}", with in strange_value()) {
        for around in ["", "tenants", "providers", "routes", "grpc", "defaults"] {
            let mut table = Table::new();
            let inner = Value::Table([(key.clone(), with.clone())].into_iter().collect());
            if around.is_empty() { table.insert(key.clone(), with.clone()) } else { table.insert(around.into(), inner) };
            assert_answers(&table.to_string());
        }
    }

    #[test]
    fn no_variable_makes_it_panic(name in "[A-Z0-9_]{0,40}", value in "\\PC{0,40}") {
        let _ = loaded_with(GOOD, &[(&format!("OTTER__{name}"), &value)]);
    }
}

#[test]
fn a_secret_is_never_repeated_wherever_it_went_wrong() {
    let secrets = ["key", "secret", "auth_token", "digest", "url"];
    let mut paths = Vec::new();
    leaves(&good_table(), &[], &mut paths);
    let holds_secret = |path: &&Vec<String>| path.iter().any(|key| secrets.contains(&key.as_str()));
    let mut tried = 0;
    for path in paths.iter().filter(holds_secret) {
        let end =
            if matches!(path.last().unwrap().as_str(), "env" | "file") { path.len() - 1 } else { path.len() };
        for with in [
            Value::String(CANARY.to_owned()),
            Value::String(format!("redis://u:{CANARY}@")),
            Value::Array(vec![Value::String(CANARY.to_owned())]),
            Value::Table(
                [("env".to_owned(), Value::Boolean(true)), (CANARY.to_owned(), Value::Integer(1))]
                    .into_iter()
                    .collect(),
            ),
        ] {
            let mut table = good_table();
            replace(&mut table, &path[..end], &with);
            let answer = match loaded(&toml::to_string(&table).unwrap()) {
                Ok(loaded) => {
                    format!("{:?} {} {:?}", loaded.warnings, loaded.settings.show(), loaded.settings)
                }
                Err(problems) => format!("{problems:?}"),
            };
            assert!(!answer.contains(CANARY) || with.is_table(), "{path:?}: {answer}");
            tried += 1;
        }
    }
    assert!(tried >= 32, "{tried}");
}

#[test]
fn a_file_that_is_not_toml_is_not_quoted() {
    let file = format!("[install]\nkey = \"{CANARY}\nnext = {CANARY}\n");
    let answer = format!("{:?}", loaded(&file).unwrap_err());
    assert!(!answer.contains(CANARY), "{answer}");
}

#[test]
fn secrets_that_were_read_are_not_in_the_debug_output() {
    let settings = loaded(GOOD).unwrap().settings;
    let debug = format!("{settings:?}");
    for (_, secret) in crate::fixture::environment() {
        assert!(!debug.contains(&secret));
    }
    let sources = crate::Sources {
        file: None,
        environment: crate::fixture::environment(),
        read_file: &|_| unreachable!(),
    };
    assert!(!format!("{sources:?}").contains("sesame"));
    assert!(load(&sources, &[]).is_err());
}
