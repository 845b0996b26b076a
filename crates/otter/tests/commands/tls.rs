//! TLS in both directions.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use crate::canned::ID;
use crate::otter::otter;
use crate::server::Server;

/// An authority of its own, and what it signed.
pub(crate) struct Authority {
    folder: TempDir,
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { folder: tempfile::tempdir().unwrap(), pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name or address, and its key.
    pub(crate) fn sign(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_caller_with_a_certificate_is_let_in_and_no_other() {
    let authority = Authority::new();
    let (cert, key) = authority.sign("127.0.0.1");
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(cert, key))
        .client_ca_root(Certificate::from_pem(&authority.pem));
    let server = Server::start_with_tls(tls);
    let url = format!("https://{}", server.address());
    let (cert, key) = authority.sign("shop");
    let (ca, cert, key) =
        (authority.write("ca", &authority.pem), authority.write("cert", &cert), authority.write("key", &key));

    let run = otter(&url, &["get", ID, "--ca", text(&ca), "--cert", text(&cert), "--key", text(&key)]);
    assert_eq!(run.code, 0, "{}", run.errors);
    let run = otter(&url, &["get", ID, "--ca", text(&ca)]);
    assert_eq!(run.code, 4, "{}", run.errors);
    let run = otter(&url, &["get", ID]);
    assert_eq!(run.code, 4, "a server whose authority is unknown is not spoken to: {}", run.errors);
    assert!(run.errors.contains("could not reach"), "{}", run.errors);
}

#[test]
fn wrong_files_are_named() {
    let authority = Authority::new();
    let garbage = authority.write("garbage", "no PEM");
    let missing = authority.folder.path().join("missing");
    let run = otter("https://127.0.0.1:1", &["get", ID, "--ca", text(&missing)]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("--ca: cannot read"), "{}", run.errors);
    let options = ["get", ID, "--ca", text(&garbage), "--cert", text(&garbage), "--key", text(&garbage)];
    let run = otter("https://127.0.0.1:1", &options);
    assert_eq!(run.code, 2, "{}", run.errors);
    let run = otter("http://127.0.0.1:1", &["get", ID, "--ca", text(&garbage)]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("https://"), "{}", run.errors);
    let run = otter("https://127.0.0.1:1", &["get", ID, "--cert", text(&garbage)]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("--key"), "{}", run.errors);
}
