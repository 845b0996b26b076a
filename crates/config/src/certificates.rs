//! Certificates and their keys, as PEM: what would fail at the first handshake is found before anything starts.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Moment, Secret};
use otter_provider::Lines;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use webpki::{EndEntityCert, KeyUsage};

use crate::dates::Span;
use crate::layers::Sources;
use crate::secret;
use crate::section::Section;

const CERTIFICATE: &str = "a PEM file with a certificate, as { file = \"PATH\" }";
const KEY: &str = "a PEM file with a private key, as { file = \"PATH\" }";

/// Whether a certificate and its key have to be there.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Needed {
    Yes,
    /// One without the other is a problem all the same.
    No,
}

/// Reads `certificate`, our own first and then those of the authorities between, and `key`, which has to fit it.
pub(crate) fn identity(
    section: &Section<'_>,
    sources: &Sources<'_>,
    needed: Needed,
) -> Option<(String, Secret)> {
    let or_with = |other| if section.value(other).is_some() { Needed::Yes } else { needed };
    let chain = text(section, "certificate", sources, or_with("key"), CERTIFICATE);
    let key = text(section, "key", sources, or_with("certificate"), KEY);
    let certificates = chain.as_ref().and_then(|chain| certificates(section, "certificate", chain));
    let signing = key.as_ref().and_then(|key| signing_key(section, key));
    let (certificates, signing) = (certificates?, signing?);
    let parsed = parsed(section, &certificates)?;
    fit(section, &certificates, &signing);
    for (place, certificate) in parsed.iter().enumerate() {
        let what = format!("certificate {} of {}", place + 1, certificates.len());
        let path = section.path("certificate");
        section.notes().dated(path, validity(certificate), &what, "renew it, for peers refuse it");
    }
    Some((chain?.reveal().to_owned(), key?))
}

/// Reads certificates of authorities that are trusted.
pub(crate) fn authorities(section: &Section<'_>, key: &'static str, sources: &Sources<'_>) -> Option<String> {
    let text = text(section, key, sources, Needed::No, CERTIFICATE)?;
    let certificates = certificates(section, key, &text)?;
    let unreadable =
        certificates.iter().position(|certificate| webpki::anchor_from_trusted_cert(certificate).is_err());
    if let Some(place) = unreadable {
        section.problem(key, unreadable_at(place, certificates.len()));
        return None;
    }
    Some(text.reveal().to_owned())
}

fn text(
    section: &Section<'_>,
    key: &'static str,
    sources: &Sources<'_>,
    needed: Needed,
    expected: &str,
) -> Option<Secret> {
    if section.value(key).is_none() && needed == Needed::Yes {
        section.missing(key, expected);
    }
    secret::read(section, key, sources, Lines::Any)
}

fn certificates(
    section: &Section<'_>,
    key: &'static str,
    text: &Secret,
) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.reveal().as_bytes()).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        Ok(_) | Err(_) => {
            section.problem(key, format!("must be {CERTIFICATE}"));
            None
        }
    }
}

fn parsed<'a>(
    section: &Section<'_>,
    certificates: &'a [CertificateDer<'static>],
) -> Option<Vec<EndEntityCert<'a>>> {
    let mut parsed = Vec::with_capacity(certificates.len());
    for (place, certificate) in certificates.iter().enumerate() {
        match EndEntityCert::try_from(certificate) {
            Ok(certificate) => parsed.push(certificate),
            Err(_) => {
                section.problem("certificate", unreadable_at(place, certificates.len()));
                return None;
            }
        }
    }
    Some(parsed)
}

fn unreadable_at(place: usize, count: usize) -> String {
    format!(
        "has certificate {} of {count} in a form that TLS cannot use; must be X.509, version 3",
        place + 1
    )
}

fn signing_key(section: &Section<'_>, text: &Secret) -> Option<Arc<dyn SigningKey>> {
    let Ok(key) = PrivateKeyDer::from_pem_slice(text.reveal().as_bytes()) else {
        let is_encrypted = text.reveal().contains("ENCRYPTED");
        let message = if is_encrypted {
            "is encrypted with a passphrase; must be the private key without one, for example from `openssl pkey`".to_owned()
        } else {
            format!("must be {KEY}")
        };
        section.problem("key", message);
        return None;
    };
    let signing = ring::default_provider().key_provider.load_private_key(key);
    if signing.is_err() {
        let message = "holds a key that TLS cannot use; must be RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519";
        section.problem("key", message);
    }
    signing.ok()
}

fn fit(section: &Section<'_>, certificates: &[CertificateDer<'static>], key: &Arc<dyn SigningKey>) {
    let fits = |certificate: &CertificateDer<'static>| {
        let pair = CertifiedKey::new(vec![certificate.clone()], Arc::clone(key)).keys_match();
        !matches!(pair, Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)))
    };
    match certificates.iter().position(fits) {
        Some(0) => {}
        Some(place) => {
            let message = format!(
                "must begin with the certificate that belongs to the key, which is number {}; those of authorities follow",
                place + 1
            );
            section.problem("certificate", message);
        }
        None => {
            let path = section.path("certificate");
            section.problem(
                "key",
                format!("does not fit {path}; must be the private key of its first certificate"),
            );
        }
    }
}

