//! Recording, by typed functions so that every label is bounded, and the text of `/metrics`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otter_domain::{Channel, Country, ErrorClass, FailureClass, Moment, ProviderName, ReceiptStatus};
use prometheus::{Registry, TextEncoder};
use thiserror::Error;

use crate::catalogue as names;
use crate::describe::{counter, gauge, histogram, view};
use crate::labels::{
    AttemptOutcome, CheckOutcome, Countries, DeliveryOutcome, RejectedReceipt, RequestOutcome, USUAL_ERRORS,
};
use crate::readings::{BreakerReading, LaneReading, RateReading, Readings};

/// Metrics cannot be set up or written.
#[derive(Debug, Error)]
pub enum Error {
    /// The reader was refused.
    #[error("could not set up the reader of /metrics")]
    Reader(#[source] opentelemetry_sdk::error::OTelSdkError),
    /// The text could not be written.
    #[error("could not write the text of /metrics")]
    Text(#[source] prometheus::Error),
}

/// A provider whose counters exist at 0 before anything happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub provider: ProviderName,
    /// What it can do.
    pub channels: Vec<Channel>,
    /// How many sends may run at once.
    pub concurrency: u16,
}

/// Every metric of the process. One per process; share it by [`Arc`].
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    // Holds the instruments' storage; they go silent without it.
    _provider: SdkMeterProvider,
    countries: ArcSwap<Countries>,
    readings: Readings,
    counters: Counters,
    times: Times,
    gauges: Gauges,
}

#[derive(Debug)]
struct Counters {
    requests: Counter<u64>,
    attempts: Counter<u64>,
    ambiguous: Counter<u64>,
    deliveries: Counter<u64>,
    route_deliveries: Counter<u64>,
    receipts: Counter<u64>,
    receipts_rejected: Counter<u64>,
    receipts_odd: Counter<u64>,
    checks: Counter<u64>,
    failovers: Counter<u64>,
    unlisted_codes: Counter<u64>,
    enqueued: Counter<u64>,
    dequeued: Counter<u64>,
    reclaimed: Counter<u64>,
}

#[derive(Debug)]
struct Times {
    rpc: Histogram<f64>,
    http: Histogram<f64>,
    deliver: Histogram<f64>,
    dispatch: Histogram<f64>,
    verify: Histogram<f64>,
    provider: Histogram<f64>,
    queue: Histogram<f64>,
    receipt: Histogram<f64>,
    timer: Histogram<f64>,
}

#[derive(Debug)]
struct Gauges {
    in_flight: Gauge<f64>,
    concurrency: Gauge<f64>,
    reload_successful: Gauge<f64>,
    reload_time: Gauge<f64>,
    pending_restart: Gauge<f64>,
}

impl Metrics {
    /// Sets everything up. `countries` are told apart in labels, all others are `other`; `version` and `revision` name
    /// the build.
    pub fn new(
        countries: Vec<Country>,
        version: &'static str,
        revision: &'static str,
    ) -> Result<Self, Error> {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()
            .map_err(Error::Reader)?;
        let provider = SdkMeterProvider::builder()
            .with_resource(Resource::builder_empty().build())
            .with_reader(reader)
            .with_view(view)
            .build();
        let meter = provider.meter("otter");
        let readings = Readings::default();
        readings.register(&meter);
        gauge(&meter, &names::BUILD_INFO)
            .record(1.0, &[KeyValue::new("version", version), KeyValue::new("revision", revision)]);
        Ok(Self {
            registry,
            _provider: provider,
            countries: ArcSwap::from_pointee(Countries(countries)),
            readings,
            counters: Counters::new(&meter),
            times: Times::new(&meter),
            gauges: Gauges::new(&meter),
        })
    }

    /// Takes the countries and accounts of a configuration: creates at 0 what can be known, so that rates exist before
    /// the first failure. Counts so far stay.
    pub fn configure(&self, countries: Vec<Country>, accounts: &[Account]) {
        self.countries.store(Arc::new(Countries(countries)));
        for account in accounts {
            self.create_zeros(account);
        }
    }

