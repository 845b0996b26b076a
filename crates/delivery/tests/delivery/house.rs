//! An installation: a store, providers, and what callers and vendors ask of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_decision::token;
use otter_delivery::{
    CheckRequest, Keys, ReportRequest, ResendRequest, Scheduler, SendRequest, Sent, Setup, Worker,
};
use otter_domain::{
    AttemptNumber, Channel, CheckVerdict, Clock, Code, Context, Happening, HappeningKind, KeyId,
    LifecyclePolicy, Measure, Moment, PartitionCount, PaymentPolicy, PhoneNumber, ProviderName, PurposeName,
    PurposePolicy, Ranking, ReceiptStatus, RequestId, Route, RouteName, RouteStep, StepProvider, SucceedOn,
    TenantId, TenantPolicy, Verification, VerificationId, WorkerId,
};
use otter_message::{Catalogue, TenantTexts};
use otter_provider::{Capabilities, ChannelAbility, Locator, Provider, Report};
use otter_store::{Events, MemoryStore, Position, Retention, Store};
use tokio::time::{Instant, sleep};

use crate::node::Node;
use crate::vendor::Vendor;

/// The number that codes are sent to unless a test says otherwise.
pub(crate) const NUMBER: &str = "+4915112345678";

const START: Moment = Moment::from_millis(1_800_000_000_000);

/// Time that passes with tokio's.
#[derive(Debug)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> Moment {
        START + self.0.elapsed()
    }
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

pub(crate) fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

pub(crate) fn attempt(number: u8) -> AttemptNumber {
    AttemptNumber::new(number).unwrap()
}

/// What a test may have otherwise.
pub(crate) struct Plan {
    /// Steps of the route: a channel and its providers.
    pub(crate) steps: Vec<(Channel, Vec<&'static str>)>,
    pub(crate) succeed_on: SucceedOn,
    pub(crate) max_queue_wait: Duration,
    pub(crate) concurrency: u16,
    pub(crate) rate: Option<u32>,
    pub(crate) tenant: TenantPolicy,
    pub(crate) partitions: u16,
    pub(crate) retention: Retention,
}

impl Plan {
    pub(crate) fn of(steps: Vec<(Channel, Vec<&'static str>)>) -> Self {
        Self {
            steps,
            succeed_on: SucceedOn::Delivered,
            max_queue_wait: seconds(5),
            concurrency: 8,
            rate: None,
            tenant: policy("shop"),
            partitions: 4,
            retention: Retention::default(),
        }
    }

    /// Two providers for SMS, then one for voice.
    pub(crate) fn usual() -> Self {
        Self::of(vec![(Channel::Sms, vec!["alpha", "beta"]), (Channel::Voice, vec!["gamma"])])
    }
}

/// A tenant with the purpose `login`.
pub(crate) fn policy(name: &str) -> TenantPolicy {
    let purpose = PurposeName::parse("login").unwrap();
    let login = PurposePolicy {
        name: purpose.clone(),
        route: RouteName::parse("main").unwrap(),
        ttl: seconds(300),
        code_digits: 6,
        budget: 5,
        payment: PaymentPolicy::NotAPayment,
        locale: None,
        lifecycle: LifecyclePolicy::default(),
    };
    TenantPolicy {
        id: tenant(name),
        countries: None,
        recipient_limits: Vec::new(),
        rate: None,
        opaque_results: false,
        purposes: BTreeMap::from([(purpose, login)]),
    }
}

/// The store and the configuration that all processes share.
pub(crate) struct House {
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) setup: Arc<ArcSwap<Setup>>,
    pub(crate) vendors: BTreeMap<&'static str, Arc<Vendor>>,
    keys: Arc<Keys>,
    /// The process that callers and vendors talk to; it has a scheduler and no workers.
    pub(crate) front: Node,
}

impl House {
    /// A house with one process that does everything.
    pub(crate) async fn open(plan: Plan) -> (Self, Node) {
        let house = Self::without_workers(plan).await;
        let worker = house.worker("worker-1").await;
        (house, worker)
    }

    pub(crate) async fn usual() -> (Self, Node) {
        Self::open(Plan::usual()).await
    }

