//! Connections: taken in up to a bound, served, and closed in an orderly way.

use std::io::Error;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use otter_delivery::{Desk, Setup};
use otter_domain::Clock;
use otter_runtime::{Phase, Phases, next_connection};
use otter_telemetry::Metrics;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Limits;
use crate::gates::Gates;
use crate::ingress::{Ingress, routes};

/// The longest head, and how much of a body is read ahead.
const READ_AHEAD: usize = 32 * 1024;

/// How many connections may be told at once that there are too many; others are closed without a word.
const TURNED_AWAY: usize = 64;

/// How long such a connection may take to read that.
const LINGER: Duration = Duration::from_secs(1);

/// What such a connection is told.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The HTTP server for callbacks.
#[derive(Debug)]
pub struct Server {
    desk: Desk,
    setup: Arc<ArcSwap<Setup>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    limits: Limits,
}

impl Server {
    /// A server that verifies with the decoders of `setup`, books at `desk` and measures by `clock`, the store's.
    pub fn new(desk: Desk, setup: Arc<ArcSwap<Setup>>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { desk, setup, clock, metrics, limits: Limits::default() }
    }

    /// Bounds it otherwise.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Serves until the process drains: then it stops listening, finishes the requests that it holds and closes their
    /// connections. Ends when all are closed, or with what is left when the process closes. Connections that brought a
    /// request, and bookings that outlive them, are held against the drain.
    pub async fn run(self, listener: TcpListener, phases: Phases) {
        let Self { desk, setup, clock, metrics, limits } = self;
        let gates = Gates::new(&limits);
        let ingress = Ingress { desk, setup, clock, metrics, limits, gates, phases: phases.clone() };
        let door = Door::new(Arc::new(ingress), limits, phases.clone());
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = phases.reached(Phase::Draining) => break,
                Some(_) = connections.join_next() => {}
                (stream, _) = next_connection(|| listener.accept()) => door.open(stream, &mut connections),
            }
        }
        drop(listener);
        tokio::select! {
            () = phases.reached(Phase::Closing) => {}
            () = async { while connections.join_next().await.is_some() {} } => {}
        }
    }
}

/// Where connections come in.
struct Door {
    ingress: Arc<Ingress>,
    routes: Router,
    limits: Limits,
    phases: Phases,
    places: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
}

impl Door {
    fn new(ingress: Arc<Ingress>, limits: Limits, phases: Phases) -> Self {
        Self {
            routes: routes(Arc::clone(&ingress)),
            ingress,
            limits,
            phases,
            places: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
        }
    }

    /// Serves a connection, or tells it that there are too many.
    fn open(&self, stream: TcpStream, connections: &mut JoinSet<()>) {
        // Without it a small answer could wait for an acknowledgement; a socket that refuses is about to fail anyway.
        let _ = stream.set_nodelay(true);
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let (ingress, routes) = (Arc::clone(&self.ingress), self.routes.clone());
            connections.spawn(serve(stream, ingress, routes, self.limits, self.phases.clone(), place));
            return;
        }
        self.ingress.turned_away();
        if let Ok(place) = Arc::clone(&self.turned_away).try_acquire_owned() {
            connections.spawn(turn_away(stream, place));
        }
    }
}

async fn serve(
    stream: TcpStream,
    ingress: Arc<Ingress>,
    routes: Router,
    limits: Limits,
    phases: Phases,
    _place: OwnedSemaphorePermit,
) {
    let routes = TowerToHyperService::new(routes);
    // Held from the first request until the connection is closed, not until its answer is made: that has to be written
    // too. A connection that waits for its next request is closed as soon as the process drains.
    let (held, holding) = (OnceLock::new(), phases.clone());
    let service = service_fn(move |mut request: Request<Incoming>| {
        held.get_or_init(|| holding.hold("callbacks"));
        ingress.cut_public_path(request.uri_mut());
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(READ_AHEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // Peers that break off, stall or speak something else are none of our errors.
        _ = connection.as_mut() => return,
        () = phases.reached(Phase::Draining) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Says that there are too many connections. Closing while unread bytes wait would reset the connection, and the peer
/// might never see the answer, so what it sends is read and thrown away until it has read ours.
async fn turn_away(mut stream: TcpStream, _place: OwnedSemaphorePermit) {
    let said = async {
        stream.write_all(BUSY).await?;
        stream.shutdown().await?;
        let mut thrown_away = [0; 1024];
        while stream.read(&mut thrown_away).await? > 0 {}
        Ok::<(), Error>(())
    };
    // A peer that does not listen has been told as well as it could be.
    let _ = timeout(LINGER, said).await;
}
