//! Listening, and the order of leaving.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use otter_contract::FILE_DESCRIPTOR_SET;
use otter_contract::admin::v1::dead_letter_service_server::{
    DeadLetterServiceServer, SERVICE_NAME as DEAD_LETTERS,
};
use otter_contract::admin::v1::lock_service_server::{LockServiceServer, SERVICE_NAME as LOCKS};
use otter_contract::admin::v1::provider_service_server::{ProviderServiceServer, SERVICE_NAME as PROVIDERS};
use otter_contract::admin::v1::rate_service_server::{RateServiceServer, SERVICE_NAME as RATES};
use otter_contract::v1::otp_service_server::{OtpServiceServer, SERVICE_NAME as OTP};
use otter_delivery::{Feed, Intake};
use otter_domain::Secret;
use otter_evidence::Rates;
use otter_runtime::{Phase, Phases};
use otter_telemetry::Metrics;
use thiserror::Error as ThisError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::transport::Server as Transport;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};
use tracing::{info, warn};

use crate::Access;
use crate::certificates::{Certificates, Wire};
use crate::dead_letter_service::DeadLetterDesk;
use crate::door::Door;
use crate::gate::{Gate, Room};
use crate::lock_service::LockDesk;
use crate::otp::Otp;
use crate::provider_service::ProviderDesk;
use crate::rate_service::RateDesk;

/// How often a silent connection is asked whether it still lives, and how long it has to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(10));

/// The services that have a health of their own; the empty name is the server's as a whole.
const HEALTH: [&str; 6] = ["", OTP, RATES, PROVIDERS, DEAD_LETTERS, LOCKS];

/// The server cannot be set up or stopped serving.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The certificates were refused.
    #[error("could not use the certificates for gRPC")]
    Tls(#[source] tonic::transport::Error),
    /// The descriptors were refused.
    #[error("could not set up reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The address of the listener is not known.
    #[error("could not tell where gRPC listens")]
    Listener(#[source] std::io::Error),
    /// The transport gave up.
    #[error("could not go on serving gRPC")]
    Transport(#[source] tonic::transport::Error),
}

/// What the services answer from.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Takes what callers ask for.
    pub intake: Arc<Intake>,
    /// Events; somebody has to run it.
    pub feed: Arc<Feed>,
    /// Rates; somebody has to refresh them.
    pub rates: Arc<Rates>,
    /// Who may call; replaced as a whole on reload.
    pub access: Arc<ArcSwap<Access>>,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// How far the process is on its way out.
    pub phases: Phases,
}

/// How the server listens.
#[derive(Debug, Clone)]
pub struct Options {
    /// Certificates; `None` is plaintext, which is for loopback and meshes.
    pub tls: Option<Tls>,
    /// The largest message that is read, in bytes, before and after decompression.
    pub max_message_bytes: usize,
    /// How old a connection may become before it is asked to go; its calls are finished first. Processes that start
    /// together should not have the same.
    pub max_connection_age: Duration,
    /// How many connections may be open at once, unfinished TLS handshakes among them; more are closed at once.
    pub max_connections: usize,
    /// How many calls one connection may have open.
    pub max_concurrent_streams: u32,
    /// How many calls may run at once; more are refused at once.
    pub max_calls: usize,
    /// How many of them may begin messages (`SendOtp`, `ResendOtp`); the others are left for checks and reads.
    pub max_sends: usize,
    /// How many streams may be open at once; more are refused at once.
    pub max_streams: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            max_message_bytes: 64 * 1024,
            max_connection_age: Duration::from_secs(300),
            max_connections: 1024,
            max_concurrent_streams: 256,
            max_calls: 1024,
            max_sends: 768,
            max_streams: 1024,
        }
    }
}

/// Certificates as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's chain, its own certificate first.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
    /// Who may have signed callers' certificates; `None` asks for none. A caller without one needs an API key.
    pub client_ca: Option<String>,
}

/// The gRPC server: the services of the contract, health and reflection.
#[derive(Debug)]
pub struct Server {
    certificates: Certificates,
    routes: Routes,
    gate: Gate,
    max_connections: usize,
    max_connection_age: Duration,
    health: HealthReporter,
    phases: Phases,
}

impl Server {
    /// Sets everything up; refuses certificates that cannot be used.
    pub fn new(parts: Parts, options: Options) -> Result<Self, Error> {
        let room = Room { calls: options.max_calls, sends: options.max_sends, streams: options.max_streams };
        let (intake, access) = (Arc::clone(&parts.intake), Arc::clone(&parts.access));
        let gate = Gate::new(intake, access, Arc::clone(&parts.metrics), parts.phases.clone(), room);
        let transport = Transport::builder()
            .http2_keepalive_interval(Some(KEEPALIVE.0))
            .http2_keepalive_timeout(Some(KEEPALIVE.1))
            .max_concurrent_streams(options.max_concurrent_streams)
            // All calls of a connection may be given up at the same moment without its being taken for an attack.
            .http2_max_pending_accept_reset_streams(Some(options.max_concurrent_streams as usize))
            // Without a grace: with one, this transport closes the connection under its calls instead of asking it to go.
            .max_connection_age(options.max_connection_age);
        let certificates = Certificates::new(transport, options.tls)?;
        let (health, health_service) = health_reporter();
        let phases = parts.phases.clone();
        let routes = services(parts, options.max_message_bytes)?.add_service(health_service);
        let Options { max_connections, max_connection_age, .. } = options;
        Ok(Self { certificates, routes, gate, max_connections, max_connection_age, health, phases })
    }

