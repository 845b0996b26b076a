//! Setting up logs and spans for the process.

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use crate::logs::{LogLayer, Style};
use crate::redaction::{is_audible, is_ours};
use crate::spans;

/// Logs or spans cannot be set up.
#[derive(Debug, Error)]
pub enum Error {
    /// The filter is not one.
    #[error("the log filter must be a list such as info or otter_delivery=debug,warn")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The exporter was refused.
    #[error("could not set up the export of spans by OTLP")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Somebody has set up logs before.
    #[error("logs are set up already")]
    Twice(#[source] TryInitError),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One object a line.
    Json,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Levels by target, in the syntax of `tracing-subscriber`'s `EnvFilter`. Libraries stay at `warn` whatever it says.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

/// Where spans go.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// The collector's gRPC address with its scheme, for example `http://127.0.0.1:4317`.
    pub endpoint: String,
    /// The share of traces that are kept when no caller has decided, from 0 to 1.
    pub sample: f64,
    /// What tells this process from its replicas.
    pub instance: String,
}

/// Changes the filter of one layer.
type Change = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// What can be changed while the process runs, and has to be flushed before it ends.
pub struct Telemetry {
    spans: Option<SdkTracerProvider>,
    filters: Vec<Change>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("spans", &self.spans).finish_non_exhaustive()
    }
}

/// Sets up logs on standard error, and spans if an endpoint is given; for the whole process, once. `component` names
/// the role in traces. With an endpoint it must be called inside a tokio runtime.
pub fn start(
    logs: &Logs,
    otlp: Option<&Otlp>,
    component: &str,
    version: &'static str,
) -> Result<Telemetry, Error> {
    let terminal = stderr().is_terminal();
    let style = match (logs.format, terminal) {
        (LogFormat::Auto | LogFormat::Human, true) => Style::Colour,
        (LogFormat::Human, false) => Style::Human,
        (LogFormat::Auto, false) | (LogFormat::Json, _) => Style::Json,
    };
    let spans = otlp.map(|otlp| spans::provider(otlp, component, version)).transpose()?;
    let (logged, change_logged) = logged(&logs.filter, style, stderr)?;
    let traced = spans.as_ref().map(|provider| traced(provider, &logs.filter)).transpose()?;
    let (traced, change_traced) = traced.unzip();
    Registry::default().with(logged).with(traced).try_init().map_err(Error::Twice)?;
    let filters = [Some(change_logged), change_traced].into_iter().flatten().collect();
    Ok(Telemetry { spans, filters })
}

/// The layer that writes logs. Libraries are cut off below a warning before the filter is asked.
pub(crate) fn logged<S, W>(
    filter: &str,
    style: Style,
    writer: W,
) -> Result<(impl Layer<S> + use<S, W>, Change), Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> tracing_subscriber::fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, change) = changeable(filter)?;
    Ok((LogLayer::new(style, writer).with_filter(filter_fn(is_audible).and(filter)), change))
}

/// The layer that records spans: ours only, under the same filter.
pub(crate) fn traced<S>(
    provider: &SdkTracerProvider,
    filter: &str,
) -> Result<(impl Layer<S> + use<S>, Change), Error>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("otter"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let (filter, change) = changeable(filter)?;
    Ok((layer.with_filter(filter_fn(is_ours).and(filter)), change))
}

fn changeable<S: Subscriber>(filter: &str) -> Result<(reload::Layer<EnvFilter, S>, Change), Error> {
    let (filter, handle) = reload::Layer::new(parse(filter)?);
    let change = move |filter| {
        // It fails only when the layer is gone, and with it whoever could be told.
        let _ = handle.reload(filter);
    };
    Ok((filter, Box::new(change)))
}

/// Whether a filter is one.
pub fn check_filter(filter: &str) -> Result<(), Error> {
    parse(filter).map(drop)
}

fn parse(filter: &str) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(filter).map_err(Error::Filter)
}

impl Telemetry {
    /// Puts other levels in force, for logs and spans; refuses what is no filter.
    pub fn set_filter(&self, filter: &str) -> Result<(), Error> {
        for change in &self.filters {
            change(parse(filter)?);
        }
        Ok(())
    }

    /// Sends what has not been sent yet and stops. Blocks for at most `within`; call it off the runtime's threads.
    pub fn flush(&self, within: Duration) {
        if let Some(spans) = &self.spans {
            // A collector that is gone must not keep the process alive.
            let _ = spans.shutdown_with_timeout(within);
        }
    }
}
