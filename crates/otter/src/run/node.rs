//! A running process: which roles it has, what it listens on, how it is reloaded and stopped.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use otter_api::{Access, Certificates, Parts};
use otter_config::Settings;
use otter_delivery::{Books, BooksError, Desk, Feed, Intake, Keys, Scheduler, Setup, Slices, View, Worker};
use otter_domain::{ProviderName, WorkerId};
use otter_receipts::Limits;
use otter_runtime::{Dice, Grace, Lifecycle, NoRandomness, OsDice, Stopped};
use otter_store_redis::Require;
use otter_telemetry::{Metrics, MetricsError, Telemetry};
use serde::Serialize;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::gauges::Gauges;
use super::{admin, assemble, engine};

/// What a process does.
#[derive(Debug, Clone)]
pub(crate) struct Roles {
    pub(crate) api: bool,
    pub(crate) worker: bool,
    pub(crate) receipts: bool,
    pub(crate) scheduler: bool,
    /// The only providers that this process's workers serve; `None` is all.
    pub(crate) providers: Option<Vec<ProviderName>>,
}

impl Roles {
    /// Everything.
    pub(crate) fn all() -> Self {
        Self { api: true, worker: true, receipts: true, scheduler: true, providers: None }
    }
}

/// Where a process listens; what it has no role for is not there.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Addresses {
    pub(crate) grpc: Option<SocketAddr>,
    pub(crate) receipts: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
}