    /// For renewing its certificates while it serves.
    pub fn certificates(&self) -> Certificates {
        self.certificates.clone()
    }

    /// Serves until the process drains and the connections have gone, at the latest until it closes. While the process
    /// leaves, health says so and calls are still taken.
    pub async fn serve(self, listener: TcpListener) -> Result<(), Error> {
        let address = listener.local_addr().map_err(Error::Listener)?;
        let wires = self.certificates.wires();
        if wires.borrow().tls.is_none() && !address.ip().is_loopback() {
            warn!(%address, "gRPC listens without TLS beyond this machine; a mesh has to encrypt and authenticate");
        }
        info!(%address, "gRPC listens");
        let held = self.phases.hold("gRPC connections");
        for service in HEALTH {
            self.health.set_service_status(service, ServingStatus::Serving).await;
        }
        let door = Door::new(listener, self.max_connections);
        let served = tokio::select! {
            served = self.serve_each(door, wires) => served,
            never = leave(&self.health, &self.phases) => match never {},
            () = self.phases.reached(Phase::Closing) => Ok(()),
        };
        drop(held);
        served
    }

    /// Serves the connections of each set of certificates, as this transport has one for good: the next takes over at the
    /// door, and the connections of the one before go when they are old. The door is shut when the process drains.
    async fn serve_each(&self, door: Door, mut wires: watch::Receiver<Wire>) -> Result<(), Error> {
        let mut door = Some(Arc::new(door));
        let mut generations = FuturesUnordered::new();
        wires.mark_changed();
        loop {
            tokio::select! {
                () = self.phases.reached(Phase::Draining), if door.is_some() => door = None,
                // It cannot fail: this server keeps the other end.
                _ = wires.changed(), if door.is_some() => {
                    let transport = wires.borrow_and_update().transport.clone();
                    let next = door.clone().map(|door| self.generation(transport, door, wires.clone()));
                    generations.extend(next);
                }
                Some(served) = generations.next() => served?,
                else => return Ok(()),
            }
        }
    }

    async fn generation(
        &self,
        transport: Transport,
        door: Arc<Door>,
        mut wires: watch::Receiver<Wire>,
    ) -> Result<(), Error> {
        let renewed = async move {
            // It fails only when the server is gone.
            let _ = wires.changed().await;
        };
        let incoming = door.connections(renewed, self.max_connection_age);
        transport
            .layer(self.gate.clone())
            .add_routes(self.routes.clone())
            .serve_with_incoming_shutdown(incoming, self.phases.reached(Phase::Draining))
            .await
            .map_err(Error::Transport)
    }
}

/// Tells whoever asks for our health that we are about to go.
async fn leave(health: &HealthReporter, phases: &Phases) -> Infallible {
    phases.reached(Phase::Leaving).await;
    for service in HEALTH {
        health.set_service_status(service, ServingStatus::NotServing).await;
    }
    std::future::pending().await
}

fn services(parts: Parts, max_message_bytes: usize) -> Result<Routes, Error> {
    let Parts { intake, feed, rates, access, metrics, phases } = parts;
    let otp = Otp { intake: Arc::clone(&intake), feed, metrics, phases: phases.clone() };
    let providers = ProviderDesk { intake: Arc::clone(&intake), rates: Arc::clone(&rates), access };
    let dead_letters = DeadLetterDesk { intake: Arc::clone(&intake) };
    let locks = LockDesk { intake: Arc::clone(&intake) };
    let rates = RateDesk { rates, intake, phases };
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(Error::Reflection)?;
    let gzip = CompressionEncoding::Gzip;
    let otp = OtpServiceServer::new(otp).accept_compressed(gzip).max_decoding_message_size(max_message_bytes);
    let rates =
        RateServiceServer::new(rates).accept_compressed(gzip).max_decoding_message_size(max_message_bytes);
    let providers = ProviderServiceServer::new(providers)
        .accept_compressed(gzip)
        .max_decoding_message_size(max_message_bytes);
    let dead_letters = DeadLetterServiceServer::new(dead_letters)
        .accept_compressed(gzip)
        .max_decoding_message_size(max_message_bytes);
    let locks =
        LockServiceServer::new(locks).accept_compressed(gzip).max_decoding_message_size(max_message_bytes);
    let routes = Routes::new(otp).add_service(rates).add_service(providers).add_service(dead_letters);
    Ok(routes.add_service(locks).add_service(reflection))
}
