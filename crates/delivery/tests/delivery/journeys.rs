//! Codes that arrive, and what is kept of them.

use otter_delivery::{Intake, Refusal, ReportRequest, Reported, SendRequest};
use otter_domain::{
    CheckVerdict, Code, Ending, HappeningKind, Measure, Phase, ReceiptStatus, RequestId, State, Subject,
    Verification,
};

use crate::house::{House, attempt, id_of, millis, provider, seconds, tenant};

fn word(kind: &HappeningKind) -> &'static str {
    match kind {
        HappeningKind::Opened => "opened",
        HappeningKind::AttemptQueued { .. } => "queued",
        HappeningKind::AttemptRetrying { .. } => "retrying",
        HappeningKind::AttemptAccepted { .. } => "accepted",
        HappeningKind::AttemptAmbiguous { .. } => "ambiguous",
        HappeningKind::AttemptEnded { .. } => "attempt ended",
        HappeningKind::ReceiptMerged { .. } => "receipt",
        HappeningKind::CheckFailed { .. } => "check failed",
        HappeningKind::ChecksLifted { .. } => "checks lifted",
        HappeningKind::Ended { .. } => "ended",
    }
}

pub(crate) fn is_accepted(verification: &Verification) -> bool {
    verification.current().is_some_and(|attempt| matches!(attempt.phase, Phase::Accepted { .. }))
}

