//! A whole installation for one test: a store, a vendor with handsets, and the real binary.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::Secret;
use otter_runtime::WallClock;
use otter_sandbox_vendor::{Account, Options, Vendor};
use otter_store_redis::test_server::RedisServer;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::client::{API_KEY, Client};
use crate::process::Otter;

/// A bound on waiting for a message that must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The install key of test configurations, in hex.
pub(crate) const INSTALL_KEY: &str = "79598f76ce688f84e05a1c78017f58ba1583cf7692b7c3ccd85e52836addc2e5";

/// Where state is kept.
#[derive(Debug)]
pub enum Kept {
    /// In one directory.
    Embedded(TempDir),
    /// In a real server.
    Redis(RedisServer),
}

impl Kept {
    /// A new directory.
    pub fn embedded() -> Self {
        Self::Embedded(TempDir::with_prefix("otter-store-").expect("a temporary directory can be made"))
    }

    /// A new server.
    pub fn redis() -> Self {
        Self::Redis(RedisServer::start().expect("make setup installs redis-server"))
    }

    /// The address of the store, as `store.url` takes it.
    pub fn url(&self) -> String {
        match self {
            Self::Embedded(directory) => format!("embedded:{}", directory.path().display()),
            Self::Redis(server) => server.url(),
        }
    }

    /// All bytes that it has written.
    pub fn dump(&self) -> Vec<u8> {
        match self {
            Self::Embedded(directory) => {
                let files = std::fs::read_dir(directory.path()).expect("the directory is ours");
                files
                    .flat_map(|file| {
                        std::fs::read(file.expect("it can be listed").path()).unwrap_or_default()
                    })
                    .collect()
            }
            Self::Redis(server) => server.files().expect("the server's files can be read").concat(),
        }
    }
}

/// A whole installation.
#[derive(Debug)]
pub struct World {
    /// The real binary.
    pub otter: Otter,
    /// The vendor: account `alpha` obeys numbers, the others do not.
    pub vendor: Vendor,
    /// A caller.
    pub client: Client,
    /// The store.
    pub kept: Kept,
}

impl World {
    /// Starts everything in one process of Otter.
    pub async fn start(kept: Kept) -> Self {
        Self::with(kept, "", &[]).await
    }

    /// The same with more configuration and arguments.
    pub async fn with(kept: Kept, more: &str, arguments: &[&str]) -> Self {
        let vendor = vendor().await;
        let otter = Otter::start(&configuration(&kept, &vendor, more), arguments).await;
        let client = Client::connect(&otter.grpc_url()).await;
        Self { otter, vendor, client, kept }
    }

    /// The same with limits of the tenant's own in place of the usual ones.
    pub async fn with_limits(kept: Kept, limits: &str) -> Self {
        let vendor = vendor().await;
        let usual = "limits.recipient = [{ max = 50, window = \"10m\" }]";
        let text = configuration(&kept, &vendor, "").replace(usual, limits);
        let otter = Otter::start(&text, &[]).await;
        let client = Client::connect(&otter.grpc_url()).await;
        Self { otter, vendor, client, kept }
    }

    /// The code of the next message on a handset, read as its owner would.
    pub async fn code(&self, number: &str) -> String {
        let mut handset = self.vendor.handset(number);
        let message = tokio::time::timeout(PATIENCE, handset.next()).await.expect("a message comes");
        message.code().expect("the message holds a code")
    }
}

/// The vendor of a test.
pub async fn vendor() -> Vendor {
    start_vendor(false).await
}

/// The same, and it keeps a journal of every request to send.
pub async fn vendor_with_journal() -> Vendor {
    start_vendor(true).await
}

async fn start_vendor(journal: bool) -> Vendor {
    let account = |name: &str| {
        let secret = |what: &str| Secret::new(format!("{name}-{what}"));
        Account::new(name, secret("key"), secret("signing-key"))
    };
    let mut accounts = vec![account("alpha")];
    accounts.extend(["beta", "chat", "rich", "call"].map(|name| account(name).ignoring_numbers()));
    let options = Options { journal, ..Options::new(accounts, Arc::new(WallClock::open())) };
    Vendor::start(options).await.expect("a loopback port is free")
}

/// The configuration of a test. Every part of it is one that an operator could write.
pub fn configuration(kept: &Kept, vendor: &Vendor, more: &str) -> String {
    configuration_of(&kept.url(), &vendor.base_url(), more)
}

/// The same for a store and a vendor at these addresses.
pub fn configuration_of(store_url: &str, vendor_url: &str, more: &str) -> String {
    let digest: String =
        Sha256::digest(API_KEY.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = include_str!("world.toml");
    let text = text
        .replace("{install}", INSTALL_KEY)
        .replace("{store}", store_url)
        .replace("{vendor}", vendor_url)
        .replace("{digest}", &digest);
    format!("{text}\n{more}")
}

/// What a scrape of the process reads.
pub async fn scrape(otter: &Otter) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let admin = otter.addresses().admin;
    let mut stream = tokio::net::TcpStream::connect(admin).await.expect("the admin port listens");
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the admin port reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("metrics are text");
    answer
}
