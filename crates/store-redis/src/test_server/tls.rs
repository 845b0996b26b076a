//! Certificates of an authority of the test's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Whether a server asks its clients who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificate {
    /// Nobody gets in without a certificate of the authority.
    Required,
    /// Nobody is asked.
    Ignored,
}

/// An authority, and the files of what it signed. They are gone with it.
#[derive(Debug)]
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Authority {
    /// A new one that nobody trusts yet.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Servers tell certificates apart by their names: one with the name of its authority signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let directory = tempfile::Builder::new().prefix("otter-ca-").tempdir()?;
        fs::write(ca_in(directory.path()), certificate.pem())?;
        Ok(Self { directory, issuer: Issuer::new(params, key) })
    }

    /// Its own certificate, as a PEM file.
    pub fn ca(&self) -> PathBuf {
        ca_in(self.directory.path())
    }

    /// A certificate for a client of this name.
    pub fn client(&self, name: &str) -> io::Result<Identity> {
        self.sign(name, &[name])
    }

    /// A certificate for servers on this machine.
    pub(super) fn server(&self) -> io::Result<Identity> {
        self.sign("server", &["127.0.0.1", "localhost"])
    }

    fn sign(&self, file: &str, names: &[&str]) -> io::Result<Identity> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, file);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let path = |ending: &str| self.directory.path().join(format!("{file}.{ending}"));
        let identity = Identity { certificate: path("pem"), key: path("key") };
        fs::write(&identity.certificate, certificate.pem())?;
        fs::write(&identity.key, key.serialize_pem())?;
        Ok(identity)
    }
}

fn ca_in(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}
