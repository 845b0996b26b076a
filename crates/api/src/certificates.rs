//! The transport with the certificates in force, which may be renewed while it serves.

use std::time::Duration;

use tokio::sync::watch;
use tonic::transport::{Certificate, Identity, Server as Transport, ServerTlsConfig};

use crate::server::{Error, Tls};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Puts renewed certificates in force. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates {
    bare: Transport,
    current: watch::Sender<Wire>,
}

/// What new connections are served with.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) tls: Option<Tls>,
    pub(crate) transport: Transport,
}

impl Certificates {
    /// A transport with these certificates; refuses what cannot be used.
    pub(crate) fn new(bare: Transport, tls: Option<Tls>) -> Result<Self, Error> {
        let current = watch::Sender::new(wire(&bare, tls)?);
        Ok(Self { bare, current })
    }

    /// New connections get these certificates from now on; those that are open keep what they were begun with, until their
    /// age ends them. Answers whether they are others than before. What cannot be used is refused and changes nothing, and a
    /// server that began without TLS stays without.
    pub fn renew(&self, tls: &Tls) -> Result<bool, Error> {
        let is_new = self.current.borrow().tls.as_ref().is_some_and(|known| known != tls);
        if is_new {
            self.current.send_replace(wire(&self.bare, Some(tls.clone()))?);
        }
        Ok(is_new)
    }

    /// What is in force, now and later.
    pub(crate) fn wires(&self) -> watch::Receiver<Wire> {
        self.current.subscribe()
    }
}

fn wire(bare: &Transport, tls: Option<Tls>) -> Result<Wire, Error> {
    let transport = match &tls {
        Some(tls) => bare.clone().tls_config(tls_of(tls)).map_err(Error::Tls)?,
        None => bare.clone(),
    };
    Ok(Wire { tls, transport })
}

fn tls_of(tls: &Tls) -> ServerTlsConfig {
    let identity = Identity::from_pem(&tls.certificate, tls.key.reveal());
    let config = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE);
    match &tls.client_ca {
        Some(ca) => config.client_ca_root(Certificate::from_pem(ca)).client_auth_optional(true),
        None => config,
    }
}
