//! An HTTP server on a free loopback port that does what a script says.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::{Answer, Behaviour};

/// The longest request that is read, in bytes; a longer one breaks the connection.
const MAX_REQUEST: usize = 1 << 20;

/// Answers requests that are not sends, for example for a token. They are neither scripted nor counted.
pub type SideAnswers = Arc<dyn Fn(&Received) -> Option<Answer> + Send + Sync>;

/// One complete request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case with their values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// Every byte of it, head and body.
    pub raw: Bytes,
}

impl Received {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A vendor that follows a script, one [`Behaviour`] per request, and remembers what it was sent. Stops when dropped.
///
/// It speaks HTTP/1.1 without TLS. A request beyond the script is answered with 599, which no vendor documents.
pub struct ScriptedVendor {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    script: Mutex<VecDeque<Behaviour>>,
    received: Mutex<Vec<Received>>,
    count: watch::Sender<usize>,
    side: SideAnswers,
}

impl ScriptedVendor {
    /// Starts on a free loopback port.
    pub async fn start() -> Self {
        Self::start_with(Arc::new(|_| None)).await
    }

    /// Starts on a free loopback port, with answers to requests that are not sends.
    pub async fn start_with(side: SideAnswers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State {
            script: Mutex::default(),
            received: Mutex::default(),
            count: watch::Sender::new(0),
            side,
        });
        let server = tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { address, state, server }
    }

    /// An address where nobody listens.
    pub async fn absent() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("the loopback has a free port");
        format!("http://{}", listener.local_addr().expect("a bound socket has an address"))
    }

    /// The address to configure, `http://127.0.0.1:port`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a behaviour to the end of the script.
    pub fn then(&self, behaviour: impl Into<Behaviour>) {
        locked(&self.state.script).push_back(behaviour.into());
    }

    /// Every complete request so far, in order of arrival, side requests left out.
    pub fn received(&self) -> Vec<Received> {
        locked(&self.state.received).clone()
    }

    /// Waits until this many complete requests have arrived in total.
    pub async fn until_received(&self, count: usize) {
        let mut counted = self.state.count.subscribe();
        counted.wait_for(|arrived| *arrived >= count).await.expect("the sender lives as long as this vendor");
    }
}

impl fmt::Debug for ScriptedVendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedVendor").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for ScriptedVendor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, Arc::clone(&state)));
    }
}

/// Serves one connection. An error is the client's going away, which is no concern of a vendor's.
async fn converse(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    loop {
        if stream.peek(&mut [0]).await? == 0 {
            return Ok(());
        }
        let closes_unread = locked(&state.script).front() == Some(&Behaviour::CloseUnread);
        if closes_unread {
            locked(&state.script).pop_front();
            return Ok(());
        }
        let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
        if let Some(answer) = (state.side)(&request) {
            stream.write_all(&answer.to_bytes()).await?;
            continue;
        }
        locked(&state.received).push(request);
        state.count.send_modify(|count| *count += 1);
        let behaviour = locked(&state.script).pop_front().unwrap_or(Behaviour::Answer(Answer::new(599)));
        match behaviour {
            Behaviour::Answer(answer) => stream.write_all(&answer.to_bytes()).await?,
            Behaviour::Silence => std::future::pending().await,
            Behaviour::CloseUnread | Behaviour::CloseAfterReading => return Ok(()),
            Behaviour::CloseWithin(answer) => {
                let wire = answer.to_bytes();
                stream.write_all(&wire[..wire.len() - answer.body.len().div_ceil(2).max(1)]).await?;
                return stream.shutdown().await;
            }
        }
    }
}

/// Reads one request; `None` if the client closes before it is complete.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Received>> {
    let mut raw = Vec::new();
    loop {
        if let Some(request) = parse(&raw) {
            return Ok(Some(request));
        }
        if raw.len() > MAX_REQUEST || stream.read_buf(&mut raw).await? == 0 {
            return Ok(None);
        }
    }
}

/// The request, once all of it is there. A chunked body is taken as it is, with its chunk lines.
fn parse(raw: &[u8]) -> Option<Received> {
    let head_end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&raw[..head_end]);
    let mut lines = head.split("\r\n");
    let mut request_line = lines.next()?.split(' ');
    let (method, target) = (request_line.next()?.to_owned(), request_line.next()?.to_owned());
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let header =
        |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let body = &raw[head_end + 4..];
    let complete = match header("content-length") {
        Some(length) => body.len() >= length.parse().ok()?,
        None => header("transfer-encoding").is_none() || body.ends_with(b"0\r\n\r\n"),
    };
    let (body, raw) = (Bytes::copy_from_slice(body), Bytes::copy_from_slice(raw));
    complete.then_some(Received { method, target, headers, body, raw })
}
