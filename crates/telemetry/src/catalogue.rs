//! Every metric: its name, unit, labels and bounds. Dashboards, alerts and the manual quote these names.

/// What kind of instrument a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Says how it is now.
    Gauge,
    /// Counts values in buckets with these upper edges.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// The OpenTelemetry name.
    pub name: &'static str,
    /// The name in `/metrics`, without the `_bucket`, `_sum` and `_count` of a histogram.
    pub exposed: &'static str,
    /// The instrument.
    pub kind: Kind,
    /// The UCUM unit; braces where nothing is appended to the exposed name.
    pub unit: &'static str,
    /// The labels that it may have.
    pub labels: &'static [&'static str],
    /// How many label sets there may be before the rest lands in one overflow series.
    pub limit: usize,
    /// One sentence for people.
    pub about: &'static str,
}

/// Round trips of calls and HTTP requests (the set of the semantic conventions).
const CALLS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Dispatch; the objective of 2 s is an edge.
const DISPATCH: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 15.0, 30.0, 60.0];
/// Times in which a person plays a part; the objective of 30 s is an edge.
const PEOPLE: &[f64] =
    &[1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0];
/// Receipts, which may be hours late.
const RECEIPTS: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21600.0];

/// Timers; the objective of 100 ms is an edge.
const TIMERS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

const fn counter(
    name: &'static str,
    exposed: &'static str,
    labels: &'static [&'static str],
    limit: usize,
    about: &'static str,
) -> Metric {
    Metric { name, exposed, kind: Kind::Counter, unit: "{count}", labels, limit, about }
}

const fn gauge(
    name: &'static str,
    exposed: &'static str,
    unit: &'static str,
    labels: &'static [&'static str],
    limit: usize,
    about: &'static str,
) -> Metric {
    Metric { name, exposed, kind: Kind::Gauge, unit, labels, limit, about }
}

const fn seconds(
    name: &'static str,
    exposed: &'static str,
    buckets: &'static [f64],
    labels: &'static [&'static str],
    limit: usize,
    about: &'static str,
) -> Metric {
    Metric { name, exposed, kind: Kind::Histogram(buckets), unit: "s", labels, limit, about }
}

