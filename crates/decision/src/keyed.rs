//! The one way in which fields go into a keyed hash.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA-256 over the fields, each as its length (`u32`, big-endian) and its bytes, so that no two lists of fields
/// share a message (DOMAIN 1.3). The first field names what the hash is for.
pub(crate) fn hash<'a>(key: &[u8], fields: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for field in fields {
        mac.update(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        mac.update(field);
    }
    mac.finalize().into_bytes().into()
}

/// The first bytes of a keyed hash.
pub(crate) fn truncated<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    std::array::from_fn(|place| hash[place])
}
