//! `SendOtp`: what is accepted, and every refusal.

use std::time::Duration;

use otter_contract::v1::{
    CancelOtpRequest, Channel, ChoiceReason, GetOtpRequest, Payment, ResendOtpRequest, SendOtpRequest,
    VerificationState,
};
use otter_domain::{ErrorClass, Event, Failure, FailureClass};
use tonic::Status;

use crate::house::{CODE, House, WRONG, by, details, metadata, reason, retry_after, to_check, to_send};

async fn refused(house: &House, key: &str, request: SendOtpRequest) -> Status {
    house.otp().send_otp(by(key, request)).await.unwrap_err()
}

#[tokio::test]
async fn a_code_is_accepted_with_its_plan_and_the_number_masked() {
    let house = House::open().await;
    let sent = house.otp().send_otp(by("shop", to_send())).await.unwrap().into_inner();
    assert_eq!(sent.state(), VerificationState::Pending);
    assert_eq!(sent.masked_recipient, "+49*********78");
    assert_eq!(sent.country, "DE");
    assert!(sent.restricted);
    let plan = sent.plan.unwrap();
    let order: Vec<_> = plan.candidates.iter().map(|candidate| candidate.provider.as_str()).collect();
    assert_eq!(order, ["alpha", "beta"]);
    assert!(plan.considered.iter().all(|one| one.chosen && one.reason() == ChoiceReason::Priority));
    let (expires, resend) = (sent.expire_time.unwrap(), sent.resend_allowed_time.unwrap());
    assert_eq!(expires.seconds - resend.seconds, 270);
}

#[tokio::test]
async fn a_dry_run_explains_and_sends_nothing() {
    let house = House::open().await;
    let request = SendOtpRequest { dry_run: true, allowed_channels: vec![Channel::Rcs.into()], ..to_send() };
    let sent = house.otp().send_otp(by("shop", request)).await.unwrap().into_inner();
    assert_eq!((sent.verification_id.as_str(), sent.state()), ("", VerificationState::Unspecified));
    assert!(sent.expire_time.is_none() && sent.resend_allowed_time.is_none());
    let plan = sent.plan.unwrap();
    assert!(plan.candidates.is_empty());
    assert!(plan.considered.iter().all(|one| one.reason() == ChoiceReason::ChannelNotAllowed));
}

#[tokio::test]
async fn all_bad_fields_are_told_at_once() {
    let house = House::open().await;
    let request = SendOtpRequest {
        recipient: "0151".into(),
        purpose: "unheard-of".into(),
        code: "12".into(),
        allowed_channels: vec![99],
        request_id: "two words".into(),
        ..SendOtpRequest::default()
    };
    let status = refused(&house, "shop", request).await;
    assert_eq!(reason(&status), "INVALID_FIELDS");
    let details = details(&status);
    let violations = &details.bad_request().unwrap().field_violations;
    let told: Vec<_> = violations.iter().map(|one| (one.field.as_str(), one.reason.as_str())).collect();
    let expected = [
        ("recipient", "INVALID_NUMBER"),
        ("purpose", "PURPOSE_UNKNOWN"),
        ("allowed_channels", "INVALID_FIELDS"),
        ("code", "INVALID_FIELDS"),
        ("request_id", "INVALID_FIELDS"),
    ];
    assert_eq!(told, expected);
    assert!(violations.iter().all(|one| one.description.starts_with("must ")));
}

#[tokio::test]
async fn a_purpose_of_nobody_and_a_payment_too_many_are_refused() {
    let house = House::open().await;
    let unknown = SendOtpRequest { purpose: "unheard-of".into(), ..to_send() };
    assert_eq!(reason(&refused(&house, "shop", unknown).await), "PURPOSE_UNKNOWN");
    let missing = SendOtpRequest { purpose: "pay".into(), ..to_send() };
    assert_eq!(reason(&refused(&house, "shop", missing).await), "INVALID_FIELDS");
    let unexpected = SendOtpRequest { payment: Some(Payment::default()), ..to_send() };
    assert_eq!(reason(&refused(&house, "shop", unexpected).await), "INVALID_FIELDS");
}

#[tokio::test]
async fn numbers_that_nothing_is_sent_to_are_named_by_their_kind() {
    let house = House::open().await;
    let to = |recipient: &str| SendOtpRequest { recipient: recipient.into(), ..to_send() };
    let premium = refused(&house, "shop", to("+499001123456")).await;
    assert_eq!(reason(&premium), "NUMBER_TYPE_REFUSED");
    assert_eq!(metadata(&premium, "line_type"), "premium_rate");
    let satellite = refused(&house, "shop", to("+881612345678")).await;
    assert_eq!(metadata(&satellite, "line_type"), "global_service");
    let abroad = refused(&house, "local", to_send()).await;
    assert_eq!(reason(&abroad), "COUNTRY_NOT_ALLOWED");
    assert_eq!(metadata(&abroad, "country"), "DE");
}

