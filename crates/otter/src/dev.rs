//! `otter dev`: the whole system in one process, with a vendor and handsets of its own, and a tour of what it does.

mod audience;
mod installation;
mod stage;
mod tour;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use otter_runtime::{Stop, WallClock};
use otter_sandbox_vendor::Vendor;
use otter_store_redis::Require;
use otter_telemetry::{LogFormat, Logs};

use crate::run::{self, Node, Roles};
use crate::serve::{chain, complain};
use installation::Installation;

/// Run the whole system in one process: sandbox providers for all four channels, simulated handsets, no accounts, no
/// servers, no configuration. Shows a tour, then stays up.
#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// Keep state in this Redis instead of a directory.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    redis: Option<String>,
    /// Keep state in this directory instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where gRPC listens; another free port is taken if this one is busy.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50051")]
    grpc: SocketAddr,
    /// Where probes and metrics are; another free port is taken if this one is busy.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    admin: SocketAddr,
    /// Start without the tour.
    #[arg(long)]
    no_tour: bool,
    /// Stop after the tour.
    #[arg(long, conflicts_with = "no_tour")]
    exit: bool,
    /// What is logged, on standard error; `off` is nothing.
    #[arg(long, value_name = "FILTER", default_value = "off")]
    log: String,
}

/// Runs until told to stop. Exits 0, or 1 if something cannot start or the tour fails.
pub(crate) async fn run(options: DevOptions) -> ExitCode {
    let logs = Logs { filter: options.log.clone(), format: LogFormat::Auto };
    let telemetry = match otter_telemetry::start(&logs, None, "dev", env!("CARGO_PKG_VERSION")) {
        Ok(telemetry) => telemetry,
        Err(problem) => return complain(2, &problem.to_string()),
    };
    let mut stop = match Stop::listen() {
        Ok(stop) => stop,
        Err(problem) => return complain(1, &problem.to_string()),
    };
    let (vendor, node, installation) = match start(&options).await {
        Ok(started) => started,
        Err(problem) => return complain(1, &problem),
    };
    let mut status = ExitCode::SUCCESS;
    let tour = async {
        if options.no_tour {
            return Ok(());
        }
        tour::show(&node, &vendor).await
    };
    tokio::select! {
        shown = tour => {
            if let Err(problem) = shown {
                status = complain(1, &format!("the tour stopped: {problem}"));
            } else if !options.exit {
                stage::stays_up(&node, &vendor, installation.place());
                tokio::select! {
                    () = stage::handsets(vendor.arrivals()) => {}
                    () = stop.asked() => {}
                }
            }
        }
        () = stop.asked() => {}
    }
    node.stop(stop.asked(), Some(telemetry)).await;
    drop(vendor);
    status
}

async fn start(options: &DevOptions) -> Result<(Arc<Vendor>, Node, Installation), String> {
    let installation = Installation::prepare(options.redis.as_deref(), options.data.as_deref())?;
    let clock = Arc::new(WallClock::open());
    let vendor_options = otter_sandbox_vendor::Options::new(installation::accounts(), clock);
    let vendor = Vendor::start(vendor_options).await.map_err(|problem| chain(&problem))?;
    vendor.follow(installation::everyday());
    let text = installation.configuration(&vendor.base_url(), free(options.grpc), free(options.admin));
    let loaded = run::load_text(&text).map_err(|problem| problem.to_string())?;
    let node = Node::start(&loaded.settings, Roles::all(), Require::Warn)
        .await
        .map_err(|problem| chain(&problem))?;
    Ok((Arc::new(vendor), node, installation))
}

/// The address, or any free port of its host if the port is taken.
fn free(wanted: SocketAddr) -> SocketAddr {
    match std::net::TcpListener::bind(wanted) {
        Ok(_) => wanted,
        Err(_) => SocketAddr::new(wanted.ip(), 0),
    }
}