/// When a certificate is valid, as far as its dates can be read. The library tells a date only by refusing another, and
/// looks at dates before anything else.
fn validity(certificate: &EndEntityCert<'_>) -> Span {
    let refused = |seconds: u64| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let moment = |time: UnixTime| Moment::from_millis(time.as_secs().saturating_mul(1000));
    let from = match refused(0) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => Some(moment(not_before)),
        Some(_) | None => None,
    };
    let until = match refused(u64::MAX) {
        Some(webpki::Error::CertExpired { not_after, .. }) => Some(moment(not_after)),
        Some(_) | None => None,
    };
    Span { from, until }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use crate::Problem;
    use crate::fixture::{GOOD, loaded};
    use otter_domain::Moment;

    /// A certificate for ten years from 2020 on, and its key.
    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        (params().self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::new(["otter.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        params
    }

    fn with(certificate: &str, key: &str) -> String {
        format!("{GOOD}\n[grpc.tls]\ncertificate = '''{certificate}'''\nkey = '''{key}'''\n")
    }

    fn problems(file: &str) -> Vec<Problem> {
        loaded(file).err().unwrap_or_default()
    }

    fn refused(file: &str, path: &str, words: &str) {
        match problems(file).as_slice() {
            [problem] => assert!(problem.path == path && problem.message.contains(words), "{problem}"),
            other => panic!("{path} {words}: {other:?}"),
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_taken() {
        let (certificate, key) = pair();
        for (certificate, key) in [
            (certificate.clone(), key.clone()),
            (format!("\u{feff}{certificate}"), format!("\r\n{key}\r\n \n")),
            (certificate.replace('\n', "\r\n"), key.replace('\n', "\r\n")),
        ] {
            let settings = loaded(&with(&certificate, &key)).unwrap().settings;
            assert!(settings.grpc.tls.unwrap().certificate.contains("BEGIN CERTIFICATE"));
        }
    }

    #[test]
    fn a_chain_begins_with_the_certificate_of_the_key() {
        let (authority, own) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let mut of_authority = params();
        of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = of_authority.self_signed(&authority).unwrap().pem();
        let leaf = params().signed_by(&own, &Issuer::new(of_authority, authority)).unwrap().pem();
        let key = own.serialize_pem();
        assert_eq!(problems(&with(&format!("{leaf}{root}"), &key)), []);
        refused(&with(&format!("{root}{leaf}"), &key), "grpc.tls.certificate", "which is number 2");
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused_for_every_pair() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        refused(&with(&certificate, &other), "grpc.tls.key", "does not fit grpc.tls.certificate");
        let redis = |key: &str| {
            format!(
                "{GOOD}\n[store]\nurl = \"rediss://a\"\ntls.certificate = '''{certificate}'''\ntls.key = '''{key}'''\n"
            )
        };
        refused(&redis(&other), "store.tls.key", "does not fit store.tls.certificate");
        assert_eq!(problems(&redis(&key)), []);
    }

    #[test]
    fn what_is_no_certificate_or_key_is_named_and_never_shown() {
        let (certificate, key) = pair();
        let certificates = "must be a PEM file with a certificate";
        refused(&with(&key, &key), "grpc.tls.certificate", certificates);
        refused(&with("sesame", &key), "grpc.tls.certificate", certificates);
        refused(&with("/etc/tls.crt", &key), "grpc.tls.certificate", certificates);
        let cut = &certificate[..certificate.len() / 2];
        refused(&with(cut, &key), "grpc.tls.certificate", certificates);
        let hollow = "-----BEGIN CERTIFICATE-----\nc2VzYW1l\n-----END CERTIFICATE-----\n";
        refused(&with(hollow, &key), "grpc.tls.certificate", "certificate 1 of 1");
        refused(&with(&format!("{certificate}{hollow}"), &key), "grpc.tls.certificate", "certificate 2 of 2");
        refused(&with(&certificate, &certificate), "grpc.tls.key", "a PEM file with a private key");
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        refused(&with(&certificate, &encrypted), "grpc.tls.key", "passphrase");
        let hollow = "-----BEGIN PRIVATE KEY-----\nc2VzYW1l\n-----END PRIVATE KEY-----\n";
        refused(&with(&certificate, hollow), "grpc.tls.key", "that TLS cannot use");
        let unseen = key.replacen("PRIVATE", "PRI\u{200b}VATE", 1);
        refused(&with(&certificate, &unseen), "grpc.tls.key", "U+200B");
        let authority = format!("{}client_ca = '''{hollow}'''\n", with(&certificate, &key));
        refused(&authority, "grpc.tls.client_ca", certificates);
        let shown = format!("{:?}", problems(&with(&certificate, &key.replacen('M', "", 1))));
        assert!(!shown.contains(&key[40..60]), "{shown}");
    }

    #[test]
    fn a_certificate_out_of_its_time_is_a_warning() {
        let (certificate, key) = pair();
        let warned = |seconds: u64| {
            let loaded = loaded(&with(&certificate, &key)).unwrap().at(Moment::from_millis(seconds * 1000));
            let found = loaded.warnings.into_iter().find(|warning| {
                warning.path == "grpc.tls.certificate" && warning.message.contains("certificate 1")
            });
            found.map(|warning| warning.message)
        };
        let (from, until) = (1_577_836_800, 1_893_456_000);
        assert_eq!(warned(from), None);
        assert_eq!(warned(until - 1), None);
        let message = warned(until + 3 * 86_400).unwrap();
        assert_eq!(message, "certificate 1 of 1 expired 3 days ago; renew it, for peers refuse it");
        let message = warned(from - 7200).unwrap();
        assert_eq!(
            message,
            "certificate 1 of 1 is not valid yet, for another 2 hours; see whether the clock is right"
        );
    }
}
