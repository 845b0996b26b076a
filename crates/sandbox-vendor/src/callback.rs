//! Receipts on their way out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use otter_domain::{Clock, Secret};
use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore};
use sha2::Sha256;

/// How long the receiver may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a receipt is tried, and how long after the first try the second comes; the pause doubles each time.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Posts receipts, each until it is answered with 2xx or has been tried often enough. Over plain HTTP only: the vendor
/// and its customer are on the same machine.
#[derive(Clone)]
pub(crate) struct Postman {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

impl Postman {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(no_tls())
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("the settings are constants");
        Self { http, clock }
    }

    /// Signs and posts a receipt.
    pub(crate) async fn post(&self, url: &str, key: &Secret, body: Vec<u8>) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            let timestamp = self.clock.now().as_millis().to_string();
            let signature = signature(key, &timestamp, &body);
            let posting = self
                .http
                .post(url)
                .header("content-type", "application/json")
                .header("x-sandbox-timestamp", timestamp)
                .header("x-sandbox-signature", signature)
                .body(body.clone())
                .send();
            if posting.await.is_ok_and(|answer| answer.status().is_success()) || attempt == TRIES {
                return;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postman").finish_non_exhaustive()
    }
}

fn signature(key: &Secret, timestamp: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A TLS configuration that trusts nobody: the client wants one although it never speaks TLS.
fn no_tls() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for every default version")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_time_and_body() {
        // Checked with: printf '1700000000000.{}' | openssl dgst -sha256 -hmac key
        let key = Secret::new("key");
        let expected = "36a72f4525d3323bd0f238fe82098164fb77b1e42288ff8e07b074c686178ad3";
        assert_eq!(signature(&key, "1700000000000", b"{}"), expected);
        assert_ne!(signature(&key, "1700000000001", b"{}"), expected);
    }
}
