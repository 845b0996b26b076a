//! Connections: how many there may be, and which are kept.

use std::time::Duration;

use futures::poll;
use otter_api::{Options, Tls};
use otter_domain::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{pause, resume, timeout};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::house::House;

/// A bound on waiting for what must happen.
const PATIENCE: Duration = Duration::from_secs(300);

async fn house(max_connections: usize, tls: Option<Tls>) -> House {
    House::open_quietly(Options { max_connections, tls, ..Options::default() }).await
}

/// A client with a connection of its own, if it is served.
async fn client(endpoint: Endpoint) -> Option<Channel> {
    let wire = endpoint.connect().await.ok()?;
    is_served(&wire).await.then_some(wire)
}

async fn is_served(wire: &Channel) -> bool {
    HealthClient::new(wire.clone()).check(HealthCheckRequest::default()).await.is_ok()
}

async fn until_served(endpoint: impl Fn() -> Endpoint) -> Channel {
    let served = async {
        loop {
            if let Some(client) = client(endpoint()).await {
                return client;
            }
        }
    };
    timeout(PATIENCE, served).await.expect("there is a place again")
}

fn plain(house: &House) -> Endpoint {
    Endpoint::from_shared(house.address.clone()).unwrap()
}

/// A peer that has said this much and says no more.
async fn peer(house: &House, said: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(house.address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(said).await.unwrap();
    stream
}

async fn until_closed(peer: &mut TcpStream) {
    // A connection that is closed while something of its peer's is unread is reset, which is no end of a file.
    let _ = timeout(PATIENCE, peer.read_to_end(&mut Vec::new())).await.expect("it is closed");
}

/// Lets time pass until the peers have been closed.
async fn until_all_closed(peers: [&mut TcpStream; 2]) {
    pause();
    for peer in peers {
        until_closed(peer).await;
    }
    resume();
}

#[tokio::test]
async fn a_connection_too_many_is_closed_at_once_until_another_leaves() {
    let house = house(2, None).await;
    let first = client(plain(&house)).await.unwrap();
    let second = client(plain(&house)).await.unwrap();
    assert!(client(plain(&house)).await.is_none(), "there is no third place");
    assert!(is_served(&first).await && is_served(&second).await, "those that have one keep it");
    drop(first);
    until_served(|| plain(&house)).await;
}

#[tokio::test]
async fn peers_that_do_not_speak_http_2_give_their_places_back() {
    let house = house(2, None).await;
    let mut silent = peer(&house, b"").await;
    let mut slow = peer(&house, b"PRI * HTTP/2").await;
    assert!(client(plain(&house)).await.is_none(), "they have the places");
    until_all_closed([&mut silent, &mut slow]).await;
    until_served(|| plain(&house)).await;
}

#[tokio::test]
async fn handshakes_that_are_never_finished_take_places_and_give_them_back() {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, private) = (key.cert.pem(), key.signing_key.serialize_pem());
    let tls = Tls { certificate: certificate.clone(), key: Secret::new(private), client_ca: None };
    let house = house(2, Some(tls)).await;
    let mut silent = peer(&house, b"").await;
    // The head of a record whose body does not come to its end.
    let begun = [[0x16, 0x03, 0x01, 0x02, 0x00].as_slice(), &[0x01; 100]].concat();
    let mut half = peer(&house, &begun).await;
    until_closed(&mut peer(&house, b"").await).await;
    assert!(poll!(Box::pin(silent.read_u8())).is_pending(), "who came too late is closed, not who is slow");
    assert!(poll!(Box::pin(half.read_u8())).is_pending());
    until_all_closed([&mut silent, &mut half]).await;
    until_served(|| {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate));
        let address = house.address.replace("http://", "https://");
        Endpoint::from_shared(address).unwrap().tls_config(tls.domain_name("localhost")).unwrap()
    })
    .await;
}
