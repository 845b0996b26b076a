//! Who gets in: certificates and passwords.

use std::fs::read_to_string;

use otter_domain::Secret;
use otter_store_redis::test_server::{Authority, ClientCertificate, RedisServer};
use otter_store_redis::{Identity, Options, RedisStore, Tls};

use crate::common::{create, home, options, refusal};

fn ca(authority: &Authority) -> Option<String> {
    Some(read_to_string(authority.ca()).unwrap())
}

fn identity(authority: &Authority) -> Option<Identity> {
    let files = authority.client("otter").unwrap();
    let key = Secret::new(read_to_string(files.key).unwrap());
    Some(Identity { certificate: read_to_string(files.certificate).unwrap(), key })
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_was_given_and_no_other() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = RedisServer::start_tls(&authority, ClientCertificate::Ignored).unwrap();
    let with = |ca| Options { tls: Tls { ca, identity: None }, ..options(server.url()) };
    let store = RedisStore::connect(with(ca(&authority))).await.unwrap();
    create(&store, home(1)).await.unwrap();
    for stranger in [ca(&other), None] {
        let refused = refusal(with(stranger)).await;
        assert!(refused.contains("unavailable while connecting"), "{refused}");
    }
    let plain = server.url().replace("rediss://", "redis://");
    assert!(refusal(options(plain)).await.contains("unavailable"));
    let refused =
        refusal(with(Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned()))).await;
    assert!(refused.contains("certificates"), "{refused}");
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_is_shown_our_certificate() {
    let (authority, other) = (Authority::new().unwrap(), Authority::new().unwrap());
    let server = RedisServer::start_tls(&authority, ClientCertificate::Required).unwrap();
    let with = |identity| Options { tls: Tls { ca: ca(&authority), identity }, ..options(server.url()) };
    let store = RedisStore::connect(with(identity(&authority))).await.unwrap();
    create(&store, home(1)).await.unwrap();
    for stranger in [identity(&other), None] {
        let refused = refusal(with(stranger)).await;
        assert!(refused.contains("unavailable while connecting"), "{refused}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_without_being_repeated() {
    let server = RedisServer::start_with_users(&["otter on >secret ~* &* +@all", "default off"]).unwrap();
    let address = server.address();
    RedisStore::connect(options(format!("redis://otter:secret@{address}"))).await.unwrap();
    for url in [format!("redis://otter:hunter2@{address}"), format!("redis://{address}")] {
        let error = RedisStore::connect(options(url)).await.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.contains("while connecting") && !told.contains("hunter2"), "{told}");
    }
}
