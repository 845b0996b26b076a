//! An edge with everything below it, its clients, and what tests say of statuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_api::{Access, ApiKey, Caller, Callers, Options, Parts, Scope, Server};
use otter_contract::admin::v1::dead_letter_service_client::DeadLetterServiceClient;
use otter_contract::admin::v1::lock_service_client::LockServiceClient;
use otter_contract::admin::v1::provider_service_client::ProviderServiceClient;
use otter_contract::admin::v1::rate_service_client::RateServiceClient;
use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_contract::v1::{CheckOtpRequest, SendOtpRequest};
use otter_decision::lifecycle::{self, Fresh};
use otter_delivery::{Books, Feed, Intake, Keys, Setup, Slices, View};
use otter_domain::{
    AttemptNumber, Channel, Clock, Code, Country, Digest, Event, KeyId, LifecyclePolicy, LimitRule, Moment,
    PartitionCount, PaymentPolicy, ProviderName, PurposeName, PurposePolicy, Ranking, Route, RouteName,
    RouteStep, StepProvider, SucceedOn, TenantId, TenantPolicy, TenantRate, VerificationId, WorkerId,
};
use otter_evidence::Rates;
use otter_message::{Catalogue, TenantTexts};
use otter_provider::{Capabilities, ChannelAbility, Provider};
use otter_runtime::{Lifecycle, SeededDice, WallClock};
use otter_store::{Claim, Commit, CommitVerdict, MemoryStore, Nonce, Retention, Store};
use otter_telemetry::Metrics;
use sha2::Digest as _;
use tokio::net::TcpListener;
use tonic::transport::{Channel as Wire, Endpoint};
use tonic::{Request, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The number that codes are sent to.
pub(crate) const NUMBER: &str = "+4915112345678";

/// The code that callers bring along.
pub(crate) const CODE: &str = "918273";

/// A code that is wrong.
pub(crate) const WRONG: &str = "111111";

/// The clock of the store: the machine's, and as far ahead of it as a test has moved it.
#[derive(Debug)]
struct Ahead {
    wall: WallClock,
    millis: AtomicU64,
}

impl Clock for Ahead {
    fn now(&self) -> Moment {
        self.wall.now() + Duration::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

/// An edge that listens on loopback.
pub(crate) struct House {
    pub(crate) address: String,
    pub(crate) wire: Wire,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) lifecycle: Lifecycle,
    clock: Arc<Ahead>,
}

impl House {
    pub(crate) async fn open() -> Self {
        Self::open_with(Options::default()).await
    }

    pub(crate) async fn open_with(options: Options) -> Self {
        let mut house = Self::open_quietly(options).await;
        house.wire = Endpoint::from_shared(house.address.clone()).unwrap().connect().await.unwrap();
        house
    }

    /// The same without a connection of its own.
    pub(crate) async fn open_quietly(options: Options) -> Self {
        let clock = Arc::new(Ahead { wall: WallClock::open(), millis: AtomicU64::new(0) });
        let count = PartitionCount::new(4).unwrap();
        let told = Arc::clone(&clock) as Arc<dyn Clock>;
        let store = Arc::new(MemoryStore::new(count, Retention::default(), told));
        Self::over(store, clock, options).await
    }

    /// Another process on the same store.
    pub(crate) async fn another(&self) -> Self {
        Self::over(Arc::clone(&self.store), Arc::clone(&self.clock), Options::default()).await
    }

    async fn over(store: Arc<MemoryStore>, clock: Arc<Ahead>, options: Options) -> Self {
        let keys = Arc::new(Keys {
            install: vec![1; 32],
            peppers: vec![(KeyId(1), vec![2; 32])],
            tokens: vec![(KeyId(1), vec![3; 32])],
        });
        let metrics = Arc::new(Metrics::new(Vec::new(), "0", "0").unwrap());
        let dice = Arc::new(SeededDice::new(7));
        let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let books = Books::open(shared, dice, Arc::clone(&keys), Arc::clone(&metrics)).await.unwrap();
        let feed = Feed::new(Arc::clone(&books));
        let setup = Arc::new(ArcSwap::from_pointee(setup()));
        let (view, slices) = (Arc::new(View::default()), Arc::new(Slices::default()));
        let intake = Arc::new(Intake::new(books, setup, keys, view, slices));
        let rates = Arc::new(Rates::default());
        let lifecycle = Lifecycle::default();
        tokio::spawn(Arc::clone(&feed).run(lifecycle.phases()));
        let parts = Parts {
            intake: Arc::clone(&intake),
            feed,
            rates: Arc::clone(&rates),
            access: Arc::new(ArcSwap::from_pointee(access())),
            metrics,
            phases: lifecycle.phases(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(Server::new(parts, options).unwrap().serve(listener));
        let wire = Endpoint::from_shared(address.clone()).unwrap().connect_lazy();
        Self { address, wire, store, intake, rates, lifecycle, clock }
    }

    pub(crate) fn otp(&self) -> OtpServiceClient<Wire> {
        OtpServiceClient::new(self.wire.clone())
    }

    pub(crate) fn providers(&self) -> ProviderServiceClient<Wire> {
        ProviderServiceClient::new(self.wire.clone())
    }

    pub(crate) fn dead_letters(&self) -> DeadLetterServiceClient<Wire> {
        DeadLetterServiceClient::new(self.wire.clone())
    }

    pub(crate) fn lock_service(&self) -> LockServiceClient<Wire> {
        LockServiceClient::new(self.wire.clone())
    }

    pub(crate) fn rates(&self) -> RateServiceClient<Wire> {
        RateServiceClient::new(self.wire.clone())
    }

    /// Moves the store's clock, and lets this process notice.
    pub(crate) async fn wait(&self, span: Duration) {
        self.clock.millis.fetch_add(u64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
        let id = VerificationId::parse("018f2c5a-7b1e-7000-9d2e-4f5a6b7c8d9e").unwrap();
        assert!(self.intake.books().load(id).await.unwrap().is_none());
    }

    /// Sends the code [`CODE`] and returns the verification's id.
    pub(crate) async fn send(&self, request_id: &str) -> String {
        let request = SendOtpRequest { request_id: request_id.into(), ..to_send() };
        self.otp().send_otp(by("shop", request)).await.unwrap().into_inner().verification_id
    }

    /// Plays the worker of the lane `alpha`: begins what is queued there and says that it was taken.
    pub(crate) async fn accept(&self) {
        self.work("alpha", |attempt| Event::Sent { attempt, tries: 1, outcome: Ok(None) }).await;
    }

    /// Plays the worker of a lane: begins what is queued there and says what became of it.
    pub(crate) async fn work(&self, lane: &str, outcome: impl Fn(AttemptNumber) -> Event) {
        let books = self.intake.books();
        for home in self.store.partitions().all() {
            let claim = Claim {
                lane: provider(lane),
                worker: WorkerId::parse("test").unwrap(),
                lease: Duration::from_secs(6),
                max: 10,
            };
            for claimed in self.store.claim(home, claim).await.unwrap().value {
                let before = claimed.verification;
                let event = outcome(claimed.attempt);
                let code = Code::parse(WRONG).unwrap();
                let fresh = Fresh { code, key: KeyId(1), digest: Digest([0; 32]) };
                let policy = LifecyclePolicy::default();
                let step = lifecycle::step(&before, &event, &fresh, &policy, books.now());
                let mut next = step.next;
                next.version = next.version.next();
                let commit = Commit {
                    expected: Some(before.version),
                    due: lifecycle::next_due(&next, &policy, books.now()),
                    next,
                    effects: step.effects,
                    nonce: Nonce(before.version.0),
                    request: None,
                    limits: Vec::new(),
                    message_ids: Vec::new(),
                    at_stake: Vec::new(),
                };
                let verdicts = self.store.commit(home, vec![commit]).await.unwrap().value;
                assert_eq!(verdicts, [CommitVerdict::Done]);
            }
        }
    }
}

/// A request that shows a key.
pub(crate) fn by<T>(key: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    request
}

pub(crate) fn to_send() -> SendOtpRequest {
    SendOtpRequest {
        recipient: NUMBER.into(),
        purpose: "login".into(),
        code: CODE.into(),
        ..SendOtpRequest::default()
    }
}

pub(crate) fn to_check(id: &str, code: &str) -> CheckOtpRequest {
    CheckOtpRequest {
        verification_id: id.into(),
        code: code.into(),
        purpose: "login".into(),
        ..CheckOtpRequest::default()
    }
}

pub(crate) fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

/// The details of a status, which say neither code nor number.
pub(crate) fn details(status: &Status) -> ErrorDetails {
    let details = status.get_error_details();
    let shown = format!("{status:?} {details:?} {}", String::from_utf8_lossy(status.details()));
    for secret in [NUMBER, &NUMBER[1..], CODE, WRONG] {
        assert!(!shown.contains(secret), "{secret} is in {shown}");
    }
    let info = details.error_info().unwrap_or_else(|| panic!("every status has an ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "otter");
    assert_as_documented(status, &details);
    details
}

/// Holds a status to its row in the table that callers read.
fn assert_as_documented(status: &Status, details: &ErrorDetails) {
    let reason = &details.error_info().unwrap().reason;
    let page = include_str!("../../../../docs/errors.md");
    let begin = format!("| `{reason}` |");
    let row =
        page.lines().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{reason} is listed"));
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let code = cells[2].trim_matches('`').replace('_', "").to_lowercase();
    // The health service answers as its own contract says.
    if reason != "NOT_SUPPORTED" {
        assert_eq!(format!("{:?}", status.code()).to_lowercase(), code, "{reason}");
    }
    let has = |detail: &str| cells[3].contains(detail);
    assert_eq!(details.bad_request().is_some(), has("BadRequest"), "{reason}");
    assert_eq!(details.retry_info().is_some(), has("RetryInfo"), "{reason}");
    assert_eq!(details.quota_failure().is_some(), has("QuotaFailure"), "{reason}");
}

/// The reason of a refusal.
pub(crate) fn reason(status: &Status) -> String {
    details(status).error_info().unwrap().reason.clone()
}

/// The metadata of a refusal.
pub(crate) fn metadata(status: &Status, key: &str) -> String {
    details(status).error_info().unwrap().metadata.get(key).cloned().unwrap_or_default()
}

/// When to come back.
pub(crate) fn retry_after(status: &Status) -> Duration {
    details(status).retry_info().unwrap().retry_delay.unwrap()
}

fn purpose(name: &str, payment: PaymentPolicy, route: &str) -> (PurposeName, PurposePolicy) {
    let name = PurposeName::parse(name).unwrap();
    let policy = PurposePolicy {
        name: name.clone(),
        route: RouteName::parse(route).unwrap(),
        ttl: Duration::from_secs(300),
        code_digits: 6,
        budget: 3,
        payment,
        locale: None,
        lifecycle: LifecyclePolicy::default(),
    };
    (name, policy)
}

fn tenant(name: &str) -> TenantPolicy {
    let purposes = [
        purpose("login", PaymentPolicy::NotAPayment, "default"),
        purpose("logout", PaymentPolicy::NotAPayment, "default"),
        purpose("pay", PaymentPolicy::Required, "default"),
    ];
    TenantPolicy {
        id: TenantId::parse(name).unwrap(),
        countries: None,
        recipient_limits: Vec::new(),
        rate: None,
        opaque_results: false,
        purposes: BTreeMap::from(purposes),
    }
}

/// `shop` may do everything, the others are each special in one way.
fn tenants() -> Vec<TenantPolicy> {
    let rule = LimitRule { max: 2, window: Duration::from_secs(600) };
    let france = Some(vec![Country::parse("FR").unwrap()]);
    vec![
        tenant("shop"),
        TenantPolicy { opaque_results: true, ..tenant("bank") },
        TenantPolicy { countries: france, ..tenant("local") },
        TenantPolicy { recipient_limits: vec![rule], ..tenant("thrifty") },
        TenantPolicy { rate: Some(TenantRate { per_second: 0.1, burst: 1 }), ..tenant("slow") },
    ]
}

fn setup() -> Setup {
    let names = tenants().into_iter().map(|tenant| {
        let purposes = tenant.purposes.values().map(|purpose| (purpose.name.clone(), purpose.payment));
        let purposes = purposes.collect();
        (tenant.id, TenantTexts { purposes, ..TenantTexts::new("ExampleCo") })
    });
    let step = |channel, name: &str| RouteStep {
        channel,
        providers: vec![StepProvider { name: provider(name), weight: 1 }],
        ranking: Ranking::Priority,
        succeed_on: SucceedOn::Delivered,
        wait: Duration::from_secs(30),
        max_queue_wait: Duration::from_secs(5),
    };
    let name = RouteName::parse("default").unwrap();
    let route =
        Route { name: name.clone(), steps: vec![step(Channel::Sms, "alpha"), step(Channel::Voice, "beta")] };
    Setup {
        tenants: tenants().into_iter().map(|tenant| (tenant.id.clone(), tenant)).collect(),
        routes: BTreeMap::from([(name, route)]),
        providers: BTreeMap::from([account("alpha", Channel::Sms), account("beta", Channel::Voice)]),
        catalogue: Catalogue::new(names.collect()).unwrap(),
        receipts_url: None,
    }
}

fn account(name: &str, channel: Channel) -> (ProviderName, Provider) {
    let ability = ChannelAbility { channel, revocable: false, idempotent: false, receipts: true };
    let capabilities = Capabilities {
        channels: vec![ability],
        countries: None,
        concurrency: 1,
        rate: None,
        timeout: Duration::from_secs(5),
        languages: None,
    };
    (provider(name), Provider { capabilities, sender: None, revoker: None, receipts: None })
}

/// A tenant's key is its name; others say what is special about them.
fn access() -> Access {
    let key = |text: &str, scopes: &[Scope], expires_at| ApiKey {
        id: text.to_owned(),
        digest: sha2::Sha256::digest(text).into(),
        scopes: scopes.to_vec(),
        expires_at,
    };
    let application = [Scope::Send, Scope::Check, Scope::Read];
    let mut callers: Vec<Caller> = tenants()
        .into_iter()
        .map(|tenant| Caller {
            keys: vec![key(tenant.id.as_str(), &application, None)],
            certificates: Vec::new(),
            tenant: tenant.id,
        })
        .collect();
    callers[0].keys.extend([
        key("operator", &[Scope::Admin], None),
        key("reader", &[Scope::Read], None),
        key("expired", &application, Some(Moment::from_millis(1))),
    ]);
    callers[0].certificates.push("spiffe://mesh/shop".to_owned());
    let gone = TenantId::parse("gone").unwrap();
    callers.push(Caller {
        tenant: gone,
        keys: vec![key("gone", &application, None)],
        certificates: Vec::new(),
    });
    let kinds = BTreeMap::from([(provider("alpha"), "twilio".to_owned())]);
    Access { callers: Callers::new(callers), kinds }
}
