//! The way out.

use std::future::pending;
use std::time::Duration;

use otter_runtime::{Grace, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{exchange, signed};
use crate::house::House;
use crate::store::Mood;

const GRACE: Grace = Grace { delay: Duration::ZERO, drain: Duration::from_secs(600), flush: Duration::ZERO };

#[tokio::test]
async fn callbacks_in_flight_are_finished_and_no_more_are_taken() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    house.set_mood(Mood::Hangs);
    let (address, callback) = (house.address, signed(&format!("/receipts/acme/{token}"), b"- delivered"));
    let in_flight = tokio::spawn(async move { exchange(address, &callback).await });
    house.hanging(1).await;
    let phases = house.lifecycle.phases();
    let House { store, books, lifecycle, running, .. } = house;
    let stopping = tokio::spawn(lifecycle.stop(GRACE, pending(), async {}));
    phases.reached(Phase::Draining).await;
    // The port is closed a moment after the phase began, and nothing tells when.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(phases.now(), Phase::Draining);
    store.mood.send_replace(Mood::Answers);
    assert_eq!(in_flight.await.unwrap().status, 200);
    running.await.unwrap();
    assert!(stopping.await.unwrap().unfinished.is_empty());
    let booked = books.load(id).await.unwrap().unwrap();
    assert!(booked.attempts[0].receipt.is_some());
}

#[tokio::test]
async fn connections_without_a_request_are_closed_at_once() {
    let house = House::open().await;
    let mut idle = TcpStream::connect(house.address).await.unwrap();
    idle.write_all(b"GET /receipts/acme?challenge=1 HTTP/1.1\r\n\r\n").await.unwrap();
    idle.read_u8().await.unwrap();
    let mut silent = TcpStream::connect(house.address).await.unwrap();
    // Taken in after the silent one, and answered: both are held.
    assert_eq!(house.call("/receipts/acme", "").await.status, 200);
    let House { lifecycle, running, .. } = house;
    let (stopped, ended) = tokio::join!(lifecycle.stop(GRACE, pending(), async {}), running);
    ended.unwrap();
    assert!(stopped.unfinished.is_empty());
    assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
    idle.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_never_finishes_its_request_does_not_hold_up_the_end() {
    let house = House::open().await;
    let mut half = TcpStream::connect(house.address).await.unwrap();
    half.write_all(b"POST /receipts/acme HTTP/1.1\r\ncontent-le").await.unwrap();
    assert_eq!(house.call("/receipts/acme", "").await.status, 200);
    let House { lifecycle, running, .. } = house;
    let (stopped, ended) = tokio::join!(lifecycle.stop(GRACE, pending(), async {}), running);
    ended.unwrap();
    assert!(stopped.unfinished.is_empty());
}