#[tokio::test]
async fn a_code_that_cannot_be_of_use_is_refused_with_the_shortest_life() {
    let house = House::open().await;
    let mut short = to_send();
    short.ttl = Some(prost_types::Duration { seconds: 60, nanos: 0 });
    // 45 s of use and 15 s to get there are just enough.
    assert!(house.otp().send_otp(by("shop", short)).await.is_ok());
    let mut shorter = to_send();
    shorter.ttl = Some(prost_types::Duration { seconds: 59, nanos: 0 });
    let status = refused(&house, "shop", shorter).await;
    assert_eq!((reason(&status), metadata(&status, "minimum")), ("TTL_TOO_SHORT".into(), "60".into()));
}

#[tokio::test]
async fn a_request_that_nobody_may_carry_says_over_which_channel() {
    let house = House::open().await;
    let request = SendOtpRequest { allowed_channels: vec![Channel::Rcs.into()], ..to_send() };
    let status = refused(&house, "shop", request).await;
    assert_eq!(reason(&status), "NO_ELIGIBLE_ROUTE");
    assert_eq!((metadata(&status, "country"), metadata(&status, "channel")), ("DE".into(), "rcs".into()));
}

#[tokio::test]
async fn sec_13_a_repeat_is_not_a_second_message() {
    let house = House::open().await;
    let first = house.send("call-1").await;
    assert_eq!(house.send("call-1").await, first);
    let other = SendOtpRequest { request_id: "call-1".into(), purpose: "logout".into(), ..to_send() };
    assert_eq!(reason(&refused(&house, "shop", other).await), "REQUEST_ID_REUSED");
    assert_ne!(house.send("call-2").await, first);
}

#[tokio::test]
async fn sec_17_limits_say_which_and_when_to_come_back() {
    let house = House::open().await;
    for _ in 0..2 {
        house.otp().send_otp(by("thrifty", to_send())).await.unwrap();
    }
    let recipient = refused(&house, "thrifty", to_send()).await;
    assert_eq!(reason(&recipient), "RECIPIENT_RATE_LIMITED");
    assert!(retry_after(&recipient).as_secs() > 0);
    let quota = details(&recipient).quota_failure().unwrap().violations[0].clone();
    assert_eq!((quota.subject.as_str(), quota.description.as_str()), ("recipient", "2 messages in 600 s"));
    house.otp().send_otp(by("slow", to_send())).await.unwrap();
    let tenant = refused(&house, "slow", to_send()).await;
    assert_eq!(reason(&tenant), "TENANT_RATE_LIMITED");
    assert!(retry_after(&tenant).as_secs() > 0);
}

/// Lets a verification end in one of the five ways.
async fn end(house: &House, id: &str, how: VerificationState) {
    match how {
        VerificationState::Verified => {
            house.otp().check_otp(by("shop", to_check(id, CODE))).await.unwrap();
        }
        VerificationState::Exhausted => {
            for _ in 0..3 {
                house.otp().check_otp(by("shop", to_check(id, WRONG))).await.unwrap();
            }
        }
        VerificationState::Cancelled => {
            let request = CancelOtpRequest { verification_id: id.into() };
            house.otp().cancel_otp(by("shop", request)).await.unwrap();
        }
        VerificationState::Expired => house.wait(Duration::from_secs(300)).await,
        VerificationState::Failed => {
            for lane in ["alpha", "beta"] {
                let refused = Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected);
                let sent = |attempt| Event::Sent { attempt, tries: 1, outcome: Err(refused) };
                house.work(lane, sent).await;
            }
        }
        VerificationState::Pending | VerificationState::Unspecified => unreachable!("that is no ending"),
    }
    let request = GetOtpRequest { verification_id: id.into() };
    let told = house.otp().get_otp(by("shop", request)).await.unwrap().into_inner().verification.unwrap();
    assert_eq!(told.state(), how);
    assert!(told.restricted, "{how:?}: it travelled over a telephone network all the same");
    assert!(told.plan.is_some() && told.attempts.iter().all(|attempt| !attempt.explanation.is_empty()));
}

#[tokio::test]
async fn sec_13_a_repeat_is_the_same_answer_however_the_verification_ended() {
    use VerificationState::{Cancelled, Exhausted, Expired, Failed, Verified};
    for how in [Verified, Expired, Failed, Exhausted, Cancelled] {
        let house = House::open().await;
        let send = async || {
            let request = SendOtpRequest { request_id: "call-1".into(), ..to_send() };
            house.otp().send_otp(by("shop", request)).await.unwrap().into_inner()
        };
        let first = send().await;
        assert!(first.plan.is_some() && first.resend_allowed_time.is_some() && first.restricted);
        end(&house, &first.verification_id, how).await;
        assert_eq!(send().await, first, "{how:?}");
    }
}

#[tokio::test]
async fn sec_13_a_repeat_is_the_same_answer_after_a_resend() {
    let house = House::open().await;
    let request = || SendOtpRequest { request_id: "call-1".into(), ..to_send() };
    let first = house.otp().send_otp(by("shop", request())).await.unwrap().into_inner();
    house.accept().await;
    house.wait(Duration::from_secs(30)).await;
    let again =
        ResendOtpRequest { verification_id: first.verification_id.clone(), ..ResendOtpRequest::default() };
    house.otp().resend_otp(by("shop", again)).await.unwrap();
    assert_eq!(house.otp().send_otp(by("shop", request())).await.unwrap().into_inner(), first);
}
