//! Bytes that go out as text and come back: anybody may read them, nobody may make or change them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otter_domain::KeyId;
use subtle::ConstantTimeEq;

use crate::keyed;

/// How much of the keyed hash travels: 128 bits.
const MAC_LENGTH: usize = 16;

/// Why a text is not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It does not have the form.
    Malformed,
    /// It was not made with the key that it names, or not for what it is used for.
    Forged,
}

/// Writes key id, payload and a MAC over the fields `what`, key id, payload and `bound_to` as URL-safe base64 without
/// padding. `bound_to` does not travel: the reader has to know it.
pub(crate) fn sign(what: &str, (id, key): (KeyId, &[u8]), payload: &[u8], bound_to: &str) -> String {
    let mut bytes = Vec::with_capacity(1 + payload.len() + MAC_LENGTH);
    bytes.push(id.0);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&mac(what, id, key, payload, bound_to));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads the payload back if it was signed with one of the keys for the same use; compares in constant time.
pub(crate) fn read<K: AsRef<[u8]>>(
    what: &str,
    keys: &[(KeyId, K)],
    text: &str,
    bound_to: &str,
) -> Result<Vec<u8>, Refusal> {
    // Trailing bits that carry nothing must be zero, so every payload has exactly one text.
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed)?;
    let (id, rest) = bytes.split_first().ok_or(Refusal::Malformed)?;
    let (payload, presented) = rest.split_last_chunk::<MAC_LENGTH>().ok_or(Refusal::Malformed)?;
    let named = |(key, _): &&(KeyId, K)| key.0 == *id;
    let (id, key) = keys.iter().find(named).ok_or(Refusal::Forged)?;
    let expected = mac(what, *id, key.as_ref(), payload, bound_to);
    if presented.ct_eq(&expected).into() { Ok(payload.to_vec()) } else { Err(Refusal::Forged) }
}

fn mac(what: &str, id: KeyId, key: &[u8], payload: &[u8], bound_to: &str) -> [u8; MAC_LENGTH] {
    keyed::truncated(keyed::hash(key, [what.as_bytes(), &[id.0], payload, bound_to.as_bytes()]))
}
