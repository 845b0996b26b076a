//! Sends that are refused because nobody could check their code, and `LockService`.

use std::time::Duration;

use otter_contract::admin::v1::{GetLocksRequest, LiftLockRequest, Lock, LockState};
use otter_contract::v1::event::Kind;
use otter_contract::v1::{ChannelClass, ChoiceReason, SendOtpRequest, SendOtpResponse, StreamEventsRequest};
use tonic::{Code, Status};

use crate::house::{CODE, House, NUMBER, WRONG, by, metadata, reason, retry_after, to_check, to_send};

const REASON: &str = "ticket 4711: she called back";

fn of(subject: &str) -> SendOtpRequest {
    SendOtpRequest { subject: subject.into(), ..to_send() }
}

impl House {
    async fn try_send(&self, request: SendOtpRequest) -> Result<SendOtpResponse, Status> {
        self.otp().send_otp(by("shop", request)).await.map(tonic::Response::into_inner)
    }

    /// Wrong codes in a row, each set after its wait.
    async fn wrong_codes(&self, subject: &str, sets: usize) {
        for _ in 0..sets {
            let id = self.try_send(of(subject)).await.unwrap().verification_id;
            for _ in 0..3 {
                self.otp().check_otp(by("shop", to_check(&id, WRONG))).await.unwrap();
            }
            self.wait(Duration::from_secs(3600)).await;
        }
    }

    async fn locks(&self, request: GetLocksRequest) -> Result<Vec<Lock>, Status> {
        let answer = self.lock_service().get_locks(by("operator", request)).await?.into_inner();
        assert!(!format!("{answer:?}").contains(&NUMBER[1..]));
        Ok(answer.locks)
    }

    async fn lift(&self, request: LiftLockRequest) -> Result<Vec<Lock>, Status> {
        let answer = self.lock_service().lift_lock(by("operator", request)).await?.into_inner();
        assert!(!format!("{answer:?}").contains(&NUMBER[1..]));
        Ok(answer.locks)
    }
}

fn person(subject: &str) -> GetLocksRequest {
    GetLocksRequest { tenant: "shop".into(), recipient: NUMBER.into(), subject: subject.into() }
}

fn to_lift(subject: &str) -> LiftLockRequest {
    let GetLocksRequest { tenant, recipient, subject } = person(subject);
    LiftLockRequest { tenant, recipient, subject, channel_class: 0, reason: REASON.into() }
}

#[tokio::test]
async fn sec_05_a_code_that_would_expire_before_it_can_be_checked_is_refused_with_the_wait() {
    let house = House::open().await;
    house.wrong_codes("", 3).await;
    let id = house.try_send(to_send()).await.unwrap().verification_id;
    house.otp().check_otp(by("shop", to_check(&id, WRONG))).await.unwrap();
    // After the tenth wrong code in a row a check waits 960 s, and the code would live 300 s.
    let refused = house.try_send(to_send()).await.unwrap_err();
    assert_eq!((reason(&refused).as_str(), refused.code()), ("CHECK_WAITING", Code::ResourceExhausted));
    let wait = retry_after(&refused);
    assert!(wait <= Duration::from_secs(960) && wait > Duration::from_secs(900), "{wait:?}");
    assert_eq!(metadata(&refused, "channel_class"), "pstn");

    let explained = house.try_send(SendOtpRequest { dry_run: true, ..to_send() }).await.unwrap();
    let considered = &explained.plan.unwrap().considered[0];
    assert_eq!((considered.chosen, considered.reason()), (false, ChoiceReason::ChecksWaiting));
    house.try_send(of("account-7")).await.unwrap();
    house.try_send(SendOtpRequest { recipient: "+4915112345679".into(), ..to_send() }).await.unwrap();

    let [lock] = house.locks(person("")).await.unwrap().try_into().unwrap();
    assert_eq!((lock.failures, lock.state()), (10, LockState::Waiting));
    assert_eq!((lock.channel_class(), lock.last_verification_id), (ChannelClass::Pstn, id));
    assert!(lock.wait_end_time.unwrap().seconds - lock.last_failure_time.unwrap().seconds == 960);
    house.wait(wait).await;
    house.try_send(to_send()).await.unwrap();
    assert_eq!(house.locks(person("")).await.unwrap()[0].state(), LockState::Counted);
}

