//! How much is taken on at once, and how long anything may take.

use std::time::Duration;

/// What the ingress takes on at once and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; one more is answered 503 and closed.
    pub connections: usize,
    /// Requests between their head and their answer, and bookings that outlive their answer; one more is answered 503.
    /// One provider gets a quarter, at least 1.
    pub requests: usize,
    /// Bytes of bodies held at once; beyond it is answered 503. One provider gets a quarter, at least one body.
    pub buffered: usize,
    /// Bytes of one body; a longer one is answered 413. Vendors send up to 3 MiB.
    pub body: usize,
    /// How long a connection may take from its opening, or from its last answer, to a complete head; then it is closed.
    /// Should be longer than the proxy in front keeps idle connections.
    pub head: Duration,
    /// How long a body may take from its head on; then 408.
    pub read: Duration,
    /// How long booking may take before the vendor is asked to repeat the callback. With `read` it must stay below the
    /// shortest patience of a vendor, 10 s.
    pub book: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            requests: 256,
            buffered: 64 << 20,
            body: 3 << 20,
            head: Duration::from_secs(30),
            read: Duration::from_secs(5),
            book: Duration::from_secs(2),
        }
    }
}
