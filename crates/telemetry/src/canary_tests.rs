//! A code and a number in every place where somebody could put them, at TRACE: nothing of them comes out.
#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use tracing::{debug, error, info, trace, trace_span, warn};
use tracing_subscriber::Registry;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::logs::Style;
use crate::spans::Redacting;
use crate::start::{logged, traced};

const CODE: &str = "918273";
const NUMBER: &str = "+4915501234567";
const SECRETS: [&str; 6] = [CODE, "15501234567", "9 1 8 2 7 3", "+49 155 0123 4567", "OTE4Mjcz", "hunter2"];

#[derive(Debug, Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Runs under a subscriber at TRACE and returns the log's text and everything that was exported.
fn everything_told(style: Style, act: impl FnOnce()) -> (String, String) {
    let captured = Captured::default();
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(Redacting(exporter.clone())).build();
    let subscriber = Registry::default()
        .with(logged("trace", style, captured.clone()).unwrap().0)
        .with(traced(&provider, "trace").unwrap().0);
    tracing::subscriber::with_default(subscriber, act);
    let spans = format!("{:?}", exporter.get_finished_spans().unwrap());
    (captured.text(), spans)
}

fn hostile() {
    let span = trace_span!(
        "send",
        verification_id = "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e",
        provider = "twilio-eu",
        code = CODE,
        number = NUMBER,
        body = %format!("{{\"Body\":\"{CODE}\"}}"),
        error = tracing::field::Empty,
        otel.name = %format!("POST /{CODE}"),
    );
    let _entered = span.enter();
    span.record("error", format!("no such number: +49 155 0123 4567, code 9 1 8 2 7 3, {NUMBER}"));
    trace!(code = CODE, url = "https://x.example/?To=%2B4915501234567", "encoded request");
    debug!(base64 = "OTE4Mjcz", authorization = "Bearer hunter2", "headers");
    info!(to = NUMBER, count = 3, "code is {CODE}");
    warn!(reason = ?format!("wrong code {CODE}"), key = 918_273_u64, "refused");
    error!(error = &io::Error::other(format!("{NUMBER} {CODE}")) as &dyn std::error::Error, "failed");
    warn!(target: "hyper::proto", body = CODE, "request to {NUMBER} failed");
    trace!(target: "h2::codec", frame = CODE, "received {CODE}");
    let foreign = trace_span!(target: "tower::buffer", "request", error = CODE);
    foreign.in_scope(|| info!("inside a library's span"));
}

fn assert_silent(told: &str) {
    for secret in SECRETS {
        assert!(!told.contains(secret), "{secret} was told: {told}");
    }
}

#[test]
fn neither_code_nor_number_is_told_on_a_terminal() {
    let (logs, spans) = everything_told(Style::Colour, hostile);
    assert_silent(&logs);
    assert_silent(&spans);
}

#[test]
fn neither_code_nor_number_is_told_as_json() {
    let (logs, spans) = everything_told(Style::Json, hostile);
    assert_silent(&logs);
    assert_silent(&spans);
}

#[test]
fn what_may_be_told_is_told() {
    let (logs, spans) = everything_told(Style::Json, hostile);
    for told in [&logs, &spans] {
        assert!(told.contains("018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e"), "{told}");
        assert!(told.contains("twilio-eu"), "{told}");
    }
    let refused = logs.lines().find(|line| line.contains("refused")).unwrap();
    let refused: serde_json::Value = serde_json::from_str(refused).unwrap();
    assert_eq!(refused["level"], "WARN");
    assert_eq!(refused["key"], "[digits]");
    assert_eq!(refused["provider"], "twilio-eu");
    let counted = logs.lines().find(|line| line.contains("\"count\"")).unwrap();
    assert!(counted.contains("\"count\":3"), "{counted}");
}

#[test]
fn libraries_may_warn_but_not_speak() {
    let (logs, spans) = everything_told(Style::Json, hostile);
    assert!(logs.contains("hyper::proto"), "{logs}");
    assert!(!logs.contains("h2::codec"), "{logs}");
    assert!(!spans.contains("tower"), "{spans}");
}

#[test]
fn a_field_cannot_forge_a_line() {
    let (logs, _) = everything_told(Style::Human, || info!(provider = "a\n2026 ERROR forged", "one line"));
    assert_eq!(logs.lines().count(), 1, "{logs}");
}

#[test]
fn a_filter_that_is_none_is_refused() {
    let layer = logged::<Registry, _>("otter=loud", Style::Human, Captured::default());
    assert!(layer.is_err());
}

#[test]
fn another_filter_is_in_force_at_once() {
    let captured = Captured::default();
    let (layer, change) = logged("info", Style::Json, captured.clone()).unwrap();
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        debug!("before");
        change("debug".parse().unwrap());
        debug!("meanwhile");
        change("error".parse().unwrap());
        warn!("after");
    });
    let text = captured.text();
    assert!(text.contains("meanwhile") && !text.contains("before") && !text.contains("after"), "{text}");
}
