//! The keys that codes, tokens and names are made with.

use std::fmt;

use otter_domain::KeyId;

/// The keys of an installation. Silent in `Debug`.
///
/// The rings hold the current key first; the others verify what they once made (SEC-07).
#[derive(Clone)]
pub struct Keys {
    /// Makes partitions, recipient references and message ids; never rotates.
    pub install: Vec<u8>,
    /// Make digests of codes.
    pub peppers: Vec<(KeyId, Vec<u8>)>,
    /// Make receipt and resume tokens.
    pub tokens: Vec<(KeyId, Vec<u8>)>,
}

impl Keys {
    /// The pepper for new digests.
    pub fn pepper(&self) -> (KeyId, &[u8]) {
        first(&self.peppers)
    }

    /// The key for new tokens.
    pub fn token(&self) -> (KeyId, &[u8]) {
        first(&self.tokens)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keys]")
    }
}

fn first(ring: &[(KeyId, Vec<u8>)]) -> (KeyId, &[u8]) {
    let (id, key) = ring.first().expect("the configuration has at least one key in each ring");
    (*id, key)
}
