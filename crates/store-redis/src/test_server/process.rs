//! A process that says when it is ready, and what it has written since.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::Error;

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts a command and waits until it writes a line that holds `ready`.
    pub(super) fn start(command: &mut Command, ready: &'static str) -> Result<Self, Error> {
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                Error::NotInstalled(command.get_program().to_string_lossy().into_owned())
            } else {
                Error::System(error)
            }
        })?;
        let log = Arc::default();
        let (is_ready, readiness) = channel();
        if let Some(output) = child.stdout.take() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || read(output, &log, ready, is_ready));
        }
        let process = Self { child, log };
        // The sender is gone with the end of the output, and that with the end of the process.
        readiness.recv().map_err(|_| Error::Ended(process.log()))?;
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has written.
    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Kills it without a chance to say goodbye.
    pub(super) fn kill(&mut self) {
        // Both fail only when the process is gone already, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    pub(super) fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().map(drop)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(output: ChildStdout, log: &Mutex<String>, ready: &str, is_ready: Sender<()>) {
    let mut is_ready = Some(is_ready);
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
        if line.contains(ready)
            && let Some(is_ready) = is_ready.take()
        {
            // Nobody listens any more if the process was given up meanwhile.
            is_ready.send(()).ok();
        }
    }
}
