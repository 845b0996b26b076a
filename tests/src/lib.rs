//! Suites that cross parts: end to end, failover, golden files and architecture.
