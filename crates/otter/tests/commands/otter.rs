//! The real binary, run as a person or a script runs it.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The key that every run brings along; no output may contain it.
pub(crate) const API_KEY: &str = "key-of-the-shop";

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Run {
    /// The single line of standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        let lines = self.json_lines();
        assert_eq!(lines.len(), 1, "{}", self.output);
        lines.into_iter().next().unwrap()
    }

    /// Every line of standard output as JSON.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        self.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs `otter` with these arguments against a server, with nothing on standard input.
pub(crate) fn otter(server: &str, arguments: &[&str]) -> Run {
    otter_reads(server, arguments, "")
}

/// Runs `otter` with a text on standard input.
pub(crate) fn otter_reads(server: &str, arguments: &[&str], input: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otter"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTTER")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(arguments)
        .env("OTTER_SERVER", server)
        .env("OTTER_API_KEY", API_KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that ends without reading has closed its input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let run = Run {
        code: status.code().unwrap(),
        output: String::from_utf8(stdout).unwrap(),
        errors: String::from_utf8(stderr).unwrap(),
    };
    for text in [&run.output, &run.errors] {
        assert!(!text.contains(API_KEY), "the API key is shown: {text}");
        assert!(!text.contains('\x1b'), "colours where there is no terminal: {text}");
    }
    run
}