    /// The text of `/metrics`, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> Result<String, Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather()).map_err(Error::Text)
    }

    /// Counts a request for a code. `channel` is the plan's first.
    pub fn request(&self, channel: Option<Channel>, country: Country, outcome: RequestOutcome) {
        let labels = [channel_or_none(channel), self.country(country), word("outcome", outcome.as_str())];
        self.counters.requests.add(1, &labels);
    }

    /// Counts one try at a provider. An ambiguous one is counted once more under its own name.
    pub fn attempt(
        &self,
        provider: &ProviderName,
        channel: Channel,
        outcome: AttemptOutcome,
        error: Option<ErrorClass>,
    ) {
        self.counters.attempts.add(1, &attempt_labels(provider, channel, outcome, error));
        if outcome == AttemptOutcome::Timeout {
            self.counters.ambiguous.add(1, &[named(provider), word("channel", channel.as_str())]);
        }
    }

    /// Counts what became of a verification's messages, once, when it ends. `channel` is that of the code that was typed
    /// in, else that of its last attempt.
    pub fn delivery(&self, channel: Option<Channel>, country: Country, outcome: DeliveryOutcome) {
        let labels = [channel_or_none(channel), self.country(country), word("outcome", outcome.as_str())];
        self.counters.deliveries.add(1, &labels);
    }

    /// Counts what became of one attempt's message.
    pub fn route_delivery(&self, provider: &ProviderName, country: Country, outcome: DeliveryOutcome) {
        let labels = [named(provider), self.country(country), word("outcome", outcome.as_str())];
        self.counters.route_deliveries.add(1, &labels);
    }

    /// Counts a receipt as it came; repeats count again.
    pub fn receipt(&self, provider: &ProviderName, channel: Channel, status: ReceiptStatus) {
        let labels = [named(provider), word("channel", channel.as_str()), word("status", status.as_str())];
        self.counters.receipts.add(1, &labels);
    }

    /// Counts a callback that was refused.
    pub fn receipt_rejected(&self, provider: &ProviderName, reason: RejectedReceipt) {
        self.counters.receipts_rejected.add(1, &[named(provider), word("reason", reason.as_str())]);
    }

    /// Counts events of a genuine callback that were not understood.
    pub fn receipt_odd(&self, provider: &ProviderName, events: u32) {
        self.counters.receipts_odd.add(events.into(), &[named(provider)]);
    }

    /// Counts a check. `channel` is that of the code that was typed in; of the latest attempt if it was not right.
    pub fn check(&self, channel: Option<Channel>, country: Country, outcome: CheckOutcome) {
        let labels = [channel_or_none(channel), self.country(country), word("outcome", outcome.as_str())];
        self.counters.checks.add(1, &labels);
    }

    /// Counts a turn to the next candidate; without a class the one before stayed silent.
    pub fn failover(&self, from: &ProviderName, to: Channel, because: Option<FailureClass>) {
        let labels = [
            KeyValue::new("from_provider", from.as_str().to_owned()),
            word("to_channel", to.as_str()),
            word("reason", because.map_or("silent", FailureClass::as_str)),
        ];
        self.counters.failovers.add(1, &labels);
    }

    /// Counts a vendor's code that stands in no table; `code` is from a bounded set.
    pub fn unlisted_code(&self, provider: &ProviderName, code: &str) {
        self.counters.unlisted_codes.add(1, &[named(provider), KeyValue::new("code", code.to_owned())]);
    }

    /// Counts jobs put on a lane.
    pub fn enqueued(&self, lane: &ProviderName, jobs: u64) {
        self.counters.enqueued.add(jobs, &[queue(lane)]);
    }

    /// Counts a job taken off a lane and how long it waited there.
    pub fn dequeued(&self, lane: &ProviderName, waited: Duration) {
        self.counters.dequeued.add(1, &[queue(lane)]);
        self.times.queue.record(waited.as_secs_f64(), &[queue(lane)]);
    }

    /// Counts an attempt that was taken over after a lost lease.
    pub fn reclaimed(&self, lane: &ProviderName, channel: Channel) {
        self.counters.reclaimed.add(1, &[queue(lane)]);
        self.counters.ambiguous.add(1, &[named(lane), word("channel", channel.as_str())]);
    }

    /// Times a call of the contract. `method` is the full name from the contract, `status` the code's name.
    pub fn rpc(&self, method: &'static str, status: &'static str, took: Duration) {
        let fault = matches!(
            status,
            "UNKNOWN" | "DEADLINE_EXCEEDED" | "UNIMPLEMENTED" | "INTERNAL" | "UNAVAILABLE" | "DATA_LOSS"
        );
        let labels = [
            word("rpc_method", method),
            word("rpc_status_code", status),
            word("error_type", if fault { status } else { "none" }),
        ];
        self.times.rpc.record(took.as_secs_f64(), &labels);
    }

    /// Times an HTTP request. `route` is the route's pattern, never a path; `method` must come from a list.
    pub fn http(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        let labels = [
            word("http_route", route),
            word("http_request_method", method),
            KeyValue::new("http_response_status_code", i64::from(status)),
        ];
        self.times.http.record(took.as_secs_f64(), &labels);
    }

    /// Times a verification from its acceptance to its delivered receipt.
    pub fn time_to_deliver(&self, provider: &ProviderName, channel: Channel, took: Duration) {
        self.times.deliver.record(took.as_secs_f64(), &[named(provider), word("channel", channel.as_str())]);
    }

    /// Times a verification from its acceptance to the first provider that took it.
    pub fn time_to_dispatch(&self, channel: Channel, took: Duration) {
        self.times.dispatch.record(took.as_secs_f64(), &[word("channel", channel.as_str())]);
    }

    /// Times a verification from its acceptance to its success. `channel` is that of the code that was typed in.
    pub fn time_to_verify(&self, channel: Option<Channel>, took: Duration) {
        self.times.verify.record(took.as_secs_f64(), &[channel_or_none(channel)]);
    }

    /// Times a provider's answer.
    pub fn provider_answered(&self, provider: &ProviderName, outcome: AttemptOutcome, took: Duration) {
        self.times.provider.record(took.as_secs_f64(), &[named(provider), word("outcome", outcome.as_str())]);
    }

    /// Times a receipt from what it reports to its being handled.
    pub fn receipt_lag(&self, provider: &ProviderName, lag: Duration) {
        self.times.receipt.record(lag.as_secs_f64(), &[named(provider)]);
    }

    /// Times a timer from its instant to what followed from it.
    pub fn timer_fired(&self, lag: Duration) {
        self.times.timer.record(lag.as_secs_f64(), &[]);
    }

    /// Says how many sends of a provider run in this process.
    pub fn in_flight(&self, provider: &ProviderName, sends: usize) {
        self.gauges.in_flight.record(sends as f64, &[named(provider)]);
    }

    /// Says how reading the configuration went; `now` counts only for a success.
    pub fn config_reloaded(&self, successful: bool, now: Moment) {
        self.gauges.reload_successful.record(if successful { 1.0 } else { 0.0 }, &[]);
        if successful {
            self.gauges.reload_time.record((now.as_millis() / 1000) as f64, &[]);
        }
    }

    /// Says whether a changed setting waits for a restart.
    pub fn pending_restart(&self, setting: &'static str, pending: bool) {
        let value = if pending { 1.0 } else { 0.0 };
        self.gauges.pending_restart.record(value, &[word("setting", setting)]);
    }

    /// Replaces the rates that scrapes read; segments that share their labels are added up.
    pub fn set_rates(&self, rates: &[RateReading]) {
        self.readings.set_rates(rates, &self.countries.load());
    }

    /// Replaces the lanes that scrapes read; those that are left out are absent.
    pub fn set_lanes(&self, lanes: Vec<LaneReading>) {
        self.readings.set_lanes(lanes);
    }

    /// Replaces how many dead letters scrapes read; `None` is absent.
    pub fn set_dead_letters(&self, letters: Option<u64>) {
        self.readings.set_dead(letters);
    }

    /// Replaces the breakers that scrapes read.
    pub fn set_breakers(&self, breakers: Vec<BreakerReading>) {
        self.readings.set_breakers(breakers);
    }

    fn country(&self, country: Country) -> KeyValue {
        KeyValue::new("country", self.countries.load().label(country))
    }

    fn create_zeros(&self, account: &Account) {
        let provider = &account.provider;
        self.gauges.concurrency.record(f64::from(account.concurrency), &[named(provider)]);
        self.gauges.in_flight.record(0.0, &[named(provider)]);
        for counter in [&self.counters.enqueued, &self.counters.dequeued, &self.counters.reclaimed] {
            counter.add(0, &[queue(provider)]);
        }
        self.counters.receipts_odd.add(0, &[named(provider)]);
        for reason in RejectedReceipt::ALL {
            self.counters.receipts_rejected.add(0, &[named(provider), word("reason", reason.as_str())]);
        }
        for channel in account.channels.iter().copied() {
            let add = |outcome, error| {
                self.counters.attempts.add(0, &attempt_labels(provider, channel, outcome, error));
            };
            add(AttemptOutcome::Accepted, None);
            USUAL_ERRORS.iter().for_each(|(outcome, error)| add(*outcome, Some(*error)));
            self.counters.ambiguous.add(0, &[named(provider), word("channel", channel.as_str())]);
            for status in ReceiptStatus::ALL {
                let labels =
                    [named(provider), word("channel", channel.as_str()), word("status", status.as_str())];
                self.counters.receipts.add(0, &labels);
            }
        }
    }
}

