//! Metrics, logs and spans, none of which ever holds a code or a number (SEC-10).
//!
//! [`Metrics`] records by typed functions, so every label is bounded; its names stand in [`catalogue`]. [`start`] sets
//! up logs on standard error and, if an endpoint is configured, spans by OTLP; both let through only the fields that
//! the allow-list names, and nothing of what libraries say below a warning. Nothing here decides anything, and no ratio
//! is computed here.

#[cfg(test)]
mod canary_tests;
pub mod catalogue;
mod describe;
mod kept;
mod labels;
mod logs;
mod metrics;
#[cfg(test)]
mod metrics_tests;
mod readings;
mod redaction;
mod spans;
mod start;

pub use labels::{AttemptOutcome, CheckOutcome, DeliveryOutcome, RejectedReceipt, RequestOutcome};
pub use metrics::{Account, Error as MetricsError, Metrics};
pub use readings::{Breaker, BreakerReading, LaneReading, RateKind, RateReading, RateWindow};
pub use start::{Error, LogFormat, Logs, Otlp, Telemetry, check_filter, start};