pub(crate) fn ending(verification: &Verification) -> Option<Ending> {
    match verification.state {
        State::Pending => None,
        State::Ended { how, .. } => Some(how),
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_is_sent_arrives_and_is_verified() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    call.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    let reported = house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    assert!(matches!(reported, Reported::Booked { .. }));
    let verdict = house.check(id, &code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(1)), repeated: false });

    let ended = house.load(id).await;
    assert_eq!(ending(&ended), Some(Ending::Verified { by: Some(attempt(1)) }));
    assert_eq!((ended.private, ended.slots), (None, Vec::new()), "SEC-11");
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Accepted).await, 1);
    assert_eq!(house.counted("alpha", |measure| matches!(measure, Measure::Delivered(_))).await, 1);
    assert_eq!(house.counted("alpha", |measure| matches!(measure, Measure::Verified(_))).await, 1);
    let told: Vec<_> = house.told(id).await.iter().map(word).collect();
    assert_eq!(told, ["opened", "queued", "accepted", "receipt", "ended"]);
    let labels = ["provider=\"alpha\"", "outcome=\"accepted\""];
    assert_eq!(worker.metric("otter_delivery_attempts_total", &labels), 1.0);
    assert_eq!(house.front.metric("otter_deliveries_total", &["outcome=\"delivered\""]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_started_by_its_wake_and_not_by_the_poll() {
    let (house, _worker) = House::usual().await;
    house.send().await;
    house.vendor("alpha").next().await.accept();
    tokio::time::sleep(millis(301)).await;
    let sent_at = tokio::time::Instant::now();
    house.send_to(1).await;
    assert_eq!(house.vendor("alpha").next().await.at, sent_at);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_confirms_and_nobody_types_in_expires_on_time() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let began = house.load(id).await.created_at;
    for name in ["alpha", "beta", "gamma"] {
        house.vendor(name).next().await.accept();
    }
    let ended = house.until(id, |it| !it.is_pending()).await;
    let State::Ended { how: Ending::Expired, at } = ended.state else { panic!("{:?}", ended.state) };
    assert!(at.since(began + seconds(300)) <= seconds(1), "promise 2");
    assert_eq!(ended.private, None);
}

#[tokio::test(start_paused = true)]
async fn an_instant_at_which_nothing_changes_does_not_make_the_next_one_late() {
    let house = House::without_workers(crate::house::Plan::usual()).await;
    let id = house.send().await;
    tokio::time::sleep(seconds(3)).await;
    let _worker = house.worker("worker-1").await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    let ended = house.until(id, |it| !it.is_pending()).await;
    let State::Ended { how: Ending::Expired, at } = ended.state else { panic!("{:?}", ended.state) };
    assert!(at.since(ended.expires_at) <= millis(100), "{:?}", at.since(ended.expires_at));
    assert_eq!(ended.attempts.len(), 1, "it has arrived: nobody else goes");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_code_counts_and_the_last_one_ends_it() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let wrong = Code::parse("0000000").unwrap();
    for remaining in (0..5).rev() {
        assert_eq!(house.check(id, &wrong).await, CheckVerdict::Wrong { remaining });
    }
    assert_eq!(house.check(id, &wrong).await, CheckVerdict::Ended(Ending::Exhausted));
    assert_eq!(house.front.metric("otter_deliveries_total", &["outcome=\"unconfirmed\""]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_checked_while_its_send_still_runs_is_verified() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let verdict = house.check(id, &call.code()).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(1)), repeated: false });
    call.accept();
    let booked = house.until(id, is_accepted).await;
    assert_eq!(ending(&booked), Some(Ending::Verified { by: Some(attempt(1)) }));
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Accepted).await, 1);
    assert_eq!(house.counted("alpha", |measure| matches!(measure, Measure::Verified(_))).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_code_is_not_sent_any_more() {
    let house = House::without_workers(crate::house::Plan::usual()).await;
    let id = house.send().await;
    let cancelled = house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    assert_eq!(ending(&cancelled), Some(Ending::Cancelled));
    let worker = house.worker("worker-1").await;
    tokio::time::sleep(seconds(10)).await;
    assert_eq!(house.vendor("alpha").count(), 0);
    assert_eq!(house.load(id).await.private, None);
    worker.die();
}

#[tokio::test(start_paused = true)]
async fn a_success_that_the_caller_reports_ends_it_and_counts_for_the_attempt() {
    let (house, _worker) = House::usual().await;
    let request = SendRequest { code: Some(Code::parse("042137").unwrap()), ..house.request() };
    let id = id_of(&house.front.intake.send(request).await.unwrap());
    let call = house.vendor("alpha").next().await;
    assert_eq!(call.code().reveal(), "042137");
    call.accept();
    house.until(id, is_accepted).await;
    let reported = house.reported(id, true).await;
    assert_eq!(ending(&reported), Some(Ending::Verified { by: Some(attempt(1)) }));
    house.reported(id, true).await;
    house.reported(id, false).await;
    assert_eq!(ending(&house.load(id).await), Some(Ending::Verified { by: Some(attempt(1)) }));
    assert_eq!(house.counted("alpha", |measure| matches!(measure, Measure::Verified(_))).await, 1);
    let count = house.front.metric("otter_deliveries_total", &["outcome=\"delivered\""]);
    assert_eq!(count, 1.0, "a repeat is not counted");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_the_caller_reports_cancels_it() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    assert_eq!(ending(&house.reported(id, false).await), Some(Ending::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn another_tenant_neither_reads_nor_cancels_nor_reports() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let (intake, bank): (&Intake, _) = (&house.front.intake, tenant("bank"));
    let report = ReportRequest { tenant: bank.clone(), id, verified: true, attempt: None };
    assert!(matches!(intake.get(&bank, id).await, Err(Refusal::NotFound)));
    assert!(matches!(intake.cancel(&bank, id).await, Err(Refusal::NotFound)));
    assert!(matches!(intake.report(report).await, Err(Refusal::NotFound)));
    assert!(house.load(id).await.is_pending());
}

#[tokio::test(start_paused = true)]
async fn only_a_keyed_hash_of_the_account_is_stored_and_it_differs_by_tenant() {
    let (house, _worker) = House::usual().await;
    let subject = Some(Subject::parse("customer-4711").unwrap());
    let of = async |name: &str| {
        let request = SendRequest { tenant: tenant(name), subject: subject.clone(), ..house.request() };
        let id = id_of(&house.front.intake.send(request).await.unwrap());
        house.load(id).await.subject.unwrap()
    };
    let (shop, bank) = (of("shop").await, of("bank").await);
    assert_eq!(shop.as_str().len(), 32);
    assert!(shop.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(shop, of("shop").await, "failed checks are counted by it");
    assert_ne!(shop, bank);
}

#[tokio::test(start_paused = true)]
async fn another_account_under_the_same_request_id_is_another_question() {
    let (house, _worker) = House::usual().await;
    let request = |subject: &str| SendRequest {
        subject: Some(Subject::parse(subject).unwrap()),
        request_id: Some(RequestId::parse("request-1").unwrap()),
        ..house.request()
    };
    let first = house.front.intake.send(request("one")).await.unwrap();
    let again = house.front.intake.send(request("one")).await.unwrap();
    assert!(again.repeated);
    assert_eq!(id_of(&first), id_of(&again));
    assert!(matches!(house.front.intake.send(request("other")).await, Err(Refusal::RequestReused)));
}
