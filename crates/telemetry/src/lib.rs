//! Metrics, traces and logs with redaction.