impl Counters {
    fn new(meter: &Meter) -> Self {
        Self {
            requests: counter(meter, &names::REQUESTS),
            attempts: counter(meter, &names::ATTEMPTS),
            ambiguous: counter(meter, &names::AMBIGUOUS),
            deliveries: counter(meter, &names::DELIVERIES),
            route_deliveries: counter(meter, &names::ROUTE_DELIVERIES),
            receipts: counter(meter, &names::RECEIPTS_SEEN),
            receipts_rejected: counter(meter, &names::RECEIPTS_REJECTED),
            receipts_odd: counter(meter, &names::RECEIPTS_ODD),
            checks: counter(meter, &names::CHECKS),
            failovers: counter(meter, &names::FAILOVERS),
            unlisted_codes: counter(meter, &names::UNLISTED_CODES),
            enqueued: counter(meter, &names::ENQUEUED),
            dequeued: counter(meter, &names::DEQUEUED),
            reclaimed: counter(meter, &names::RECLAIMED),
        }
    }
}

impl Times {
    fn new(meter: &Meter) -> Self {
        Self {
            rpc: histogram(meter, &names::RPC_DURATION),
            http: histogram(meter, &names::HTTP_DURATION),
            deliver: histogram(meter, &names::TIME_TO_DELIVER),
            dispatch: histogram(meter, &names::TIME_TO_DISPATCH),
            verify: histogram(meter, &names::TIME_TO_VERIFY),
            provider: histogram(meter, &names::PROVIDER_DURATION),
            queue: histogram(meter, &names::QUEUE_WAIT),
            receipt: histogram(meter, &names::RECEIPT_LAG),
            timer: histogram(meter, &names::TIMER_LAG),
        }
    }
}

