//! The real binary as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

/// How long a process may take to be ready; a bound, not a wait.
const READY: Duration = Duration::from_secs(60);

/// How long a process may take to stop by itself.
const STOPPED: Duration = Duration::from_secs(30);

/// A running `otter serve`. Dropping it kills it.
#[derive(Debug)]
pub struct Otter {
    child: Child,
    directory: TempDir,
    addresses: Addresses,
}

/// Where it listens.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Addresses {
    /// The contract, if it has the role.
    pub grpc: Option<SocketAddr>,
    /// The ingress for callbacks, if it has the role.
    pub receipts: Option<SocketAddr>,
    /// Probes and metrics.
    pub admin: SocketAddr,
}

impl Otter {
    /// Starts a process with a configuration and waits until it says where it listens.
    ///
    /// # Panics
    ///
    /// If the binary is missing, or ends before it is ready; then with what it wrote.
    pub async fn start(configuration: &str, arguments: &[&str]) -> Self {
        Self::try_start(configuration, arguments).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same, but a process that ends before it is ready is told about, with what it wrote: a supervisor would try
    /// again.
    ///
    /// # Panics
    ///
    /// If the binary is missing, or neither ends nor is ready in time.
    pub async fn try_start(configuration: &str, arguments: &[&str]) -> Result<Self, String> {
        Self::try_start_under(&[], configuration, arguments).await
    }

    /// The same under a program that becomes it, given with its arguments; none is none.
    ///
    /// # Panics
    ///
    /// If a binary is missing, or the process neither ends nor is ready in time.
    pub async fn try_start_under(
        launcher: &[&str],
        configuration: &str,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let directory = TempDir::with_prefix("otter-test-").expect("a temporary directory can be made");
        let config = directory.path().join("otter.toml");
        std::fs::write(&config, configuration).expect("the directory is ours");
        let announce = directory.path().join("addresses.json");
        let log = std::fs::File::create(directory.path().join("log")).expect("the directory is ours");
        let mut command = match launcher {
            [] => Command::new(binary()),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
        let child = command
            .arg("serve")
            .args(["--config".as_ref(), config.as_os_str(), "--announce".as_ref(), announce.as_os_str()])
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the otter binary is built: cargo build --bin otter");
        let unset = SocketAddr::from(([127, 0, 0, 1], 0));
        let addresses = Addresses { grpc: None, receipts: None, admin: unset };
        let mut otter = Self { child, directory, addresses };
        otter.addresses = tokio::time::timeout(READY, otter.announced(&announce))
            .await
            .unwrap_or_else(|_| panic!("otter was not ready in time; it wrote:\n{}", otter.log()))?;
        Ok(otter)
    }

    async fn announced(&mut self, file: &Path) -> Result<Addresses, String> {
        loop {
            if let Ok(text) = std::fs::read_to_string(file) {
                return Ok(serde_json::from_str(&text).expect("the addresses are JSON"));
            }
            if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                return Err(format!("otter ended with {status}; it wrote:\n{}", self.log()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The base of the contract's URL.
    pub fn grpc_url(&self) -> String {
        format!("http://{}", self.addresses.grpc.expect("the process has the api role"))
    }

    /// All that it has written to standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Replaces its configuration file.
    pub fn reconfigure(&self, configuration: &str) {
        let file = self.directory.path().join("otter.toml");
        let partial = file.with_extension("partial");
        std::fs::write(&partial, configuration).expect("the directory is ours");
        std::fs::rename(&partial, &file).expect("the directory is ours");
    }

    /// Kills it without a chance to say goodbye.
    pub fn kill(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The memory that it has in use, in bytes: what the kernel counts as resident.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it lives, or has not been waited for");
        let kibibytes =
            status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
        kibibytes.map_or(0, |number| number.parse::<u64>().expect("the kernel writes numbers") * 1024)
    }

    /// Stops it where it stands, as a long pause of its machine would.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends it a signal by its name: `TERM`, `HUP` …
    ///
    /// # Panics
    ///
    /// If it is gone.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-s", name, &pid]).status().expect("kill is a program");
        assert!(asked.success(), "the process was there to be asked");
    }

    /// Asks it to stop and waits for its exit status.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().expect("the child can be asked") {
                    return status.code();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(STOPPED, ended).await.expect("it stops within its grace")
    }
}

impl Drop for Otter {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            use std::io::Write as _;
            // Test configurations hold their secrets, which each process warns of.
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|line| !line.contains("is questionable")).collect();
            // The test fails anyway; this tells why.
            let _ = writeln!(std::io::stderr(), "otter wrote:\n{}", lines.join("\n"));
        }
    }
}

/// The binary beside the test that runs.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let built = test.ancestors().nth(2).expect("a test is in target/<profile>/deps");
    built.join("otter")
}
