//! That what the README and the contract's page show is what was tried.

use std::process::Command;

use otter_config::Sources;
use otter_providers::REGISTRATIONS;
use otter_tests::{binary, read};
use sha2::{Digest as _, Sha256};

const README: &str = "README.md";

/// The programs whose middle the README shows, and the language of the block.
const PROGRAMS: [(&str, &str); 4] = [
    ("python", "tests/clients/python/send_and_check.py"),
    ("typescript", "tests/clients/typescript/send_and_check.ts"),
    ("rust", "tests/clients/rust/send_and_check.rs"),
    ("go", "tests/clients/go/main.go"),
];

/// What `buf` is told, as the contract's page shows it.
const TEMPLATES: [&str; 2] = ["tests/clients/typescript/buf.gen.yaml", "tests/clients/go/buf.gen.yaml"];

/// How the README runs `otter` while it is not installed.
const FROM_SOURCE: &str = "cargo run --release --";

#[test]
fn the_readme_shows_the_programs_that_are_tried() {
    let shown = read(README);
    for (language, path) in PROGRAMS {
        let wanted = format!("```{language}\n{}```\n", middle(&read(path)));
        assert!(shown.contains(&wanted), "{README} should have this block, from {path}:\n{wanted}");
    }
}

#[test]
fn the_contracts_page_shows_the_templates_that_are_used() {
    let page = read("proto/README.md");
    for path in TEMPLATES {
        let wanted: String = read(path).lines().map(|line| format!("    {line}\n")).collect();
        assert!(page.contains(&wanted), "proto/README.md should have this block, from {path}:\n{wanted}");
    }
}

#[test]
fn the_configuration_in_the_readme_has_no_problems() {
    let readme = read(README);
    let [example] = blocks(&readme, "toml").try_into().expect("one complete example");
    let sources = Sources {
        file: Some(&example),
        environment: ["TWILIO_API_KEY_SECRET", "TWILIO_AUTH_TOKEN"]
            .map(|name| (name.to_owned(), "0123456789abcdef0123456789abcdef".to_owned()))
            .to_vec(),
        read_file: &|path| {
            assert!(path.starts_with("/run/secrets/otter"), "{}", path.display());
            let key = Sha256::digest(path.to_string_lossy().as_bytes());
            Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
        },
    };
    let loaded =
        otter_config::load(&sources, REGISTRATIONS).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
}

#[test]
fn every_command_in_the_readme_exists() {
    let makefile = read("Makefile");
    let mut tried = 0;
    for block in blocks(&read(README), "console") {
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let command = line.split(" #").next().unwrap_or_default().trim();
            if let Some(target) = command.strip_prefix("make ") {
                assert!(makefile.contains(&format!("\n{target}:")), "the Makefile has no {target}");
            }
            let ours = command.strip_prefix(FROM_SOURCE).or_else(|| command.strip_prefix("otter "));
            if let Some(arguments) = ours {
                is_understood(arguments);
                tried += 1;
            }
        }
    }
    assert!(tried > 0, "the README shows no command");
}

/// Asks for the help of a command with everything that it is told: words that it does not know come first.
fn is_understood(arguments: &str) {
    let words = arguments.split_whitespace().map(|word| word.trim_matches('"'));
    let asked = Command::new(binary()).args(words).arg("--help").output();
    let asked = asked.expect("the otter binary is built: cargo build --bin otter");
    assert!(asked.status.success(), "otter {arguments}: {}", String::from_utf8_lossy(&asked.stderr));
}

/// What stands between the marks of a program, as if it stood alone.
fn middle(program: &str) -> String {
    let is_mark =
        |line: &&str, word: &str| line.trim_start_matches([' ', '\t', '/', '#']) == format!("README: {word}");
    let lines: Vec<_> = program
        .lines()
        .skip_while(|line| !is_mark(line, "begin"))
        .skip(1)
        .take_while(|line| !is_mark(line, "end"))
        .collect();
    let depth = |line: &&str| line.len() - line.trim_start().len();
    let common = lines.iter().filter(|line| !line.is_empty()).map(depth).min().unwrap_or_default();
    lines.iter().map(|line| format!("{}\n", line.get(common..).unwrap_or_default())).collect()
}

/// The fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("\n```{language}\n");
    let parts = page.split(opening.as_str()).skip(1);
    parts.map(|part| part.split("\n```").next().unwrap_or_default().to_owned()).collect()
}
