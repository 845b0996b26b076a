//! Starting, steering and stopping the vendor.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use otter_domain::{Channel, Clock};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use crate::server::router;
use crate::state::Desk;
use crate::{Account, Arrival, Handset, Mishap, Received, Script};

/// How the vendor is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one. Only a loopback address makes sense: whoever reaches it reads codes.
    pub address: SocketAddr,
    /// Who may send.
    pub accounts: Vec<Account>,
    /// What chance depends on: with the same seed, the n-th send of an account on a channel fares the same.
    pub seed: u64,
    /// What handsets and receipts take the time from.
    pub clock: Arc<dyn Clock>,
    /// Whether every request to send is kept for [`Vendor::journal`], without a bound.
    pub journal: bool,
}

impl Options {
    /// On a free loopback port with seed 1, without a journal.
    pub fn new(accounts: Vec<Account>, clock: Arc<dyn Clock>) -> Self {
        Self { address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), accounts, seed: 1, clock, journal: false }
    }
}

/// A running vendor. It stops when dropped; messages on their way are lost then, and so are their receipts.
pub struct Vendor {
    address: SocketAddr,
    desk: Arc<Desk>,
    server: Option<JoinHandle<()>>,
}

impl Vendor {
    /// Listens and serves until stopped. Fails if the address is taken.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address).await?;
        let address = listener.local_addr()?;
        let desk = Desk::new(options.accounts, options.seed, options.clock);
        let desk = Arc::new(if options.journal { desk.with_journal() } else { desk });
        let closing = Arc::clone(&desk);
        let serving = axum::serve(listener, router(Arc::clone(&desk)))
            .with_graceful_shutdown(async move { closing.closed().await });
        let server = tokio::spawn(async move {
            // Serving ends only by the shutdown; errors of single connections stay with them.
            let _ = serving.await;
        });
        Ok(Self { address, desk, server: Some(server) })
    }

    /// The base URL for the provider's settings.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens to what arrives on any handset from now on. Whoever is slow misses the oldest.
    pub fn arrivals(&self) -> broadcast::Receiver<Arrival> {
        self.desk.arrivals.subscribe()
    }

    /// A look at the handset with this number.
    pub fn handset(&self, number: &str) -> Handset {
        self.desk.look(number)
    }

    /// Replaces the script.
    pub fn follow(&self, script: Script) {
        self.desk.follow(script);
    }

    /// Makes every send of an account, on one channel or on all, meet a mishap until [`Self::recover`]; comes before the
    /// script and the number.
    pub fn break_down(&self, account: &str, channel: Option<Channel>, mishap: Mishap) {
        self.desk.break_down(account, channel, mishap);
    }

    /// Ends what [`Self::break_down`] began, on every channel.
    pub fn recover(&self, account: &str) {
        self.desk.recover(account);
    }

    /// How many sends an account has made, refused and silent ones included; repeats of a message are not counted.
    pub fn sends(&self, account: &str) -> u64 {
        self.desk.count(account)
    }

    /// Every request to send so far, in the order in which they were handled; empty unless [`Options::journal`] was set.
    pub fn journal(&self) -> Vec<Received> {
        self.desk.journal.read()
    }

    /// Stops listening, ends every connection and every message on its way, and returns when all is quiet.
    pub async fn stop(mut self) {
        self.desk.close();
        if let Some(server) = self.server.take() {
            // A panic of the server has been reported where it happened.
            let _ = server.await;
        }
    }
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendor").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Vendor {
    fn drop(&mut self) {
        self.desk.close();
    }
}
