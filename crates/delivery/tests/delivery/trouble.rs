//! A store that fails, and records that nobody expected.

use otter_domain::{FailureClass, Measure, Phase};
use tokio::time::{Instant, sleep};

use crate::house::{House, attempt, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_booked_is_tried_until_it_is() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    worker.store.disturb(Op::Commit, Fault::Refused, usize::MAX);
    call.accept();
    sleep(seconds(15)).await;
    let held = house.load(id).await;
    assert!(matches!(held.attempts[0].phase, Phase::Claimed { .. }), "the lease is kept meanwhile");
    worker.store.calm();
    house.until(id, is_accepted).await;
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Accepted).await, 1);
    assert_eq!(house.vendor("alpha").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_whose_booking_was_not_confirmed_is_booked_and_counted_once() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    worker.store.disturb(Op::Commit, Fault::AnswerLost, 5);
    call.fail(FailureClass::Rejected);
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    let rejected = Measure::Failed(FailureClass::Rejected);
    assert_eq!(house.counted("alpha", |measure| *measure == rejected).await, 1);
    assert_eq!(house.vendor("beta").count(), 1);
    assert_eq!(house.load(id).await.attempts.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_does_not_answer_claims_does_not_stop_the_others() {
    let (house, worker) = House::usual().await;
    worker.store.disturb(Op::Claim, Fault::Refused, 40);
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn timers_fire_again_after_the_store_was_away() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    house.front.store.disturb(Op::Due, Fault::Refused, usize::MAX);
    sleep(seconds(60)).await;
    assert_eq!(house.load(id).await.attempts.len(), 1);
    house.front.store.calm();
    let began = Instant::now();
    house.vendor("beta").next().await.accept();
    assert!(began.elapsed() <= seconds(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_scheduler_or_in_a_batch_is_not_the_end_of_them() {
    let (house, _worker) = House::usual().await;
    house.front.store.disturb(Op::Due, Fault::Panics, 8);
    house.front.store.disturb(Op::Commit, Fault::Panics, 1);
    let id = house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Ambiguous);
    let call = house.vendor("beta").next().await;
    assert_eq!(call.dispatch.attempt, attempt(2));
    call.accept();
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_goes_on_after_a_panic_and_its_sends_in_flight_do_too() {
    let (house, worker) = House::usual().await;
    let first = house.send_to(1).await;
    let call = house.vendor("alpha").next().await;
    worker.store.disturb(Op::Claim, Fault::Panics, 30);
    worker.store.disturb(Op::Renew, Fault::Panics, 1);
    sleep(seconds(4)).await;
    call.accept();
    house.until(first, is_accepted).await;
    house.send_to(2).await;
    house.vendor("alpha").next().await.accept();
}