/// Why a process cannot start.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    #[error("could not listen on {address} for {what}")]
    Listen {
        what: &'static str,
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] otter_store::Error),
    #[error("could not read the store's clock")]
    Books(#[from] BooksError),
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    #[error("could not set up metrics")]
    Metrics(#[from] MetricsError),
    #[error("could not set up the gRPC edge")]
    Api(#[from] otter_api::Error),
    #[error("provider {0} is not configured")]
    UnknownProvider(ProviderName),
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Node {
    addresses: Addresses,
    lifecycle: Lifecycle,
    setup: Arc<ArcSwap<Setup>>,
    access: Arc<ArcSwap<Access>>,
    metrics: Arc<Metrics>,
    books: Arc<Books>,
    view: Arc<View>,
    worker: Option<(Worker, Option<Vec<ProviderName>>)>,
    lanes: Mutex<BTreeSet<ProviderName>>,
    tasks: Mutex<JoinSet<()>>,
    local_receipts: Option<String>,
    certificates: Option<Certificates>,
    grace: Grace,
}

impl Node {
    /// Starts the roles. When it returns, everything listens.
    pub(crate) async fn start(
        settings: &Settings,
        roles: Roles,
        require: Require,
    ) -> Result<Self, StartError> {
        let dice: Arc<dyn Dice> = Arc::new(OsDice::open()?);
        let listeners = Listeners::bind(settings, &roles).await?;
        let addresses = listeners.addresses();
        let store = engine::open(settings, &dice, require).await?;
        let metrics =
            Metrics::new(settings.metrics.countries.clone(), env!("CARGO_PKG_VERSION"), revision())?;
        let metrics = Arc::new(metrics);
        metrics.configure(settings.metrics.countries.clone(), &assemble::accounts(settings));
        let keys = Arc::new(assemble::keys(settings));
        let books = Books::open(store, Arc::clone(&dice), Arc::clone(&keys), Arc::clone(&metrics)).await?;
        metrics.config_reloaded(true, books.now());
        let view = Arc::new(View::default());
        look_around(&view, &books).await;
        let local_receipts =
            addresses.receipts.filter(|at| at.ip().is_loopback()).map(|at| format!("http://{at}"));
        let setup = assemble::setup(settings, local_receipts.as_deref());
        let setup = Arc::new(ArcSwap::from_pointee(setup));
        let access = Arc::new(ArcSwap::from_pointee(assemble::access(settings)));
        let worker = Worker::new(
            Arc::clone(&books),
            Arc::clone(&setup),
            Arc::clone(&keys),
            Arc::clone(&view),
            Arc::clone(&metrics),
            worker_id(&*dice),
        );
        let shutdown = settings.shutdown;
        let mut node = Self {
            addresses,
            lifecycle: Lifecycle::default(),
            setup,
            access,
            metrics,
            books,
            view,
            worker: roles.worker.then_some((worker, roles.providers.clone())),
            lanes: Mutex::default(),
            tasks: Mutex::default(),
            local_receipts,
            certificates: None,
            grace: Grace { delay: shutdown.delay, drain: shutdown.drain, flush: shutdown.flush },
        };
        node.check_providers(&roles)?;
        node.run_views(listeners.admin);
        node.certificates =
            node.run_edges(settings, &keys, dice.u32(), listeners.grpc, listeners.receipts)?;
        node.name_pending_restarts(&[]);
        if roles.scheduler {
            let (books, setup) = (Arc::clone(&node.books), Arc::clone(&node.setup));
            let scheduler = Scheduler::new(books, setup, keys, Arc::clone(&node.view));
            node.spawn(scheduler.run(node.lifecycle.phases()));
        }
        node.run_lanes();
        Ok(node)
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Puts other certificates in force, if they are others; refuses what cannot be used, and then nothing changes.
    pub(crate) fn renew_certificates(&self, settings: &Settings) -> Result<(), otter_api::Error> {
        let shown = assemble::certificates(settings);
        if let (Some(certificates), Some(tls)) = (&self.certificates, shown)
            && certificates.renew(&tls)?
        {
            info!("new gRPC connections get the renewed certificates");
        }
        Ok(())
    }

    /// Puts another configuration in force, but for the settings in `pending`, which stay as they were at the start.
    pub(crate) fn reload(&self, settings: &Settings, pending: &[&'static str]) {
        self.name_pending_restarts(pending);
        self.setup.store(Arc::new(assemble::setup(settings, self.local_receipts.as_deref())));
        self.access.store(Arc::new(assemble::access(settings)));
        self.metrics.configure(settings.metrics.countries.clone(), &assemble::accounts(settings));
        self.metrics.config_reloaded(true, self.books.now());
        self.run_lanes();
        info!("configuration reloaded");
    }

    /// Books that a configuration was refused; the one in force stays.
    pub(crate) fn reload_refused(&self) {
        self.metrics.config_reloaded(false, self.books.now());
    }

    /// Stops in order: readiness off, no new work, what is held is finished within the grace, telemetry is flushed. When
    /// `hurry` ends, what is held is dropped at once.
    pub(crate) async fn stop(self, hurry: impl Future<Output = ()>, telemetry: Option<Telemetry>) -> Stopped {
        let Self { lifecycle, tasks, grace, .. } = self;
        let flush = async move {
            if let Some(telemetry) = telemetry {
                let flushed = tokio::task::spawn_blocking(move || telemetry.flush(grace.flush));
                // A flush that panicked has nothing more to flush.
                let _ = flushed.await;
            }
        };
        let stopped = lifecycle.stop(grace, hurry, flush).await;
        tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        stopped
    }

    fn name_pending_restarts(&self, pending: &[&'static str]) {
        for setting in Settings::needing_restarts() {
            self.metrics.pending_restart(setting, pending.contains(&setting));
        }
    }

    fn check_providers(&self, roles: &Roles) -> Result<(), StartError> {
        let setup = self.setup.load();
        let unknown = roles.providers.iter().flatten().find(|name| !setup.providers.contains_key(*name));
        unknown.map_or(Ok(()), |name| Err(StartError::UnknownProvider(name.clone())))
    }

    fn run_views(&self, admin: TcpListener) {
        let phases = self.lifecycle.phases();
        let view = Arc::clone(&self.view);
        self.spawn(view.keep_fresh(Arc::clone(&self.books), phases.clone()));
        let gauges = Gauges {
            books: Arc::clone(&self.books),
            setup: Arc::clone(&self.setup),
            view: Arc::clone(&self.view),
            metrics: Arc::clone(&self.metrics),
        };
        self.spawn(gauges.keep_fresh(phases.clone()));
        let metrics = Arc::clone(&self.metrics);
        self.spawn(async move {
            if let Err(error) = admin::serve(admin, phases, metrics).await {
                error!(error = %error, "the admin port stopped");
            }
        });
    }

    fn run_edges(
        &self,
        settings: &Settings,
        keys: &Arc<Keys>,
        jitter: u32,
        grpc: Option<TcpListener>,
        receipts: Option<TcpListener>,
    ) -> Result<Option<Certificates>, StartError> {
        let mut certificates = None;
        let phases = self.lifecycle.phases();
        if let Some(listener) = grpc {
            let feed = Feed::new(Arc::clone(&self.books));
            self.spawn(Arc::clone(&feed).run(phases.clone()));
            let (view, books, setup) =
                (Arc::clone(&self.view), Arc::clone(&self.books), Arc::clone(&self.setup));
            self.spawn(view.keep_lanes_fresh(books, setup, phases.clone()));
            let intake = Intake::new(
                Arc::clone(&self.books),
                Arc::clone(&self.setup),
                Arc::clone(keys),
                Arc::clone(&self.view),
                Arc::new(Slices::default()),
            );
            let parts = Parts {
                intake: Arc::new(intake),
                feed,
                rates: Arc::clone(&self.view.rates),
                access: Arc::clone(&self.access),
                metrics: Arc::clone(&self.metrics),
                phases,
            };
            let server = otter_api::Server::new(parts, assemble::grpc(settings, jitter))?;
            certificates = Some(server.certificates());
            self.spawn(async move {
                if let Err(error) = server.serve(listener).await {
                    error!(error = %error, "the gRPC edge stopped");
                }
            });
        }
        if let Some(listener) = receipts {
            let (books, setup) = (Arc::clone(&self.books), Arc::clone(&self.setup));
            let (view, metrics) = (Arc::clone(&self.view), Arc::clone(&self.metrics));
            let desk = Desk::new(books, Arc::clone(&setup), Arc::clone(keys), view, Arc::clone(&metrics));
            let limits = Limits { body: settings.receipts.max_body_bytes, ..Limits::default() };
            let server =
                otter_receipts::Server::new(desk, setup, self.books.clock(), metrics).with_limits(limits);
            self.spawn(server.run(listener, self.lifecycle.phases()));
        }
        Ok(certificates)
    }

    /// Starts a worker for every provider that has none yet and is this process's to serve.
    fn run_lanes(&self) {
        let Some((worker, only)) = &self.worker else { return };
        let setup = self.setup.load();
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, provider) in &setup.providers {
            let ours = only.as_ref().is_none_or(|only| only.contains(name));
            if !ours || lanes.contains(name) {
                continue;
            }
            if provider.sender.is_none() {
                warn!(provider = %name, "cannot send: only its verification secret is configured here");
                continue;
            }
            lanes.insert(name.clone());
            self.spawn(worker.clone().run(name.clone(), self.lifecycle.phases()));
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(task);
    }
}

/// Reads what is known of providers; without it plans are made as if all were well, until it can be read.
async fn look_around(view: &View, books: &Books) {
    if let Err(problem) = view.refresh(books).await {
        warn!(error = %problem, "starting without a view of providers");
    }
}

/// Tells this process's leases from those of others, and of those that had its number before.
fn worker_id(dice: &dyn Dice) -> WorkerId {
    let id = WorkerId::parse(&format!("{}-{:08x}", std::process::id(), dice.u32()));
    id.expect("a number and eight hex digits are a worker id")
}

/// What a process listens with, as its roles need it.
struct Listeners {
    admin: TcpListener,
    grpc: Option<TcpListener>,
    receipts: Option<TcpListener>,
}

impl Listeners {
    async fn bind(settings: &Settings, roles: &Roles) -> Result<Self, StartError> {
        Ok(Self {
            admin: bind("the admin port", settings.admin.listen).await?,
            grpc: bind_if(roles.api, "gRPC", settings.grpc.listen).await?,
            receipts: bind_if(roles.receipts, "receipts", settings.receipts.listen).await?,
        })
    }

    fn addresses(&self) -> Addresses {
        Addresses {
            admin: address(&self.admin),
            grpc: self.grpc.as_ref().map(address),
            receipts: self.receipts.as_ref().map(address),
        }
    }
}

async fn bind_if(
    wanted: bool,
    what: &'static str,
    at: SocketAddr,
) -> Result<Option<TcpListener>, StartError> {
    if wanted { bind(what, at).await.map(Some) } else { Ok(None) }
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { what, address, source })
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().expect("a bound listener has an address")
}

/// The commit that the build was made from, if the build was told.
fn revision() -> &'static str {
    option_env!("OTTER_REVISION").unwrap_or("unknown")
}
