//! What the server answers.

use std::time::Duration;

use otter_contract::admin::v1::{
    DeadLetter, DeadLetterReason, Lock, LockState, Provider, ProviderHealth, ProviderState, Rate, RateWindow,
    Share, ShareBasis,
};
use otter_contract::v1::event::Kind;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::*;
use prost_types::Timestamp;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

pub(crate) const ID: &str = "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e";
pub(crate) const NUMBER: &str = "+4915112345678";
pub(crate) const CODE: &str = "042137";

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds: 1_785_153_600 + seconds, nanos: 0 }
}

pub(crate) fn age(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

pub(crate) fn accepted(is_dry_run: bool) -> SendOtpResponse {
    let told = SendOtpResponse {
        verification_id: String::new(),
        state: VerificationState::Unspecified.into(),
        masked_recipient: "+49*********78".to_owned(),
        country: "DE".to_owned(),
        plan: Some(Plan {
            candidates: vec![Candidate {
                provider: "sms-a".to_owned(),
                channel: Channel::Sms.into(),
                step: 1,
                succeed_on: SucceedOn::Delivered.into(),
                wait: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
                max_queue_wait: None,
            }],
            considered: vec![Considered {
                provider: "sms-a".to_owned(),
                channel: Channel::Sms.into(),
                step: 1,
                chosen: true,
                rank: 1,
                score: None,
                reason: ChoiceReason::Priority.into(),
                explanation: "First in the configured order.".to_owned(),
            }],
            route: "default".to_owned(),
            seed: 7,
            ..Plan::default()
        }),
        restricted: true,
        ..SendOtpResponse::default()
    };
    if is_dry_run {
        return told;
    }
    SendOtpResponse {
        verification_id: ID.to_owned(),
        state: VerificationState::Pending.into(),
        expire_time: Some(at(300)),
        resend_allowed_time: Some(at(30)),
        ..told
    }
}

pub(crate) fn attempt() -> Attempt {
    Attempt {
        number: 1,
        provider: "sms-a".to_owned(),
        channel: Channel::Sms.into(),
        state: AttemptState::Queued.into(),
        origin: AttemptOrigin::First.into(),
        queue_time: Some(at(0)),
        ..Attempt::default()
    }
}

pub(crate) fn verification(state: VerificationState) -> Verification {
    Verification {
        id: ID.to_owned(),
        tenant: "shop".to_owned(),
        purpose: "login".to_owned(),
        masked_recipient: "+49*********78".to_owned(),
        country: "DE".to_owned(),
        state: state.into(),
        create_time: Some(at(0)),
        expire_time: Some(at(300)),
        check_budget: 5,
        attempts: vec![attempt()],
        ..Verification::default()
    }
}

fn event(seconds: i64, kind: Kind) -> Event {
    Event {
        event_id: format!("event-{seconds}"),
        event_time: Some(at(seconds)),
        verification_id: ID.to_owned(),
        kind: Some(kind),
    }
}

fn queued() -> Event {
    let queued = AttemptQueued {
        attempt: 1,
        provider: "sms-a".to_owned(),
        channel: Channel::Sms.into(),
        origin: AttemptOrigin::First.into(),
        because: FailureClass::Unspecified.into(),
    };
    event(0, Kind::AttemptQueued(queued))
}

fn verified() -> Event {
    let ended = VerificationEnded {
        state: VerificationState::Verified.into(),
        verified_attempt: 1,
        ..VerificationEnded::default()
    };
    event(9, Kind::VerificationEnded(ended))
}

/// A snapshot, an event that it knows, and the end.
pub(crate) fn watched() -> Vec<WatchOtpResponse> {
    let snapshot = verification(VerificationState::Pending);
    [Update::Snapshot(snapshot), Update::Event(queued()), Update::Event(verified())]
        .map(|update| WatchOtpResponse { update: Some(update) })
        .into()
}

/// A token alone, then an event.
pub(crate) fn events() -> Vec<StreamEventsResponse> {
    vec![
        StreamEventsResponse { event: None, resume_token: "token-1".to_owned() },
        StreamEventsResponse { event: Some(verified()), resume_token: "token-2".to_owned() },
    ]
}

pub(crate) fn rate(provider: &str) -> Rate {
    Rate {
        provider: provider.to_owned(),
        channel: Channel::Sms.into(),
        country: "DE".to_owned(),
        window: RateWindow::FiveMinutes.into(),
        submitted: 100,
        accepted: 99,
        ambiguous: 1,
        mature: 100,
        delivered: 95,
        verified: 80,
        acceptance: None,
        delivery: Some(Share {
            value: 0.95,
            low: 0.888,
            high: 0.978,
            denominator: 100.0,
            basis: ShareBasis::Own.into(),
        }),
        conversion: None,
        uncredited: 0,
        skipped: 0,
        last_attempt_time: Some(at(0)),
    }
}

pub(crate) fn provider(state: ProviderState) -> Provider {
    let is_paused = state == ProviderState::Paused;
    Provider {
        name: "sms-a".to_owned(),
        kind: "sandbox".to_owned(),
        channels: vec![Channel::Sms.into()],
        state: state.into(),
        pause_reason: if is_paused { "contract ends" } else { "" }.to_owned(),
        health: ProviderHealth::Healthy.into(),
        ..Provider::default()
    }
}

pub(crate) fn dead_letter(id: &str) -> DeadLetter {
    DeadLetter {
        id: id.to_owned(),
        verification_id: ID.to_owned(),
        tenant: "shop".to_owned(),
        provider: "sms-a".to_owned(),
        attempt: 1,
        reason: DeadLetterReason::SealUnopened.into(),
        detail: "it is sealed with key 3, which is not configured".to_owned(),
        buried_time: Some(at(0)),
        state: VerificationState::Pending.into(),
        verification_expire_time: Some(at(300)),
    }
}

/// The one letter that is known by its id.
pub(crate) fn known_dead_letter(id: &str) -> Result<DeadLetter, Status> {
    if id == "p00:first" {
        return Ok(dead_letter(id));
    }
    Err(because(Code::NotFound, "DEAD_LETTER_NOT_FOUND", "there is no dead letter of this id (any more)"))
}

pub(crate) fn lock() -> Lock {
    Lock {
        channel_class: ChannelClass::Pstn.into(),
        failures: 100,
        state: LockState::Locked.into(),
        wait_end_time: None,
        last_failure_time: Some(at(0)),
        last_verification_id: ID.to_owned(),
    }
}

pub(crate) fn because(code: Code, reason: &str, message: &str) -> Status {
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "otter", []))
}

