//! The receipt token: travels with a message through the vendor and leads its receipts home.
//!
//! It names the verification (whose id names the partition) and the attempt, in 46 URL-safe characters. A MAC over
//! these and the provider's name keeps one vendor's token from being used at another's callback. The token locates;
//! whether the callback is the vendor's is decided by the vendor's signature.

use otter_domain::{AttemptNumber, KeyId, ProviderName, VerificationId};

use crate::signed;

const WHAT: &str = "receipt-token/v1";

/// Makes the token of one attempt. The same attempt and key always have the same token.
pub fn mint(
    key: (KeyId, &[u8]),
    id: VerificationId,
    attempt: AttemptNumber,
    provider: &ProviderName,
) -> String {
    let mut payload = [0; 17];
    payload[..16].copy_from_slice(id.as_bytes());
    payload[16] = attempt.get();
    signed::sign(WHAT, key, &payload, provider.as_str())
}

/// Reads a token that came to the callback of `provider`; `None` unless one of the keys made it for that provider.
///
/// Older keys stay in `keys` for as long as receipts of their tokens may come (8 days).
pub fn verify<K: AsRef<[u8]>>(
    keys: &[(KeyId, K)],
    provider: &ProviderName,
    token: &str,
) -> Option<(VerificationId, AttemptNumber)> {
    let payload = signed::read(WHAT, keys, token, provider.as_str()).ok()?;
    let (attempt, id) = payload.split_last()?;
    let id = VerificationId::from_bytes(id.try_into().ok()?).ok()?;
    Some((id, AttemptNumber::new(*attempt)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use otter_domain::{Moment, PartitionCount};
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{id, provider};

    const KEY: &[u8] = b"a token key of thirty-two bytes.";

    fn keys() -> Vec<(KeyId, Vec<u8>)> {
        vec![(KeyId(1), b"the key before".to_vec()), (KeyId(2), KEY.to_vec())]
    }

    #[test]
    fn a_token_is_short_and_fits_into_a_path() {
        let token = mint((KeyId(2), KEY), id(), AttemptNumber::FIRST, &provider("twilio-eu"));
        assert_eq!(token.len(), 46);
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    }

    #[test]
    fn a_rotated_key_verifies_until_it_is_taken_away() {
        let token = mint((KeyId(1), b"the key before"), id(), AttemptNumber::FIRST, &provider("twilio-eu"));
        let found = Some((id(), AttemptNumber::FIRST));
        assert_eq!(verify(&keys(), &provider("twilio-eu"), &token), found);
        assert_eq!(verify(&keys()[1..], &provider("twilio-eu"), &token), None);
    }

    #[test]
    fn a_text_of_another_length_is_no_token() {
        let token = mint((KeyId(2), KEY), id(), AttemptNumber::FIRST, &provider("twilio-eu"));
        for text in ["", "a", "AAAA", &token[..45], &token[1..], &format!("{token}A"), &format!("{token}=")] {
            assert_eq!(verify(&keys(), &provider("twilio-eu"), text), None, "{text}");
        }
        let other_use = signed::sign("resume-token/v1", (KeyId(2), KEY), &[0x70; 17], "twilio-eu");
        assert_eq!(verify(&keys(), &provider("twilio-eu"), &other_use), None);
    }

    proptest! {
        #[test]
        fn a_token_leads_home_for_its_own_provider_only(
            millis in 0_u64..1 << 47, partition in 0_u16..16, random: [u8; 8], attempt in 1_u8..,
            name in "[a-z]{1,8}", other in "[a-z]{1,8}",
        ) {
            let partition = PartitionCount::DEFAULT.at(partition).unwrap();
            let id = VerificationId::new(Moment::from_millis(millis), partition, random);
            let attempt = AttemptNumber::new(attempt).unwrap();
            let token = mint((KeyId(2), KEY), id, attempt, &provider(&name));
            prop_assert_eq!(verify(&keys(), &provider(&name), &token), Some((id, attempt)));
            if name != other {
                prop_assert_eq!(verify(&keys(), &provider(&other), &token), None);
            }
        }

        #[test]
        fn no_changed_bit_verifies(place in 0_usize..34, bit in 0_u8..8) {
            let token = mint((KeyId(2), KEY), id(), AttemptNumber::FIRST, &provider("twilio-eu"));
            let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            bytes[place] ^= 1 << bit;
            prop_assert_eq!(verify(&keys(), &provider("twilio-eu"), &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn no_changed_character_verifies(place in 0_usize..46, letter in "[A-Za-z0-9_-]") {
            let token = mint((KeyId(2), KEY), id(), AttemptNumber::FIRST, &provider("twilio-eu"));
            let changed = format!("{}{letter}{}", &token[..place], &token[place + 1..]);
            prop_assert_eq!(verify(&keys(), &provider("twilio-eu"), &changed).is_some(), changed == token);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            prop_assert_eq!(verify(&keys(), &provider("twilio-eu"), &text), None);
        }
    }
}
