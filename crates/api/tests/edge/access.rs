//! Who may call what.

use otter_api::{Options, Tls};
use otter_contract::admin::v1::ListProvidersRequest;
use otter_contract::v1::GetOtpRequest;
use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_domain::Secret;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::house::{House, by, metadata, reason, to_check, to_send};

async fn refused(house: &House, request: Request<GetOtpRequest>) -> Status {
    house.otp().get_otp(request).await.unwrap_err()
}

#[tokio::test]
async fn a_call_without_credentials_or_with_bad_ones_is_refused_before_it_is_read() {
    let house = House::open().await;
    let message = GetOtpRequest { verification_id: "not an id".into() };
    assert_eq!(reason(&refused(&house, Request::new(message.clone())).await), "CREDENTIALS_MISSING");
    for key in ["", "somebody", "expired", "SHOP", "shop "] {
        let status = refused(&house, by(key, message.clone())).await;
        assert_eq!(reason(&status), "CREDENTIALS_INVALID", "{key}");
    }
    let mut basic = Request::new(message);
    basic.metadata_mut().insert("authorization", "Basic c2hvcDpzaG9w".parse().unwrap());
    assert_eq!(reason(&refused(&house, basic).await), "CREDENTIALS_INVALID");
}

#[tokio::test]
async fn metadata_that_is_not_text_is_no_credential_and_otherwise_ignored() {
    let house = House::open().await;
    let message = GetOtpRequest { verification_id: "not an id".into() };
    let mut strange = Request::new(message.clone());
    let value = MetadataValue::try_from(&b"Bearer \xff\xfe"[..]).unwrap();
    strange.metadata_mut().insert("authorization", value);
    assert_eq!(reason(&refused(&house, strange).await), "CREDENTIALS_INVALID");
    let mut other = by("shop", message);
    other.metadata_mut().insert("x-note", MetadataValue::try_from(&b"\xc3\x28"[..]).unwrap());
    other.metadata_mut().insert_bin("x-note-bin", MetadataValue::from_bytes(b"\x00\xff"));
    assert_eq!(reason(&refused(&house, other).await), "INVALID_FIELDS");
}

#[tokio::test]
async fn a_key_opens_only_what_its_scopes_say() {
    let house = House::open().await;
    let send = house.otp().send_otp(by("reader", to_send())).await.unwrap_err();
    assert_eq!((reason(&send), metadata(&send, "scope")), ("SCOPE_MISSING".into(), "send".into()));
    let check = house.otp().check_otp(by("reader", to_check("", ""))).await.unwrap_err();
    assert_eq!(metadata(&check, "scope"), "check");
    let list =
        house.providers().list_providers(by("shop", ListProvidersRequest::default())).await.unwrap_err();
    assert_eq!(metadata(&list, "scope"), "admin");
    let get = GetOtpRequest { verification_id: "not an id".into() };
    let read = house.otp().get_otp(by("operator", get.clone())).await.unwrap_err();
    assert_eq!(metadata(&read, "scope"), "read");
    assert_eq!(reason(&refused(&house, by("reader", get)).await), "INVALID_FIELDS");
}

#[tokio::test]
async fn a_key_of_a_tenant_that_has_gone_is_refused() {
    let house = House::open().await;
    let status = house.otp().send_otp(by("gone", to_send())).await.unwrap_err();
    assert_eq!(reason(&status), "TENANT_UNKNOWN");
}

/// A certificate authority, and what it signed.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn sign(&self, name: SanType) -> (String, String) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

async fn over_tls(
    house: &House,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> OtpServiceClient<Channel> {
    let ca = Certificate::from_pem(authority.issuer.pem());
    let tls = ClientTlsConfig::new().ca_certificate(ca).domain_name("localhost");
    let tls = match identity {
        Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
        None => tls,
    };
    let address = house.address.replace("http://", "https://");
    let endpoint = Endpoint::from_shared(address).unwrap().tls_config(tls).unwrap();
    OtpServiceClient::new(endpoint.connect().await.unwrap())
}

#[tokio::test]
async fn over_tls_a_client_certificate_or_a_key_says_who_calls() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign(SanType::DnsName("localhost".try_into().unwrap()));
    let tls = Tls { certificate, key: Secret::new(key), client_ca: Some(authority.issuer.pem()) };
    let house = House::open_quietly(Options { tls: Some(tls), ..Options::default() }).await;
    let named = |name: &str| Some(authority.sign(SanType::URI(name.try_into().unwrap())));

    let mut known = over_tls(&house, &authority, named("spiffe://mesh/shop")).await;
    assert!(known.send_otp(Request::new(to_send())).await.is_ok());
    let mut unknown = over_tls(&house, &authority, named("spiffe://mesh/somebody")).await;
    let status = unknown.send_otp(Request::new(to_send())).await.unwrap_err();
    assert_eq!(reason(&status), "CREDENTIALS_INVALID");
    assert!(unknown.send_otp(by("shop", to_send())).await.is_ok(), "a key decides if one is shown");
    let mut without = over_tls(&house, &authority, None).await;
    let status = without.send_otp(Request::new(to_send())).await.unwrap_err();
    assert_eq!(reason(&status), "CREDENTIALS_MISSING");
    assert!(without.send_otp(by("shop", to_send())).await.is_ok());
}
