//! Sealing: what only the send path may read, encrypted before an engine sees it (SEC-11).
//!
//! A sealed body is `format, key id, 24 bytes of nonce, ciphertext and tag` under XChaCha20-Poly1305. The verification's
//! id, the format and the key id are authenticated with it, so a body cannot be moved to another record. Keys rotate:
//! new bodies are sealed with the current key, older ones are opened with the key that they name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use otter_domain::{Acceptance, KeyId, Plan, Private, Verification, VerificationId};
use zeroize::Zeroizing;

use crate::Error;
use crate::format::{FORMAT, pack, unpack, unreadable};
use crate::record::{PrivateRecord, Record};

const NONCE_LENGTH: usize = 24;

/// Gives 24 fresh random bytes each time; comes from `runtime`'s CSPRNG.
pub type NonceSource = Arc<dyn Fn() -> [u8; NONCE_LENGTH] + Send + Sync>;

/// The keys that bodies are sealed with. Silent in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct Keyring {
    current: KeyId,
    keys: BTreeMap<KeyId, Zeroizing<[u8; 32]>>,
}

impl Keyring {
    /// Takes keys of 32 random bytes; `current` must be one of them.
    pub fn new(current: KeyId, keys: impl IntoIterator<Item = (KeyId, [u8; 32])>) -> Result<Self, Error> {
        let keys: BTreeMap<_, _> = keys.into_iter().map(|(id, key)| (id, Zeroizing::new(key))).collect();
        if keys.contains_key(&current) {
            Ok(Self { current, keys })
        } else {
            let why = format!("the current sealing key {} is not among the sealing keys", current.0);
            Err(Error::Unsuitable { why })
        }
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("current", &self.current).finish_non_exhaustive()
    }
}

/// Turns verifications into records and back. Cheap to clone.
#[derive(Clone)]
pub struct Sealer {
    keyring: Arc<Keyring>,
    nonces: NonceSource,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

impl Sealer {
    /// Seals with the ring's current key and opens with any of its keys.
    pub fn new(keyring: Keyring, nonces: NonceSource) -> Self {
        Self { keyring: Arc::new(keyring), nonces }
    }

    /// The record of a verification, its private part sealed.
    pub fn record(&self, verification: &Verification) -> Record {
        let body = verification.private.as_ref().map(|private| self.seal(verification.id, private));
        Record::of(verification, body)
    }

    /// The keys that open what is sealed, in the order of their ids.
    pub fn keys(&self) -> Vec<KeyId> {
        self.keyring.keys.keys().copied().collect()
    }

    /// The verification of a record, its private part opened.
    pub fn verification(&self, record: &Record) -> Result<Verification, Error> {
        let mut verification = record.without_private()?;
        if let Some(body) = &record.body {
            self.open(verification.id, body)?.into_verification(&mut verification);
        }
        Ok(verification)
    }

    /// Seals the private part of the verification with this id.
    pub fn seal(&self, id: VerificationId, private: &Private) -> Vec<u8> {
        let key = self.keyring.current;
        let plain = Zeroizing::new(pack(&PrivateRecord::from(private)));
        let nonce = (self.nonces)();
        let sealed = self
            .cipher(key)
            .expect("a key ring holds its current key")
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &bound(id, key) })
            .expect("a record is far shorter than the cipher's limit");
        [&[FORMAT, key.0], nonce.as_slice(), &sealed].concat()
    }

    /// Opens the private part of the verification with this id. A body of another verification does not open.
    pub fn open(&self, id: VerificationId, body: &[u8]) -> Result<Opened, Error> {
        let [FORMAT, key, rest @ ..] = body else {
            return Err(unreadable("its sealed part has an unknown format"));
        };
        let key = KeyId(*key);
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or_else(|| unreadable("its sealed part is too short"))?;
        let cipher = self.cipher(key).ok_or_else(|| {
            unreadable(&format!("it is sealed with key {}, which is not configured", key.0))
        })?;
        let plain = cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &bound(id, key) })
            .map_err(|_| unreadable(&format!("its sealed part does not open with key {}", key.0)))?;
        let (private, plan) = unpack::<PrivateRecord>(&Zeroizing::new(plain))?.opened()?;
        Ok(Opened { private, plan })
    }

    fn cipher(&self, key: KeyId) -> Option<XChaCha20Poly1305> {
        self.keyring.keys.get(&key).map(|key| XChaCha20Poly1305::new((&**key).into()))
    }
}

/// What was sealed.
#[derive(Debug)]
pub struct Opened {
    /// The private part.
    pub private: Private,
    /// The plan, in bodies from before it had a place of its own.
    plan: Option<Plan>,
}

impl Opened {
    /// Puts it where it belongs.
    pub fn into_verification(self, verification: &mut Verification) {
        let locale = self.private.locale.clone();
        verification.private = Some(self.private);
        if let (None, Some(plan)) = (&verification.acceptance, self.plan) {
            verification.acceptance = Some(Acceptance { plan, locale, resend_allowed_at: None });
        }
    }
}

/// What is authenticated together with the body.
fn bound(id: VerificationId, key: KeyId) -> [u8; 18] {
    let mut bound = [0; 18];
    bound[..16].copy_from_slice(id.as_bytes());
    bound[16] = FORMAT;
    bound[17] = key.0;
    bound
}
