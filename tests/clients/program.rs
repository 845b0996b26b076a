//! A program that a person sits in front of.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use otter_tests::World;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// A bound on a program that must end; never a wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that can be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// What runs it, and what it is told before the number.
    pub(crate) command: Vec<OsString>,
    /// What it needs in its environment besides.
    pub(crate) environment: Vec<(&'static str, OsString)>,
    /// Where it was made; deleted with it.
    pub(crate) _made_in: Option<TempDir>,
}

/// A program that waits for a code.
#[derive(Debug)]
pub(crate) struct Run {
    child: Child,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) status: Option<i32>,
    /// The last line on standard output, without the question before it.
    pub(crate) last_line: String,
    /// Everything that it wrote.
    pub(crate) output: String,
}

impl Program {
    /// Starts it for a number.
    pub(crate) fn start(&self, world: &World, api_key: &str, number: &str) -> Run {
        let child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .arg(number)
            .env("OTTER_SERVER", world.otter.grpc_url())
            .env("OTTER_API_KEY", api_key)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        Run { child: child.unwrap_or_else(|error| panic!("could not start {:?}: {error}", self.command)) }
    }
}

impl Run {
    /// Types a line as soon as it is known, and waits for the end.
    pub(crate) async fn types<Line: Future<Output = String>>(mut self, line: impl FnOnce() -> Line) -> End {
        // Taken first, because waiting for a child closes it.
        let mut keyboard = self.child.stdin.take().unwrap();
        let line = tokio::select! {
            line = line() => line,
            _ = self.child.wait() => panic!("it ended before a code came: {}", self.ends().await.output),
        };
        keyboard.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        drop(keyboard);
        self.ends().await
    }

    /// Waits for the end.
    pub(crate) async fn ends(self) -> End {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait_with_output()).await;
        let ended = ended.expect("the program ends").unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        let complained = String::from_utf8_lossy(&ended.stderr);
        let last_line = said.lines().last().unwrap_or_default().trim_start_matches("Code: ").to_owned();
        End { status: ended.status.code(), last_line, output: format!("{said}\n{complained}") }
    }
}
