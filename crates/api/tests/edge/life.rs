//! The other rpcs about one verification.

use std::time::Duration;

use otter_contract::v1::{
    AttemptState, CancelOtpRequest, Channel, ExpiryReason, GetOtpRequest, ReportOutcomeRequest,
    ReportedOutcome, ResendOtpRequest, Verification, VerificationState,
};
use tonic::Status;

use crate::house::{CODE, House, by, metadata, reason, retry_after, to_check};

async fn get(house: &House, id: &str) -> Verification {
    let request = GetOtpRequest { verification_id: id.into() };
    house.otp().get_otp(by("shop", request)).await.unwrap().into_inner().verification.unwrap()
}

async fn cancel(house: &House, id: &str) -> Result<Verification, Status> {
    let request = CancelOtpRequest { verification_id: id.into() };
    let answer = house.otp().cancel_otp(by("shop", request)).await?;
    Ok(answer.into_inner().verification.unwrap())
}

async fn report(
    house: &House,
    id: &str,
    outcome: ReportedOutcome,
    attempt: u32,
) -> Result<Verification, Status> {
    let request = ReportOutcomeRequest { verification_id: id.into(), outcome: outcome.into(), attempt };
    let answer = house.otp().report_outcome(by("shop", request)).await?;
    Ok(answer.into_inner().verification.unwrap())
}

fn again(id: &str) -> ResendOtpRequest {
    ResendOtpRequest { verification_id: id.into(), ..ResendOtpRequest::default() }
}

async fn not_resent(house: &House, request: ResendOtpRequest) -> Status {
    house.otp().resend_otp(by("shop", request)).await.unwrap_err()
}

#[tokio::test]
async fn a_verification_tells_everything_but_its_number_and_code() {
    let house = House::open().await;
    let id = house.send("").await;
    house.accept().await;
    let told = get(&house, &id).await;
    assert_eq!(
        (told.id.as_str(), told.tenant.as_str(), told.purpose.as_str()),
        (id.as_str(), "shop", "login")
    );
    assert_eq!(
        (told.masked_recipient.as_str(), told.state()),
        ("+49*********78", VerificationState::Pending)
    );
    assert_eq!((told.checks_used, told.check_budget, told.attempts_remaining), (0, 3, 4));
    let attempt = &told.attempts[0];
    assert_eq!(
        (attempt.number, attempt.provider.as_str(), attempt.state()),
        (1, "alpha", AttemptState::Accepted)
    );
    assert!(attempt.claim_time.is_some() && attempt.wait_until_time.is_some());
    assert!(attempt.explanation.starts_with("The plan begins with it."));
    assert!(!format!("{told:?}").contains(CODE));
}

#[tokio::test]
async fn another_tenants_verification_is_not_found() {
    let house = House::open().await;
    let id = house.send("").await;
    let request = GetOtpRequest { verification_id: id };
    let status = house.otp().get_otp(by("slow", request)).await.unwrap_err();
    assert_eq!(reason(&status), "VERIFICATION_NOT_FOUND");
}

#[tokio::test]
async fn past_its_deadline_a_verification_reads_as_expired() {
    let house = House::open().await;
    let id = house.send("").await;
    house.wait(Duration::from_secs(300)).await;
    let told = get(&house, &id).await;
    assert_eq!((told.state(), told.attempts_remaining), (VerificationState::Expired, 0));
    assert!(told.resend_allowed_time.is_none());
    assert_eq!(told.plan.unwrap().candidates.len(), 2, "who was tried, and why, is still told");
    assert!(told.attempts[0].explanation.starts_with("The plan begins with it."));
    assert_eq!(told.end_time, told.expire_time);
    assert_eq!(metadata(&cancel(&house, &id).await.unwrap_err(), "state"), "expired");
}

#[tokio::test]
async fn an_expired_verification_tells_how_far_its_messages_came() {
    let house = House::open().await;
    let taken = house.send("").await;
    house.accept().await;
    let waited = house.send("").await;
    assert_eq!(get(&house, &waited).await.expiry_reason(), ExpiryReason::Unspecified);
    house.wait(Duration::from_secs(300)).await;
    assert_eq!(get(&house, &taken).await.expiry_reason(), ExpiryReason::Unconfirmed);
    assert_eq!(get(&house, &waited).await.expiry_reason(), ExpiryReason::NotSent);
}

#[tokio::test]
async fn a_cancelled_verification_stays_cancelled_and_a_verified_one_verified() {
    let house = House::open().await;
    let id = house.send("").await;
    assert_eq!(cancel(&house, &id).await.unwrap().state(), VerificationState::Cancelled);
    assert_eq!(cancel(&house, &id).await.unwrap().state(), VerificationState::Cancelled);
    let other = house.send("").await;
    house.otp().check_otp(by("shop", to_check(&other, CODE))).await.unwrap();
    let status = cancel(&house, &other).await.unwrap_err();
    assert_eq!(
        (reason(&status), metadata(&status, "state")),
        ("VERIFICATION_ENDED".into(), "verified".into())
    );
}

#[tokio::test]
async fn a_report_ends_a_verification_and_cannot_be_contradicted() {
    let house = House::open().await;
    let id = house.send("").await;
    let (yes, no) = (ReportedOutcome::Verified, ReportedOutcome::NotVerified);
    assert_eq!(report(&house, &id, yes, 1).await.unwrap().state(), VerificationState::Verified);
    assert!(get(&house, &id).await.attempts[0].verified);
    assert_eq!(report(&house, &id, yes, 0).await.unwrap().state(), VerificationState::Verified);
    assert_eq!(reason(&report(&house, &id, no, 0).await.unwrap_err()), "VERIFICATION_ENDED");
    let other = house.send("").await;
    assert_eq!(report(&house, &other, no, 0).await.unwrap().state(), VerificationState::Cancelled);
    assert_eq!(reason(&report(&house, &other, yes, 0).await.unwrap_err()), "VERIFICATION_ENDED");
}