impl Gauges {
    fn new(meter: &Meter) -> Self {
        Self {
            in_flight: gauge(meter, &names::IN_FLIGHT),
            concurrency: gauge(meter, &names::CONCURRENCY_LIMIT),
            reload_successful: gauge(meter, &names::RELOAD_SUCCESSFUL),
            reload_time: gauge(meter, &names::RELOAD_TIME),
            pending_restart: gauge(meter, &names::PENDING_RESTART),
        }
    }
}

fn attempt_labels(
    provider: &ProviderName,
    channel: Channel,
    outcome: AttemptOutcome,
    error: Option<ErrorClass>,
) -> [KeyValue; 4] {
    [
        named(provider),
        word("channel", channel.as_str()),
        word("outcome", outcome.as_str()),
        word("error_class", error.map_or("none", ErrorClass::as_str)),
    ]
}

fn named(provider: &ProviderName) -> KeyValue {
    KeyValue::new("provider", provider.as_str().to_owned())
}

fn queue(lane: &ProviderName) -> KeyValue {
    KeyValue::new("queue", lane.as_str().to_owned())
}

fn channel_or_none(channel: Option<Channel>) -> KeyValue {
    word("channel", channel.map_or("none", Channel::as_str))
}

fn word(key: &'static str, value: &'static str) -> KeyValue {
    KeyValue::new(key, value)
}
