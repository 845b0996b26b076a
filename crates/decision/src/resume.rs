//! The resume token of `StreamEvents`: where a tenant has read to in each partition, as an opaque text.
//!
//! The positions are the store's words and mean nothing here. The token is bound to its tenant and cannot be made up,
//! so no caller steers the store to a place that it was never given.

use std::fmt;

use otter_domain::{KeyId, TenantId};

use crate::signed;

const WHAT: &str = "resume-token/v1";

/// Why a resume token cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// It does not have the form of one.
    Malformed,
    /// No key of ours made it; also when its key was rotated away.
    Forged,
    /// It was given to another tenant.
    OtherTenant,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the resume token is malformed",
            Self::Forged => "the resume token was not made by this installation, or its key is gone",
            Self::OtherTenant => "the resume token was given to another tenant",
        })
    }
}

impl std::error::Error for Error {}

/// Makes the token of one tenant at these positions, one per partition in order.
pub fn mint(key: (KeyId, &[u8]), tenant: &TenantId, positions: &[String]) -> String {
    let mut payload = Vec::new();
    for field in std::iter::once(tenant.as_str()).chain(positions.iter().map(String::as_str)) {
        payload.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
        payload.extend_from_slice(field.as_bytes());
    }
    signed::sign(WHAT, key, &payload, "")
}

/// Reads the positions back for the tenant that presents the token.
pub fn read<K: AsRef<[u8]>>(
    keys: &[(KeyId, K)],
    tenant: &TenantId,
    token: &str,
) -> Result<Vec<String>, Error> {
    let payload = signed::read(WHAT, keys, token, "").map_err(|refusal| match refusal {
        signed::Refusal::Malformed => Error::Malformed,
        signed::Refusal::Forged => Error::Forged,
    })?;
    let mut fields = fields(&payload).ok_or(Error::Malformed)?.into_iter();
    let owner = fields.next().ok_or(Error::Malformed)?;
    if owner == tenant.as_str() { Ok(fields.collect()) } else { Err(Error::OtherTenant) }
}

fn fields(mut rest: &[u8]) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk()?;
        let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        fields.push(String::from_utf8(field.to_vec()).ok()?);
        rest = after;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const KEY: &[u8] = b"a token key of thirty-two bytes.";
    const KEYS: [(KeyId, &[u8]); 1] = [(KeyId(3), KEY)];

    fn tenant(name: &str) -> TenantId {
        TenantId::parse(name).unwrap()
    }

    fn positions() -> Vec<String> {
        (0..16).map(|partition| format!("17000000000{partition:02}-0")).collect()
    }

    #[test]
    fn a_token_of_another_tenant_another_key_or_no_form_says_so() {
        let token = mint((KeyId(3), KEY), &tenant("shop"), &positions());
        assert_eq!(read(&KEYS, &tenant("bank"), &token), Err(Error::OtherTenant));
        assert_eq!(read(&[(KeyId(4), KEY)], &tenant("shop"), &token), Err(Error::Forged));
        assert_eq!(read(&[(KeyId(3), b"another key")], &tenant("shop"), &token), Err(Error::Forged));
        assert_eq!(read(&KEYS, &tenant("shop"), "not a token!"), Err(Error::Malformed));
        assert_eq!(read(&KEYS, &tenant("shop"), ""), Err(Error::Malformed));
    }

    proptest! {
        #[test]
        fn positions_come_back_as_they_went(positions in proptest::collection::vec("\\PC{0,12}", 0..20)) {
            let token = mint((KeyId(3), KEY), &tenant("shop"), &positions);
            prop_assert_eq!(read(&KEYS, &tenant("shop"), &token), Ok(positions));
        }

        #[test]
        fn no_changed_character_reads(place in 0_usize..400, letter in "[A-Za-z0-9_-]") {
            let token = mint((KeyId(3), KEY), &tenant("shop"), &positions());
            let place = place % token.len();
            let changed = format!("{}{letter}{}", &token[..place], &token[place + 1..]);
            prop_assert_eq!(read(&KEYS, &tenant("shop"), &changed).is_ok(), changed == token);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            prop_assert!(read(&KEYS, &tenant("shop"), &text).is_err());
        }
    }
}
