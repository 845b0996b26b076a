//! A whole installation on paused time: its store, its vendors, its processes, and what is asked of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use otter_decision::token;
use otter_delivery::{Keys, Setup};
use otter_domain::{
    AttemptNumber, Channel, Clock, CodePolicy, ErrorClass, Failure, FailureClass, KeyId, LifecyclePolicy,
    LimitRule, Moment, PartitionCount, PaymentPolicy, Phase, ProviderName, PurposeName, PurposePolicy,
    Ranking, ReceiptStatus, ResendPolicy, Route, RouteName, RouteStep, StepProvider, SucceedOn, TenantId,
    TenantPolicy, VerificationId,
};
use otter_message::{Catalogue, TenantTexts};
use otter_provider::{Capabilities, ChannelAbility, Locator, Provider, Report};
use otter_store::{MemoryStore, Retention, Store};
use otter_telemetry::Metrics;
use tokio::time::{sleep, timeout};

use crate::calls::{Answer, Asked, Call};
use crate::chance::Chance;
use crate::gate::Gate;
use crate::process::{Process, worker_id};
use crate::vendor::{Line, Message, ROUTE, Recalled, Request, TIMEOUT};
use crate::way::Broken;
use crate::weather::{Paused, Weather};

/// How often a vendor repeats a report that was not answered.
const REPEATS: usize = 4;

/// How long a vendor waits for an answer to its report.
const PATIENCE: Duration = Duration::from_secs(5);

/// Nothing of a run is in these, and making them takes long.
static METRICS: OnceLock<Arc<Metrics>> = OnceLock::new();
static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(Vec::new(), "0", "0").unwrap())
}

/// What differs from run to run besides what happens.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) policy: LifecyclePolicy,
    pub(crate) budget: u8,
    pub(crate) limit: Option<LimitRule>,
    succeed_on: SucceedOn,
    max_queue_wait: Duration,
    concurrency: u16,
    partitions: u16,
    pub(crate) broken: Broken,
}

impl Rules {
    pub(crate) fn draw(chance: &Chance, broken: Broken) -> Self {
        let codes = chance.weighted(&[
            (6, CodePolicy::FreshAcceptRecent(3)),
            (1, CodePolicy::FreshAcceptRecent(2)),
            (2, CodePolicy::Same),
            (2, CodePolicy::FreshReplace),
        ]);
        let seconds = |count| Duration::from_secs(count);
        let resend = ResendPolicy { cooldowns: vec![seconds(2), seconds(4)], max_attempts: 5 };
        Self {
            policy: LifecyclePolicy { min_useful: seconds(10), codes, resend },
            budget: chance.weighted(&[(2, 3), (1, 5)]),
            limit: chance.percent(25).then(|| LimitRule { max: 3, window: seconds(20) }),
            succeed_on: chance.weighted(&[
                (4, SucceedOn::Delivered),
                (1, SucceedOn::Accepted),
                (2, SucceedOn::Verified),
            ]),
            max_queue_wait: chance.millis(500, 4_000),
            concurrency: chance.weighted(&[(1, 1), (1, 2), (3, 8)]),
            partitions: chance.weighted(&[(4, 1), (1, 2)]),
            broken,
        }
    }
}

pub(crate) struct Town {
    pub(crate) rules: Rules,
    /// For vendors and processes; what happens is drawn by itself, so that it can be left out.
    pub(crate) chance: Chance,
    pub(crate) clock: Arc<Paused>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) weather: Arc<Weather>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) requests: Mutex<Vec<Request>>,
    pub(crate) recalls: Mutex<Vec<Recalled>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    history: Mutex<Vec<String>>,
    processes: Mutex<Vec<Arc<Process>>>,
    started: Mutex<usize>,
    own: Weak<Self>,
}

