//! What we call what Meta calls a message.

use otter_domain::ProviderReference;
use sha2::{Digest, Sha256};

/// Names a message by a digest of Meta's id for it; `None` if the id is not of a form that an id may have.
///
/// The id itself (`wamid.` and base64) contains the recipient's number, and references are shown and kept where numbers
/// may not be (CMP-18). It also contains many random characters, so the digest cannot be turned back by trying
/// numbers, and whoever has the id from Meta finds the attempt by computing the same:
/// `printf %s wamid.… | sha256sum | head -c 32`.
pub(crate) fn reference(wamid: &str) -> Option<ProviderReference> {
    ProviderReference::parse(wamid).ok()?;
    let digest = hex::encode(&Sha256::digest(wamid)[..16]);
    ProviderReference::parse(&format!("wamid-sha256.{digest}")).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_reference_names_the_message_without_the_number() {
        let reference = reference("wamid.HBgNNDkxNTExMjM0NTY3OBUCABEYEjdFRkY5QkU3RjQ4").unwrap();
        assert_eq!(reference.as_str(), "wamid-sha256.f8bbf612d73a1dd178256e2eacf5e149");
        assert!(!reference.as_str().contains("NDkxNTEx"));
    }

    #[test]
    fn what_cannot_be_an_id_is_no_reference() {
        let long = "w".repeat(257);
        for wamid in ["", "wamid with spaces", "wämid", &long] {
            assert_eq!(reference(wamid), None, "{wamid}");
        }
    }
}
