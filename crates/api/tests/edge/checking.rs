//! `CheckOtp`: outcomes, refusals, and what opaque tenants see.

use otter_contract::v1::{
    CheckOtpRequest, CheckOtpResponse, CheckOutcome, SendOtpRequest, VerificationState,
};

use crate::house::{CODE, House, WRONG, by, reason, retry_after, to_check, to_send};

const UNKNOWN_ID: &str = "018f2c5a-7b1e-7003-9d2e-4f5a6b7c8d9e";

async fn check(house: &House, key: &str, request: CheckOtpRequest) -> CheckOtpResponse {
    house.otp().check_otp(by(key, request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn sec_03_a_code_works_once_and_the_winner_may_ask_again() {
    let house = House::open().await;
    let id = house.send("").await;
    let named = |name: &str| CheckOtpRequest { request_id: name.into(), ..to_check(&id, CODE) };
    let won = check(&house, "shop", named("check-1")).await;
    assert_eq!((won.outcome(), won.state()), (CheckOutcome::Verified, VerificationState::Verified));
    assert_eq!(won.verified_attempt, 1);
    assert_eq!(check(&house, "shop", named("check-1")).await.outcome(), CheckOutcome::Verified);
    assert_eq!(check(&house, "shop", named("check-2")).await.outcome(), CheckOutcome::Consumed);
}

#[tokio::test]
async fn sec_04_wrong_codes_use_up_the_budget() {
    let house = House::open().await;
    let id = house.send("").await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = check(&house, "shop", to_check(&id, WRONG)).await;
        seen.push((answer.outcome(), answer.checks_remaining, answer.state()));
    }
    let (wrong, pending) = (CheckOutcome::WrongCode, VerificationState::Pending);
    let exhausted = VerificationState::Exhausted;
    let last = (CheckOutcome::Exhausted, 0, exhausted);
    assert_eq!(seen, [(wrong, 2, pending), (wrong, 1, pending), (wrong, 0, exhausted), last]);
}

#[tokio::test]
async fn sec_14_a_code_of_another_purpose_or_context_is_wrong() {
    let house = House::open().await;
    let id = house.send("").await;
    let other = CheckOtpRequest { purpose: "logout".into(), ..to_check(&id, CODE) };
    assert_eq!(check(&house, "shop", other).await.outcome(), CheckOutcome::WrongCode);
    let other = CheckOtpRequest { context: "another".into(), ..to_check(&id, CODE) };
    assert_eq!(check(&house, "shop", other).await.outcome(), CheckOutcome::WrongCode);
    assert_eq!(check(&house, "shop", to_check(&id, CODE)).await.outcome(), CheckOutcome::Verified);
}

#[tokio::test]
async fn sec_02_an_expired_code_is_expired_and_not_counted() {
    let house = House::open().await;
    let id = house.send("").await;
    house.wait(std::time::Duration::from_secs(300)).await;
    let answer = check(&house, "shop", to_check(&id, CODE)).await;
    assert_eq!((answer.outcome(), answer.state()), (CheckOutcome::Expired, VerificationState::Expired));
}

#[tokio::test]
async fn an_id_of_nobody_or_of_another_tenant_is_unknown() {
    let house = House::open().await;
    let id = house.send("").await;
    assert_eq!(check(&house, "shop", to_check(UNKNOWN_ID, CODE)).await.outcome(), CheckOutcome::Unknown);
    assert_eq!(check(&house, "slow", to_check(&id, CODE)).await.outcome(), CheckOutcome::Unknown);
    let elsewhere = UNKNOWN_ID.replace("-7003-", "-7fff-");
    assert_eq!(check(&house, "shop", to_check(&elsewhere, CODE)).await.outcome(), CheckOutcome::Unknown);
}

#[tokio::test]
async fn sec_05_after_wrong_codes_the_next_verification_waits() {
    let house = House::open().await;
    for _ in 0..2 {
        let id = house.send("").await;
        for _ in 0..3 {
            house.otp().check_otp(by("shop", to_check(&id, WRONG))).await.unwrap();
        }
        house.wait(std::time::Duration::from_secs(1)).await;
    }
    let id = house.send("").await;
    let status = house.otp().check_otp(by("shop", to_check(&id, CODE))).await.unwrap_err();
    assert_eq!(reason(&status), "CHECK_WAITING");
    assert!(retry_after(&status).as_secs() > 20);
}

#[tokio::test]
async fn sec_12_opaque_tenants_learn_success_or_nothing() {
    let house = House::open().await;
    let send = SendOtpRequest { request_id: "call-1".into(), ..to_send() };
    let id = house.otp().send_otp(by("bank", send)).await.unwrap().into_inner().verification_id;
    let refused = check(&house, "bank", to_check(&id, WRONG)).await;
    assert_eq!(refused.outcome(), CheckOutcome::Refused);
    assert_eq!(check(&house, "bank", to_check(UNKNOWN_ID, WRONG)).await, refused);
    assert_eq!(check(&house, "bank", to_check(&id, CODE)).await.outcome(), CheckOutcome::Verified);
    assert_eq!(check(&house, "bank", to_check(&id, CODE)).await, refused);
}

#[tokio::test]
async fn what_cannot_be_a_check_is_not_counted() {
    let house = House::open().await;
    let id = house.send("").await;
    for request in
        [to_check("", CODE), to_check("not an id", CODE), to_check(&id, "91827x"), to_check(&id, "")]
    {
        let status = house.otp().check_otp(by("shop", request)).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_FIELDS");
    }
    let answer = check(&house, "shop", to_check(&id, WRONG)).await;
    assert_eq!(answer.checks_remaining, 2);
}
