//! Too much, too slow, too long, and a store that does not answer.

use std::time::Duration;

use otter_domain::VerificationId;
use otter_receipts::Limits;
use otter_store::{Store as _, Wake};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::client::{exchange, request, signed};
use crate::house::House;
use crate::store::Mood;

/// Short enough for a test to wait for.
const SOON: Duration = Duration::from_millis(50);

/// Longer than any test takes that passes.
const NEVER: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_long_body_is_refused_before_it_is_read() {
    let house = House::open_with(Limits { body: 1000, ..Limits::default() }).await;
    let announced = b"POST /receipts/acme HTTP/1.1\r\nconnection: close\r\ncontent-length: 1001\r\n\r\n";
    assert_eq!(house.exchange(announced).await.status, 413);
    let mut chunks =
        b"POST /receipts/acme HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..11 {
        chunks.extend_from_slice(b"64\r\n");
        chunks.extend_from_slice(&[b'x'; 100]);
        chunks.extend_from_slice(b"\r\n");
    }
    assert_eq!(house.exchange(&chunks).await.status, 413);
    assert_eq!(house.rejected("acme", "schema"), 2.0);
    assert_eq!(house.exchange(&signed("/receipts/acme", &[b'\n'; 1000])).await.status, 400);
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let house = House::open_with(Limits { read: SOON, ..Limits::default() }).await;
    let begun = b"POST /receipts/acme HTTP/1.1\r\ncontent-length: 100\r\n\r\nx";
    assert_eq!(house.exchange(begun).await.status, 408);
}

#[tokio::test]
async fn a_slow_head_is_not_waited_for() {
    let house = House::open_with(Limits { head: SOON, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    stream.write_all(b"POST /receipts/acme HT").await.unwrap();
    // Closed, with or without a word about it.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_one_provider_is_turned_away_and_others_get_through() {
    let house = House::open_with(Limits { requests: 8, book: NEVER, ..Limits::default() }).await;
    let (id, token) = house.sent().await;
    let (_, second) = house.sent().await;
    house.set_mood(Mood::Hangs);
    let flood = [&token, &second].map(|token| {
        let callback = signed(&format!("/receipts/acme/{token}"), b"- delivered");
        let address = house.address;
        tokio::spawn(async move { exchange(address, &callback).await })
    });
    house.hanging(2).await;
    let busy = house.call("/receipts/acme", "").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")));
    assert_eq!(house.call("/receipts/other", "").await.status, 200);
    house.set_mood(Mood::Answers);
    for callback in flood {
        assert_eq!(callback.await.unwrap().status, 200);
    }
    assert_eq!(house.call("/receipts/acme", "").await.status, 200);
    assert_eq!(house.receipt(id).await, Some("delivered"));
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_there_is_room_again_later() {
    let house = House::open_with(Limits { connections: 1, head: NEVER, ..Limits::default() }).await;
    let mut open = TcpStream::connect(house.address).await.unwrap();
    open.write_all(b"GET /receipts/acme?challenge=1 HTTP/1.1\r\n\r\n").await.unwrap();
    // It is served, so it has its place.
    open.read_u8().await.unwrap();
    let busy = house.call("/receipts/acme", "").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("1")));
    open.shutdown().await.unwrap();
    open.read_to_end(&mut Vec::new()).await.unwrap();
    // The place is free a moment after the connection is closed, and nothing tells when.
    while house.call("/receipts/acme", "").await.status == 503 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_cannot_be_booked_is_asked_for_again() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}");
    house.set_mood(Mood::Fails);
    let refused = house.call(&target, "- delivered").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    house.set_mood(Mood::Answers);
    assert_eq!(house.receipt(id).await, None);
    assert_eq!(house.call(&target, "- delivered").await.status, 200);
    assert_eq!(house.receipt(id).await, Some("delivered"));
}

#[tokio::test]
async fn a_booking_that_takes_too_long_is_finished_behind_the_answer() {
    let house = House::open_with(Limits { book: SOON, ..Limits::default() }).await;
    let (id, token) = house.sent().await;
    let mut wakes = house.store.wakes();
    house.set_mood(Mood::Hangs);
    let late = house.call(&format!("/receipts/acme/{token}"), "- undelivered").await;
    assert_eq!((late.status, late.header("retry-after")), (503, Some("5")));
    house.set_mood(Mood::Answers);
    followed_up(&house, &mut wakes, id).await;
}

#[tokio::test]
async fn a_vendor_that_hangs_up_leaves_nothing_half_booked() {
    let house = House::open_with(Limits { book: NEVER, ..Limits::default() }).await;
    let (id, token) = house.sent().await;
    let mut wakes = house.store.wakes();
    house.set_mood(Mood::Hangs);
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let target = format!("/receipts/acme/{token}");
    stream.write_all(&signed(&target, b"- undelivered")).await.unwrap();
    house.hanging(1).await;
    drop(stream);
    // By the time that another connection is answered, the end of this one was seen.
    assert_eq!(house.exchange(&request("GET", "/receipts/acme?challenge=1", &[], b"")).await.status, 200);
    house.set_mood(Mood::Answers);
    followed_up(&house, &mut wakes, id).await;
}

/// Waits until the loss of a message has led to the next one.
async fn followed_up(house: &House, wakes: &mut Receiver<Wake>, id: VerificationId) {
    let next = async {
        while house.load(id).await.attempts.len() < 2 {
            wakes.recv().await.unwrap();
        }
    };
    timeout(NEVER, next).await.expect("the loss was never followed up");
    assert_eq!(house.receipt(id).await, Some("undelivered"));
}