#[tokio::test]
async fn sec_05_a_lock_says_who_can_lift_it_and_is_lifted_with_an_event() {
    let house = House::open().await;
    house.wrong_codes("account-7", 33).await;
    let id = house.try_send(of("account-7")).await.unwrap().verification_id;
    house.otp().check_otp(by("shop", to_check(&id, WRONG))).await.unwrap();
    let refused = house.try_send(of("account-7")).await.unwrap_err();
    assert_eq!((reason(&refused).as_str(), refused.code()), ("CHECKS_LOCKED", Code::FailedPrecondition));
    assert_eq!(metadata(&refused, "channel_class"), "pstn");
    assert!(refused.message().contains("otter admin locks lift"), "{}", refused.message());
    let checked = house.otp().check_otp(by("shop", to_check(&id, CODE))).await.unwrap_err();
    assert_eq!(reason(&checked), "CHECKS_LOCKED");
    assert!(checked.message().contains("otter admin locks lift"), "{}", checked.message());
    house.try_send(to_send()).await.expect("whoever sends without a subject is not locked out");

    let events = StreamEventsRequest::default();
    let mut stream = house.otp().stream_events(by("shop", events)).await.unwrap().into_inner();
    let [lifted] = house.lift(to_lift("account-7")).await.unwrap().try_into().unwrap();
    assert_eq!((lifted.failures, lifted.state()), (100, LockState::Locked));
    let told = loop {
        let Some(event) = stream.message().await.unwrap().unwrap().event else { continue };
        if let Some(Kind::ChecksLifted(told)) = event.kind {
            assert_eq!(event.verification_id, id);
            break told;
        }
    };
    assert_eq!((told.author.as_str(), told.reason.as_str()), ("shop/operator", REASON));
    assert_eq!((told.channel_class(), told.failures), (ChannelClass::Pstn, 100));

    let again = house.lift(to_lift("account-7")).await.unwrap_err();
    assert_eq!((reason(&again).as_str(), again.code()), ("LOCK_NOT_FOUND", Code::NotFound));
    assert!(house.locks(person("account-7")).await.unwrap().is_empty());
    house.try_send(of("account-7")).await.unwrap();
}

#[tokio::test]
async fn what_an_operator_says_wrong_is_told_and_the_number_gets_into_no_reason() {
    let house = House::open().await;
    house.wrong_codes("", 1).await;
    for request in [
        LiftLockRequest { tenant: "nobody".into(), ..to_lift("") },
        LiftLockRequest { tenant: String::new(), ..to_lift("") },
        LiftLockRequest { channel_class: 9, ..to_lift("") },
        LiftLockRequest { reason: "  ".into(), ..to_lift("") },
        LiftLockRequest { reason: "x".repeat(201), ..to_lift("") },
        LiftLockRequest { reason: "two\nlines".into(), ..to_lift("") },
        LiftLockRequest { reason: format!("for {NUMBER}"), ..to_lift("") },
        LiftLockRequest { reason: "for 0151 123-456-78".into(), ..to_lift("") },
        LiftLockRequest { reason: "for ٠١٥١١٢٣٤٥٦٧٨".into(), ..to_lift("") },
    ] {
        assert_eq!(reason(&house.lift(request).await.unwrap_err()), "INVALID_FIELDS");
    }
    let nonsense = LiftLockRequest { recipient: "0151".into(), ..to_lift("") };
    assert_eq!(reason(&house.lift(nonsense).await.unwrap_err()), "INVALID_NUMBER");
    let app = LiftLockRequest { channel_class: ChannelClass::App.into(), ..to_lift("") };
    assert_eq!(reason(&house.lift(app).await.unwrap_err()), "LOCK_NOT_FOUND");
    assert_eq!(house.locks(person("")).await.unwrap()[0].failures, 3, "nothing was lifted");
    let refused = house.lock_service().lift_lock(by("shop", to_lift(""))).await.unwrap_err();
    assert_eq!(reason(&refused), "SCOPE_MISSING");
}
