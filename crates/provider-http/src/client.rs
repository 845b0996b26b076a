//! The connection pool of one vendor account.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::BytesMut;
use otter_domain::{ErrorClass, Failure, FailureClass};
use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::time::Sleep;
use tracing::warn;

use crate::gate::{Gate, GatedBody, Passage};
use crate::{Request, Response, unreadable};

/// The largest answer that is read, in bytes. A longer one is ambiguous.
pub const MAX_RESPONSE: usize = 64 * 1024;

/// How long connecting may take, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an idle connection is kept. Shorter than what vendors' front ends do, so that a request seldom meets a
/// connection that is just being closed, which would be ambiguous.
const IDLE: Duration = Duration::from_secs(20);

/// How long a silent HTTP/2 connection goes without a ping, and how long the ping may take.
const PING: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// The HTTP client of one vendor account: one connection pool for its sends, recalls and token requests, shared by
/// cloning.
///
/// TLS is rustls with ring and the certificate authorities of the machine. Redirects are not followed, proxies of the
/// environment are ignored, nothing is decompressed, and no request is repeated. The certificates are read when the
/// first request is made, so that making a client does no I/O.
#[derive(Clone, Default)]
pub struct Client {
    http: Arc<OnceLock<reqwest::Client>>,
}

impl Client {
    /// A client without connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a request that carries no message, such as one for a token, and reads the complete answer whatever its
    /// status, redirects included. Any failure is `Unavailable`, because no message left. The caller bounds the time.
    pub async fn fetch(&self, request: &Request) -> Result<Response, Failure> {
        let answer = self.exchange(request, &Gate::unlimited()).await;
        answer.map_err(|_| Failure::new(FailureClass::Unavailable, ErrorClass::Network))
    }

    /// Makes one request and reads the complete answer; gives up at the deadline.
    pub(crate) async fn exchange_before(
        &self,
        request: &Request,
        gate: &Arc<Gate>,
        deadline: Pin<&mut Sleep>,
    ) -> Result<Response, Failure> {
        tokio::select! {
            biased;
            answer = self.exchange(request, gate) => answer,
            () = deadline => Err(given_up(gate, ErrorClass::Timeout)),
        }
    }

    async fn exchange(&self, request: &Request, gate: &Arc<Gate>) -> Result<Response, Failure> {
        let mut outgoing = reqwest::Request::new(request.method.clone(), request.url.clone());
        *outgoing.headers_mut() = request.headers.clone();
        if !request.body.is_empty() {
            *outgoing.body_mut() =
                Some(reqwest::Body::wrap(GatedBody::new(request.body.clone(), Arc::clone(gate))));
        } else if !gate.pass() {
            return Err(given_up(gate, ErrorClass::Unknown));
        }
        let incoming = match self.http().execute(outgoing).await {
            Ok(incoming) => incoming,
            Err(error) if error.is_connect() => return Err(unreached()),
            Err(_) => return Err(given_up(gate, ErrorClass::Unknown)),
        };
        read(incoming).await
    }

    fn http(&self) -> &reqwest::Client {
        self.http.get_or_init(|| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls())
                .redirect(redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .referer(false)
                .user_agent(concat!("otter/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(CONNECT_TIMEOUT)
                .pool_idle_timeout(IDLE)
                .http2_keep_alive_interval(PING.0)
                .http2_keep_alive_timeout(PING.1)
                .build()
                .expect("the settings are constants and the TLS configuration is complete")
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Reads an answer to its end. From the head on, everything that goes wrong is ambiguous.
async fn read(mut incoming: reqwest::Response) -> Result<Response, Failure> {
    let status = incoming.status();
    let headers = std::mem::take(incoming.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = incoming.chunk().await.map_err(|_| unreadable())? {
        if body.len() + chunk.len() > MAX_RESPONSE {
            return Err(unreadable());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Response { status, headers, body: body.freeze() })
}

/// What became of a request whose answer nobody waits for any more. `error` says why, if bytes had left.
fn given_up(gate: &Gate, error: ErrorClass) -> Failure {
    match gate.close() {
        Passage::Left => Failure::new(FailureClass::Ambiguous, error),
        Passage::Expired => Failure::new(FailureClass::Unavailable, ErrorClass::Expired),
        Passage::Waiting | Passage::Closed => unreached(),
    }
}

fn unreached() -> Failure {
    Failure::new(FailureClass::Unavailable, ErrorClass::Network)
}

fn tls() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has suites for every default version")
    };
    let verified = builder().with_platform_verifier().unwrap_or_else(|_| {
        // Not fatal: vendors inside the cluster may speak plain HTTP.
        warn!("no certificate authorities on this machine, https vendors cannot be reached");
        builder().with_root_certificates(RootCertStore::empty())
    });
    let mut config = verified.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