/// Round trip of each call.
pub const RPC_DURATION: Metric = seconds(
    "rpc.server.call.duration",
    "rpc_server_call_duration_seconds",
    CALLS,
    &["rpc_method", "rpc_status_code", "error_type"],
    2000,
    "Time from a call's arrival to its answer",
);
/// Round trip of each callback.
pub const HTTP_DURATION: Metric = seconds(
    "http.server.request.duration",
    "http_server_request_duration_seconds",
    CALLS,
    &["http_route", "http_request_method", "http_response_status_code"],
    2000,
    "Time from an HTTP request's arrival to its answer",
);
/// What became of each `SendOtp`.
pub const REQUESTS: Metric = counter(
    "otter.requests",
    "otter_requests_total",
    &["channel", "country", "outcome"],
    2000,
    "Requests for a code at the front door",
);
/// What became of each try at a provider.
pub const ATTEMPTS: Metric = counter(
    "otter.delivery.attempts",
    "otter_delivery_attempts_total",
    &["provider", "channel", "outcome", "error_class"],
    5000,
    "Tries to hand a message to a provider",
);
/// Sends that were ever ambiguous.
pub const AMBIGUOUS: Metric = counter(
    "otter.ambiguous.attempts",
    "otter_ambiguous_attempts_total",
    &["provider", "channel"],
    2000,
    "Attempts that may or may not have been sent, whatever was learned later",
);
/// What became of each verification's message.
pub const DELIVERIES: Metric = counter(
    "otter.deliveries",
    "otter_deliveries_total",
    &["channel", "country", "outcome"],
    2000,
    "Verifications by what became of their messages, counted once at the end; the channel is that of the code that was typed in, else of the last attempt",
);
/// The same by provider and country.
pub const ROUTE_DELIVERIES: Metric = counter(
    "otter.route.deliveries",
    "otter_route_deliveries_total",
    &["provider", "country", "outcome"],
    5000,
    "Attempts by what became of their message",
);
/// Receipts as they came.
pub const RECEIPTS_SEEN: Metric = counter(
    "otter.delivery.receipts",
    "otter_delivery_receipts_total",
    &["provider", "channel", "status"],
    2000,
    "Genuine receipts on known messages as received, repeats and late ones included",
);
/// Callbacks that were refused.
pub const RECEIPTS_REJECTED: Metric = counter(
    "otter.receipt.rejected",
    "otter_receipt_rejected_total",
    &["provider", "reason"],
    2000,
    "Callbacks that were refused",
);
/// Events that nobody understood.
pub const RECEIPTS_ODD: Metric = counter(
    "otter.receipt.odd",
    "otter_receipt_odd_total",
    &["provider"],
    2000,
    "Events in genuine callbacks that were acknowledged and not understood: of an unknown kind or form",
);
/// What became of each check.
pub const CHECKS: Metric = counter(
    "otter.verifications",
    "otter_verifications_total",
    &["channel", "country", "outcome"],
    2000,
    "Checks of codes by their outcome; the channel is that of the code that was typed in (none if attempts over several channels carried it), of the last attempt if it was not right; an answer that is asked for again is repeated",
);
/// Turns from one provider to the next.
pub const FAILOVERS: Metric = counter(
    "otter.failovers",
    "otter_failovers_total",
    &["from_provider", "to_channel", "reason"],
    2000,
    "Attempts that were made because the one before failed or stayed silent",
);
/// From accepting a request to the receipt.
pub const TIME_TO_DELIVER: Metric = seconds(
    "otter.time_to_deliver",
    "otter_time_to_deliver_seconds",
    PEOPLE,
    &["provider", "channel"],
    2000,
    "Time from accepting a request to its delivered receipt",
);
/// From accepting a request to a provider's yes.
pub const TIME_TO_DISPATCH: Metric = seconds(
    "otter.time_to_dispatch",
    "otter_time_to_dispatch_seconds",
    DISPATCH,
    &["channel"],
    2000,
    "Time from accepting a request to the first provider that took it",
);
/// From accepting a request to success.
pub const TIME_TO_VERIFY: Metric = seconds(
    "otter.time_to_verify",
    "otter_time_to_verify_seconds",
    PEOPLE,
    &["channel"],
    2000,
    "Time from accepting a request to its success; the channel is that of the code that was typed in, none if attempts over several channels carried it",
);
/// A provider's round trip.
pub const PROVIDER_DURATION: Metric = seconds(
    "otter.provider.request.duration",
    "otter_provider_request_duration_seconds",
    DISPATCH,
    &["provider", "outcome"],
    2000,
    "Time that a provider took to answer a send",
);
/// Waiting in the lane.
pub const QUEUE_WAIT: Metric = seconds(
    "otter.queue.wait",
    "otter_queue_wait_seconds",
    DISPATCH,
    &["queue"],
    2000,
    "Time that a job waited in its lane",
);
/// Lateness of receipts.
pub const RECEIPT_LAG: Metric = seconds(
    "otter.receipt.lag",
    "otter_receipt_lag_seconds",
    RECEIPTS,
    &["provider"],
    2000,
    "Time from what a receipt reports to its being handled",
);
/// Lateness of timers.
pub const TIMER_LAG: Metric = seconds(
    "otter.timer.lag",
    "otter_timer_lag_seconds",
    TIMERS,
    &[],
    10,
    "Time from the instant at which a verification had to be looked at to what followed being durable",
);
/// Jobs put on a lane.
pub const ENQUEUED: Metric =
    counter("otter.queue.enqueued", "otter_queue_enqueued_total", &["queue"], 2000, "Jobs put on a lane");
/// Jobs taken off a lane.
pub const DEQUEUED: Metric =
    counter("otter.queue.dequeued", "otter_queue_dequeued_total", &["queue"], 2000, "Jobs taken off a lane");
