//! A network that can be made worse: a proxy on the loopback interface with latency, resets, and directions in which
//! bytes wait or are lost.
//!
//! What the weather does to a connection follows from the seed, from how many connections there were before it, and from
//! the pieces in which it is written.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Sleep, sleep};

/// How much is read at once: little enough that a reset falls into the middle of a busy client's requests.
const PIECE: usize = 4096;

/// How many pieces are under way in one direction of a connection.
const UNDER_WAY: usize = 1024;

/// What becomes of bytes in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They arrive.
    Open,
    /// They wait until it is open again, as behind a cut that heals: what was sent long ago arrives then.
    Held,
    /// They are lost, and so is whatever comes later in this direction of the same connection, which stays open: a
    /// stream has no gaps. New connections are as good as the weather.
    Swallowed,
}

/// What the network is like, for the connections that there are and for new ones.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// How long each piece takes, in each direction.
    pub latency: Duration,
    /// Up to so much longer, drawn for each piece.
    pub jitter: Duration,
    /// One piece in so many is the last of its connection. It is lost, or it arrives and what follows is lost, as drawn.
    pub reset_one_in: Option<u32>,
    /// What becomes of requests.
    pub towards_server: Passage,
    /// What becomes of answers.
    pub towards_client: Passage,
}

impl Weather {
    /// As if there were no proxy.
    pub const FINE: Self = Self {
        latency: Duration::ZERO,
        jitter: Duration::ZERO,
        reset_one_in: None,
        towards_server: Passage::Open,
        towards_client: Passage::Open,
    };
}

/// A running proxy. Dropping it closes the port and all connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    cuts: watch::Sender<Cuts>,
    resets: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

/// How often something has been done to all connections at once.
#[derive(Debug, Clone, Copy, Default)]
struct Cuts {
    resets: u64,
    strandings: u64,
}

impl Proxy {
    /// Listens on a free port and passes everything on to a server, in fine weather.
    pub async fn start(server: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::FINE);
        let cuts = watch::Sender::new(Cuts::default());
        let resets = Arc::default();
        let road = Road {
            server,
            weather: weather.subscribe(),
            cuts: cuts.subscribe(),
            resets: Arc::clone(&resets),
        };
        let task = tokio::spawn(accept(listener, road, Draws(seed)));
        Ok(Self { address, weather, cuts, resets, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server behind it, as `store.url` takes it.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Changes the weather.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Resets all connections that there are.
    pub fn reset(&self) {
        self.cuts.send_modify(|cuts| cuts.resets += 1);
    }

    /// Leaves all connections that there are half-open: the server has seen their end, and nobody tells the clients. New
    /// connections are not affected.
    pub fn strand(&self) {
        self.cuts.send_modify(|cuts| cuts.strandings += 1);
    }

    /// How many connections have been reset so far.
    pub fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What all connections share.
#[derive(Debug, Clone)]
struct Road {
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    cuts: watch::Receiver<Cuts>,
    resets: Arc<AtomicU64>,
}

async fn accept(listener: TcpListener, road: Road, mut draws: Draws) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (up, down) = (Draws(draws.next()), Draws(draws.next()));
        connections.spawn(road.clone().carry(client, up, down));
        while connections.try_join_next().is_some() {}
    }
}

/// How a connection came to its end.
enum End {
    Closed,
    Reset,
    Stranded,
}

impl Road {
    async fn carry(mut self, mut client: TcpStream, up: Draws, down: Draws) {
        let before = *self.cuts.borrow_and_update();
        // A client whose server does not listen is hung up on; the system would have refused it.
        let Ok(mut server) = TcpStream::connect(self.server).await else { return };
        // Fails only on a connection that is over already.
        client.set_nodelay(true).and_then(|()| server.set_nodelay(true)).ok();
        let end = {
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let requests = Lane { weather: self.weather.clone(), passage: |it| it.towards_server, draws: up };
            let answers =
                Lane { weather: self.weather.clone(), passage: |it| it.towards_client, draws: down };
            tokio::select! {
                end = requests.pass(from_client, to_server) => end,
                end = answers.pass(from_server, to_client) => end,
                end = cut(&mut self.cuts, before) => end,
            }
        };
        match end {
            End::Closed => {}
            End::Reset => {
                self.resets.fetch_add(1, Ordering::Relaxed);
                // The client is told the hard way; the server still reads what has arrived.
                client.set_zero_linger().ok();
            }
            End::Stranded => {
                drop(server);
                tokio::io::copy(&mut client, &mut tokio::io::sink()).await.ok();
            }
        }
    }
}

async fn cut(cuts: &mut watch::Receiver<Cuts>, before: Cuts) -> End {
    loop {
        if cuts.changed().await.is_err() {
            // The proxy is gone, and this task with it.
            return End::Closed;
        }
        let now = *cuts.borrow_and_update();
        if now.resets > before.resets {
            return End::Reset;
        }
        if now.strandings > before.strandings {
            return End::Stranded;
        }
    }
}

/// One direction of a connection.
struct Lane {
    weather: watch::Receiver<Weather>,
    passage: fn(&Weather) -> Passage,
    draws: Draws,
}

/// Bytes, and the moment at which they arrive.
type Piece = (Pin<Box<Sleep>>, Vec<u8>);

impl Lane {
    async fn pass(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> End {
        let Self { weather, passage, mut draws } = self;
        let (sent, under_way) = mpsc::channel(UNDER_WAY);
        let taking = take(from, sent, weather.clone(), Draws(draws.next()));
        let ((), end) = tokio::join!(taking, deliver(under_way, to, weather, passage, draws));
        end
    }
}

/// Reads until there is nothing more to read, or nobody who delivers it.
async fn take(
    mut from: ReadHalf<'_>,
    sent: mpsc::Sender<Piece>,
    weather: watch::Receiver<Weather>,
    mut draws: Draws,
) {
    let mut piece = [0; PIECE];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            () = sent.closed() => return,
        };
        let Ok(length @ 1..) = read else { return };
        let now = *weather.borrow();
        let arrival = Box::pin(sleep(now.latency + draws.up_to(now.jitter)));
        if sent.send((arrival, piece[..length].to_vec())).await.is_err() {
            return;
        }
    }
}

/// Delivers in order, each piece at its moment or later.
async fn deliver(
    mut under_way: mpsc::Receiver<Piece>,
    mut to: WriteHalf<'_>,
    mut weather: watch::Receiver<Weather>,
    passage: fn(&Weather) -> Passage,
    mut draws: Draws,
) -> End {
    let mut is_torn = false;
    while let Some((arrival, piece)) = under_way.recv().await {
        arrival.await;
        let open = weather.wait_for(|weather| passage(weather) != Passage::Held).await;
        let Ok(now) = open.map(|weather| *weather) else { return End::Closed };
        let is_last = now.reset_one_in.is_some_and(|many| draws.one_in(many));
        if is_last && draws.one_in(2) {
            return End::Reset;
        }
        is_torn |= passage(&now) == Passage::Swallowed;
        if !is_torn && to.write_all(&piece).await.is_err() {
            return End::Closed;
        }
        if is_last {
            return End::Reset;
        }
    }
    End::Closed
}

/// A row of numbers that looks random and is the same for the same seed (SplitMix64).
#[derive(Debug)]
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.next().is_multiple_of(u64::from(many.max(1)))
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        let parts = u32::try_from(self.next() >> 40).expect("24 bits are left");
        most * parts / (1 << 24)
    }
}
