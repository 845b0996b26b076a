//! Limits on sends, and waits after failed checks.

use otter_contract::v1::{AttemptState, Channel, CheckOutcome};
use otter_tests::{Kept, World, login, reason, retry_after};

on_both_stores!(
    sec_17_sends_to_one_number_are_limited,
    sec_17_sends_by_one_tenant_are_limited,
    sec_05_failures_in_a_row_make_the_next_verification_wait,
    sec_19_a_resend_too_early_says_when,
);

async fn sec_17_sends_to_one_number_are_limited(kept: Kept) {
    let world = World::with_limits(kept, "limits.recipient = [{ max = 2, window = \"10m\" }]").await;
    let number = "+4915112345678";
    world.client.login(number, &[]).await;
    world.client.login(number, &[]).await;
    let refused = world.client.send(login(number, &[])).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert_eq!(reason(&refused), "RECIPIENT_RATE_LIMITED");
    assert!(retry_after(&refused).is_some_and(|wait| wait.as_secs() > 500));
    world.client.login("+4915112345679", &[]).await;
}

async fn sec_17_sends_by_one_tenant_are_limited(kept: Kept) {
    let rate = "limits.rate = { per_second = 0.01, burst = 2 }";
    let world = World::with_limits(kept, rate).await;
    let mut refusals = 0;
    for place in 0..4 {
        let sent = world.client.send(login(&format!("+49151123456{place:02}"), &[])).await;
        if let Err(refused) = sent {
            assert_eq!(reason(&refused), "TENANT_RATE_LIMITED");
            assert!(retry_after(&refused).is_some());
            refusals += 1;
        }
    }
    assert_eq!(refusals, 2);
}

async fn sec_05_failures_in_a_row_make_the_next_verification_wait(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915112345678";
    let first = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let answer = world.client.check(&first.verification_id, wrong).await.unwrap();
        assert_eq!(answer.outcome(), CheckOutcome::WrongCode);
    }
    let second = world.client.login(number, &[]).await;
    let refused = world.client.check(&second.verification_id, wrong).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    assert!(retry_after(&refused).is_some_and(|wait| (25..=30).contains(&wait.as_secs())), "{refused:?}");
}

async fn sec_19_a_resend_too_early_says_when(kept: Kept) {
    let vendor = otter_tests::vendor().await;
    let text = otter_tests::configuration(&kept, &vendor, "").replace("resend.cooldowns = [\"1s\"]", "");
    let otter = otter_tests::Otter::start(&text, &[]).await;
    let client = otter_tests::Client::connect(&otter.grpc_url()).await;
    let sent = client.login("+4915112345678", &[]).await;
    let id = &sent.verification_id;
    client
        .until(id, "the first message to be accepted", |v| v.attempts[0].state() == AttemptState::Accepted)
        .await;
    let refused = client.resend(id, Channel::Unspecified).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (tonic::Code::ResourceExhausted, "RESEND_TOO_EARLY")
    );
    assert!(retry_after(&refused).is_some_and(|wait| (20..=30).contains(&wait.as_secs())), "{refused:?}");
}
