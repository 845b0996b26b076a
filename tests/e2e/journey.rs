//! One code, from the call to the right answer.

use otter_contract::v1::{AttemptState, Channel, CheckOutcome, ReceiptStatus, VerificationState, event};
use otter_tests::{Kept, World, login};

on_both_stores!(
    each_channel_delivers_a_code_that_verifies,
    events_tell_the_whole_story_in_order,
    a_verification_outlives_the_process,
    a_resend_reaches_the_person_over_another_channel,
    a_cancelled_code_is_worth_nothing,
    the_same_request_again_is_not_a_second_message,
    rates_move_when_codes_are_verified,
    a_drain_finishes_what_it_holds_and_exits_cleanly,
);

async fn each_channel_delivers_a_code_that_verifies(kept: Kept) {
    let world = World::start(kept).await;
    let channels = [Channel::Sms, Channel::Whatsapp, Channel::Rcs, Channel::Voice];
    for (place, channel) in channels.into_iter().enumerate() {
        let number = format!("+49151110000{:02}", 50 + place);
        let sent = world.client.login(&number, &[channel]).await;
        let code = world.code(&number).await;
        let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
        assert_eq!(answer.outcome(), CheckOutcome::Verified, "{channel:?}");
        let verification = world.client.get(&sent.verification_id).await;
        assert_eq!(verification.state(), VerificationState::Verified);
        let attempt = &verification.attempts[0];
        assert_eq!((attempt.channel(), attempt.verified), (channel, true));
    }
}

async fn events_tell_the_whole_story_in_order(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915111000050";
    let sent = world.client.login(number, &[]).await;
    let id = sent.verification_id.clone();
    let client = world.client.clone();
    let story = tokio::spawn(async move { client.story(&id).await });
    let code = world.code(number).await;
    let delivered = |attempt: &otter_contract::v1::Attempt| attempt.receipt() == ReceiptStatus::Delivered;
    world.client.until(&sent.verification_id, "its receipt", |v| v.attempts.iter().any(delivered)).await;
    world.client.check(&sent.verification_id, &code).await.unwrap();
    let story = story.await.unwrap();
    let last = story.last().unwrap();
    assert!(
        matches!(last, event::Kind::VerificationEnded(ended) if ended.verified_attempt == 1),
        "{story:?}"
    );
    let place = |wanted: fn(&event::Kind) -> bool| story.iter().position(wanted);
    let accepted = place(|kind| matches!(kind, event::Kind::AttemptAccepted(_)));
    let ended = place(|kind| matches!(kind, event::Kind::VerificationEnded(_)));
    let (accepted, ended) = (accepted.expect("it was accepted"), ended.expect("it ended"));
    assert!(accepted < ended, "{story:?}");
}

async fn a_verification_outlives_the_process(kept: Kept) {
    let mut world = World::start(kept).await;
    let number = "+4915111000050";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    world.otter.kill();
    let World { vendor, kept, .. } = world;
    let text = otter_tests::configuration(&kept, &vendor, "");
    let otter = otter_tests::Otter::start(&text, &[]).await;
    let client = otter_tests::Client::connect(&otter.grpc_url()).await;
    let answer = client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified);
}

async fn a_resend_reaches_the_person_over_another_channel(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915111000050";
    let sent = world.client.login(number, &[]).await;
    let first = world.code(number).await;
    let id = &sent.verification_id;
    world
        .client
        .until(id, "the first attempt to be accepted", |v| v.attempts[0].state() == AttemptState::Accepted)
        .await;
    let mut handset = world.vendor.handset(number);
    handset.skip_to_now();
    let early = world.client.resend(id, Channel::Voice).await;
    if early.is_err() {
        // The cooldown of one second may not be over yet; the answer says how long it is.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        world.client.resend(id, Channel::Voice).await.unwrap();
    }
    let second = handset.next().await;
    assert_eq!(second.channel, otter_domain::Channel::Voice);
    assert_ne!(second.code().unwrap(), first, "every code names its attempt");
    let answer = world.client.check(id, &first).await.unwrap();
    assert_eq!(
        (answer.outcome(), answer.verified_attempt),
        (CheckOutcome::Verified, 1),
        "the first code still counts"
    );
}

async fn a_cancelled_code_is_worth_nothing(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915111000050";
    let sent = world.client.login(number, &[]).await;
    let code = world.code(number).await;
    world.client.cancel(&sent.verification_id).await.unwrap();
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Cancelled);
}

async fn the_same_request_again_is_not_a_second_message(kept: Kept) {
    let world = World::start(kept).await;
    let number = "+4915111000050";
    let mut request = login(number, &[]);
    request.request_id = "order-1".to_owned();
    let first = world.client.send(request.clone()).await.unwrap();
    let again = world.client.send(request.clone()).await.unwrap();
    assert_eq!(first.verification_id, again.verification_id);
    world.code(number).await;
    request.locale = "de".to_owned();
    let other = world.client.send(request).await.unwrap_err();
    assert_eq!(other.code(), tonic::Code::AlreadyExists);
    let accounts = ["alpha", "beta", "chat", "rich", "call"];
    assert_eq!(accounts.iter().map(|account| world.vendor.sends(account)).sum::<u64>(), 1);
}

async fn rates_move_when_codes_are_verified(kept: Kept) {
    use otter_contract::admin::v1::{RateWindow, WatchRatesRequest};
    let world = World::start(kept).await;
    for place in 0..3 {
        let number = format!("+49151110000{:02}", 50 + place);
        let sent = world.client.login(&number, &[]).await;
        let code = world.code(&number).await;
        world.client.check(&sent.verification_id, &code).await.unwrap();
    }
    let request =
        WatchRatesRequest { window: RateWindow::FiveMinutes.into(), ..WatchRatesRequest::default() };
    let mut rates = world.client.rates.clone().watch_rates(request).await.unwrap().into_inner();
    let seen = async {
        loop {
            let update = rates.message().await.unwrap().expect("the stream goes on");
            let alpha = update.rates.into_iter().find(|rate| rate.provider == "alpha");
            if let Some(rate) = alpha.filter(|rate| rate.verified == 3 && rate.accepted == 3) {
                return rate;
            }
        }
    };
    let rate = tokio::time::timeout(std::time::Duration::from_secs(30), seen)
        .await
        .expect("rates are at most 2 s old");
    assert_eq!((rate.country.as_str(), rate.submitted, rate.accepted), ("DE", 3, 3));
    let metrics = otter_tests::scrape(&world.otter).await;
    let counted = metrics.lines().find(|line| {
        line.starts_with("otter_verifications_total")
            && line.contains("outcome=\"verified\"")
            && line.contains("country=\"DE\"")
    });
    assert!(counted.is_some_and(|line| line.ends_with(" 3")), "{counted:?}");
}

async fn a_drain_finishes_what_it_holds_and_exits_cleanly(kept: Kept) {
    let mut world = World::start(kept).await;
    let number = "+4915111000050";
    let sent = world.client.login(number, &[]).await;
    world
        .client
        .until(&sent.verification_id, "a claim", |v| v.attempts[0].state() != AttemptState::Queued)
        .await;
    assert_eq!(world.otter.stop().await, Some(0));
    world.code(number).await;
}
