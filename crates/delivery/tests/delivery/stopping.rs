//! Processes that are asked to stop.

use std::time::Duration;

use otter_domain::Phase;
use otter_runtime::Grace;
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, seconds};
use crate::journeys::is_accepted;

const GRACE: Grace = Grace { delay: Duration::ZERO, drain: seconds_of(20), flush: seconds_of(1) };

const fn seconds_of(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_what_is_sent_and_leaves_the_rest_claimable() {
    let (house, worker) = House::open(Plan { concurrency: 1, ..Plan::usual() }).await;
    let first = house.send_to(1).await;
    let call = house.vendor("alpha").next().await;
    let second = house.send_to(2).await;
    let stopping = tokio::spawn(worker.stop(GRACE));
    sleep(seconds(3)).await;
    assert!(!stopping.is_finished());
    call.accept();
    let stopped = stopping.await.unwrap();
    assert!(stopped.unfinished.is_empty(), "{}", stopped.unfinished);
    assert!(is_accepted(&house.load(first).await), "what was sent is booked before the process ends");
    assert!(matches!(house.load(second).await.attempts[0].phase, Phase::Queued { .. }));
    let _other = house.worker("worker-2").await;
    let began = Instant::now();
    house.vendor("alpha").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_leaving_still_sends_what_its_callers_bring() {
    let (house, worker) = House::usual().await;
    let grace = Grace { delay: seconds(5), ..GRACE };
    let stopping = tokio::spawn(worker.stop(grace));
    sleep(seconds(1)).await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    assert!(stopping.await.unwrap().unfinished.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_send_that_outlasts_the_grace_is_left_and_found_to_be_ambiguous() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let _call = house.vendor("alpha").next().await;
    let began = Instant::now();
    let stopped = worker.stop(Grace { drain: seconds(2), ..GRACE }).await;
    assert_eq!(stopped.unfinished.count("sends"), 1);
    assert!(began.elapsed() < seconds(4));
    house.until(id, |it| matches!(it.attempts[0].phase, Phase::Ambiguous { .. })).await;
}