    pub(crate) async fn without_workers(plan: Plan) -> Self {
        let count = PartitionCount::new(plan.partitions).unwrap();
        let clock = Arc::new(Paused(Instant::now()));
        let memory = Arc::new(MemoryStore::new(count, plan.retention, clock));
        let mut vendors = BTreeMap::new();
        for name in plan.steps.iter().flat_map(|(_, names)| names) {
            vendors.entry(*name).or_insert_with(Vendor::new);
        }
        let keys = Arc::new(Keys {
            install: vec![1; 32],
            peppers: vec![(KeyId(1), vec![2; 32])],
            tokens: vec![(KeyId(1), vec![3; 32])],
        });
        let setup = Arc::new(ArcSwap::from_pointee(setup(&plan, &vendors)));
        let front = Node::start(&memory, &setup, &keys, 7).await;
        let scheduler = Scheduler::new(
            Arc::clone(&front.books),
            Arc::clone(&setup),
            Arc::clone(&keys),
            Arc::clone(&front.view),
        );
        let mut house = Self { memory, setup, vendors, keys, front };
        house.front.tasks.push(tokio::spawn(scheduler.run(house.front.lifecycle().phases())));
        let fresh = Arc::clone(&house.front.view).keep_lanes_fresh(
            Arc::clone(&house.front.books),
            Arc::clone(&house.setup),
            house.front.lifecycle().phases(),
        );
        house.front.tasks.push(tokio::spawn(fresh));
        let feed = Arc::clone(&house.front.feed);
        house.front.tasks.push(tokio::spawn(feed.run(house.front.lifecycle().phases())));
        house
    }

    /// Another process, with a worker for every provider.
    pub(crate) async fn worker(&self, name: &str) -> Node {
        let seed = name.bytes().map(u64::from).sum();
        let mut node = Node::start(&self.memory, &self.setup, &self.keys, seed).await;
        let id = WorkerId::parse(name).unwrap();
        for vendor in self.vendors.keys() {
            let worker = Worker::new(
                Arc::clone(&node.books),
                Arc::clone(&self.setup),
                Arc::clone(&self.keys),
                Arc::clone(&node.view),
                Arc::clone(&node.metrics),
                id.clone(),
            );
            let phases = node.lifecycle().phases();
            node.tasks.push(tokio::spawn(worker.run(provider(vendor), phases)));
        }
        node
    }

