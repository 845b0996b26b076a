//! What providers report, early, late and twice.

use otter_delivery::Reported;
use otter_domain::{
    Channel, CheckVerdict, Code, ErrorClass, Failure, FailureClass, Measure, Phase, ReceiptStatus,
    VerificationId,
};
use otter_provider::{Locator, Report};
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, attempt, provider, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

fn lost(report: Report) -> Report {
    Report { because: Some(Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable)), ..report }
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
    assert_eq!(again, Reported::Stale { channel: Some(Channel::Sms) });
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
    assert_eq!(again, Reported::Stale { channel: Some(Channel::Sms) });
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
    assert_eq!(again, Reported::Stale { channel: Some(Channel::Sms) });
    let began = Instant::now();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0), "not only at the end of the wait");
}

/// What a vendor may answer after it has reported on the message.
const ERRORS: [FailureClass; 3] =
    [FailureClass::Unavailable, FailureClass::Throttled, FailureClass::Rejected];

/// Whether the first attempt stays the only one and the person can use its code.
async fn stays_with_the_first(house: &House, id: VerificationId, code: &Code) {
    house.until(id, is_accepted).await;
    sleep(seconds(40)).await;
    assert_eq!((house.vendor("alpha").count(), house.load(id).await.attempts.len()), (1, 1));
    let verdict = house.check(id, code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(1)), repeated: false });
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_reports_a_delivery_and_then_answers_an_error_is_not_asked_again_nor_anybody_else() {
    for class in ERRORS {
        let (house, _worker) = House::usual().await;
        let id = house.send().await;
        let call = house.vendor("alpha").next().await;
        let code = call.code();
        let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
        house.front.desk.book(&provider("alpha"), &report).await.unwrap();
        call.answer(Err(Failure::new(class, ErrorClass::Unknown).with_retry_after(Some(seconds(1)))));
        stays_with_the_first(&house, id, &code).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_reported_while_a_message_waits_to_be_tried_again_is_the_end_of_trying() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    call.fail(FailureClass::Unavailable);
    house.until(id, |it| matches!(it.attempts[0].phase, Phase::Retrying { .. })).await;
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    stays_with_the_first(&house, id, &code).await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_could_not_be_followed_up_counts_when_the_vendor_repeats_it() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    house.front.store.disturb(Op::Commit, Fault::Refused, 3);
    assert!(house.front.desk.book(&provider("alpha"), &report).await.is_err());
    house.front.store.calm();
    let again = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert_eq!(again, Reported::Stale { channel: Some(Channel::Sms) });
    call.fail(FailureClass::Rejected);
    stays_with_the_first(&house, id, &code).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_try_is_not_made_of_a_message_that_was_reported_before_it_was_claimed() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    worker.store.disturb(Op::Claim, Fault::Hangs, usize::MAX);
    call.fail(FailureClass::Unavailable);
    house
        .until(id, |it| it.attempts[0].tries == 1 && matches!(it.attempts[0].phase, Phase::Queued { .. }))
        .await;
    house.front.store.disturb(Op::Commit, Fault::Refused, 3);
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    assert!(house.front.desk.book(&provider("alpha"), &report).await.is_err());
    house.front.store.calm();
    worker.store.calm();
    stays_with_the_first(&house, id, &code).await;
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
