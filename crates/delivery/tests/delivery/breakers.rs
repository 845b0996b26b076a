//! Sick providers.

use otter_delivery::SendRequest;
use otter_domain::{
    AttemptEnd, Channel, ErrorClass, Failure, FailureClass, Measure, Phase, ReceiptStatus, SpeaksOf,
};
use otter_provider::Report;
use tokio::time::sleep;

use crate::house::{House, Plan, provider, seconds, tenant};
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

/// What a receipt says of an unregistered sender.
fn unregistered() -> Failure {
    Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)
        .speaking_of(SpeaksOf::Sender)
        .with_code(30_034)
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_receipts_call_unregistered_gets_no_second_code() {
    let (house, _worker) = House::usual().await;
    let id = house.send_to(0).await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let lost = house.report(id, 1, "alpha", ReceiptStatus::Undelivered);
    let report = Report { because: Some(unregistered()), ..lost };
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    house.vendor("beta").next().await.accept();
    for place in 1..15 {
        house.send_to(place).await;
        house.vendor("beta").next().await.accept();
    }
    assert_eq!(house.vendor("alpha").count(), 1);
    let told = house.front.view.breakers.not_closed(house.front.books.now());
    let [one] = told.as_slice() else { panic!("one breaker, not {told:?}") };
    assert_eq!(one.cause.unwrap().vendor_code, Some(30_034.into()));
}

#[tokio::test(start_paused = true)]
async fn what_receipts_say_of_persons_shuts_no_door() {
    let (house, _worker) = House::usual().await;
    let away = Failure::new(FailureClass::Unroutable, ErrorClass::InvalidDestination).with_code(30_005);
    for place in 0..15 {
        let id = house.send_to(place).await;
        house.vendor("alpha").next().await.accept();
        house.until(id, is_accepted).await;
        let report = house.report(id, 1, "alpha", ReceiptStatus::Undelivered);
        house.front.desk.book(&provider("alpha"), &Report { because: Some(away), ..report }).await.unwrap();
        house.vendor("gamma").next().await.accept();
    }
    assert_eq!(house.vendor("alpha").count(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_refused_shuts_no_door_for_another_tenant() {
    let (house, _worker) = House::usual().await;
    let broken = Failure::new(FailureClass::Misconfigured, ErrorClass::Auth).speaking_of(SpeaksOf::Template);
    let of_bank = SendRequest { tenant: tenant("bank"), ..house.request() };
    house.front.intake.send(of_bank.clone()).await.unwrap();
    house.vendor("alpha").next().await.answer(Err(broken.with_code(132_001)));
    house.vendor("beta").next().await.accept();
    sleep(seconds(3)).await;
    let first = |plan: Option<otter_domain::Plan>| plan.unwrap().candidates[0].provider.to_string();
    let again = house.front.intake.send(of_bank).await.unwrap();
    assert_eq!(first(again.plan), "beta", "the text's own door is shut");
    house.vendor("beta").next().await.accept();
    house.send_to(1).await;
    house.vendor("alpha").next().await.accept();
}

#[tokio::test(start_paused = true)]
async fn a_code_that_no_table_knows_is_counted_and_found_by_operators() {
    let (house, worker) = House::usual().await;
    house.send().await;
    let odd = Failure::new(FailureClass::Rejected, ErrorClass::Unknown).with_code(39_999);
    house.vendor("alpha").next().await.answer(Err(Failure { unlisted: true, ..odd }));
    house.vendor("beta").next().await.accept();
    let labels = ["provider=\"alpha\"", "code=\"39999\""];
    assert_eq!(worker.metric("otter_provider_unlisted_codes_total", &labels), 1.0);
    let codes = otter_evidence::read_codes(house.front.books.store().as_ref()).await.unwrap();
    assert_eq!(codes[&provider("alpha")][0].0, 39_999.into());
}
