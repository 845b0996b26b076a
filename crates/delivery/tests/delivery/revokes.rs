//! Messages that are taken back.

use otter_domain::{
    Channel, CheckVerdict, ErrorClass, Failure, FailureClass, Phase, ReceiptStatus, Revocation, Verification,
};
use otter_provider::RecallOutcome;
use tokio::time::Instant;

use crate::house::{House, Plan, attempt, provider, seconds, tenant};
use crate::journeys::is_accepted;

fn rcs_then_sms() -> Plan {
    Plan::of(vec![(Channel::Rcs, vec!["delta"]), (Channel::Sms, vec!["alpha"])])
}

fn is_settled(verification: &Verification) -> bool {
    verification.attempts[0].revocation == Revocation::Settled
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_not_needed_is_taken_back_on_success_and_then_the_number_is_erased() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    // It was asked for on the failover, and the provider has not answered yet.
    let revoke = house.vendor("delta").next_revoke().await;
    assert_eq!(revoke.recall.attempt, attempt(1));
    assert!(revoke.recall.reference.is_some());
    call.accept();
    house.until(id, is_accepted).await;
    let verdict = house.check(id, &code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(2)), repeated: false });
    assert!(house.load(id).await.private.is_some(), "the number is needed to take the message back");
    assert_eq!(house.load(id).await.private.unwrap().code, None, "SEC-11");
    revoke.answer(Ok(RecallOutcome::Revoked));
    let now = house.until(id, is_settled).await;
    assert_eq!(now.private, None);
}

#[tokio::test(start_paused = true)]
async fn a_revoke_on_failover_is_settled_while_the_next_message_is_under_way() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    let call = house.vendor("alpha").next().await;
    house.vendor("delta").next_revoke().await.answer(Ok(RecallOutcome::TooLate));
    house.until(id, is_settled).await;
    call.accept();
    let now = house.until(id, is_accepted).await;
    assert!(now.private.is_some());
}

#[tokio::test(start_paused = true)]
async fn cancelling_takes_back_what_was_sent() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    house.vendor("delta").next_revoke().await.answer(Ok(RecallOutcome::Revoked));
    assert_eq!(house.until(id, is_settled).await.private, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_being_sent_when_it_ends_is_taken_back_after_its_answer() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    let call = house.vendor("delta").next().await;
    house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    assert!(house.vendor("delta").has_no_revoke().await);
    call.accept();
    house.vendor("delta").next_revoke().await.answer(Ok(RecallOutcome::Revoked));
    assert_eq!(house.until(id, is_settled).await.private, None);
}

#[tokio::test(start_paused = true)]
async fn a_revoke_that_fails_for_now_is_asked_again_until_the_code_is_dead() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    let began = Instant::now();
    house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    for _ in 0..3 {
        let failure = Failure::new(FailureClass::Unavailable, ErrorClass::Network);
        house.vendor("delta").next_revoke().await.answer(Err(failure));
    }
    assert!(began.elapsed() >= seconds(20) && began.elapsed() < seconds(25), "{:?}", began.elapsed());
    house.vendor("delta").next_revoke().await.answer(Ok(RecallOutcome::TooLate));
    assert_eq!(house.until(id, is_settled).await.private, None);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_a_revoke_does_not_keep_the_number_for_ever() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    drop(house.vendor("delta").next_revoke().await);
    let now = house.until(id, |it| it.private.is_none()).await;
    assert!(matches!(now.attempts[0].phase, Phase::Accepted { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_is_not_taken_back() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "delta", ReceiptStatus::Delivered);
    house.front.desk.book(&provider("delta"), &report).await.unwrap();
    let ended = house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    assert_eq!(ended.private, None);
    assert!(house.vendor("delta").has_no_revoke().await);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_any_more_is_settled() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.until(id, is_accepted).await;
    house.reload(|setup| setup.providers.get_mut(&provider("delta")).unwrap().revoker = None);
    house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    let began = Instant::now();
    assert_eq!(house.until(id, is_settled).await.private, None);
    assert!(began.elapsed() < seconds(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_revoke_that_fails_for_now_is_asked_again_while_the_verification_is_pending() {
    let (house, _worker) = House::open(rcs_then_sms()).await;
    let id = house.send().await;
    house.vendor("delta").next().await.accept();
    house.vendor("alpha").next().await.accept();
    for _ in 0..3 {
        let failure = Failure::new(FailureClass::Unavailable, ErrorClass::Network);
        house.vendor("delta").next_revoke().await.answer(Err(failure));
    }
    house.vendor("delta").next_revoke().await.answer(Ok(RecallOutcome::Revoked));
    let now = house.until(id, is_settled).await;
    assert!(now.is_pending(), "{now:#?}");
    assert_eq!(now.attempts.len(), 2);
}
