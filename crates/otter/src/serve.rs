//! `otter serve`: roles of a real installation.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use otter_config::{Problem, Settings};
use otter_domain::ProviderName;
use otter_runtime::{Hangups, Stop};
use otter_store_redis::Require;
use otter_telemetry::{Logs, Otlp, Telemetry};
use tracing::field::display;
use tracing::{error, info, warn};

use crate::run::{self, LoadError, Node, Roles};

/// How often the file is looked at for changes.
const LOOK: Duration = Duration::from_secs(2);

/// Run one or more roles of an installation until the process is told to stop.
#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// The configuration; without one the reference and the environment count alone.
    #[arg(long, env = "OTTER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The roles of this process; all unless said otherwise.
    #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<Role>,
    /// The only providers that this process's workers serve.
    #[arg(long = "provider", value_name = "NAME", value_delimiter = ',', value_parser = provider)]
    providers: Vec<ProviderName>,
    /// Use a Redis that evicts keys or keeps no append-only file, with a warning. It can lose accepted codes.
    #[arg(long)]
    allow_lossy_store: bool,
    /// Write the addresses that the process listens on to this file, as JSON, once it is ready.
    #[arg(long, value_name = "FILE")]
    announce: Option<PathBuf>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Answers callers.
    Api,
    /// Sends.
    Worker,
    /// Takes providers' callbacks.
    Receipts,
    /// Fires timers.
    Scheduler,
}

/// Serves until told to stop. Exits 0 after a drain, and when told to stop while it starts; 1 if it cannot start, 2 if the
/// configuration is wrong. Told a second time, it drops what it holds and only flushes.
pub(crate) async fn run(options: ServeOptions) -> ExitCode {
    let (mut stop, hangups) = match (Stop::listen(), Hangups::listen()) {
        (Ok(stop), Ok(hangups)) => (stop, hangups),
        (Err(problem), _) | (_, Err(problem)) => return complain(1, &problem.to_string()),
    };
    let loaded = match run::load(options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(problem) => return refuse(&problem),
    };
    let telemetry = match start_telemetry(&loaded.settings, options.component()) {
        Ok(telemetry) => telemetry,
        Err(problem) => return complain(1, &problem),
    };
    warn_of(&loaded.warnings);
    let settings = loaded.settings;
    let require = if options.allow_lossy_store { Require::Warn } else { Require::Strict };
    let started = tokio::select! {
        started = Node::start(&settings, options.roles(), require) => started,
        () = stop.asked() => {
            info!("stopped before it was ready");
            return ExitCode::SUCCESS;
        }
    };
    let node = match started {
        Ok(node) => node,
        Err(problem) => return give_up(&chain(&problem)),
    };
    if let Some(problem) = options.announce.as_deref().and_then(|file| announce(&node, file).err()) {
        return give_up(&format!("could not write the addresses: {problem}"));
    }
    let addresses = node.addresses();
    let (grpc, receipts) = (addresses.grpc.map(display), addresses.receipts.map(display));
    info!(grpc, receipts, admin = %addresses.admin, "otter is ready");
    let process = Process { node: &node, telemetry: &telemetry, started: &settings };
    watch(&process, options.config.as_deref(), &mut stop, hangups).await;
    info!("stopping");
    let stopped = node.stop(stop.asked(), Some(telemetry)).await;
    if !stopped.unfinished.is_empty() {
        warn!(unfinished = %stopped.unfinished, "left for others to take over");
    }
    ExitCode::SUCCESS
}

impl ServeOptions {
    fn roles(&self) -> Roles {
        let has = |role: Role| self.roles.is_empty() || self.roles.contains(&role);
        Roles {
            api: has(Role::Api),
            worker: has(Role::Worker),
            receipts: has(Role::Receipts),
            scheduler: has(Role::Scheduler),
            providers: (!self.providers.is_empty()).then(|| self.providers.clone()),
        }
    }

    fn component(&self) -> &'static str {
        match self.roles.as_slice() {
            [Role::Api, ..] => "api",
            [Role::Worker, ..] => "worker",
            [Role::Receipts, ..] => "receipts",
            [Role::Scheduler, ..] => "scheduler",
            [] => "all",
        }
    }
}

/// What a reload changes.
struct Process<'a> {
    node: &'a Node,
    telemetry: &'a Telemetry,
    /// What it was started with.
    started: &'a Settings,
}

