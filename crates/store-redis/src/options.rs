//! What an engine is made with.

use std::time::Duration;

use otter_domain::{PartitionCount, Secret};
use otter_store::{Retention, Sealer};

/// What an engine is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS with the system's root certificates.
    pub url: Secret,
    /// The first word of every key, so that several installations can share a server; without `{`, `}` and `:`.
    pub prefix: String,
    /// How many partitions the installation has; checked against what the server remembers.
    pub partitions: PartitionCount,
    /// How long things are kept.
    pub retention: Retention,
    /// How long one call may take, waiting for a connection included; 500 ms unless told otherwise.
    pub response_timeout: Duration,
    /// What is done about a server that could lose what was accepted.
    pub require: Require,
    /// Seals what only the send path may read.
    pub sealer: Sealer,
    /// A keyed hash of the install key: a process with another key would look for everything in the wrong place.
    pub install: [u8; 32],
}

impl Options {
    /// A server by its address, and otherwise what an installation has unless told otherwise.
    pub fn new(url: Secret, sealer: Sealer, install: [u8; 32]) -> Self {
        Self {
            url,
            prefix: "otter".to_owned(),
            partitions: PartitionCount::DEFAULT,
            retention: Retention::default(),
            response_timeout: Duration::from_millis(500),
            require: Require::Strict,
            sealer,
            install,
        }
    }
}

/// What is done about a server that could lose what was accepted: one that evicts keys or writes no append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// It is refused.
    Strict,
    /// It is used, with a warning; for development.
    Warn,
}
