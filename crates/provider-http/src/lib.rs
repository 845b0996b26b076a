//! Runs the pure codec of an HTTP vendor: client, deadline, redaction and span.