impl std::fmt::Debug for Town {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Town").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Town {
    /// A town with two processes.
    pub(crate) async fn open(seed: u64, broken: Broken) -> Arc<Self> {
        let chance = Chance::new(seed);
        let rules = Rules::draw(&chance, broken);
        let clock = Paused::start();
        let count = PartitionCount::new(rules.partitions).unwrap();
        let town = Arc::new_cyclic(|own| Self {
            memory: Arc::new(MemoryStore::new(count, Retention::default(), clock.clone())),
            weather: Arc::new(Weather::new(clock.clone(), chance.seed())),
            keys: Arc::new(Keys {
                install: vec![1; 32],
                peppers: vec![(KeyId(1), vec![2; 32])],
                tokens: vec![(KeyId(1), vec![3; 32])],
            }),
            metrics: Arc::clone(METRICS.get_or_init(metrics)),
            requests: Mutex::default(),
            recalls: Mutex::default(),
            calls: Mutex::default(),
            history: Mutex::default(),
            processes: Mutex::default(),
            started: Mutex::new(0),
            own: own.clone(),
            rules,
            chance,
            clock,
        });
        town.start_process().await;
        town.start_process().await;
        town
    }

    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
    }

    pub(crate) async fn start_process(&self) {
        let town = self.own.upgrade().expect("whoever calls holds it");
        let number = {
            let mut started = self.started.lock().unwrap();
            *started += 1;
            *started
        };
        let process = Process::start(&town, number, self.chance.seed()).await;
        self.note(format!("process {number} starts"));
        self.processes.lock().unwrap().push(process);
    }

    /// One of the processes that are not gone, also if it stands still.
    pub(crate) fn process(&self, place: usize) -> Option<Arc<Process>> {
        let processes = self.processes.lock().unwrap();
        (!processes.is_empty()).then(|| Arc::clone(&processes[place % processes.len()]))
    }

    pub(crate) fn crash(&self, process: &Process) {
        self.note(format!("process {} is gone", process.number));
        process.crash();
        self.processes.lock().unwrap().retain(|it| it.number != process.number);
    }

    /// One process has to finish what all others leave.
    pub(crate) fn leave_one(&self) {
        let others: Vec<_> = self.processes.lock().unwrap().iter().skip(1).cloned().collect();
        for process in others {
            self.weather.trouble(Duration::ZERO);
            self.crash(&process);
        }
    }

    /// Ends every process, so that nothing of the run is left.
    pub(crate) fn close(&self) {
        for process in std::mem::take(&mut *self.processes.lock().unwrap()) {
            process.crash();
        }
    }

    /// Asks a process for something and notes the answer, if there comes one.
    pub(crate) fn call(
        &self,
        process: &Process,
        asked: Asked,
        doing: impl Future<Output = Answer> + Send + 'static,
    ) {
        let place = self.began(&asked, process.number);
        let town = self.own.upgrade().expect("whoever calls holds it");
        process.spawn(async move {
            let answer = doing.await;
            town.answered(place, answer);
        });
    }

    fn began(&self, asked: &Asked, process: usize) -> usize {
        let call = Call { asked: asked.clone(), began: self.now(), ended: None, answer: Answer::Unknown };
        let mut calls = self.calls.lock().unwrap();
        calls.push(call);
        let place = calls.len() - 1;
        self.note(format!("call {place} of process {process}: {asked:?}"));
        place
    }

    fn answered(&self, place: usize, answer: Answer) {
        self.note(format!("call {place} is answered: {answer:?}"));
        let call = &mut self.calls.lock().unwrap()[place];
        (call.ended, call.answer) = (Some(self.now()), answer);
    }

    /// Whether a process holds an attempt by the store's word.
    pub(crate) async fn holds(&self, id: VerificationId, attempt: AttemptNumber, process: usize) -> bool {
        let home = id.partition(self.memory.partitions()).expect("the store gave it out");
        let loaded = self.memory.load(home, vec![id]).await.expect("memory answers").value;
        let phase = loaded.into_iter().flatten().find_map(|it| Some(it.attempt(attempt)?.phase.clone()));
        phase.is_some_and(|phase| match phase {
            Phase::Claimed { by, lease_until } => by == worker_id(process) && self.now() < lease_until,
            Phase::Queued { .. }
            | Phase::Retrying { .. }
            | Phase::Accepted { .. }
            | Phase::Ambiguous { .. }
            | Phase::Ended { .. } => false,
        })
    }

    pub(crate) fn received(&self, request: Request) {
        let Request { id, attempt, provider, taken, .. } = &request;
        let what = if *taken { "takes" } else { "does not take" };
        self.note(format!("{provider} {what} attempt {attempt} of {id}"));
        self.requests.lock().unwrap().push(request);
    }

    pub(crate) fn recalled(&self, recall: Recalled) {
        self.note(format!("attempt {} of {} is to be taken back", recall.attempt, recall.id));
        self.recalls.lock().unwrap().push(recall);
    }

    /// Reports on a message to whichever process is there, again if nobody answers; now and then under a name that is
    /// not that of its vendor.
    pub(crate) async fn report(&self, message: Message, reports: Vec<(Duration, ReceiptStatus)>) {
        for (after, status) in reports {
            sleep(after).await;
            let is_genuine = !self.chance.percent(4);
            self.tell(&message, status, is_genuine).await;
        }
    }

    /// Hands in one report, again if nobody answers. Says whether somebody did.
    pub(crate) async fn tell(&self, message: &Message, status: ReceiptStatus, is_genuine: bool) -> bool {
        for _ in 0..REPEATS {
            let report = self.one_report(message, status);
            if timeout(PATIENCE, self.hand_in(message, report, is_genuine)).await == Ok(true) {
                return true;
            }
            sleep(Duration::from_secs(1)).await;
        }
        false
    }

    fn one_report(&self, message: &Message, status: ReceiptStatus) -> Report {
        use FailureClass::{Rejected, Unavailable, Unroutable};
        let because = self.chance.weighted(&[
            (2, None),
            (1, Some((Unroutable, ErrorClass::Unreachable))),
            (1, Some((Rejected, ErrorClass::Blocked))),
            (1, Some((Unavailable, ErrorClass::Provider5xx))),
        ]);
        let token = || token::mint(self.keys.token(), message.id, message.attempt, &message.provider);
        Report {
            locator: message.by_message_id.map_or_else(|| Locator::Token(token()), Locator::MessageId),
            status,
            because: because
                .filter(|_| status.is_negative())
                .map(|(class, error)| Failure::new(class, error)),
            reference: None,
            occurred_at: None,
        }
    }

    async fn hand_in(&self, message: &Message, report: Report, is_genuine: bool) -> bool {
        let Some(process) = self.process(self.chance.below(2)) else { return false };
        let others = self.providers().into_iter().find(|name| *name != message.provider);
        let by = if is_genuine { message.provider.clone() } else { others.expect("there are several") };
        let asked = Asked::Receipt {
            id: message.id,
            attempt: message.attempt,
            by: by.clone(),
            status: report.status,
            is_genuine,
        };
        let place = self.began(&asked, process.number);
        let reported = process.desk.book(&by, &report).await;
        let is_answered = reported.is_ok();
        self.answered(place, reported.map_or(Answer::Unknown, Answer::Reported));
        is_answered
    }

    pub(crate) fn note(&self, what: String) {
        self.note_at(self.now(), what);
    }

    pub(crate) fn note_at(&self, moment: Moment, what: String) {
        let at = Paused::elapsed(moment);
        self.history.lock().unwrap().push(format!("{:>9.3} {what}", at.as_secs_f64()));
    }

    pub(crate) fn history(&self) -> Vec<String> {
        self.history.lock().unwrap().clone()
    }

    pub(crate) fn providers(&self) -> Vec<ProviderName> {
        let names = ROUTE.iter().flat_map(|(_, names)| names.iter());
        names.map(|name| ProviderName::parse(name).unwrap()).collect()
    }

    /// The configuration as a process has it, with its own way to the vendors.
    pub(crate) fn setup(&self, process: usize, gate: &Arc<Gate>) -> Setup {
        let route = RouteName::parse("main").unwrap();
        let purpose = PurposeName::parse("login").unwrap();
        let tenant = TenantId::parse("shop").unwrap();
        let login = PurposePolicy {
            name: purpose.clone(),
            route: route.clone(),
            ttl: Duration::from_secs(80),
            code_digits: 6,
            budget: self.rules.budget,
            payment: PaymentPolicy::NotAPayment,
            locale: None,
            lifecycle: self.rules.policy.clone(),
        };
        let shop = TenantPolicy {
            id: tenant.clone(),
            countries: None,
            recipient_limits: self.rules.limit.into_iter().collect(),
            rate: None,
            opaque_results: false,
            purposes: BTreeMap::from([(purpose, login)]),
        };
        let texts = vec![(tenant.clone(), TenantTexts::new("Example"))];
        Setup {
            tenants: BTreeMap::from([(tenant, shop)]),
            routes: BTreeMap::from([(route.clone(), self.route(route))]),
            providers: ROUTE
                .iter()
                .flat_map(|(channel, names)| self.configured(*channel, names, process, gate))
                .collect(),
            catalogue: CATALOGUE.get_or_init(|| Catalogue::new(texts).unwrap()).clone(),
            receipts_url: None,
        }
    }

    fn route(&self, name: RouteName) -> Route {
        let provider = |name: &&str| StepProvider { name: ProviderName::parse(name).unwrap(), weight: 1 };
        let steps = ROUTE.iter().map(|(channel, names)| RouteStep {
            channel: *channel,
            providers: names.iter().map(provider).collect(),
            ranking: Ranking::Weighted,
            succeed_on: self.rules.succeed_on,
            wait: Duration::from_secs(4),
            max_queue_wait: self.rules.max_queue_wait,
        });
        Route { name, steps: steps.collect() }
    }

    fn configured(
        &self,
        channel: Channel,
        names: &[&str],
        process: usize,
        gate: &Arc<Gate>,
    ) -> Vec<(ProviderName, Provider)> {
        let revocable = channel == Channel::Rcs;
        let ability = ChannelAbility { channel, revocable, idempotent: false, receipts: true };
        let one = |name: &&str| {
            let name = ProviderName::parse(name).unwrap();
            let line = Line { town: self.own.clone(), name: name.clone(), process, gate: Arc::clone(gate) };
            let line = Arc::new(line);
            let capabilities = Capabilities {
                channels: vec![ability],
                countries: None,
                concurrency: self.rules.concurrency,
                rate: None,
                timeout: TIMEOUT,
                languages: None,
            };
            (name, Provider { capabilities, sender: Some(line.clone()), revoker: Some(line), receipts: None })
        };
        names.iter().map(one).collect()
    }
}
