//! An installation of many processes, each with one role, that can be killed, frozen and started again one by one.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{Clock as _, Moment};
use otter_runtime::WallClock;
use otter_sandbox_vendor::Vendor;

use crate::callers::Callers;
use crate::draws::Draws;
use crate::process::Otter;
use crate::stopwatch::Stopwatch;
use crate::world::{configuration_of, scrape, vendor_with_journal};

/// How long a process is started again and again, as a supervisor would, until it stays; a bound, not a wait.
const PERSISTENCE: Duration = Duration::from_secs(120);

/// How long the supervisor leaves a process alone that ended before it was ready.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Ports that the system gives nobody by itself, so that a process finds its own free when it comes back.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// What a process of the fleet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Answers callers.
    Api,
    /// Sends.
    Worker,
    /// Fires timers.
    Scheduler,
    /// Takes vendors' callbacks.
    Receipts,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Api, Self::Worker, Self::Scheduler, Self::Receipts];

    fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Scheduler => "scheduler",
            Self::Receipts => "receipts",
        }
    }
}

/// How many processes there are of each role.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many answer callers, each on an address of its own that stays.
    pub api: usize,
    /// How many send.
    pub worker: usize,
    /// How many fire timers.
    pub scheduler: usize,
    /// How many take callbacks, each on an address of its own that stays; workers are spread over them.
    pub receipts: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { api: 2, worker: 2, scheduler: 2, receipts: 2 }
    }
}

impl Shape {
    fn count(self, role: Role) -> usize {
        match role {
            Role::Api => self.api,
            Role::Worker => self.worker,
            Role::Scheduler => self.scheduler,
            Role::Receipts => self.receipts,
        }
    }
}

/// Something that was done to a process, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    /// When it was done.
    pub at: Moment,
    /// The role of whom it hit.
    pub role: Role,
    /// Which of that role, from 0.
    pub place: usize,
    /// What was done.
    pub kind: BlowKind,
}

/// What can be done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlowKind {
    /// Killed without a chance to say goodbye.
    Killed,
    /// Started again, and ready.
    Started,
    /// Stopped where it stood.
    Frozen,
    /// Allowed to go on.
    Thawed,
    /// Asked to stop, and gone.
    Stopped,
}

/// Many processes of the real binary over one store and one vendor. Dropping it kills them.
pub struct Fleet {
    vendor: Vendor,
    clock: Arc<WallClock>,
    processes: Vec<Process>,
    callers: Callers,
    blows: Arc<Mutex<Vec<Blow>>>,
}

/// One process of the fleet.
pub struct Process {
    role: Role,
    place: usize,
    configuration: String,
    /// `None` while it is dead.
    otter: tokio::sync::Mutex<Option<Otter>>,
    clock: Arc<WallClock>,
    blows: Arc<Mutex<Vec<Blow>>>,
}

impl Fleet {
    /// Starts everything over the store with this address, and returns when all are ready. `more` is put at the end of
    /// every process's configuration.
    pub async fn start(store_url: &str, shape: Shape, more: &str) -> Self {
        Self::start_over(store_url, "", shape, more).await
    }

    /// The same with further settings of the section `store`, line by line.
    pub async fn start_over(store_url: &str, store: &str, shape: Shape, more: &str) -> Self {
        let vendor = vendor_with_journal().await;
        let ports = |count: usize| (0..count).map(|_| free_port()).collect::<Vec<_>>();
        let (api, receipts) = (ports(shape.api), ports(shape.receipts));
        let clock = Arc::new(WallClock::open());
        let blows = Arc::default();
        let base = configuration_of(store_url, &vendor.base_url(), more)
            .replace("[store]\n", &format!("[store]\n{store}\n"));
        let mut processes = Vec::new();
        for role in Role::ALL {
            for place in 0..shape.count(role) {
                let listen = match role {
                    Role::Api => api.get(place).map(|port| ("grpc", *port)),
                    Role::Receipts => receipts.get(place).map(|port| ("receipts", *port)),
                    Role::Worker | Role::Scheduler => None,
                };
                let callbacks = receipts.get(place % receipts.len().max(1)).copied();
                let configuration = adapted(&base, listen, callbacks);
                let (clock, blows) = (Arc::clone(&clock), Arc::clone(&blows));
                let otter = tokio::sync::Mutex::default();
                processes.push(Process { role, place, configuration, otter, clock, blows });
            }
        }
        let callers = Callers::of(api.iter().map(|port| format!("http://127.0.0.1:{port}")));
        let fleet = Self { vendor, clock, processes, callers, blows };
        for process in &fleet.processes {
            process.begin().await;
        }
        fleet
    }

    /// The vendor; its account `alpha` obeys numbers, the others do not.
    pub fn vendor(&self) -> &Vendor {
        &self.vendor
    }

