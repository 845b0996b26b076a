//! The settings as domain types.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use otter_domain::{
    Country, KeyId, Moment, PartitionCount, ProviderName, Route, RouteName, Secret, TenantId, TenantPolicy,
};
use otter_message::Catalogue;
use otter_provider::Provider;

use crate::Key;
use crate::effect::Effective;
use crate::show::Shown;

/// Everything that was configured, checked. Replaced as a whole on reload; share it by `Arc`.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[install]` and `[keys]`.
    pub keys: Keys,
    /// `[store]`.
    pub store: Store,
    /// `[grpc]`.
    pub grpc: Grpc,
    /// `[receipts]`.
    pub receipts: Receipts,
    /// `[admin]`.
    pub admin: Admin,
    /// `[shutdown]`.
    pub shutdown: Shutdown,
    /// `[metrics]`.
    pub metrics: Metrics,
    /// `[telemetry]`.
    pub telemetry: Telemetry,
    /// `[tenants]`.
    pub tenants: BTreeMap<TenantId, Tenant>,
    /// `[routes]`.
    pub routes: BTreeMap<RouteName, Route>,
    /// `[providers]`.
    pub providers: BTreeMap<ProviderName, ConfiguredProvider>,
    /// Every tenant's texts.
    pub catalogue: Catalogue,
    pub(crate) shown: Shown,
    pub(crate) effective: Effective,
}

/// The keys of the installation. Rings hold the current key first and at least one key.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Makes partitions, recipient references, limit keys and message ids. Never rotates.
    pub install: Key,
    /// Make the digests of codes (SEC-07).
    pub pepper: Vec<(KeyId, Key)>,
    /// Seal numbers and codes in the store (SEC-11); exactly 32 bytes each.
    pub sealing: Vec<(KeyId, Key)>,
    /// Make receipt and resume tokens.
    pub token: Vec<(KeyId, Key)>,
}

/// Where durable state is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The engine.
    pub engine: Engine,
    /// Fixed at install; checked at start.
    pub partitions: PartitionCount,
    /// How long things are kept.
    pub retention: Retention,
}

/// Which engine, named by `store.url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// `memory:`: nothing outlives the process.
    Memory,
    /// `embedded:PATH`: one directory, one process.
    Embedded(PathBuf),
    /// `redis://…` and its relatives: any number of processes.
    Redis(Box<Redis>),
}

/// Where Redis is, and what it has to promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redis {
    /// The whole URL, which may hold a password. Its form has been checked.
    pub url: Secret,
    /// What must hold before an answer counts.
    pub durability: Durability,
    /// Certificates, for addresses with TLS.
    pub tls: RedisTls,
    /// Who we are to sentinels.
    pub sentinel: SentinelUser,
}

/// What must hold before what was accepted, claimed or judged counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The primary has it.
    Primary,
    /// So many replicas have it too.
    Replica(u8),
    /// The primary's disk has it.
    Fsync,
}

/// Certificates for Redis, as PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// Who may have signed the servers' certificates; `None` is whomever the system trusts.
    pub ca: Option<String>,
    /// A certificate of our own and its key.
    pub identity: Option<(String, Secret)>,
}

/// Who we say we are to sentinels, which have users of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentinelUser {
    /// The user; `None` is the default one.
    pub user: Option<String>,
    /// The password; `None` shows none.
    pub password: Option<Secret>,
}

/// How long things are kept; what is not named here is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// A verification after its end.
    pub ended: Duration,
    /// An event.
    pub events: Duration,
}

/// The gRPC edge.
#[derive(Debug, Clone)]
pub struct Grpc {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificates; `None` is plaintext.
    pub tls: Option<Tls>,
    /// The largest message that is read, in bytes, after decompression.
    pub max_message_bytes: usize,
    /// How old a connection may become before it is asked to go.
    pub max_connection_age: Duration,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// How many calls one connection may have open.
    pub max_concurrent_streams: u32,
    /// How many calls may run at once.
    pub max_calls: usize,
    /// How many of them may begin messages; fewer, so that checks and reads always find room.
    pub max_sends: usize,
    /// How many streams may be open at once.
    pub max_streams: usize,
}

/// Certificates as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's chain, its own certificate first.
    pub certificate: String,
    /// Its private key.
    pub key: Secret,
    /// Who may have signed callers' certificates; `None` asks for none.
    pub client_ca: Option<String>,
}

/// The ingress for providers' callbacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where vendors reach it, without a slash at the end; `None` is nowhere, so nobody is asked to call back.
    pub public_url: Option<String>,
    /// The largest body that is read, in bytes.
    pub max_body_bytes: usize,
}

/// Probes and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: SocketAddr,
}

/// How long each part of stopping may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// From readiness off to the last new piece of work.
    pub delay: Duration,
    /// For finishing what is held.
    pub drain: Duration,
    /// For flushing telemetry.
    pub flush: Duration,
}

/// Metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// The countries that labels tell apart; all others are `other`.
    pub countries: Vec<Country>,
}

/// Logs and spans.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Levels by target.
    pub log_filter: String,
    /// How lines look.
    pub log_format: LogFormat,
    /// Where spans go; `None` is nowhere.
    pub otlp: Option<Otlp>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One object a line.
    Json,
}

/// Spans by OTLP.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// The collector's gRPC address with its scheme.
    pub endpoint: String,
    /// The share of traces that are kept when no caller has decided, from 0 to 1.
    pub sample: f64,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Tenant {
    /// What it may do.
    pub policy: TenantPolicy,
    /// Who may call in its name.
    pub api_keys: Vec<ApiKey>,
    /// Whose certificates may call in its name: a URI or DNS name of the certificate, with every scope but admin.
    pub mtls_identities: Vec<String>,
}

/// A key that callers show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name in logs.
    pub id: String,
    /// The SHA-256 of the key.
    pub digest: [u8; 32],
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// From when on it is refused, on the store's clock; `None` is never.
    pub expires: Option<Moment>,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Send, resend, cancel.
    Send,
    /// Check codes and report outcomes.
    Check,
    /// Read verifications and events.
    Read,
    /// Read and steer the installation.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Send, Self::Check, Self::Read, Self::Admin];

    /// The word used in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Check => "check",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// A configured vendor account.
#[derive(Debug, Clone)]
pub struct ConfiguredProvider {
    /// Its name, which is also that of its lane.
    pub name: ProviderName,
    /// Its vendor.
    pub kind: &'static str,
    /// What it can do, and how.
    pub provider: Provider,
}
