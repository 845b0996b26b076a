//! One server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use redis::{FromRedisValue, RedisError};
use tempfile::TempDir;

use super::process::Process;
use super::tls::{Authority, ClientCertificate};
use super::{ANSWER, Error, ask, command, field, until};

/// Ports for servers: below those that systems hand out for outgoing connections, so that nobody takes the port of a
/// server while it is down.
const PORTS: std::ops::Range<u16> = 10_000..30_000;

/// How many ports are tried: between finding a free one and listening on it, somebody else may take it.
const PORT_TRIES: u32 = 5;

/// A server that refuses to evict and has written what it answers to its append-only file.
const KEEPS: [&str; 6] =
    ["--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "always"];

/// What holds for every process. A replica gets its copy at once instead of when others may want one too.
const COMMON: [&str; 6] = ["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0"];

/// What a process is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Server,
    Sentinel,
}

impl Kind {
    /// What it writes once it takes commands, its files loaded.
    fn ready(self) -> &'static str {
        match self {
            Self::Server => "Ready to accept connections",
            Self::Sentinel => "+monitor",
        }
    }
}

/// A running server. Dropping it stops the process and removes its directory.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    kind: Kind,
    port: u16,
    scheme: &'static str,
    directory: TempDir,
    launcher: Vec<String>,
}

impl RedisServer {
    /// Starts an empty server that refuses to evict and has written what it answers to its append-only file, and waits
    /// until it is ready.
    pub fn start() -> Result<Self, Error> {
        Self::start_with(&KEEPS)
    }

    /// The same with other settings, given as `redis-server` takes them on its command line.
    pub fn start_with(settings: &[&str]) -> Result<Self, Error> {
        Self::start_under(&[], settings)
    }

    /// The same through another program that becomes the server, such as `strace -D`, given with its arguments, in which
    /// `{}` stands for the server's directory.
    pub fn start_under(launcher: &[&str], settings: &[&str]) -> Result<Self, Error> {
        Self::launch(Kind::Server, "redis", launcher, |port| {
            Ok(lines(&[&["--port", &port.to_string()], settings].concat()))
        })
    }

    /// Starts a server that copies another one, and waits until it has all that the other had.
    pub async fn replica_of(primary: &Self, settings: &[&str]) -> Result<Self, Error> {
        let of = ["--replicaof", "127.0.0.1", &primary.port.to_string()];
        let replica = Self::start_with(&[&of, settings].concat())?;
        until("a replica to be in sync", || async {
            let info = replica.info("replication").await.ok()?;
            (field(&info, "master_link_status") == Some("up")).then_some(())
        })
        .await?;
        Ok(replica)
    }

