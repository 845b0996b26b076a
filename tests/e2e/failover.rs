//! Provider `alpha` fails in each class, and the right thing happens.

use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, Channel, CheckOutcome, FailureClass, ReceiptStatus, Verification,
    VerificationState,
};
use otter_sandbox_vendor::{Rule, Script};
use otter_tests::{Kept, World};

on_both_stores!(
    a_rejected_message_goes_to_another_provider,
    an_unroutable_person_is_reached_on_another_channel,
    a_throttled_provider_is_left_at_once,
    an_unavailable_provider_is_tried_once_more_and_then_left,
    a_misconfigured_provider_is_left_at_once_and_then_avoided,
    an_ambiguous_send_waits_for_its_step_and_then_another_provider_goes,
    a_maybe_sent_message_that_arrives_needs_no_failover,
    an_undelivered_receipt_fails_over_at_once,
    a_late_receipt_after_failover_is_recorded,
    receipts_that_lie_do_not_verify_anybody,
    a_paused_provider_is_left_out_and_the_plan_says_so,
);

/// Sends to a number that steers `alpha`, waits for the code wherever it comes, and checks it.
async fn journey(world: &World, number: &str) -> Verification {
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    // A message can be on the handset before its worker has booked the answer.
    let taken =
        |v: &Verification| v.attempts.last().is_some_and(|last| last.state() == AttemptState::Accepted);
    world.client.until(&sent.verification_id, "the last attempt to be accepted", taken).await;
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified);
    world.client.get(&sent.verification_id).await
}

fn ways(verification: &Verification) -> Vec<(&str, Channel, AttemptState)> {
    verification.attempts.iter().map(|a| (a.provider.as_str(), a.channel(), a.state())).collect()
}

async fn a_rejected_message_goes_to_another_provider(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300001").await;
    let [(alpha, _, AttemptState::Rejected), (beta, Channel::Sms, AttemptState::Accepted)] =
        ways(&verification)[..]
    else {
        panic!("{verification:?}")
    };
    assert_eq!((alpha, beta), ("alpha", "beta"));
    let second = &verification.attempts[1];
    assert_eq!((second.origin(), second.verified), (AttemptOrigin::Failover, true));
}

async fn an_unroutable_person_is_reached_on_another_channel(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300002").await;
    assert_eq!(
        ways(&verification),
        [
            ("alpha", Channel::Sms, AttemptState::Unroutable),
            ("chat", Channel::Whatsapp, AttemptState::Accepted)
        ]
    );
    assert_eq!(world.vendor.sends("beta"), 0, "the channel does not reach this person, whoever sends");
}

async fn a_throttled_provider_is_left_at_once(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300003").await;
    assert_eq!(ways(&verification)[0], ("alpha", Channel::Sms, AttemptState::Throttled));
    assert_eq!(verification.attempts[0].tries, 1, "nobody waits for it while another is free");
    assert_eq!(ways(&verification)[1].0, "beta");
}

async fn an_unavailable_provider_is_tried_once_more_and_then_left(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300004").await;
    assert_eq!(ways(&verification)[0], ("alpha", Channel::Sms, AttemptState::Unavailable));
    assert_eq!(verification.attempts[0].tries, 2);
    assert_eq!(ways(&verification)[1].0, "beta");
    assert_eq!(world.vendor.sends("alpha"), 2);
}

async fn a_misconfigured_provider_is_left_at_once_and_then_avoided(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300005").await;
    assert_eq!(ways(&verification)[0], ("alpha", Channel::Sms, AttemptState::Misconfigured));
    assert_eq!(ways(&verification)[1].0, "beta");
    let next = journey(&world, "+4915112345678").await;
    assert_eq!(ways(&next)[0].0, "beta", "its breaker is open");
    assert_eq!(world.vendor.sends("alpha"), 1);
}

