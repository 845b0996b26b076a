//! Token buckets and boards.

use std::sync::Arc;
use std::time::Duration;

use otter_store::{Board, BoardEntry};

use crate::bench::{Bench, Setup};
use crate::fixture::seconds;
use crate::kit::Kit;

/// One token in more than a day: nothing refills during a test.
const SLOW: f64 = 0.00001;

pub async fn a_bucket_gives_its_burst_and_no_more<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let take = async |key: &str, want| kit.store.take(key, SLOW, 10, want).await.unwrap().value;
    assert_eq!(take("burst", 4).await.granted, 4);
    assert_eq!(take("burst", 4).await.retry_after, Duration::ZERO);
    let last = take("burst", 4).await;
    assert_eq!(last.granted, 2, "what there is");
    assert!(last.retry_after > seconds(90_000) && last.retry_after <= seconds(100_000), "{last:?}");
    assert_eq!(take("burst", 1).await.granted, 0);
    assert_eq!(take("burst", 0).await.granted, 0);
    assert_eq!(take("another", 100).await.granted, 10, "keys are apart");
}

pub async fn a_bucket_refills_at_its_rate<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let take = async |want| kit.store.take("refill", 100.0, 5, want).await.unwrap().value;
    let mut granted = take(5).await.granted;
    let short = take(5).await;
    granted += short.granted;
    assert!(short.retry_after <= Duration::from_millis(10), "{short:?}");
    kit.bench.pass(Duration::from_millis(20)).await;
    let refilled = take(2).await.granted;
    assert_eq!(refilled, 2);
    granted += refilled;
    let allowed = 5.0 + 100.0 * kit.age().await.as_secs_f64();
    assert!(f64::from(granted) <= allowed, "{granted} of {allowed}");
    kit.bench.pass(seconds(if kit.bench.moves_clock() { 3600 } else { 0 })).await;
    assert!(take(100).await.granted <= 5, "never more than the burst");
}

pub async fn a_bucket_never_gives_too_much_in_a_race<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let takers: Vec<_> = (0..80)
        .map(|_| {
            let store = Arc::clone(&kit.store);
            tokio::spawn(async move { store.take("race", SLOW, 100, 3).await.unwrap().value.granted })
        })
        .collect();
    let mut granted = 0;
    for taker in takers {
        granted += taker.await.unwrap();
    }
    assert_eq!(granted, 100);
}

async fn entries<B: Bench>(kit: &Kit<B>, board: Board) -> Vec<(String, Vec<u8>)> {
    let mut entries = kit.store.read(board).await.unwrap().value;
    entries.sort_by(|one, other| one.key.cmp(&other.key));
    entries.into_iter().map(|BoardEntry { key, value }| (key, value)).collect()
}

pub async fn a_board_shows_the_latest_of_each_key<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    assert_eq!(entries(&kit, Board::Directives).await, []);
    let post = async |key: &str, value: &[u8]| {
        kit.store.post(Board::Directives, key, value.to_vec(), None).await.unwrap();
    };
    post("twilio-eu", b"paused").await;
    post("rbm:sms", &[0, 255, 10, 13]).await;
    post("twilio-eu", b"").await;
    let expected = [("rbm:sms".to_owned(), vec![0, 255, 10, 13]), ("twilio-eu".to_owned(), vec![])];
    assert_eq!(entries(&kit, Board::Directives).await, expected);
    assert_eq!(entries(&kit, Board::Breakers).await, [], "boards are apart");
}

pub async fn an_entry_leaves_the_board_when_its_life_is_over<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let life = Some(Duration::from_millis(30));
    kit.store.post(Board::Breakers, "short", vec![1], life).await.unwrap();
    kit.store.post(Board::Breakers, "renewed", vec![1], life).await.unwrap();
    kit.store.post(Board::Breakers, "renewed", vec![2], Some(seconds(600))).await.unwrap();
    kit.store.post(Board::Breakers, "kept", vec![3], life).await.unwrap();
    kit.store.post(Board::Breakers, "kept", vec![4], None).await.unwrap();
    kit.bench.pass(Duration::from_millis(30)).await;
    let expected = [("kept".to_owned(), vec![4]), ("renewed".to_owned(), vec![2])];
    assert_eq!(entries(&kit, Board::Breakers).await, expected);
}
