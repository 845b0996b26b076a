//! Meta's signature over its webhooks, and the handshake that registers them
//! (<https://developers.facebook.com/docs/graph-api/webhooks/getting-started>).
//!
//! `X-Hub-Signature-256` is `sha256=` and the hex of HMAC-SHA256, keyed with the app secret, over the raw body. There is
//! no time in it: replays are harmless by design.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use otter_domain::Secret;
use otter_provider::CallbackRefusal;
use sha2::Sha256;
use url::form_urlencoded;

/// What proves that a webhook is Meta's.
#[derive(Debug)]
pub(crate) struct WebhookSecrets {
    app_secret: Secret,
    verify_token: Secret,
}

impl WebhookSecrets {
    /// The app's secret, and the token that we chose for the handshake.
    pub(crate) fn new(app_secret: Secret, verify_token: Secret) -> Self {
        Self { app_secret, verify_token }
    }

    /// Verifies the signature over a body as it arrived.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), CallbackRefusal> {
        let signature = headers
            .get("x-hub-signature-256")
            .and_then(|value| value.as_bytes().strip_prefix(b"sha256="))
            .and_then(|hex| hex::decode(hex).ok())
            .ok_or(CallbackRefusal::Signature)?;
        keyed(&self.app_secret, body).verify_slice(&signature).map_err(|_| CallbackRefusal::Signature)
    }

    /// The challenge to repeat, if the query is a handshake with our token.
    pub(crate) fn challenge(&self, query: &str) -> Result<String, CallbackRefusal> {
        let value = |name| {
            form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).map(|(_, value)| value)
        };
        let token = value("hub.verify_token").ok_or(CallbackRefusal::Signature)?;
        // Compared as digests under the same key, so that the time taken tells nothing.
        let ours = keyed(&self.app_secret, self.verify_token.reveal().as_bytes()).finalize().into_bytes();
        let same = keyed(&self.app_secret, token.as_bytes()).verify_slice(&ours).is_ok();
        if !same || value("hub.mode").as_deref() != Some("subscribe") {
            return Err(CallbackRefusal::Signature);
        }
        value("hub.challenge").map(std::borrow::Cow::into_owned).ok_or(CallbackRefusal::Schema)
    }
}

fn keyed(key: &Secret, data: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(data);
    mac
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn secrets() -> WebhookSecrets {
        WebhookSecrets::new(Secret::new("Jefe"), Secret::new("v3rify"))
    }

    fn verify(signature: &str, body: &[u8]) -> Result<(), CallbackRefusal> {
        let mut headers = HeaderMap::new();
        headers.insert("x-hub-signature-256", signature.parse().unwrap());
        secrets().verify(&headers, body)
    }

    /// RFC 4231, test case 2.
    const PUBLISHED: &str = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn the_published_vector_verifies() {
        verify(PUBLISHED, b"what do ya want for nothing?").unwrap();
        verify(&PUBLISHED.to_uppercase().replace("SHA256", "sha256"), b"what do ya want for nothing?")
            .unwrap();
    }

    #[test]
    fn anything_else_is_refused() {
        for (signature, body) in [
            (PUBLISHED, &b"what do ya want for nothing!"[..]),
            (&PUBLISHED[..70], b"what do ya want for nothing?"),
            (&PUBLISHED.replace("sha256=", ""), b"what do ya want for nothing?"),
            (&PUBLISHED.replace("sha256=", "sha1="), b"what do ya want for nothing?"),
            ("sha256=", b""),
            ("sha256=zz", b""),
            ("", b""),
        ] {
            assert_eq!(verify(signature, body), Err(CallbackRefusal::Signature), "{signature}");
        }
        assert_eq!(secrets().verify(&HeaderMap::new(), b""), Err(CallbackRefusal::Signature));
    }

    #[test]
    fn a_handshake_with_our_token_repeats_the_challenge() {
        let query = "hub.mode=subscribe&hub.challenge=11%2058&hub.verify_token=v3rify";
        assert_eq!(secrets().challenge(query).unwrap(), "11 58");
    }

    #[test]
    fn any_other_handshake_is_refused() {
        let check = |query: &str, expected| assert_eq!(secrets().challenge(query), Err(expected), "{query}");
        check("", CallbackRefusal::Signature);
        check("hub.mode=subscribe&hub.challenge=1", CallbackRefusal::Signature);
        check("hub.mode=subscribe&hub.challenge=1&hub.verify_token=v3rify2", CallbackRefusal::Signature);
        check("hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=v3rify", CallbackRefusal::Signature);
        check("hub.mode=subscribe&hub.verify_token=v3rify", CallbackRefusal::Schema);
    }
}