async fn an_ambiguous_send_waits_for_its_step_and_then_another_provider_goes(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300006").await;
    let first = &verification.attempts[0];
    assert_eq!((first.provider.as_str(), first.state()), ("alpha", AttemptState::Ambiguous));
    assert_eq!(first.tries, 1, "it is never blindly repeated");
    assert_eq!(ways(&verification)[1].0, "beta");
    assert_eq!(world.vendor.sends("alpha"), 1);
}

async fn a_maybe_sent_message_that_arrives_needs_no_failover(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112300012";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    let delivered = |attempt: &Attempt| attempt.receipt() == ReceiptStatus::Delivered;
    let verification =
        world.client.until(&sent.verification_id, "the receipt", |v| v.attempts.iter().any(delivered)).await;
    assert_eq!(verification.attempts.len(), 1);
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!((answer.outcome(), answer.verified_attempt), (CheckOutcome::Verified, 1));
}

async fn an_undelivered_receipt_fails_over_at_once(kept: Kept) {
    let world = World::start(kept).await;
    let verification = journey(&world, "+4915112300008").await;
    let first = &verification.attempts[0];
    assert_eq!((first.state(), first.receipt()), (AttemptState::Accepted, ReceiptStatus::Undelivered));
    assert!(verification.attempts[1].verified);
}

async fn a_late_receipt_after_failover_is_recorded(kept: Kept) {
    let world = World::start(kept).await;
    let late = Rule {
        account: Some("alpha".to_owned()),
        receipt: std::time::Duration::from_secs(8),
        ..Rule::default()
    };
    world.vendor.follow(Script { rules: vec![late] });
    let number = "+4915112345678";
    let sent = world.client.login(number, &[]).await;
    let id = &sent.verification_id;
    world.client.until(id, "the failover", |v| v.attempts.len() == 2).await;
    let delivered = |v: &Verification| v.attempts[0].receipt() == ReceiptStatus::Delivered;
    let verification = world.client.until(id, "the late receipt", delivered).await;
    assert_eq!(verification.state(), VerificationState::Pending);
    let code = world.code(number).await;
    let answer = world.client.check(id, &code).await.unwrap();
    assert_eq!((answer.outcome(), answer.verified_attempt), (CheckOutcome::Verified, 1));
}

async fn receipts_that_lie_do_not_verify_anybody(kept: Kept) {
    let world = World::start(kept).await;
    let sent = world.client.login("+4915112300010", &[]).await;
    let delivered = |v: &Verification| v.attempts[0].receipt() == ReceiptStatus::Delivered;
    let verification = world.client.until(&sent.verification_id, "the lie", delivered).await;
    assert_eq!(verification.state(), VerificationState::Pending);
    assert!(world.vendor.handset("+4915112300010").messages().is_empty());
}

async fn a_paused_provider_is_left_out_and_the_plan_says_so(kept: Kept) {
    use otter_contract::admin::v1::{PauseProviderRequest, ResumeProviderRequest};
    use otter_contract::v1::ChoiceReason;
    let world = World::start(kept).await;
    let mut providers = world.client.providers.clone();
    let pause = PauseProviderRequest { provider: "alpha".to_owned(), reason: "a test".to_owned() };
    providers.pause_provider(pause).await.unwrap();
    let sent = world.client.login("+4915112345678", &[]).await;
    let plan = sent.plan.unwrap();
    let alpha = plan.considered.iter().find(|considered| considered.provider == "alpha").unwrap();
    assert_eq!(alpha.reason(), ChoiceReason::Paused);
    assert_eq!(plan.candidates[0].provider, "beta");
    let resume = ResumeProviderRequest { provider: "alpha".to_owned() };
    providers.resume_provider(resume).await.unwrap();
    let again = world.client.login("+4915112345679", &[]).await;
    assert_eq!(again.plan.unwrap().candidates[0].provider, "alpha");
}

/// The failure class is part of what an attempt tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_tells_why_it_failed() {
    let world = World::start(Kept::embedded()).await;
    let verification = journey(&world, "+4915112300001").await;
    let first = &verification.attempts[0];
    assert_eq!(first.failure_class(), FailureClass::Rejected);
    assert!(!first.error_class.is_empty());
}
