//! Verifications and attempts as the wire tells them.

use otter_contract::v1;
use otter_decision::lifecycle;
use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Ending, ErrorClass, ExpiryReason, Failure, FailureClass,
    LifecyclePolicy, Moment, Origin, Phase, Plan, ReceiptStatus, SpeaksOf, State, Verification,
};

use super::{channel, count, explain, plan, timestamp};

/// What is said of a verification besides itself.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    pub(crate) now: Moment,
    pub(crate) resend_allowed_at: Option<Moment>,
    pub(crate) policy: LifecyclePolicy,
}

pub(crate) fn verification(verification: &Verification, known: &Circumstances) -> v1::Verification {
    let now_reads = verification.state_at(known.now);
    let end = match now_reads {
        State::Pending => None,
        State::Ended { at, .. } => Some(at),
    };
    let planned = verification.plan();
    // The number is erased at the end, and its kind of line goes with it.
    let line = verification.private.as_ref().map(|private| private.number.line());
    let attempts = verification.attempts_at(known.now);
    let attempts: Vec<_> = attempts.map(|one| attempt(&one, verified_attempt(now_reads), planned)).collect();
    v1::Verification {
        id: verification.id.to_string(),
        tenant: verification.tenant.to_string(),
        purpose: verification.purpose.to_string(),
        masked_recipient: verification.masked.clone(),
        country: verification.country.to_string(),
        state: state(now_reads).into(),
        create_time: Some(timestamp(verification.created_at)),
        expire_time: Some(timestamp(verification.expires_at)),
        end_time: end.map(timestamp),
        resend_allowed_time: known.resend_allowed_at.filter(|_| end.is_none()).map(timestamp),
        checks_used: u32::from(verification.checks),
        check_budget: u32::from(verification.budget),
        attempts_remaining: attempts_remaining(verification, known),
        attempts,
        plan: planned.map(|planned| plan::plan(planned, line)),
        restricted: is_restricted(verification, planned),
        expiry_reason: why_expired(verification, now_reads).into(),
    }
}

fn why_expired(verification: &Verification, reads: State) -> v1::ExpiryReason {
    match reads {
        State::Ended { how: Ending::Expired, .. } => expiry_reason(ExpiryReason::of(verification)),
        State::Ended {
            how: Ending::Verified { .. } | Ending::Failed | Ending::Exhausted | Ending::Cancelled,
            ..
        }
        | State::Pending => v1::ExpiryReason::Unspecified,
    }
}

pub(crate) fn expiry_reason(reason: ExpiryReason) -> v1::ExpiryReason {
    match reason {
        ExpiryReason::NotSent => v1::ExpiryReason::NotSent,
        ExpiryReason::Undelivered => v1::ExpiryReason::Undelivered,
        ExpiryReason::MaybeSent => v1::ExpiryReason::MaybeSent,
        ExpiryReason::Unconfirmed => v1::ExpiryReason::Unconfirmed,
        ExpiryReason::NotEntered => v1::ExpiryReason::NotEntered,
    }
}

/// How many further attempts it may have.
pub(crate) fn attempts_remaining(verification: &Verification, known: &Circumstances) -> u32 {
    match verification.state_at(known.now) {
        State::Pending => count(lifecycle::attempts_left(verification, &known.policy)),
        State::Ended { .. } => 0,
    }
}

fn is_restricted(verification: &Verification, planned: Option<&Plan>) -> bool {
    let travelled = verification.attempts.iter().any(|attempt| attempt.channel.is_restricted());
    travelled || planned.is_some_and(plan::is_restricted)
}

pub(crate) fn state(state: State) -> v1::VerificationState {
    match state {
        State::Pending => v1::VerificationState::Pending,
        State::Ended { how, .. } => ending(how),
    }
}

pub(crate) fn ending(how: Ending) -> v1::VerificationState {
    match how {
        Ending::Verified { .. } => v1::VerificationState::Verified,
        Ending::Expired => v1::VerificationState::Expired,
        Ending::Failed => v1::VerificationState::Failed,
        Ending::Exhausted => v1::VerificationState::Exhausted,
        Ending::Cancelled => v1::VerificationState::Cancelled,
    }
}

fn verified_attempt(state: State) -> Option<AttemptNumber> {
    match state {
        State::Ended { how: Ending::Verified { by }, .. } => by,
        State::Ended {
            how: Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled,
            ..
        }
        | State::Pending => None,
    }
}

/// The latest attempt, as the answer to a resend tells it.
pub(crate) fn current_attempt(verification: &Verification) -> Option<v1::Attempt> {
    verification.current().map(|one| attempt(one, None, verification.plan()))
}

