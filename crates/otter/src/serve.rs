//! `otter serve`: roles of a real installation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use otter_config::Settings;
use otter_domain::ProviderName;
use otter_runtime::{Hangups, Stop};
use otter_store_redis::Require;
use otter_telemetry::{Logs, Otlp, Telemetry};
use tracing::field::display;
use tracing::{error, info, warn};

use crate::run::{self, Node, Roles};

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
    let settings = match load(options.config.as_deref()) {
        Ok(settings) => settings,
        Err(problem) => return complain(2, &problem),
    };
    let telemetry = match start_telemetry(&settings, options.component()) {
        Ok(telemetry) => telemetry,
        Err(problem) => return complain(1, &problem),
    };
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
        Err(problem) => return complain(1, &chain(&problem)),
    };
    if let Some(problem) = options.announce.as_deref().and_then(|file| announce(&node, file).err()) {
        return complain(1, &format!("could not write the addresses: {problem}"));
    }
    let addresses = node.addresses();
    let (grpc, receipts) = (addresses.grpc.map(display), addresses.receipts.map(display));
    info!(grpc, receipts, admin = %addresses.admin, "otter is ready");
    watch(&node, settings, options.config.as_deref(), &mut stop, hangups).await;
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

/// Waits to be told to stop; reloads on SIGHUP and when the file changes.
async fn watch(node: &Node, started: Settings, config: Option<&Path>, stop: &mut Stop, mut hangups: Hangups) {
    let text = |path: Option<&Path>| path.and_then(|path| std::fs::read_to_string(path).ok());
    let mut known = text(config);
    loop {
        let asked = tokio::select! {
            () = stop.asked() => return,
            () = hangups.next() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let present = text(config);
        if asked || (present.is_some() && present != known) {
            known = present;
            reload(node, &started, config);
        }
    }
}

/// Puts what the file says now in force, and names what of it needs a restart; a wrong file changes nothing.
fn reload(node: &Node, started: &Settings, config: Option<&Path>) {
    match run::load(config) {
        Ok(loaded) => {
            run::report(&loaded.warnings, std::io::stderr());
            for setting in started.restart_needed_for(&loaded.settings) {
                warn!(setting, "a restart is needed for this setting");
            }
            node.reload(&loaded.settings);
        }
        Err(problem) => {
            node.reload_refused();
            error!(problem = %problem, "configuration refused; the one in force stays");
        }
    }
}

fn load(path: Option<&Path>) -> Result<Settings, String> {
    let loaded = run::load(path).map_err(|problem| problem.to_string())?;
    run::report(&loaded.warnings, std::io::stderr());
    Ok(loaded.settings)
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
