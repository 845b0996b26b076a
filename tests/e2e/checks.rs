//! Checks: one success, the budget, and the end of time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use otter_contract::v1::{AttemptState, CheckOutcome, VerificationState};
use otter_tests::{Client, Kept, Otter, World, configuration, login, vendor};

on_both_stores!(
    sec_09_parallel_right_checks_give_exactly_one_success,
    sec_09_parallel_wrong_checks_give_exactly_the_budget,
    sec_14_a_code_counts_for_its_purpose_only,
    cmp_20_a_changed_payment_fails,
    a_repeat_of_the_winning_check_learns_the_same,
    an_expired_code_is_never_sent,
    a_check_cancels_what_is_pending,
);

fn count(outcomes: impl IntoIterator<Item = CheckOutcome>) -> BTreeMap<i32, usize> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(i32::from(outcome)).or_default() += 1;
    }
    counts
}

fn wrong(code: &str) -> String {
    if code == "000000" { "000001".to_owned() } else { "000000".to_owned() }
}

async fn sec_09_parallel_right_checks_give_exactly_one_success(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    let checks = (0..200).map(|_| world.client.check(&sent.verification_id, &code));
    let outcomes = join_all(checks).await.into_iter().map(|answer| answer.unwrap().outcome());
    let expected = BTreeMap::from([(CheckOutcome::Verified.into(), 1), (CheckOutcome::Consumed.into(), 199)]);
    assert_eq!(count(outcomes), expected);
}

async fn sec_09_parallel_wrong_checks_give_exactly_the_budget(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let sent = world.client.login(number, &[]).await;
    let wrong = wrong(&world.code(number).await);
    let checks = (0..200).map(|_| world.client.check(&sent.verification_id, &wrong));
    let outcomes = join_all(checks).await.into_iter().map(|answer| answer.unwrap().outcome());
    let expected =
        BTreeMap::from([(CheckOutcome::WrongCode.into(), 5), (CheckOutcome::Exhausted.into(), 195)]);
    assert_eq!(count(outcomes), expected);
    let verification = world.client.get(&sent.verification_id).await;
    assert_eq!((verification.state(), verification.checks_used), (VerificationState::Exhausted, 5));
}

async fn sec_14_a_code_counts_for_its_purpose_only(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    let request = otter_contract::v1::CheckOtpRequest {
        verification_id: sent.verification_id.clone(),
        code: code.clone(),
        purpose: "payment".to_owned(),
        payment: Some(payment(4999)),
        ..Default::default()
    };
    let other = world.client.otp.clone().check_otp(request).await.unwrap().into_inner();
    assert_eq!(other.outcome(), CheckOutcome::WrongCode);
    assert_eq!(
        world.client.check(&sent.verification_id, &code).await.unwrap().outcome(),
        CheckOutcome::Verified
    );
}

fn payment(minor_units: i64) -> otter_contract::v1::Payment {
    otter_contract::v1::Payment {
        currency: "EUR".to_owned(),
        minor_units,
        payee_id: "DE89370400440532013000".to_owned(),
        payee_name: "Book Shop GmbH".to_owned(),
    }
}

async fn cmp_20_a_changed_payment_fails(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let mut request = login(number, &[]);
    request.purpose = "payment".to_owned();
    request.payment = Some(payment(4999));
    let sent = world.client.send(request).await.unwrap();
    let mut handset = world.vendor.handset(number);
    let message = handset.next().await;
    assert!(message.text.reveal().contains("EUR 49.99"), "the amount is shown (CMP-21)");
    assert!(message.text.reveal().contains("Book Shop"), "the payee is shown (CMP-21)");
    let code = message.code().unwrap();
    let check = |minor_units| {
        let request = otter_contract::v1::CheckOtpRequest {
            verification_id: sent.verification_id.clone(),
            code: code.clone(),
            purpose: "payment".to_owned(),
            payment: Some(payment(minor_units)),
            ..Default::default()
        };
        let mut otp = world.client.otp.clone();
        async move { otp.check_otp(request).await.unwrap().into_inner().outcome() }
    };
    assert_eq!(check(5000).await, CheckOutcome::WrongCode);
    assert_eq!(check(4999).await, CheckOutcome::Verified);
}