/// Waits to be told to stop; reloads on SIGHUP, and when the file changes or one that a secret or certificate stands in.
async fn watch(process: &Process<'_>, config: Option<&Path>, stop: &mut Stop, mut hangups: Hangups) {
    let mut files = process.started.files().to_vec();
    let mut known = contents(config, &files);
    loop {
        let asked = tokio::select! {
            () = stop.asked() => return,
            () = hangups.next() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let present = contents(config, &files);
        if !asked && present == known {
            continue;
        }
        known = present;
        if let Some(settings) = process.reload(config)
            && settings.files() != files
        {
            files = settings.files().to_vec();
            known = contents(config, &files);
        }
    }
}

/// What stands in the files, as numbers to compare.
fn contents(config: Option<&Path>, files: &[PathBuf]) -> Vec<Option<u64>> {
    let content = |path: &Path| {
        let mut hasher = DefaultHasher::new();
        hasher.write(&std::fs::read(path).ok()?);
        Some(hasher.finish())
    };
    config.into_iter().chain(files.iter().map(PathBuf::as_path)).map(content).collect()
}

impl Process<'_> {
    /// Puts what the files say now in force, and names what of it needs a restart; what is wrong changes nothing.
    fn reload(&self, config: Option<&Path>) -> Option<Settings> {
        let loaded = match run::load(config) {
            Ok(loaded) => loaded,
            Err(problem) => return self.refused(&problem.to_string()),
        };
        warn_of(&loaded.warnings);
        let settings = loaded.settings;
        // What can be refused comes first, so that a configuration is in force as a whole or not at all.
        let filter = &settings.telemetry.log_filter;
        if let Err(problem) = otter_telemetry::check_filter(filter) {
            return self.refused(&chain(&problem));
        }
        if let Err(problem) = self.node.renew_certificates(&settings) {
            return self.refused(&chain(&problem));
        }
        if let Err(problem) = self.telemetry.set_filter(filter) {
            return self.refused(&chain(&problem));
        }
        let pending = self.started.restart_needed_for(&settings);
        self.node.reload(&settings, &pending);
        for setting in pending {
            warn!(setting, "a restart is needed for this setting");
        }
        Some(settings)
    }

    fn refused(&self, problem: &str) -> Option<Settings> {
        self.node.reload_refused();
        error!(problem, "configuration refused; the one in force stays");
        None
    }
}

/// Tells what works but is probably not meant.
fn warn_of(warnings: &[Problem]) {
    for warning in warnings {
        warn!(problem = %warning, "the configuration is questionable");
    }
}

/// Tells what is wrong with a configuration in the form that logs have where none is configured: to people as it is, else
/// as one JSON object a problem.
fn refuse(problem: &LoadError) -> ExitCode {
    let logs = Logs { filter: "info".to_owned(), format: otter_telemetry::LogFormat::Auto };
    let for_people = std::io::stderr().is_terminal();
    if for_people || otter_telemetry::start(&logs, None, "all", env!("CARGO_PKG_VERSION")).is_err() {
        return complain(2, &problem.to_string());
    }
    for problem in problem.to_string().lines() {
        error!(problem, "the configuration cannot be used");
    }
    ExitCode::from(2)
}

/// Tells in the log why the process does not start.
fn give_up(problem: &str) -> ExitCode {
    if !tracing::enabled!(tracing::Level::ERROR) {
        return complain(1, problem);
    }
    error!(problem, "could not start");
    ExitCode::from(1)
}

/// Logs and spans as configured.
fn start_telemetry(settings: &Settings, component: &str) -> Result<Telemetry, String> {
    let configured = &settings.telemetry;
    let format = match configured.log_format {
        otter_config::LogFormat::Auto => otter_telemetry::LogFormat::Auto,
        otter_config::LogFormat::Human => otter_telemetry::LogFormat::Human,
        otter_config::LogFormat::Json => otter_telemetry::LogFormat::Json,
    };
    let logs = Logs { filter: configured.log_filter.clone(), format };
    let otlp = configured.otlp.as_ref().map(|otlp| Otlp {
        endpoint: otlp.endpoint.clone(),
        sample: otlp.sample,
        instance: std::process::id().to_string(),
    });
    otter_telemetry::start(&logs, otlp.as_ref(), component, env!("CARGO_PKG_VERSION"))
        .map_err(|problem| problem.to_string())
}

/// Writes the addresses in one step, so that whoever waits for the file never reads half of it.
fn announce(node: &Node, file: &Path) -> std::io::Result<()> {
    let text = serde_json::to_string(&node.addresses()).map_err(std::io::Error::other)?;
    let partial = file.with_extension("partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, file)
}

fn provider(name: &str) -> Result<ProviderName, String> {
    ProviderName::parse(name).map_err(|problem| problem.to_string())
}

pub(crate) fn complain(status: u8, problem: &str) -> ExitCode {
    use std::io::Write;
    // Nobody may be reading; the status says it too.
    let _ = writeln!(std::io::stderr(), "otter: {problem}");
    ExitCode::from(status)
}

/// An error with its sources; one that an error has told already is not told again.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    for source in std::iter::successors(error.source(), |error| error.source()) {
        let source = source.to_string();
        if !text.ends_with(&source) {
            text = format!("{text}: {source}");
        }
    }
    text
}
