//! A server on a free port, and everything behind it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use otter_decision::token;
use otter_delivery::{Books, Desk, Keys, Setup, View};
use otter_domain::{
    AttemptNumber, Candidate, Channel, KeyId, Moment, PartitionCount, Plan, SucceedOn, Verification,
    VerificationId,
};
use otter_message::Catalogue;
use otter_provider::{Capabilities, ChannelAbility, Provider};
use otter_receipts::{Limits, Server};
use otter_runtime::{Lifecycle, OsDice, WallClock};
use otter_store::{Commit, CommitVerdict, MemoryStore, Nonce, Retention, Store};
use otter_store_testkit::fixture::{self, provider, seconds};
use otter_telemetry::Metrics;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::{Answer, exchange, signed};
use crate::store::{Mood, MoodyStore};
use crate::vendor::{Acme, PUBLIC};

const TOKEN_KEY: (KeyId, &[u8]) = (KeyId(1), b"a token key of thirty-two bytes.");

/// A running ingress for `acme` and `other`, which call back, and `mute`, which does not.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    pub(crate) store: Arc<MoodyStore>,
    pub(crate) books: Arc<Books>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) running: JoinHandle<()>,
    metrics: Arc<Metrics>,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::open_with(Limits::default()).await
    }

    pub(crate) async fn open_with(limits: Limits) -> Self {
        Self::open_at(PUBLIC, limits).await
    }

    /// The vendor believes it to be at this address.
    pub(crate) async fn open_at(public_url: &str, limits: Limits) -> Self {
        let clock = Arc::new(WallClock::open());
        let memory = MemoryStore::new(PartitionCount::DEFAULT, Retention::default(), clock);
        let store = Arc::new(MoodyStore::new(memory));
        let metrics = Arc::new(Metrics::new(Vec::new(), "0", "0").unwrap());
        let keys = Arc::new(keys());
        let shared: Arc<dyn Store> = store.clone();
        let books =
            Books::open(shared, Arc::new(OsDice::open().unwrap()), Arc::clone(&keys), Arc::clone(&metrics))
                .await
                .unwrap();
        let setup = Arc::new(ArcSwap::from_pointee(setup(public_url)));
        let view = Arc::new(View::default());
        let desk = Desk::new(Arc::clone(&books), Arc::clone(&setup), keys, view, Arc::clone(&metrics));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(desk, setup, books.clock(), Arc::clone(&metrics)).with_limits(limits);
        let lifecycle = Lifecycle::default();
        let running = tokio::spawn(server.run(listener, lifecycle.phases()));
        Self { address, store, books, lifecycle, running, metrics }
    }

    /// Sends a request as it is.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Answer {
        exchange(self.address, bytes).await
    }

    /// Sends a callback that the vendor signed.
    pub(crate) async fn call(&self, target: &str, body: &str) -> Answer {
        self.exchange(&signed(target, body.as_bytes())).await
    }

    /// Books a message that `acme` took, with `other` as what would come next. Returns its token.
    pub(crate) async fn sent(&self) -> (VerificationId, String) {
        let now = self.books.now();
        let unique = u16::try_from(fixture::unique() % 16).unwrap();
        let home = self.books.store().partitions().at(unique).unwrap();
        let next = fixture::verification(home, now, vec![fixture::accepted(1, "acme", now)]);
        let candidates = vec![candidate("acme"), candidate("other")];
        let next = fixture::planned(next, Plan { candidates, ..fixture::typical_plan() });
        let id = next.id;
        let commit = Commit {
            expected: None,
            next,
            effects: Vec::new(),
            due: Some(now + seconds(30)),
            nonce: Nonce(1),
            request: None,
            limits: Vec::new(),
            message_ids: Vec::new(),
            at_stake: Vec::new(),
        };
        let verdicts = self.books.store().commit(home, vec![commit]).await.unwrap().value;
        assert_eq!(verdicts, [CommitVerdict::Done]);
        (id, token::mint(TOKEN_KEY, id, AttemptNumber::FIRST, &provider("acme")))
    }

    pub(crate) async fn load(&self, id: VerificationId) -> Verification {
        self.books.load(id).await.unwrap().unwrap()
    }

    /// What the first attempt's receipt says.
    pub(crate) async fn receipt(&self, id: VerificationId) -> Option<&'static str> {
        self.load(id).await.attempts[0].receipt.map(|receipt| receipt.status.as_str())
    }

    pub(crate) fn now(&self) -> Moment {
        self.books.now()
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.store.mood.send_replace(mood);
    }

    /// Waits until that many calls of the store hang.
    pub(crate) async fn hanging(&self, calls: usize) {
        self.store.hanging.subscribe().wait_for(|hanging| *hanging == calls).await.unwrap();
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.metrics.render().unwrap()
    }

    /// The value of a series; 0 if it does not exist. `labels` are those that it must have.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.metrics();
        let is_it = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
                && labels.iter().all(|label| line.contains(label))
        };
        text.lines().filter(is_it).map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    pub(crate) fn rejected(&self, provider: &str, reason: &str) -> f64 {
        let labels = [format!("provider=\"{provider}\""), format!("reason=\"{reason}\"")];
        self.metric("otter_receipt_rejected_total", &[&labels[0], &labels[1]])
    }

    pub(crate) fn receipts(&self, status: &str) -> f64 {
        self.metric("otter_delivery_receipts_total", &["provider=\"acme\"", &format!("status=\"{status}\"")])
    }
}

fn keys() -> Keys {
    let key = |byte: u8| vec![byte; 32];
    Keys {
        install: key(1),
        peppers: vec![(KeyId(1), key(2))],
        tokens: vec![(TOKEN_KEY.0, TOKEN_KEY.1.to_vec())],
    }
}

fn setup(public_url: &str) -> Setup {
    let with = |receipts: bool| {
        let ability = ChannelAbility { channel: Channel::Sms, revocable: false, idempotent: false, receipts };
        let capabilities = Capabilities {
            channels: vec![ability],
            countries: None,
            concurrency: 1,
            rate: None,
            timeout: seconds(10),
            languages: None,
        };
        let receipts: Option<Arc<dyn otter_provider::ReceiptDecoder>> =
            if receipts { Some(Arc::new(Acme)) } else { None };
        Provider { capabilities, sender: None, revoker: None, receipts }
    };
    let providers = [("acme", true), ("other", true), ("mute", false)];
    Setup {
        tenants: BTreeMap::new(),
        routes: BTreeMap::new(),
        providers: providers.map(|(name, receipts)| (provider(name), with(receipts))).into(),
        catalogue: Catalogue::new(Vec::new()).unwrap(),
        receipts_url: Some(public_url.to_owned()),
    }
}

fn candidate(name: &str) -> Candidate {
    Candidate {
        provider: provider(name),
        channel: Channel::Sms,
        step: 0,
        succeed_on: SucceedOn::Delivered,
        wait: seconds(30),
        max_queue_wait: seconds(5),
        revocable: false,
        idempotent: false,
    }
}
