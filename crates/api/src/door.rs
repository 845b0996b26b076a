//! Where connections come in: up to a bound, and none is kept whose peer says nothing.
//!
//! The transport serves whatever it is given: it has no bound on connections, and none on the time to the first bytes of
//! HTTP/2, before which it sends no pings and not even the connection's age ends it.

use std::convert::Infallible;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use otter_runtime::next_connection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};
use tracing::warn;

/// How long a peer may take to say what every connection begins with.
const GREETING: Duration = Duration::from_secs(10);

/// What that is, in bytes: the preface of HTTP/2. The beginning of a TLS handshake is longer.
const PREFACE: usize = 24;

/// How often a peer is looked at after that. Since the last look it has to have said something: while it is served it
/// answers pings, which come more often.
const LOOK: Duration = Duration::from_secs(60);

/// Takes in connections as long as there are places; what is more is closed at once, as nobody could be told anything
/// before a handshake.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    is_full: AtomicBool,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, connections: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(connections)), is_full: AtomicBool::new(false) }
    }

    /// The connections that found a place, each of which keeps it until it is dropped; no more once `closed` has come, and
    /// the end `linger` after that.
    pub(crate) fn connections(
        self: Arc<Self>,
        closed: impl Future<Output = ()>,
        linger: Duration,
    ) -> impl Stream<Item = Result<Connection, Infallible>> {
        let open = stream::unfold(self, |door| async move { Some((Ok(door.next().await), door)) });
        let end = stream::once(async move { sleep(linger).await }).filter_map(|()| std::future::ready(None));
        open.take_until(closed).chain(end)
    }

    async fn next(&self) -> Connection {
        loop {
            let (stream, _) = next_connection(|| self.listener.accept()).await;
            let place = Arc::clone(&self.places).try_acquire_owned().ok();
            // Said once, not for each of those that come meanwhile.
            if !self.is_full.swap(place.is_none(), Ordering::Relaxed) && place.is_none() {
                warn!("all places for gRPC connections are taken, more are closed at once");
            }
            if let Some(place) = place {
                // Without it a small answer could wait for an acknowledgement; a socket that refuses is about to fail anyway.
                let _ = stream.set_nodelay(true);
                return Connection { stream, patience: Patience::new(), _place: place };
            }
        }
    }
}

/// A connection that has a place. Reading from a peer that says nothing fails after a while.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    patience: Patience,
    _place: OwnedSemaphorePermit,
}

/// How long a peer that says nothing is waited for.
#[derive(Debug)]
struct Patience {
    /// What it has said since the last look, in bytes.
    heard: usize,
    /// What it has to have said by the next.
    expected: usize,
    look: Pin<Box<Sleep>>,
}

impl Patience {
    fn new() -> Self {
        Self { heard: 0, expected: PREFACE, look: Box::pin(sleep(GREETING)) }
    }

    /// Is ready once the peer has been silent for too long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.look.as_mut().poll(cx));
            if self.heard < self.expected {
                return Poll::Ready(());
            }
            (self.heard, self.expected) = (0, 1);
            self.look.set(sleep(LOOK));
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_pending() {
            return self.patience.poll_end(cx).map(|()| Err(ErrorKind::TimedOut.into()));
        }
        self.patience.heard = self.patience.heard.saturating_add(buffer.filled().len() - before);
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}
