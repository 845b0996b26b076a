//! Keys as operators write them.

use std::fmt;

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// At least 32 random bytes. Silent in `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<Vec<u8>>);

/// What a key must look like.
pub(crate) const EXPECTED: &str =
    "at least 32 random bytes in base64 or hex, for example from `openssl rand -base64 32`";

/// The fewest bytes of a key (SEC-07).
const SHORTEST: usize = 32;

impl Key {
    /// Reads base64 (either alphabet, padded or not) or hex; refuses what is shorter than 32 bytes and what cannot be
    /// random.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = Zeroizing::new(hex::decode(text).ok().or_else(|| from_base64(text))?);
        let distinct = bytes.iter().collect::<std::collections::BTreeSet<_>>().len();
        // 32 random bytes have 30 different values on average; fewer than 12 do not happen by chance.
        (bytes.len() >= SHORTEST && distinct >= 12).then_some(Self(bytes))
    }

    /// The bytes. Call it only where they go into a cipher or a keyed hash.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_hex_and_both_kinds_of_base64() {
        let bytes: Vec<u8> = (200..232).collect();
        let written = [
            hex::encode(&bytes),
            hex::encode_upper(&bytes),
            base64::engine::general_purpose::STANDARD.encode(&bytes),
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes) + "\n",
        ];
        for text in written {
            assert_eq!(Key::parse(&text).as_ref().map(Key::reveal), Some(bytes.as_slice()), "{text}");
        }
    }

    #[test]
    fn short_and_guessable_keys_are_refused() {
        let check = |text: &str| assert_eq!(Key::parse(text), None, "{text}");
        check("");
        check("change-me");
        check(&hex::encode([7; 31]));
        check(&hex::encode([0; 32]));
        check("not a key but a sentence that is long enough to be one!");
    }
}