    pub(crate) fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys)
    }

    pub(crate) fn vendor(&self, name: &str) -> &Vendor {
        &self.vendors[name]
    }

    pub(crate) fn request(&self) -> SendRequest {
        SendRequest {
            tenant: tenant("shop"),
            number: PhoneNumber::parse(NUMBER).unwrap(),
            purpose: PurposeName::parse("login").unwrap(),
            subject: None,
            context: Context::None,
            locales: Vec::new(),
            allowed: Vec::new(),
            preferred: Vec::new(),
            code: None,
            ttl: None,
            request_id: None,
            dry_run: false,
        }
    }

    /// Sends a code to the usual number.
    pub(crate) async fn send(&self) -> VerificationId {
        id_of(&self.front.intake.send(self.request()).await.unwrap())
    }

    /// Sends a code to one of many numbers.
    pub(crate) async fn send_to(&self, place: u32) -> VerificationId {
        let number = PhoneNumber::parse(&format!("+49151{:08}", 20_000_000 + place)).unwrap();
        let request = SendRequest { number, ..self.request() };
        id_of(&self.front.intake.send(request).await.unwrap())
    }

    pub(crate) async fn check(&self, id: VerificationId, code: &Code) -> CheckVerdict {
        let request = CheckRequest {
            tenant: tenant("shop"),
            id,
            code: code.clone(),
            purpose: PurposeName::parse("login").unwrap(),
            context: Context::None,
            request_id: None,
        };
        self.front.intake.check(request).await.unwrap().verdict
    }

    pub(crate) fn resend_request(&self, id: VerificationId, request: Option<&str>) -> ResendRequest {
        let request_id = request.map(|id| RequestId::parse(id).unwrap());
        ResendRequest { tenant: tenant("shop"), id, channel: None, request_id }
    }

    pub(crate) async fn reported(&self, id: VerificationId, verified: bool) -> Verification {
        let request = ReportRequest { tenant: tenant("shop"), id, verified, attempt: None };
        self.front.intake.report(request).await.unwrap()
    }

    /// A provider's report on an attempt.
    pub(crate) fn report(&self, id: VerificationId, number: u8, name: &str, status: ReceiptStatus) -> Report {
        let token = token::mint(self.keys.token(), id, attempt(number), &provider(name));
        Report { locator: Locator::Token(token), status, because: None, reference: None, occurred_at: None }
    }

    pub(crate) async fn load(&self, id: VerificationId) -> Verification {
        self.front.books.load(id).await.unwrap().unwrap()
    }

    /// Waits until a verification is as a test wants it.
    pub(crate) async fn until(
        &self,
        id: VerificationId,
        is_it: impl Fn(&Verification) -> bool,
    ) -> Verification {
        let began = Instant::now();
        loop {
            let verification = self.load(id).await;
            if is_it(&verification) {
                return verification;
            }
            assert!(began.elapsed() < seconds(700), "it never came to that: {verification:#?}");
            sleep(millis(5)).await;
        }
    }

    /// Everything that was told of a verification.
    pub(crate) async fn told(&self, id: VerificationId) -> Vec<HappeningKind> {
        let home = id.partition(self.memory.partitions()).unwrap();
        let start = Some(Position("0".repeat(20)));
        let Events::Read { events, .. } = self.memory.events(home, start, 10_000).await.unwrap().value else {
            panic!("events of a test are younger than their retention");
        };
        let of_it = events.into_iter().map(|(_, happening)| happening);
        of_it.filter(|happening: &Happening| happening.verification == id).map(|it| it.kind).collect()
    }

    /// How often something was counted for a provider.
    pub(crate) async fn counted(&self, name: &str, measure: impl Fn(&Measure) -> bool) -> u64 {
        let mut sum = 0;
        for home in self.memory.partitions().all() {
            let cells = self.memory.evidence(home, Moment::EPOCH).await.unwrap().value;
            let own = cells.into_iter().filter(|cell| cell.segment.provider.as_str() == name);
            sum +=
                own.flat_map(|cell| cell.counts).filter(|(of, _)| measure(of)).map(|(_, n)| n).sum::<u64>();
        }
        sum
    }

    /// Lets a setting change, as a reload does.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Setup)) {
        let before = self.setup.load_full();
        let mut next = Setup {
            tenants: before.tenants.clone(),
            routes: before.routes.clone(),
            providers: before.providers.clone(),
            catalogue: before.catalogue.clone(),
            receipts_url: before.receipts_url.clone(),
        };
        change(&mut next);
        self.setup.store(Arc::new(next));
    }
}

/// The id of a code that was accepted.
pub(crate) fn id_of(sent: &Sent) -> VerificationId {
    sent.verification.as_ref().unwrap().id
}

fn setup(plan: &Plan, vendors: &BTreeMap<&'static str, Arc<Vendor>>) -> Setup {
    let name = RouteName::parse("main").unwrap();
    let steps = plan.steps.iter().map(|(channel, names)| RouteStep {
        channel: *channel,
        providers: names.iter().map(|name| StepProvider { name: provider(name), weight: 1 }).collect(),
        ranking: Ranking::Priority,
        succeed_on: plan.succeed_on,
        wait: seconds(30),
        max_queue_wait: plan.max_queue_wait,
    });
    let route = Route { name: name.clone(), steps: steps.collect() };
    let providers = vendors.iter().map(|(name, vendor)| (provider(name), configured(plan, name, vendor)));
    let other = TenantPolicy { id: tenant("bank"), ..plan.tenant.clone() };
    let texts = |name: &str| (tenant(name), TenantTexts::new("Example"));
    Setup {
        tenants: [plan.tenant.clone(), other].map(|policy| (policy.id.clone(), policy)).into(),
        routes: BTreeMap::from([(name, route)]),
        providers: providers.collect(),
        catalogue: Catalogue::new(vec![texts("shop"), texts("bank")]).unwrap(),
        receipts_url: None,
    }
}

fn configured(plan: &Plan, name: &str, vendor: &Arc<Vendor>) -> Provider {
    let own = plan.steps.iter().filter(|(_, names)| names.contains(&name));
    let channels = own.map(|(channel, _)| ChannelAbility {
        channel: *channel,
        revocable: *channel == Channel::Rcs,
        idempotent: false,
        receipts: true,
    });
    Provider {
        capabilities: Capabilities {
            channels: channels.collect(),
            countries: None,
            concurrency: plan.concurrency,
            rate: plan.rate,
            timeout: seconds(20),
            languages: None,
        },
        sender: Some(vendor.clone()),
        revoker: Some(vendor.clone()),
        receipts: None,
    }
}