    /// A clock that agrees with the vendor's and with the store's.
    pub fn clock(&self) -> Arc<WallClock> {
        Arc::clone(&self.clock)
    }

    /// A caller over all processes that answer.
    pub fn callers(&self) -> Callers {
        self.callers.clone()
    }

    /// All processes.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The processes of a role.
    pub fn of(&self, role: Role) -> Vec<&Process> {
        self.processes.iter().filter(|process| process.role == role).collect()
    }

    /// Everything that was done to processes so far.
    pub fn blows(&self) -> Vec<Blow> {
        self.blows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sum of a metric over all its labels and all living processes. What was counted by those that died is lost.
    pub async fn metric(&self, name: &str) -> f64 {
        let mut sum = 0.0;
        for process in &self.processes {
            if let Some(otter) = &*process.otter.lock().await {
                let text = scrape(otter).await;
                let samples = text.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
                sum += samples.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>();
            }
        }
        sum
    }
}

impl Process {
    /// What it does.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Which of its role it is, from 0.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Kills it without a chance to say goodbye, if it lives.
    pub async fn kill(&self) {
        let mut otter = self.otter.lock().await;
        if let Some(mut otter) = otter.take() {
            self.book(BlowKind::Killed);
            otter.kill();
        }
    }

    /// Starts it again with the same configuration, if it is dead, and returns when it is ready. If it ends before that,
    /// it is tried again, as a supervisor would.
    pub async fn start_again(&self) {
        if self.begin().await {
            self.book(BlowKind::Started);
        }
    }

    /// Stops it where it stands.
    pub async fn freeze(&self) {
        if let Some(otter) = &*self.otter.lock().await {
            self.book(BlowKind::Frozen);
            otter.freeze();
        }
    }

    /// Lets it go on.
    pub async fn thaw(&self) {
        if let Some(otter) = &*self.otter.lock().await {
            otter.thaw();
            self.book(BlowKind::Thawed);
        }
    }

    /// Asks it to stop, waits until it is gone, and returns its exit status.
    pub async fn stop(&self) -> Option<i32> {
        let status = self.otter.lock().await.take()?.stop().await;
        self.book(BlowKind::Stopped);
        status
    }

    /// The memory that it has in use, in bytes; nothing while it is dead.
    pub async fn memory(&self) -> u64 {
        self.otter.lock().await.as_ref().map(Otter::memory).unwrap_or_default()
    }

    /// What it has written, if it lives.
    pub async fn log(&self) -> String {
        self.otter.lock().await.as_ref().map(Otter::log).unwrap_or_default()
    }

    /// Whether it had to be started.
    async fn begin(&self) -> bool {
        let mut otter = self.otter.lock().await;
        if otter.is_some() {
            return false;
        }
        let began = Stopwatch::start();
        loop {
            match Otter::try_start(&self.configuration, &["--role", self.role.as_str()]).await {
                Ok(started) => {
                    *otter = Some(started);
                    return true;
                }
                Err(why) => assert!(began.elapsed() < PERSISTENCE, "it does not stay: {why}"),
            }
            tokio::time::sleep(BACK_OFF).await;
        }
    }

    fn book(&self, kind: BlowKind) {
        let blow = Blow { at: self.clock.now(), role: self.role, place: self.place, kind };
        self.blows.lock().unwrap_or_else(PoisonError::into_inner).push(blow);
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("processes", &self.processes).finish_non_exhaustive()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.role.as_str(), self.place)
    }
}

/// A configuration with what differs from process to process.
fn adapted(base: &str, listen: Option<(&str, u16)>, callbacks: Option<u16>) -> String {
    let anywhere = "listen = \"127.0.0.1:0\"";
    let mut text = base.to_owned();
    if let Some((section, port)) = listen {
        let (before, after) =
            (format!("[{section}]\n{anywhere}"), format!("[{section}]\nlisten = \"127.0.0.1:{port}\""));
        assert!(text.contains(&before), "test configurations have the section {section}");
        text = text.replace(&before, &after);
    }
    if let Some(port) = callbacks {
        text =
            text.replace("[receipts]\n", &format!("[receipts]\npublic_url = \"http://127.0.0.1:{port}\"\n"));
    }
    text
}

/// A port that nobody listens on and that the system gives to nobody else by itself.
fn free_port() -> u16 {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    loop {
        let drawn = DRAWN.fetch_add(1, Ordering::Relaxed);
        let draw =
            Draws::of(u64::from(std::process::id()), drawn).below(usize::from(PORTS.end - PORTS.start));
        let port = PORTS.start + u16::try_from(draw).expect("ports are small");
        if TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok() {
            return port;
        }
    }
}