/// Attempts whose worker died.
pub const RECLAIMED: Metric = counter(
    "otter.queue.reclaimed",
    "otter_queue_reclaimed_total",
    &["queue"],
    2000,
    "Attempts that were taken over after a lost lease",
);
/// Jobs on a lane.
pub const QUEUE_DEPTH: Metric = gauge(
    "otter.queue.depth",
    "otter_queue_depth",
    "{job}",
    &["queue", "state"],
    2000,
    "Jobs on a lane (state ready), and dead letters of the installation (queue all, state dead); every replica reports the same, so take max by (queue, state)",
);
/// The oldest job.
pub const QUEUE_OLDEST: Metric = gauge(
    "otter.queue.oldest_age",
    "otter_queue_oldest_age_seconds",
    "s",
    &["queue"],
    2000,
    "Age of the oldest job on a lane; zero when it is empty",
);
/// The life of codes in a lane.
pub const QUEUE_TTL: Metric = gauge(
    "otter.queue.ttl",
    "otter_queue_ttl_seconds",
    "s",
    &["queue"],
    2000,
    "Shortest life of the codes that can be in a lane",
);
/// Breakers.
pub const BREAKER_STATE: Metric = gauge(
    "otter.provider.breaker.state",
    "otter_provider_breaker_state",
    "{state}",
    &["provider", "channel", "state"],
    2000,
    "1 for the state that the breaker is in, 0 for the others",
);
/// Codes that nobody has written down yet.
pub const UNLISTED_CODES: Metric = counter(
    "otter.provider.unlisted_codes",
    "otter_provider_unlisted_codes_total",
    &["provider", "code"],
    2000,
    "Answers and receipts with a vendor's code that stands in no table; past 20 codes in an hour an account's are `other`",
);
/// Sends that run.
pub const IN_FLIGHT: Metric = gauge(
    "otter.provider.in_flight",
    "otter_provider_in_flight",
    "{send}",
    &["provider"],
    2000,
    "Sends that run in this process",
);
/// Sends that may run.
pub const CONCURRENCY_LIMIT: Metric = gauge(
    "otter.provider.concurrency_limit",
    "otter_provider_concurrency_limit",
    "{send}",
    &["provider"],
    2000,
    "Sends that may run at once in this process",
);
/// Rates that PromQL cannot compute.
pub const SEGMENT_RATE: Metric = gauge(
    "otter.segment.rate",
    "otter_segment_rate",
    "{share}",
    &["provider", "channel", "country", "window", "kind"],
    20_000,
    "Share from 0 to 1, corrected for attempts that are too young to tell; until it is learnt how fast outcomes come in on the channel, of those only that are older than 300 s; absent while the store cannot be read",
);
/// What the rates rest on.
pub const SEGMENT_SAMPLE: Metric = gauge(
    "otter.segment.sample",
    "otter_segment_sample",
    "{attempt}",
    &["provider", "channel", "country", "window", "kind"],
    20_000,
    "Attempts that the rate rests on, young ones counted in part or, until that is learnt, not at all",
);
/// Which build runs.
pub const BUILD_INFO: Metric =
    gauge("otter.build_info", "otter_build_info", "{build}", &["version", "revision"], 10, "Always 1");
/// Whether the configuration could be read again.
pub const RELOAD_SUCCESSFUL: Metric = gauge(
    "otter.config.last_reload_successful",
    "otter_config_last_reload_successful",
    "{state}",
    &[],
    10,
    "Whether the last reading of the configuration succeeded",
);
/// When it was last read.
pub const RELOAD_TIME: Metric = gauge(
    "otter.config.last_reload_success_timestamp",
    "otter_config_last_reload_success_timestamp_seconds",
    "s",
    &[],
    10,
    "When the configuration was last read with success, in seconds since 1970",
);

/// What was changed and is not in force.
pub const PENDING_RESTART: Metric = gauge(
    "otter.config.pending_restart",
    "otter_config_pending_restart",
    "{state}",
    &["setting"],
    50,
    "1 for a setting that was changed since the start and is in force only after a restart, else 0",
);

/// All of them.
pub const ALL: [&Metric; 35] = [
    &RPC_DURATION,
    &HTTP_DURATION,
    &REQUESTS,
    &ATTEMPTS,
    &AMBIGUOUS,
    &DELIVERIES,
    &ROUTE_DELIVERIES,
    &RECEIPTS_SEEN,
    &RECEIPTS_REJECTED,
    &RECEIPTS_ODD,
    &CHECKS,
    &FAILOVERS,
    &UNLISTED_CODES,
    &TIME_TO_DELIVER,
    &TIME_TO_DISPATCH,
    &TIME_TO_VERIFY,
    &PROVIDER_DURATION,
    &QUEUE_WAIT,
    &RECEIPT_LAG,
    &TIMER_LAG,
    &ENQUEUED,
    &DEQUEUED,
    &RECLAIMED,
    &QUEUE_DEPTH,
    &QUEUE_OLDEST,
    &QUEUE_TTL,
    &BREAKER_STATE,
    &IN_FLIGHT,
    &CONCURRENCY_LIMIT,
    &SEGMENT_RATE,
    &SEGMENT_SAMPLE,
    &BUILD_INFO,
    &RELOAD_SUCCESSFUL,
    &RELOAD_TIME,
    &PENDING_RESTART,
];