fn attempt(one: &Attempt, verified: Option<AttemptNumber>, planned: Option<&Plan>) -> v1::Attempt {
    let told = told(&one.phase);
    let receipt = one.receipt;
    let negative = receipt.and_then(|receipt| receipt.because);
    let failure = told.failure.or(negative);
    let vendor_code = failure.and_then(|failure| failure.vendor_code);
    v1::Attempt {
        number: number(one.number),
        provider: one.provider.to_string(),
        channel: channel(one.channel).into(),
        state: told.state.into(),
        receipt: receipt
            .map_or(v1::ReceiptStatus::Unspecified, |receipt| receipt_status(receipt.status))
            .into(),
        failure_class: failure
            .map_or(v1::FailureClass::Unspecified, |failure| failure_class(failure.class))
            .into(),
        error_class: failure.map_or("", |failure| failure.error.as_str()).to_owned(),
        vendor_code: vendor_code.and_then(|code| code.number()),
        vendor_error: vendor_code.map_or_else(String::new, |code| code.to_string()),
        speaks_of: failure.map_or(v1::SpeaksOf::Unspecified, |failure| speaks_of(failure.speaks_of)).into(),
        origin: origin(one.origin).into(),
        explanation: planned.map_or_else(String::new, |planned| explanation(one, planned)),
        queue_time: Some(timestamp(one.queued_at)),
        claim_time: one.claimed_at.map(timestamp),
        outcome_time: told.outcome_at.map(timestamp),
        receipt_time: receipt.map(|receipt| timestamp(receipt.at)),
        wait_until_time: told.wait_until.map(timestamp),
        tries: u32::from(one.tries),
        verified: verified == Some(one.number),
        provider_reference: one.reference.as_ref().map_or_else(String::new, ToString::to_string),
    }
}

fn explanation(one: &Attempt, planned: &Plan) -> String {
    let candidate = planned.candidates.get(usize::from(one.candidate));
    explain::attempt(one.origin, candidate.and_then(|candidate| plan::reason(planned, candidate)))
}

/// What a phase says on the wire.
struct Told {
    state: v1::AttemptState,
    outcome_at: Option<Moment>,
    wait_until: Option<Moment>,
    failure: Option<Failure>,
}

fn told(phase: &Phase) -> Told {
    let live = |state| Told { state, outcome_at: None, wait_until: None, failure: None };
    match *phase {
        Phase::Queued { .. } => live(v1::AttemptState::Queued),
        Phase::Claimed { .. } => live(v1::AttemptState::Claimed),
        Phase::Retrying { because, .. } => {
            let failure = Some(Failure::new(because, ErrorClass::Unknown));
            Told { failure, ..live(v1::AttemptState::Retrying) }
        }
        Phase::Accepted { at, wait_until } => {
            Told { outcome_at: Some(at), wait_until: Some(wait_until), ..live(v1::AttemptState::Accepted) }
        }
        Phase::Ambiguous { at, wait_until, error } => Told {
            outcome_at: Some(at),
            wait_until: Some(wait_until),
            failure: Some(Failure::new(FailureClass::Ambiguous, error)),
            ..live(v1::AttemptState::Ambiguous)
        },
        Phase::Ended { at, how: AttemptEnd::Withdrawn } => {
            Told { outcome_at: Some(at), ..live(v1::AttemptState::Withdrawn) }
        }
        Phase::Ended { at, how: AttemptEnd::Failed(failure) } => {
            Told { outcome_at: Some(at), failure: Some(failure), ..live(failed(failure.class)) }
        }
    }
}

fn speaks_of(of: SpeaksOf) -> v1::SpeaksOf {
    match of {
        SpeaksOf::Account => v1::SpeaksOf::Account,
        SpeaksOf::Channel => v1::SpeaksOf::Channel,
        SpeaksOf::Sender => v1::SpeaksOf::Sender,
        SpeaksOf::Template => v1::SpeaksOf::Template,
        SpeaksOf::Person => v1::SpeaksOf::Person,
    }
}

/// How an attempt ended that failed with this class.
pub(crate) fn failed(class: FailureClass) -> v1::AttemptState {
    match class {
        FailureClass::Rejected => v1::AttemptState::Rejected,
        FailureClass::Unroutable => v1::AttemptState::Unroutable,
        FailureClass::Throttled => v1::AttemptState::Throttled,
        FailureClass::Unavailable => v1::AttemptState::Unavailable,
        FailureClass::Misconfigured => v1::AttemptState::Misconfigured,
        FailureClass::Ambiguous => v1::AttemptState::Ambiguous,
    }
}

pub(crate) fn failure_class(class: FailureClass) -> v1::FailureClass {
    match class {
        FailureClass::Rejected => v1::FailureClass::Rejected,
        FailureClass::Unroutable => v1::FailureClass::Unroutable,
        FailureClass::Throttled => v1::FailureClass::Throttled,
        FailureClass::Unavailable => v1::FailureClass::Unavailable,
        FailureClass::Misconfigured => v1::FailureClass::Misconfigured,
        FailureClass::Ambiguous => v1::FailureClass::Ambiguous,
    }
}

pub(crate) fn receipt_status(status: ReceiptStatus) -> v1::ReceiptStatus {
    match status {
        ReceiptStatus::Sent => v1::ReceiptStatus::Sent,
        ReceiptStatus::Expired => v1::ReceiptStatus::Expired,
        ReceiptStatus::Undelivered => v1::ReceiptStatus::Undelivered,
        ReceiptStatus::Delivered => v1::ReceiptStatus::Delivered,
        ReceiptStatus::Read => v1::ReceiptStatus::Read,
    }
}

pub(crate) fn origin(origin: Origin) -> v1::AttemptOrigin {
    match origin {
        Origin::First => v1::AttemptOrigin::First,
        Origin::Failover => v1::AttemptOrigin::Failover,
        Origin::Resend => v1::AttemptOrigin::Resend,
    }
}

pub(crate) fn number(number: AttemptNumber) -> u32 {
    u32::from(number.get())
}