#[tokio::test]
async fn a_report_about_an_attempt_that_is_not_there_changes_nothing() {
    let house = House::open().await;
    let id = house.send("").await;
    for attempt in [2, 256, u32::MAX] {
        let status = report(&house, &id, ReportedOutcome::Verified, attempt).await.unwrap_err();
        assert_eq!(
            (reason(&status), metadata(&status, "attempt")),
            ("ATTEMPT_NOT_FOUND".into(), attempt.to_string())
        );
    }
    let status = report(&house, &id, ReportedOutcome::Unspecified, 0).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELDS");
    assert_eq!(get(&house, &id).await.state(), VerificationState::Pending);
}

#[tokio::test]
async fn a_report_on_an_expired_verification_is_taken_for_the_record() {
    let house = House::open().await;
    let id = house.send("").await;
    house.wait(Duration::from_secs(300)).await;
    let told = report(&house, &id, ReportedOutcome::Verified, 0).await.unwrap();
    assert_eq!(told.state(), VerificationState::Expired);
}

#[tokio::test]
async fn sec_19_a_resend_waits_for_what_is_under_way_and_for_the_cooldown() {
    let house = House::open().await;
    let id = house.send("").await;
    let live = not_resent(&house, again(&id)).await;
    assert_eq!(reason(&live), "ATTEMPT_LIVE");
    assert!(retry_after(&live) >= Duration::from_secs(1));
    house.accept().await;
    let early = not_resent(&house, again(&id)).await;
    assert_eq!(reason(&early), "RESEND_TOO_EARLY");
    assert!(retry_after(&early) <= Duration::from_secs(30));
    house.wait(Duration::from_secs(30)).await;
    let resent = house.otp().resend_otp(by("shop", again(&id))).await.unwrap().into_inner();
    let attempt = resent.attempt.unwrap();
    assert_eq!((attempt.number, attempt.provider.as_str()), (2, "beta"));
    assert!(attempt.explanation.starts_with("The caller asked for one more message."));
    assert_eq!(resent.attempts_remaining, 3);
}

#[tokio::test]
async fn a_repeated_resend_is_not_a_second_message() {
    let house = House::open().await;
    let id = house.send("").await;
    house.accept().await;
    house.wait(Duration::from_secs(30)).await;
    let named = |channel: Channel| ResendOtpRequest {
        request_id: "again-1".into(),
        channel: channel.into(),
        ..again(&id)
    };
    let first = house.otp().resend_otp(by("shop", named(Channel::Sms))).await.unwrap().into_inner();
    let second = house.otp().resend_otp(by("shop", named(Channel::Sms))).await.unwrap().into_inner();
    assert_eq!(second, first);
    assert_eq!(reason(&not_resent(&house, named(Channel::Voice)).await), "REQUEST_ID_REUSED");
    assert_eq!(get(&house, &id).await.attempts.len(), 2);
    house.accept().await;
    cancel(&house, &id).await.unwrap();
    let after = house.otp().resend_otp(by("shop", named(Channel::Sms))).await.unwrap().into_inner();
    assert_eq!(after, first, "also after the end");
}

#[tokio::test]
async fn a_resend_over_a_channel_that_nobody_offers_is_refused() {
    let house = House::open().await;
    let id = house.send("").await;
    house.accept().await;
    house.wait(Duration::from_secs(30)).await;
    let status = not_resent(&house, ResendOtpRequest { channel: Channel::Rcs.into(), ..again(&id) }).await;
    assert_eq!(reason(&status), "NO_ELIGIBLE_ROUTE");
    assert_eq!((metadata(&status, "country"), metadata(&status, "channel")), ("DE".into(), "rcs".into()));
    let status = not_resent(&house, ResendOtpRequest { channel: 42, ..again(&id) }).await;
    assert_eq!(reason(&status), "INVALID_FIELDS");
}

#[tokio::test]
async fn a_resend_too_late_or_after_the_end_is_refused() {
    let house = House::open().await;
    let id = house.send("").await;
    house.accept().await;
    house.wait(Duration::from_secs(256)).await;
    assert_eq!(reason(&not_resent(&house, again(&id)).await), "EXPIRES_TOO_SOON");
    house.wait(Duration::from_secs(44)).await;
    let status = not_resent(&house, again(&id)).await;
    assert_eq!(
        (reason(&status), metadata(&status, "state")),
        ("VERIFICATION_ENDED".into(), "expired".into())
    );
}

#[tokio::test]
async fn a_fifth_attempt_is_the_last() {
    let house = House::open().await;
    let mut request = crate::house::to_send();
    request.ttl = Some(prost_types::Duration { seconds: 600, nanos: 0 });
    let id = house.otp().send_otp(by("shop", request)).await.unwrap().into_inner().verification_id;
    for cooldown in [30, 60, 120, 120] {
        house.accept().await;
        house.wait(Duration::from_secs(cooldown)).await;
        let request = ResendOtpRequest { channel: Channel::Sms.into(), ..again(&id) };
        house.otp().resend_otp(by("shop", request)).await.unwrap();
    }
    house.accept().await;
    house.wait(Duration::from_secs(120)).await;
    let status = not_resent(&house, again(&id)).await;
    assert_eq!((reason(&status), metadata(&status, "limit")), ("ATTEMPTS_EXHAUSTED".into(), "5".into()));
}