    /// Starts a server that keeps what it is given and speaks nothing but TLS, with a certificate for `127.0.0.1` and
    /// `localhost` by the authority.
    pub fn start_tls(authority: &Authority, client: ClientCertificate) -> Result<Self, Error> {
        let files = authority.server()?;
        let (ca, certificate, key) = (authority.ca(), files.certificate, files.key);
        let auth = match client {
            ClientCertificate::Required => "yes",
            ClientCertificate::Ignored => "no",
        };
        let [ca, certificate, key] = [&ca, &certificate, &key].map(|path| path.to_string_lossy());
        Self::launch(Kind::Server, "rediss", &[], |port| {
            let port = port.to_string();
            let listen = ["--port", "0", "--tls-port", &port, "--tls-auth-clients", auth];
            let files = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &certificate, "--tls-key-file", &key];
            Ok(lines(&[&listen[..], &files, &KEEPS].concat()))
        })
    }

    /// Starts a server that keeps what it is given, with users as an ACL file names them, such as
    /// `otter on >password ~otter:* &otter:* +@all`. Who gives no name is `default`, which is on unless a line says else.
    pub fn start_with_users(users: &[&str]) -> Result<Self, Error> {
        let users = users.iter().flat_map(|user| std::iter::once("--user").chain(user.split(' ')));
        Self::start_with(&KEEPS.into_iter().chain(users).collect::<Vec<_>>())
    }

    /// Starts a process whose configuration depends on its port.
    pub(super) fn launch(
        kind: Kind,
        scheme: &'static str,
        launcher: &[&str],
        configuration: impl Fn(u16) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let directory = tempfile::Builder::new().prefix("otter-redis-").tempdir()?;
        let place = text(directory.path());
        let launcher: Vec<_> = launcher.iter().map(|word| word.replace("{}", &place)).collect();
        let mut ended = Error::Ended(String::new());
        for _ in 0..PORT_TRIES {
            let port = free_port()?;
            let common = lines(&[&COMMON[..], &["--dir", &place]].concat());
            std::fs::write(configuration_in(&directory), common + &configuration(port)?)?;
            match run(kind, &launcher, &directory) {
                Ok(process) => return Ok(Self { process, kind, port, scheme, directory, launcher }),
                Err(error @ Error::Ended(_)) => ended = error,
                Err(error) => return Err(error),
            }
        }
        Err(ended)
    }

    /// Where it listens, as `store.url` takes it.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// All that the process has written to its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills the process without a chance to say goodbye. What it has written stays.
    pub fn crash(&mut self) {
        self.process.kill();
    }

    /// Stops the process where it stands: connections stay open and nobody answers, as when a network swallows everything.
    pub fn freeze(&self) -> io::Result<()> {
        self.process.signal("STOP")
    }

    /// Lets a frozen process go on.
    pub fn thaw(&self) -> io::Result<()> {
        self.process.signal("CONT")
    }

    /// Starts the process again on the same port, with what it has written and the same settings, and those that it was
    /// told to keep meanwhile; kills it before if it runs.
    pub fn start_again(&mut self) -> Result<(), Error> {
        self.crash();
        self.process = run(self.kind, &self.launcher, &self.directory)?;
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

    /// What it answers to a command, by a connection of its own.
    pub fn ask<T: FromRedisValue + Send>(
        &self,
        words: &[&str],
    ) -> impl Future<Output = Result<T, RedisError>> + Send + use<T> {
        let (url, command) = (self.url(), command(words));
        async move { ask(&url, &command, ANSWER).await }
    }

    /// What `INFO` says about a section.
    pub async fn info(&self, section: &str) -> Result<String, RedisError> {
        self.ask(&["INFO", section]).await
    }

    /// How many replicas have all but the last moment of what it has.
    pub(super) async fn replicas_online(&self) -> Option<usize> {
        let info = self.info("replication").await.ok()?;
        Some(info.lines().filter(|line| line.starts_with("slave") && line.contains("state=online")).count())
    }
}

fn run(kind: Kind, launcher: &[String], directory: &TempDir) -> Result<Process, Error> {
    let words: Vec<_> = launcher.iter().map(String::as_str).chain(["redis-server"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(configuration_in(directory));
    match kind {
        Kind::Server => {}
        Kind::Sentinel => {
            command.arg("--sentinel");
        }
    }
    Process::start(&mut command, kind.ready())
}

fn configuration_in(directory: &TempDir) -> std::path::PathBuf {
    directory.path().join("redis.conf")
}

/// Settings as a configuration file has them, so that a server can keep what it is told by others.
pub(super) fn lines(settings: &[&str]) -> String {
    let mut lines = String::new();
    for word in settings {
        match word.strip_prefix("--") {
            Some(name) => lines.extend(["\n", name]),
            None => lines.push_str(&format!(" {word:?}")),
        }
    }
    lines
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A port that nobody listens on. Processes begin at different places, so that they seldom ask for the same one.
pub(super) fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = u32::from(PORTS.end - PORTS.start);
    let start = std::process::id().wrapping_mul(7919);
    for _ in 0..span {
        let place = start.wrapping_add(u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % span;
        let port = PORTS.start + u16::try_from(place).expect("a span of ports is a port");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
