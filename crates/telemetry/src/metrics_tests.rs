#![allow(clippy::unwrap_used)]

use std::time::Duration;

use otter_domain::{
    Channel, Country, ErrorClass, FailureClass, Moment, ProviderName, ReceiptStatus, Segment,
};

use crate::catalogue::{self, Kind};
use crate::{
    Account, AttemptOutcome, Breaker, BreakerReading, CheckOutcome, DeliveryOutcome, LaneReading, Metrics,
    RateKind, RateReading, RateWindow, RejectedReceipt, RequestOutcome,
};

fn twilio() -> ProviderName {
    ProviderName::parse("twilio-eu").unwrap()
}

fn country(code: &str) -> Country {
    Country::parse(code).unwrap()
}

fn metrics() -> Metrics {
    let metrics = Metrics::new(vec![], "1.2.3", "abc").unwrap();
    let account = Account { provider: twilio(), channels: vec![Channel::Sms], concurrency: 8 };
    metrics.configure(vec![country("DE")], &[account]);
    metrics
}

fn rate(country: Country, hits: f64, sample: f64) -> RateReading {
    let segment = Segment { provider: twilio(), channel: Channel::Sms, country };
    RateReading { segment, window: RateWindow::FiveMinutes, kind: RateKind::Delivered, hits, sample }
}

fn record_everything(metrics: &Metrics) {
    let (sms, germany, second) = (Channel::Sms, country("DE"), Duration::from_secs(1));
    metrics.request(Some(sms), germany, RequestOutcome::Accepted);
    metrics.attempt(&twilio(), sms, AttemptOutcome::Timeout, Some(ErrorClass::Timeout));
    metrics.delivery(Some(sms), germany, DeliveryOutcome::Delivered);
    metrics.route_delivery(&twilio(), germany, DeliveryOutcome::Delivered);
    metrics.receipt(&twilio(), sms, ReceiptStatus::Delivered);
    metrics.receipt_rejected(&twilio(), RejectedReceipt::Signature);
    metrics.receipt_odd(&twilio(), 1);
    metrics.check(Some(sms), germany, CheckOutcome::Verified);
    metrics.failover(&twilio(), Channel::Voice, Some(FailureClass::Rejected));
    metrics.unlisted_code(&twilio(), "30999");
    metrics.enqueued(&twilio(), 1);
    metrics.dequeued(&twilio(), second);
    metrics.reclaimed(&twilio(), Channel::Sms);
    metrics.timer_fired(second);
    metrics.rpc("otter.v1.OtpService/SendOtp", "OK", second);
    metrics.http("/receipts/{provider}", "POST", 200, second);
    metrics.time_to_deliver(&twilio(), sms, second);
    metrics.time_to_dispatch(sms, second);
    metrics.time_to_verify(Some(sms), second);
    metrics.provider_answered(&twilio(), AttemptOutcome::Accepted, second);
    metrics.receipt_lag(&twilio(), second);
    metrics.in_flight(&twilio(), 3);
    metrics.config_reloaded(true, Moment::from_millis(1_700_000_000_000));
    metrics.pending_restart("grpc.listen", true);
    metrics.set_rates(&[rate(germany, 7.0, 10.0)]);
    metrics.set_lanes(vec![LaneReading {
        provider: twilio(),
        ready: 4,
        oldest: second,
        ttl: Duration::from_secs(300),
    }]);
    metrics.set_dead_letters(Some(2));
    metrics.set_breakers(vec![BreakerReading { provider: twilio(), channel: sms, state: Breaker::Open }]);
}

#[test]
fn every_metric_of_the_catalogue_is_exposed_under_its_name_and_with_its_labels() {
    let metrics = metrics();
    record_everything(&metrics);
    let text = metrics.render().unwrap();
    for metric in catalogue::ALL {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        assert!(
            text.contains(&format!("# TYPE {} {kind}\n", metric.exposed)),
            "{} in {text}",
            metric.exposed
        );
        for label in metric.labels {
            let shown = text
                .lines()
                .any(|line| line.starts_with(metric.exposed) && line.contains(&format!("{label}=\"")));
            assert!(shown, "{label} of {} in {text}", metric.exposed);
        }
    }
    let exposed = text.lines().filter(|line| line.starts_with("# TYPE")).count();
    assert_eq!(exposed, catalogue::ALL.len(), "{text}");
    assert!(!text.contains("otel_"), "{text}");
}

#[test]
fn what_nobody_can_read_is_absent_and_not_what_it_was() {
    let metrics = metrics();
    record_everything(&metrics);
    metrics.set_lanes(vec![]);
    metrics.set_dead_letters(None);
    let text = metrics.render().unwrap();
    for gauge in ["otter_queue_depth", "otter_queue_oldest_age_seconds", "otter_queue_ttl_seconds"] {
        assert!(!text.lines().any(|line| line.starts_with(gauge)), "{gauge} in {text}");
    }
}

#[test]
fn counters_with_known_labels_exist_before_anything_happens() {
    let text = metrics().render().unwrap();
    for line in [
        r#"otter_delivery_attempts_total{channel="sms",error_class="none",outcome="accepted",provider="twilio-eu"} 0"#,
        r#"otter_delivery_attempts_total{channel="sms",error_class="auth",outcome="error",provider="twilio-eu"} 0"#,
        r#"otter_delivery_receipts_total{channel="sms",provider="twilio-eu",status="delivered"} 0"#,
        r#"otter_queue_enqueued_total{queue="twilio-eu"} 0"#,
        r#"otter_provider_concurrency_limit{provider="twilio-eu"} 8"#,
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn times_fall_into_the_catalogues_buckets() {
    let metrics = metrics();
    record_everything(&metrics);
    let text = metrics.render().unwrap();
    assert!(text.contains(r#"otter_time_to_dispatch_seconds_bucket{channel="sms",le="2"} 1"#), "{text}");
    assert!(
        text.contains(
            r#"otter_time_to_deliver_seconds_bucket{channel="sms",provider="twilio-eu",le="600"} 1"#
        )
    );
}

#[test]
fn rates_of_unlisted_countries_are_added_up_by_their_terms() {
    let metrics = metrics();
    metrics.set_rates(&[
        rate(country("FR"), 9.0, 10.0),
        rate(country("NL"), 21.0, 30.0),
        rate(country("DE"), 0.0, 0.0),
    ]);
    let text = metrics.render().unwrap();
    let labels = r#"channel="sms",country="other",kind="delivered",provider="twilio-eu",window="5m""#;
    assert!(text.contains(&format!("otter_segment_rate{{{labels}}} 0.75")), "{text}");
    assert!(text.contains(&format!("otter_segment_sample{{{labels}}} 40")), "{text}");
    assert!(
        !text.contains(r#"otter_segment_rate{channel="sms",country="DE""#),
        "a rate of nothing is no rate"
    );
}

#[test]
fn readings_that_are_not_repeated_disappear() {
    let metrics = metrics();
    metrics.set_rates(&[rate(country("DE"), 1.0, 1.0)]);
    assert!(metrics.render().unwrap().contains("otter_segment_rate{"));
    metrics.set_rates(&[]);
    assert!(!metrics.render().unwrap().contains("otter_segment_rate{"));
}

#[test]
fn a_breaker_shows_all_its_states() {
    let metrics = metrics();
    record_everything(&metrics);
    let text = metrics.render().unwrap();
    for (state, value) in [("open", 1), ("closed", 0), ("half_open", 0)] {
        let line = format!(
            r#"otter_provider_breaker_state{{channel="sms",provider="twilio-eu",state="{state}"}} {value}"#
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
}
