//! Who may call, and how a call shows whom it is from.

use std::fmt;

use otter_domain::{Moment, TenantId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::transport::CertificateDer;
use webpki::EndEntityCert;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Send, resend, cancel.
    Send,
    /// Check codes and report outcomes.
    Check,
    /// Read verifications and events.
    Read,
    /// Read and steer the installation.
    Admin,
}

impl Scope {
    /// What a client certificate allows: everything that an application needs.
    const OF_CERTIFICATES: [Self; 3] = [Self::Send, Self::Check, Self::Read];

    /// The word used in errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Check => "check",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// A key that callers show. Only its digest is kept; silent in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its name in logs.
    pub id: String,
    /// The SHA-256 of the key.
    pub digest: [u8; 32],
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// From when on it is refused, on the store's clock; `None` is never. Two keys of one tenant may overlap.
    pub expires_at: Option<Moment>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, digest: _, scopes, expires_at } = self;
        f.debug_struct("ApiKey")
            .field("id", id)
            .field("scopes", scopes)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

/// Everything that may call in one tenant's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// Its keys.
    pub keys: Vec<ApiKey>,
    /// URI or DNS names of client certificates. They have every scope but admin.
    pub certificates: Vec<String>,
}

/// Everybody who may call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callers(Vec<Caller>);

/// Whom a call is from and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) tenant: TenantId,
    /// The name of its key or certificate.
    pub(crate) name: String,
    pub(crate) scopes: Vec<Scope>,
}

impl Callers {
    /// Takes the callers as they are configured.
    pub fn new(callers: Vec<Caller>) -> Self {
        Self(callers)
    }

    /// Whom a key belongs to. The time it takes does not depend on how much of a digest fits.
    pub(crate) fn by_key(&self, key: &[u8], now: Moment) -> Option<Identity> {
        let shown: [u8; 32] = Sha256::digest(key).into();
        let mut found = None;
        for caller in &self.0 {
            for known in &caller.keys {
                if bool::from(known.digest.ct_eq(&shown)) {
                    found = Some((caller, known));
                }
            }
        }
        let (caller, known) = found?;
        let valid = known.expires_at.is_none_or(|end| now < end);
        valid.then(|| Identity {
            tenant: caller.tenant.clone(),
            name: known.id.clone(),
            scopes: known.scopes.clone(),
        })
    }

    /// Whom a client certificate belongs to; its signature and time were verified with the connection.
    pub(crate) fn by_certificate(&self, certificate: &CertificateDer<'_>) -> Option<Identity> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        let names: Vec<&str> = certificate.valid_uri_names().chain(certificate.valid_dns_names()).collect();
        let known =
            |caller: &Caller| caller.certificates.iter().find(|name| names.contains(&name.as_str())).cloned();
        let (caller, name) = self.0.iter().find_map(|caller| Some((caller, known(caller)?)))?;
        Some(Identity { tenant: caller.tenant.clone(), name, scopes: Scope::OF_CERTIFICATES.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    fn key(text: &str, expires_at: Option<Moment>) -> ApiKey {
        let digest = Sha256::digest(text).into();
        ApiKey { id: "main".to_owned(), digest, scopes: vec![Scope::Send], expires_at }
    }

    fn callers(keys: Vec<ApiKey>) -> Callers {
        let tenant = TenantId::parse("shop").expect("it is a name");
        let certificates = vec!["spiffe://mesh/shop".to_owned()];
        Callers::new(vec![Caller { tenant, keys, certificates }])
    }

    #[test]
    fn two_keys_overlap_until_the_older_one_expires() {
        let callers = callers(vec![key("old", Some(NOW)), key("new", None)]);
        let before = Moment::from_millis(999_999);
        assert!(callers.by_key(b"old", before).is_some() && callers.by_key(b"new", before).is_some());
        assert!(callers.by_key(b"old", NOW).is_none() && callers.by_key(b"new", NOW).is_some());
        assert!(callers.by_key(b"other", NOW).is_none() && callers.by_key(b"", NOW).is_none());
    }

    #[test]
    fn a_certificate_is_known_by_its_uri_and_gives_no_admin_scope() {
        let known = certificate(&["spiffe://mesh/shop"]);
        let identity = callers(Vec::new()).by_certificate(&known).expect("its name is listed");
        assert_eq!(identity.scopes, Scope::OF_CERTIFICATES);
        assert!(!identity.scopes.contains(&Scope::Admin));
        assert_eq!(callers(Vec::new()).by_certificate(&certificate(&["spiffe://mesh/bank"])), None);
        assert_eq!(callers(Vec::new()).by_certificate(&CertificateDer::from(vec![0x30, 0x01])), None);
    }

    fn certificate(uris: &[&str]) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::default();
        let names = uris.iter().map(|uri| rcgen::SanType::URI((*uri).try_into().expect("it is ASCII")));
        params.subject_alt_names = names.collect();
        let key = rcgen::KeyPair::generate().expect("the system has randomness");
        params.self_signed(&key).expect("the parameters are complete").der().clone()
    }

    #[test]
    fn a_key_shows_no_digest() {
        let key = key("secret", None);
        assert!(!format!("{key:?}").contains(&format!("{}", key.digest[0])), "{key:?}");
    }
}
