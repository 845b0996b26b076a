//! `WatchOtp` and `StreamEvents`.

use otter_contract::v1::event::Kind;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{
    Event, StreamEventsRequest, StreamEventsResponse, VerificationState, WatchOtpRequest, WatchOtpResponse,
};
use tonic::{Status, Streaming};

use crate::house::{CODE, House, WRONG, by, reason, to_check};

async fn watch(house: &House, id: &str) -> Streaming<WatchOtpResponse> {
    let request = WatchOtpRequest { verification_id: id.into() };
    house.otp().watch_otp(by("shop", request)).await.unwrap().into_inner()
}

async fn follow(house: &House, key: &str, token: &str) -> Result<Streaming<StreamEventsResponse>, Status> {
    let request = StreamEventsRequest { resume_token: token.into() };
    house.otp().stream_events(by(key, request)).await.map(tonic::Response::into_inner)
}

/// The next response that has an event, and its token.
async fn next(stream: &mut Streaming<StreamEventsResponse>) -> (Event, String) {
    loop {
        let StreamEventsResponse { event, resume_token } = stream.message().await.unwrap().unwrap();
        if let Some(event) = event {
            return (event, resume_token);
        }
    }
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::VerificationOpened(_) => "opened",
        Kind::AttemptQueued(_) => "queued",
        Kind::AttemptRetrying(_) => "retrying",
        Kind::AttemptAccepted(_) => "accepted",
        Kind::AttemptAmbiguous(_) => "ambiguous",
        Kind::AttemptEnded(_) => "attempt ended",
        Kind::ReceiptMerged(_) => "receipt",
        Kind::CheckFailed(_) => "check failed",
        Kind::ChecksLifted(_) => "checks lifted",
        Kind::VerificationEnded(_) => "ended",
    }
}

#[tokio::test]
async fn a_watcher_sees_a_snapshot_and_then_the_story_to_its_end() {
    let house = House::open().await;
    let id = house.send("").await;
    let mut stream = watch(&house, &id).await;
    let Some(Update::Snapshot(snapshot)) = stream.message().await.unwrap().unwrap().update else {
        panic!("the snapshot comes first")
    };
    assert_eq!((snapshot.id.as_str(), snapshot.state()), (id.as_str(), VerificationState::Pending));
    house.accept().await;
    for code in [WRONG, CODE] {
        house.otp().check_otp(by("shop", to_check(&id, code))).await.unwrap();
    }
    let mut seen = Vec::new();
    while let Some(WatchOtpResponse { update }) = stream.message().await.unwrap() {
        let Some(Update::Event(event)) = update else { panic!("there is one snapshot") };
        assert_eq!(event.verification_id, id);
        seen.push(word(&event.kind.unwrap()));
    }
    assert_eq!(seen, ["accepted", "check failed", "ended"]);
}

#[tokio::test]
async fn watching_what_has_ended_is_a_snapshot_and_nothing_more() {
    let house = House::open().await;
    let id = house.send("").await;
    house.otp().check_otp(by("shop", to_check(&id, CODE))).await.unwrap();
    let mut stream = watch(&house, &id).await;
    assert!(matches!(stream.message().await.unwrap().unwrap().update, Some(Update::Snapshot(_))));
    assert!(stream.message().await.unwrap().is_none());
}

#[tokio::test]
async fn another_tenants_verification_cannot_be_watched() {
    let house = House::open().await;
    let id = house.send("").await;
    let request = WatchOtpRequest { verification_id: id };
    let status = house.otp().watch_otp(by("slow", request)).await.unwrap_err();
    assert_eq!(reason(&status), "VERIFICATION_NOT_FOUND");
}

#[tokio::test]
async fn a_consumer_that_comes_back_misses_nothing_and_sees_no_others() {
    let house = House::open().await;
    let mut stream = follow(&house, "shop", "").await.unwrap();
    let greeting = stream.message().await.unwrap().unwrap();
    assert!(greeting.event.is_none() && !greeting.resume_token.is_empty());
    house.otp().send_otp(by("slow", crate::house::to_send())).await.unwrap();
    let id = house.send("").await;
    let (opened, after_opened) = next(&mut stream).await;
    assert_eq!(
        (opened.verification_id.as_str(), word(opened.kind.as_ref().unwrap())),
        (id.as_str(), "opened")
    );
    let (queued, _) = next(&mut stream).await;
    drop(stream);
    house.otp().check_otp(by("shop", to_check(&id, CODE))).await.unwrap();
    let mut resumed = follow(&house, "shop", &after_opened).await.unwrap();
    let (again, _) = next(&mut resumed).await;
    assert_eq!((again.event_id, word(again.kind.as_ref().unwrap())), (queued.event_id, "queued"));
    // A check that ends the verification leaves its tidying to the scheduler, which does not run here.
    let (ended, _) = next(&mut resumed).await;
    assert_eq!(word(ended.kind.as_ref().unwrap()), "ended");
}

#[tokio::test]
async fn a_token_that_is_not_the_tenants_own_is_refused() {
    let house = House::open().await;
    let mut stream = follow(&house, "shop", "").await.unwrap();
    let token = stream.message().await.unwrap().unwrap().resume_token;
    for (key, token) in
        [("slow", token.as_str()), ("shop", "nonsense"), ("shop", &token[1..]), ("shop", &"x".repeat(5000))]
    {
        let status = follow(&house, key, token).await.unwrap_err();
        assert_eq!(reason(&status), "RESUME_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn a_token_older_than_what_is_kept_is_refused_and_not_a_silent_gap() {
    let house = House::open().await;
    let mut stream = follow(&house, "shop", "").await.unwrap();
    house.send("").await;
    let (_, token) = next(&mut stream).await;
    drop(stream);
    house.wait(std::time::Duration::from_secs(3601)).await;
    house.send("").await;
    // A process that has not seen the token's event has to ask the store.
    let house = house.another().await;
    let mut late = follow(&house, "shop", &token).await.unwrap();
    let status = loop {
        if let Err(status) = late.message().await {
            break status;
        }
    };
    assert_eq!(reason(&status), "RESUME_TOKEN_EXPIRED");
}
