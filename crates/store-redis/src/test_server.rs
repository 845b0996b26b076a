//! A real `redis-server` on a free port of the loopback interface, for tests.
//!
//! Each server has a directory of its own, writes an append-only file as an installation would, and is gone with its
//! value. The server itself says when it is ready; nobody waits for a fixed time.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use thiserror::Error;

/// How many ports are tried: between finding a free one and listening on it, somebody else may take it.
const PORT_TRIES: u32 = 5;

/// What the server logs once it takes commands, its files loaded.
const READY: &str = "Ready to accept connections";

/// Why there is no server.
#[derive(Debug, Error)]
pub enum StartError {
    /// The program is not installed.
    #[error("redis-server is not installed; the Debian package is called redis-server")]
    NotInstalled,
    /// The operating system said no.
    #[error("could not start redis-server")]
    System(#[source] io::Error),
    /// It ended before it was ready, on every port that was tried.
    #[error("redis-server ended before it was ready")]
    Ended,
}

/// A running server. Dropping it stops the process and removes its directory.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    directory: TempDir,
    settings: Vec<String>,
}

impl RedisServer {
    /// Starts an empty server that refuses to evict and has written what it answers to its append-only file, and waits
    /// until it is ready.
    pub fn start() -> Result<Self, StartError> {
        Self::start_with(&[
            "--maxmemory-policy",
            "noeviction",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
    }

    /// The same with other settings, given as `redis-server` takes them on its command line.
    pub fn start_with(settings: &[&str]) -> Result<Self, StartError> {
        let directory =
            tempfile::Builder::new().prefix("otter-redis-").tempdir().map_err(StartError::System)?;
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        for _ in 0..PORT_TRIES {
            let port = free_port().map_err(StartError::System)?;
            if let Some(child) = spawn(&directory, port, &settings)? {
                return Ok(Self { child, port, directory, settings });
            }
        }
        Err(StartError::Ended)
    }

    /// Where it listens, as `store.url` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the process without a chance to say goodbye. What it has written stays.
    pub fn crash(&mut self) {
        stop(&mut self.child);
    }

    /// Stops the process where it stands: connections stay open and nobody answers, as when a network swallows everything.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal("STOP")
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> io::Result<()> {
        Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().map(drop)
    }

    /// Starts the process again on the same port, with what it has written and the same settings; kills it before if
    /// it runs.
    pub fn start_again(&mut self) -> Result<(), StartError> {
        self.crash();
        self.child = spawn(&self.directory, self.port, &self.settings)?.ok_or(StartError::Ended)?;
        Ok(())
    }

    /// All that the server has written to its directory, file by file.
    pub fn files(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        let mut folders = vec![self.directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let path = entry?.path();
                if path.is_dir() { folders.push(path) } else { files.push(std::fs::read(path)?) }
            }
        }
        Ok(files)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn stop(child: &mut Child) {
    // Both fail only when the process is gone already, which is what is wanted.
    child.kill().ok();
    child.wait().ok();
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Starts the process and waits until it is ready; `None` if it ended instead.
fn spawn(directory: &TempDir, port: u16, settings: &[String]) -> Result<Option<Child>, StartError> {
    let spawned = Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(port.to_string())
        .arg("--dir")
        .arg(directory.path())
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = spawned.map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            StartError::NotInstalled
        } else {
            StartError::System(error)
        }
    })?;
    // Nobody reads the log once the server is ready; it goes on without a reader.
    let log = child.stdout.take().map(BufReader::new);
    let mut lines = log.into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    if lines.any(|line| line.contains(READY)) {
        return Ok(Some(child));
    }
    stop(&mut child);
    Ok(None)
}