pub(crate) fn not_found() -> Status {
    because(Code::NotFound, "VERIFICATION_NOT_FOUND", "there is no verification with this id")
}

pub(crate) fn draining() -> Status {
    because(Code::Unavailable, "DRAINING", "this process is shutting down")
}

pub(crate) fn bad_fields() -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELDS", "otter", []);
    details.set_bad_request(vec![
        FieldViolation {
            field: "recipient".to_owned(),
            description: "must be a possible phone number in E.164 form".to_owned(),
            reason: "INVALID_NUMBER".to_owned(),
            localized_message: None,
        },
        FieldViolation {
            field: "purpose".to_owned(),
            description: "must be one of the tenant's purposes".to_owned(),
            reason: "PURPOSE_UNKNOWN".to_owned(),
            localized_message: None,
        },
    ]);
    Status::with_error_details(Code::InvalidArgument, "2 fields are bad", details)
}

pub(crate) fn rate_limited() -> Status {
    let mut details = ErrorDetails::with_error_info("RECIPIENT_RATE_LIMITED", "otter", []);
    details.set_retry_info(Some(Duration::from_secs(27)));
    details.add_quota_failure_violation("recipient", "5 messages in an hour");
    Status::with_error_details(Code::ResourceExhausted, "too many messages to this recipient", details)
}
