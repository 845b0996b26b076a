//! What providers report, early, late and twice.

use otter_delivery::Reported;
use otter_domain::{ErrorClass, FailureClass, Measure, Phase, ReceiptStatus};
use otter_provider::{Locator, Report};
use tokio::time::{Instant, sleep, timeout};

use crate::house::{House, Plan, attempt, millis, provider, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

fn lost(report: Report) -> Report {
    Report { because: Some((FailureClass::Unroutable, ErrorClass::Unreachable)), ..report }
}

#[tokio::test(start_paused = true)]
async fn rte_31_a_message_that_will_not_arrive_lets_the_next_channel_go_at_once() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let began = Instant::now();
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0));
    let again = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert_eq!(again, Reported::Stale);
    sleep(seconds(1)).await;
    assert_eq!(house.load(id).await.attempts.len(), 2);
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Undelivered).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_comes_before_the_send_is_booked_has_its_effect_once_it_is() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert_eq!(house.load(id).await.attempts.len(), 1);
    let began = Instant::now();
    call.accept();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_for_a_worker_that_is_lost_has_its_effect_when_that_is_known() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let _call = house.vendor("alpha").next().await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    let began = Instant::now();
    worker.die();
    let _other = house.worker("worker-2").await;
    house.vendor("gamma").next().await.accept();
    assert!(began.elapsed() < seconds(7), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_follows_from_a_receipt_is_made_up_for_when_the_vendor_repeats_it() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    house.front.store.disturb(Op::Commit, Fault::Refused, 3);
    assert!(house.front.desk.book(&provider("alpha"), &report).await.is_err());
    assert_eq!(house.load(id).await.attempts.len(), 1);
    house.front.store.calm();
    let again = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert_eq!(again, Reported::Stale);
    let began = Instant::now();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0), "not only at the end of the wait");
}

#[tokio::test(start_paused = true)]
async fn the_same_is_made_up_for_when_the_repeat_names_the_message_by_our_id() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let locator = Locator::MessageId(call.dispatch.message_id);
    call.accept();
    house.until(id, is_accepted).await;
    let report = Report { locator, ..lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered)) };
    house.front.store.disturb(Op::Commit, Fault::Refused, 3);
    assert!(house.front.desk.book(&provider("alpha"), &report).await.is_err());
    house.front.store.calm();
    let again = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert_eq!(again, Reported::Stale);
    let began = Instant::now();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0), "not only at the end of the wait");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_hangs_up_does_not_stop_what_follows_from_its_receipt() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    house.front.store.disturb(Op::Merge, Fault::Hangs, 1);
    let gone = timeout(millis(100), house.front.desk.book(&provider("alpha"), &report)).await;
    assert!(gone.is_err());
    house.front.store.calm();
    let began = Instant::now();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0), "not only at the end of the wait");
}

#[tokio::test(start_paused = true)]
async fn receipts_of_strangers_and_of_other_providers_change_nothing() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    let desk = &house.front.desk;
    assert_eq!(desk.book(&provider("beta"), &report).await.unwrap(), Reported::Unknown);
    let forged = Report { locator: Locator::Token("1.abc.def".to_owned()), ..report.clone() };
    assert_eq!(desk.book(&provider("alpha"), &forged).await.unwrap(), Reported::Unknown);
    let never = house.report(id, 4, "alpha", ReceiptStatus::Undelivered);
    assert_eq!(desk.book(&provider("alpha"), &never).await.unwrap(), Reported::Unknown);
    let now = house.load(id).await;
    assert!(now.attempts[0].receipt.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_receipt_after_the_end_is_counted_and_changes_no_more() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    call.accept();
    house.until(id, is_accepted).await;
    house.check(id, &code).await;
    let report = lost(house.report(id, 1, "alpha", ReceiptStatus::Undelivered));
    let reported = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert!(matches!(reported, Reported::Booked { .. }));
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Undelivered).await, 1);
    let now = house.load(id).await;
    assert!(matches!(now.attempts[0].phase, Phase::Accepted { .. }));
    assert_eq!(now.attempts.len(), 1);
    assert!(!now.is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_message_is_found_by_the_id_that_we_gave_it() {
    let (house, _worker) = House::open(Plan::usual()).await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let message = call.dispatch.message_id;
    call.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    let report = Report { locator: Locator::MessageId(message), ..report };
    let reported = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert!(matches!(reported, Reported::Booked { .. }));
    assert_eq!(house.load(id).await.attempt(attempt(1)).unwrap().receipt.unwrap().status, report.status);
}