async fn a_repeat_of_the_winning_check_learns_the_same(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    let check = |request_id: &str| {
        let request = otter_contract::v1::CheckOtpRequest {
            verification_id: sent.verification_id.clone(),
            code: code.clone(),
            purpose: "login".to_owned(),
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        let mut otp = world.client.otp.clone();
        async move { otp.check_otp(request).await.unwrap().into_inner().outcome() }
    };
    assert_eq!(check("first").await, CheckOutcome::Verified);
    assert_eq!(check("first").await, CheckOutcome::Verified, "the winner's answer may have been lost");
    assert_eq!(check("second").await, CheckOutcome::Consumed);
    let other = otter_contract::v1::CheckOtpRequest {
        verification_id: sent.verification_id.clone(),
        code: wrong(&code),
        purpose: "login".to_owned(),
        request_id: "first".to_owned(),
        ..Default::default()
    };
    let answer = world.client.otp.clone().check_otp(other).await.unwrap().into_inner();
    assert_eq!(answer.outcome(), CheckOutcome::Consumed, "another code under the winner's name is no repeat");
}

/// The life of the code ends while nobody works on its lane; a worker that starts afterwards sends nothing.
async fn an_expired_code_is_never_sent(kept: Kept) {
    let vendor = vendor().await;
    let text =
        configuration(&kept, &vendor, "").replace("wait = \"5s\"", "wait = \"5s\", max_queue_wait = \"60s\"");
    let mut waiting = Otter::start(&text, &["--role", "api,scheduler"]).await;
    let client = Client::connect(&waiting.grpc_url()).await;
    let id = short_lived(&client).await;
    let ended = client.until(&id, "its expiry", |v| v.state() != VerificationState::Pending).await;
    assert_eq!(ended.state(), VerificationState::Expired);
    waiting.kill();
    let mut working = Otter::start(&text, &[]).await;
    let client = Client::connect(&working.grpc_url()).await;
    // A message that is sent afterwards shows that the worker has passed the dead one on its lane.
    client.login("+4915112345600", &[]).await;
    let mut handset = vendor.handset("+4915112345600");
    tokio::time::timeout(Duration::from_secs(30), handset.next()).await.expect("the worker works");
    assert!(vendor.handset("+4915112345678").messages().is_empty());
    assert_eq!(vendor.sends("alpha"), 1);
    assert_eq!(working.stop().await, Some(0));
}

async fn short_lived(client: &Client) -> String {
    let mut request = login("+4915112345678", &[]);
    request.ttl = Some(prost_types::Duration { seconds: 25, nanos: 0 });
    client.send(request).await.unwrap().verification_id
}

/// The first code arrives and nobody reports it, so the next provider's turn comes; nobody works on its lane yet when the
/// first code is typed, and nothing is sent when somebody does.
async fn a_check_cancels_what_is_pending(kept: Kept) {
    let vendor = vendor().await;
    let patient = "wait = \"5s\", max_queue_wait = \"60s\"";
    let text = configuration(&kept, &vendor, "").replacen("wait = \"5s\"", patient, 1);
    let mut otter = Otter::start(&text, &["--provider", "alpha"]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let number = "+4915112300007";
    let sent = client.login(number, &[]).await;
    let id = &sent.verification_id;
    let code = vendor.handset(number).next().await.code().unwrap();
    let waiting = client.until(id, "the next provider's turn", |v| v.attempts.len() == 2).await;
    assert_eq!(waiting.attempts[1].state(), AttemptState::Queued);
    assert_eq!(client.check(id, &code).await.unwrap().outcome(), CheckOutcome::Verified);
    assert_eq!(client.get(id).await.attempts[1].state(), AttemptState::Withdrawn);
    otter.kill();
    let otter = Otter::start(&text, &["--provider", "beta"]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    // Payments go by beta alone; the stale job stands before this one on its lane.
    let mut request = login("+4915112345600", &[]);
    request.purpose = "payment".to_owned();
    request.payment = Some(payment(4999));
    client.send(request).await.unwrap();
    vendor.handset("+4915112345600").next().await;
    assert_eq!(vendor.sends("beta"), 1);
}
