//! Sick providers.

use otter_domain::{AttemptEnd, Channel, ErrorClass, Failure, FailureClass, Measure, Phase};
use tokio::time::sleep;

use crate::house::{House, Plan, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

#[tokio::test(start_paused = true)]
async fn an_open_breaker_sends_what_waits_to_the_next_candidate_without_trying_and_without_evidence() {
    let (house, worker) = House::open(Plan { concurrency: 1, ..Plan::usual() }).await;
    let first = house.send_to(1).await;
    let second = house.send_to(2).await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    house.vendor("beta").next().await.accept();
    house.until(first, is_accepted).await;
    house.vendor("beta").next().await.accept();
    let now = house.until(second, is_accepted).await;
    assert!(matches!(now.attempts[0].phase, Phase::Ended { how: AttemptEnd::Failed(_), .. }));
    assert_eq!(house.vendor("alpha").count(), 1);
    let failed = house.counted("alpha", |measure| matches!(measure, Measure::Failed(_))).await;
    assert_eq!(failed, 1, "what was not tried says nothing about the provider");
    let labels = ["provider=\"alpha\"", "outcome=\"skipped_open\""];
    assert_eq!(worker.metric("otter_delivery_attempts_total", &labels), 1.0);
}

#[tokio::test(start_paused = true)]
async fn another_process_learns_of_an_open_breaker_within_two_seconds() {
    let (house, _worker) = House::usual().await;
    house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    house.vendor("beta").next().await.accept();
    sleep(seconds(3)).await;
    let plan = house.front.intake.send(house.request()).await.unwrap().plan.unwrap();
    assert_eq!(plan.candidates[0].provider.as_str(), "beta");
    house.vendor("beta").next().await.accept();
}

#[tokio::test(start_paused = true)]
async fn the_only_candidate_is_tried_although_its_breaker_is_open() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha"])])).await;
    house.send_to(1).await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    sleep(seconds(3)).await;
    let id = house.send_to(2).await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_made_says_nothing_about_the_provider() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    sleep(seconds(11)).await;
    // Half open now; without texts nothing reaches the provider that could close it.
    worker.store.disturb(Op::Claim, Fault::Hangs, 1);
    let second = house.send_to(1).await;
    house.reload(|setup| setup.catalogue = otter_message::Catalogue::new(Vec::new()).unwrap());
    worker.store.calm();
    let now = house.until(second, |it| !it.is_pending() || it.attempts.len() > 1).await;
    assert_eq!(house.vendor("alpha").count(), 1, "{now:#?}");
    let open = worker.view.breakers.not_closed(worker.books.now());
    assert_eq!(open.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_our_own_deadline_stopped_is_made_by_the_next_send() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    sleep(seconds(11)).await;
    // Half open now.
    house.send_to(1).await;
    let stopped = Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
    house.vendor("alpha").next().await.answer(Err(stopped));
    house.vendor("alpha").next().await.accept();
}

#[tokio::test(start_paused = true)]
async fn another_process_learns_of_a_breaker_that_could_not_be_told_at_first() {
    let (house, worker) = House::usual().await;
    worker.store.disturb(Op::Post, Fault::Refused, 2);
    house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Misconfigured);
    house.vendor("beta").next().await.accept();
    // Two refreshes of the one and one of the other.
    sleep(seconds(7)).await;
    assert_eq!(worker.store.calls(Op::Post), 3);
    let plan = house.front.intake.send(house.request()).await.unwrap().plan.unwrap();
    assert_eq!(plan.candidates[0].provider.as_str(), "beta");
    house.vendor("beta").next().await.accept();
}
