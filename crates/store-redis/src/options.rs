//! What an engine is made with.

use std::time::Duration;

use otter_domain::{PartitionCount, Secret};
use otter_store::{Retention, Sealer};

/// What an engine is made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the servers are:
    ///
    /// - `redis://[[user]:password@]host[:port][/database]`: one server;
    /// - `redis-sentinel://[[user]:password@]host[:port],host[:port]/service[/database]`: the primary that most of these
    ///   sentinels name; user and password are the data servers';
    /// - `redis-cluster://[[user]:password@]host[:port],host[:port]`: the cluster that these servers belong to.
    ///
    /// With `rediss` in place of `redis` all of them speak TLS.
    pub url: Secret,
    /// Whom TLS trusts and how we show who we are.
    pub tls: Tls,
    /// Who we are to sentinels; nobody unless told otherwise.
    pub sentinel: Credentials,
    /// The first word of every key, so that several installations can share a server; without `{`, `}` and `:`.
    pub prefix: String,
    /// How many partitions the installation has; checked against what the server remembers.
    pub partitions: PartitionCount,
    /// How long things are kept.
    pub retention: Retention,
    /// How long one call may take, waiting for a connection included; 500 ms unless told otherwise.
    pub response_timeout: Duration,
    /// What must hold before a call is answered.
    pub durability: Durability,
    /// What is done about a server that could lose what was accepted.
    pub require: Require,
    /// Drawn anew for each process: spreads the tries of many processes to reach a server that is back.
    pub spread: u32,
    /// Seals what only the send path may read.
    pub sealer: Sealer,
    /// A keyed hash of the install key: a process with another key would look for everything in the wrong place.
    pub install: [u8; 32],
}

impl Options {
    /// Servers by their address, and otherwise what an installation has unless told otherwise.
    pub fn new(url: Secret, sealer: Sealer, install: [u8; 32]) -> Self {
        Self {
            url,
            tls: Tls::default(),
            sentinel: Credentials::default(),
            prefix: "otter".to_owned(),
            partitions: PartitionCount::DEFAULT,
            retention: Retention::default(),
            response_timeout: Duration::from_millis(500),
            durability: Durability::Primary,
            require: Require::Strict,
            spread: 0,
            sealer,
            install,
        }
    }
}

/// What must hold before a call that accepts, claims, judges or merges is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The primary has it: a kill and a restart of the server lose nothing, a failover may lose what the replicas did
    /// not have yet.
    Primary,
    /// This many replicas have it too, which must be all that could be promoted: a failover loses nothing. Short of
    /// that the call is [`otter_store::Error::Unavailable`], and a repeat is safe.
    Replica {
        /// How many replicas.
        replicas: u8,
    },
    /// The primary's disk has it: a power cut loses nothing, a failover as with [`Self::Primary`].
    Fsync,
}

/// What is done about a server that could lose what was accepted: one that evicts keys or writes no append-only file, or
/// at [`Durability::Replica`] one with more replicas than are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// It is refused.
    Strict,
    /// It is used, with a warning; for development.
    Warn,
}

/// Who we say we are.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// The ACL user; `None` is the default user.
    pub user: Option<String>,
    /// Its password; `None` shows no credentials at all.
    pub password: Option<Secret>,
}

/// Certificates for TLS, as PEM.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Who may have signed the servers' certificates; `None` is whomever the system trusts.
    pub ca: Option<String>,
    /// What servers that ask for certificates are shown.
    pub identity: Option<Identity>,
}

/// A certificate of our own.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The chain, our own certificate first.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
}
