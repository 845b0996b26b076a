//! Configurations, checked and shown.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::otter::{Run, otter};

const KEY: &str = "6f74746572206465763a2074686520696e7374616c6c206b65792d2d2d2d2d2d";

/// What has no default.
fn keys() -> String {
    format!(
        "[install]\nkey = \"{KEY}\"\n[keys]\npepper = [{{ id = 1, secret = \"{KEY}\" }}]\n\
         sealing = [{{ id = 1, secret = \"{KEY}\" }}]\ntoken = [{{ id = 1, secret = \"{KEY}\" }}]\n\
         [store]\nurl = \"redis://otter:sesame@localhost\"\n"
    )
}

struct File {
    folder: TempDir,
}

impl File {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("otter.toml"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("otter.toml").to_str().unwrap().to_owned()
    }

    fn config(&self, command: &str, options: &[&str]) -> Run {
        let path = self.path();
        let run = otter("", &[&["config", command, &path], options].concat());
        for secret in [KEY, "sesame"] {
            assert!(
                !run.output.contains(secret) && !run.errors.contains(secret),
                "{}{}",
                run.output,
                run.errors
            );
        }
        run
    }
}

#[test]
fn a_configuration_that_can_be_used_exits_with_0() {
    let file = File::of(&keys());
    let run = file.config("check", &[]);
    assert_eq!(run.code, 0, "{}", run.output);
    assert!(run.output.ends_with(&format!("can be used: {}\n", file.path())), "{}", run.output);
    let run = file.config("check", &["--json"]);
    assert_eq!(run.json()["problems"], Value::Array(Vec::new()));
}

#[test]
fn every_problem_has_a_line_with_its_path() {
    let file = File::of(&format!("{}[grpc]\nlisten = \"nowhere\"\nlisten_to = 1\n", keys()));
    let run = file.config("check", &[]);
    assert_eq!(run.code, 2);
    let about = |path: &str| {
        run.output.lines().filter(|line| line.starts_with(&format!("error: {path} (line "))).count()
    };
    assert_eq!((about("grpc.listen"), about("grpc.listen_to")), (1, 1), "{}", run.output);
    let run = file.config("check", &["--json"]);
    assert_eq!(run.code, 2);
    let json = run.json();
    let paths: Vec<_> = json["problems"].as_array().unwrap().iter().map(|problem| &problem["path"]).collect();
    assert!(paths.contains(&&Value::from("grpc.listen")), "{paths:?}");
}

#[test]
fn settings_are_shown_with_their_defaults_and_without_secrets() {
    let file = File::of(&keys());
    let run = file.config("show", &[]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.output.contains("[shutdown]") && run.output.contains("[masked]"), "{}", run.output);
    let run = file.config("show", &["--json"]);
    assert!(run.json()["shutdown"]["drain"].is_string());
}

#[test]
fn what_cannot_be_used_is_not_shown() {
    let run = File::of("[grpc]\nlisten = \"nowhere\"\n").config("show", &[]);
    assert_eq!((run.code, run.output.as_str()), (2, ""));
    assert!(run.errors.contains("grpc.listen"), "{}", run.errors);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let run = otter("", &["config", "check", "/nowhere/otter.toml"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("/nowhere/otter.toml"), "{}", run.errors);
    assert_eq!(otter("", &["config", "check"]).code, 2);
}
