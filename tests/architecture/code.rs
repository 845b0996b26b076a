//! What may not stand in the sources.

use otter_tests::files_below;

use crate::sources::{Source, Token, all, shipped};
use crate::workspace::{folder, members};

/// Clocks, dice and sleeping threads, as tokens in a row.
const CLOCKS_AND_DICE: [&[&str]; 9] = [
    &["Instant", ":", ":", "now"],
    &["SystemTime", ":", ":", "now"],
    &["Utc", ":", ":", "now"],
    &["getrandom"],
    &["rand", ":", ":"],
    &["new_v4"],
    &["now_v7"],
    &["RandomState"],
    &["thread", ":", ":", "sleep"],
];

/// Where they may stand, and why. Tests and build scripts may use what they need.
const MAY_HAVE_CLOCKS_AND_DICE: [(&str, &str); 2] = [
    ("crates/runtime/", "its purpose"),
    (
        "crates/providers/rbm/src/service_account.rs",
        "ring asks for a source to sign with RSA, and draws nothing from it for this padding",
    ),
];

/// The one file that names `backoff`.
const BACKOFF: &str = "crates/runtime/src/reconnect.rs";

/// Words of our own that are also the names of vendors' folders: a channel, and the simulated vendor.
const OUR_WORDS: [&str; 2] = ["whatsapp", "sandbox"];

/// Tests that are left out of a run, and why.
const MAY_BE_IGNORED: [(&str, &str); 2] = [
    ("crates/store-embedded/tests/crash.rs", "the process that is killed; the test that kills it starts it"),
    (
        "crates/store-embedded/tests/readonly.rs",
        "the process under another user; the test that reads what it says starts it",
    ),
];

/// How long a file may be without its tests. A longer one usually tells two stories.
const MOST_LINES: usize = 600;

/// Longer files, and why they are one story.
const MAY_BE_LONGER: [(&str, &str); 0] = [];

fn places<'a>(source: &'a Source, tokens: &[&'a Token], wanted: &[&str]) -> Vec<String> {
    tokens
        .windows(wanted.len())
        .filter(|window| window.iter().zip(wanted).all(|(token, text)| token.text == *text))
        .map(|window| format!("{}:{}: {}", source.path, window[0].line, wanted.concat()))
        .collect()
}

#[test]
fn clocks_and_dice_are_in_the_runtime_only() {
    let mut found = Vec::new();
    for source in shipped().filter(|source| source.path != "build.rs") {
        if MAY_HAVE_CLOCKS_AND_DICE.iter().any(|(place, _)| source.path.starts_with(place)) {
            continue;
        }
        let tokens: Vec<_> = source.shipped_tokens().collect();
        found.extend(CLOCKS_AND_DICE.iter().flat_map(|wanted| places(source, &tokens, wanted)));
    }
    assert!(found.is_empty(), "take a Clock, Dice, `now` or a seed instead: {found:#?}");
}

#[test]
fn one_module_names_backoff() {
    for source in shipped().filter(|source| source.path != BACKOFF) {
        let tokens: Vec<_> = source.shipped_tokens().collect();
        let found = places(source, &tokens, &["backoff", ":", ":"]);
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn nothing_outside_its_folder_says_a_vendors_name() {
    let vendors: Vec<_> = members()
        .iter()
        .filter_map(|member| folder(member).strip_prefix("crates/providers/").map(str::to_owned))
        .collect();
    let mut found = Vec::new();
    for source in shipped() {
        let foreign = vendors.iter().filter(|vendor| !is_at_home(source, vendor));
        for vendor in foreign {
            let tokens = source.shipped_tokens().filter(|token| says(&token.text, vendor));
            found.extend(tokens.map(|token| format!("{}:{}: {}", source.path, token.line, token.text)));
        }
    }
    assert!(found.is_empty(), "what differs between vendors is a capability or a setting: {found:#?}");
}

fn is_at_home(source: &Source, vendor: &str) -> bool {
    ["src", vendor].iter().any(|folder| source.path.starts_with(&format!("crates/providers/{folder}/")))
}

/// Whether a word or text names the vendor. The words that are ours too count only as the name of the vendor's crate.
fn says(text: &str, vendor: &str) -> bool {
    let text = text.to_lowercase();
    if OUR_WORDS.contains(&vendor) {
        return text.contains(&format!("otter_provider_{vendor}"));
    }
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word.starts_with(vendor))
}

#[test]
fn nothing_is_unfinished() {
    let mut found = Vec::new();
    for source in all() {
        let tokens: Vec<_> = source.tokens.iter().collect();
        for wanted in [&["todo", "!"], &["unimplemented", "!"]] {
            found.extend(places(source, &tokens, wanted));
        }
        if !MAY_BE_IGNORED.iter().any(|(path, _)| *path == source.path) {
            found.extend(places(source, &tokens, &["#", "[", "ignore"]));
        }
    }
    for ending in [".rs", ".proto", ".lua", ".toml", ".md"] {
        for path in files_below("", ending) {
            let text = otter_tests::read(&path);
            let marks = text
                .lines()
                .filter(|line| line.contains(concat!("FIX", "ME")) || line.contains(concat!("TO", "DO")));
            found.extend(marks.map(|line| format!("{path}: {line}")));
        }
    }
    assert!(found.is_empty(), "finish it, or say in an issue what is left: {found:#?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for member in members() {
        let manifest: toml::Table =
            std::fs::read_to_string(&member.manifest_path).unwrap().parse().expect("cargo reads it too");
        let inherited = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert!(inherited.is_some(), "{} has no [lints] workspace = true", member.name);
    }
}

#[test]
fn a_file_tells_one_story() {
    let long: Vec<_> = shipped()
        .filter(|source| source.shipped_lines() > MOST_LINES)
        .filter(|source| !MAY_BE_LONGER.iter().any(|(path, _)| *path == source.path))
        .map(|source| format!("{}: {} lines", source.path, source.shipped_lines()))
        .collect();
    assert!(long.is_empty(), "look for the second story: {long:#?}");
}
