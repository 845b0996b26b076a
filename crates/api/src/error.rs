//! Statuses: what each refusal says on the wire.
//!
//! Every status carries one `ErrorInfo` and what `otter/v1/error.proto` says of its reason. Nothing here repeats what a
//! caller sent: texts are ours, and metadata are bounded words and figures.

use std::collections::HashMap;
use std::time::Duration;

use http::Response;
use otter_contract::ERROR_DOMAIN;
use otter_contract::v1::ErrorReason;
use otter_decision::admission::NumberRefusal;
use otter_decision::lifecycle::ResendRefusal;
use otter_delivery::{BooksError, Refusal};
use otter_domain::{Channel, Country, LineType, ShutClass};
use otter_store::Error as StoreError;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt};
use tracing::error;

/// When to come back after an outage that nobody knows the length of.
const OUTAGE: Duration = Duration::from_secs(1);

/// A refusal in the making.
#[derive(Debug)]
pub(crate) struct Problem {
    reason: ErrorReason,
    message: String,
    metadata: HashMap<String, String>,
    retry_after: Option<Duration>,
    quota: Option<QuotaViolation>,
    fields: Vec<FieldViolation>,
}

impl Problem {
    pub(crate) fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        let (metadata, fields) = (HashMap::new(), Vec::new());
        Self { reason, message: message.into(), metadata, retry_after: None, quota: None, fields }
    }

    pub(crate) fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn quota(self, subject: &str, description: impl Into<String>) -> Self {
        Self { quota: Some(QuotaViolation::new(subject, description)), ..self }
    }

    /// One bad field.
    pub(crate) fn field(reason: ErrorReason, field: &str, description: impl Into<String>) -> Self {
        let violation = violation(reason, field, description);
        Self { fields: vec![violation], ..Self::new(reason, format!("the field {field} is not right")) }
    }

    /// Bad fields, at least one.
    pub(crate) fn fields(fields: Vec<(ErrorReason, &'static str, String)>) -> Self {
        let reason = match fields.as_slice() {
            [(reason, ..)] => *reason,
            _ => ErrorReason::InvalidFields,
        };
        let names: Vec<_> = fields.iter().map(|(_, field, _)| *field).collect();
        let message = format!("these fields are not right: {}", names.join(", "));
        let violations = fields.into_iter().map(|(reason, field, text)| violation(reason, field, text));
        Self { fields: violations.collect(), ..Self::new(reason, message) }
    }
}

fn violation(reason: ErrorReason, field: &str, description: impl Into<String>) -> FieldViolation {
    FieldViolation { reason: reason.reason().to_owned(), ..FieldViolation::new(field, description) }
}

impl From<Problem> for Status {
    fn from(problem: Problem) -> Self {
        let Problem { reason, message, metadata, retry_after, quota, fields } = problem;
        let mut details = ErrorDetails::new();
        details.set_error_info(reason.reason(), ERROR_DOMAIN, metadata);
        if let Some(wait) = retry_after {
            details.set_retry_info(Some(wait));
        }
        if let Some(violation) = quota {
            details.set_quota_failure(vec![violation]);
        }
        if !fields.is_empty() {
            details.set_bad_request(fields);
        }
        Self::with_error_details(code_of(reason), message, details)
    }
}

/// The code of each reason, as the contract says.
pub(crate) fn code_of(reason: ErrorReason) -> Code {
    match reason {
        ErrorReason::InvalidFields
        | ErrorReason::InvalidNumber
        | ErrorReason::PurposeUnknown
        | ErrorReason::TtlTooShort
        | ErrorReason::ResumeTokenInvalid
        | ErrorReason::PageTokenInvalid
        | ErrorReason::MessageMalformed => Code::InvalidArgument,
        ErrorReason::MessageTooLarge | ErrorReason::ResumeTokenExpired => Code::OutOfRange,
        ErrorReason::NotSupported => Code::Unimplemented,
        ErrorReason::CredentialsMissing | ErrorReason::CredentialsInvalid => Code::Unauthenticated,
        ErrorReason::ScopeMissing | ErrorReason::TenantUnknown => Code::PermissionDenied,
        ErrorReason::NumberTypeRefused
        | ErrorReason::CountryNotAllowed
        | ErrorReason::NoEligibleRoute
        | ErrorReason::VerificationEnded
        | ErrorReason::AttemptLive
        | ErrorReason::AttemptsExhausted
        | ErrorReason::ExpiresTooSoon
        | ErrorReason::ChecksLocked => Code::FailedPrecondition,
        ErrorReason::RecipientRateLimited
        | ErrorReason::TenantRateLimited
        | ErrorReason::ResendTooEarly
        | ErrorReason::CheckWaiting
        | ErrorReason::ReaderTooSlow
        | ErrorReason::Overloaded => Code::ResourceExhausted,
        ErrorReason::RequestIdReused => Code::AlreadyExists,
        ErrorReason::VerificationNotFound
        | ErrorReason::AttemptNotFound
        | ErrorReason::ProviderNotFound
        | ErrorReason::DeadLetterNotFound
        | ErrorReason::LockNotFound => Code::NotFound,
        ErrorReason::StoreUnavailable | ErrorReason::Draining => Code::Unavailable,
        ErrorReason::Contention => Code::Aborted,
        ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::Unspecified | ErrorReason::Internal => Code::Internal,
    }
}

/// What a refused call was about, for the metadata of its status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About {
    pub(crate) country: Country,
    /// The kind of line, where the number is at hand.
    pub(crate) line: Option<LineType>,
    pub(crate) channel: Option<Channel>,
    /// How many attempts the verification may have.
    pub(crate) attempts: u8,
}

impl About {
    /// Nothing in particular.
    pub(crate) const NOTHING: Self = Self { country: Country::NONE, line: None, channel: None, attempts: 0 };
}

/// The status of a refusal.
pub(crate) fn refused(refusal: &Refusal, about: About) -> Status {
    let problem = match refusal {
        Refusal::UnknownTenant => tenant_unknown(),
        Refusal::UnknownPurpose => purpose_unknown(),
        Refusal::PaymentMissing => Problem::field(ErrorReason::InvalidFields, "payment", PAYMENT_MISSING),
        Refusal::PaymentUnexpected => {
            Problem::field(ErrorReason::InvalidFields, "payment", PAYMENT_UNEXPECTED)
        }
        Refusal::Number(refusal) => number(*refusal),
        Refusal::Ttl { least, most } => {
            let (least, most) = (least.as_secs(), most.as_secs());
            let bounds = format!("must be {least} s to {most} s for this purpose");
            Problem::field(ErrorReason::TtlTooShort, "ttl", bounds).with("minimum", least)
        }
        Refusal::NoRoute(_) => no_route(about),
        Refusal::Uncheckable(shut) => uncheckable(shut),
        Refusal::RequestReused => Problem::new(
            ErrorReason::RequestIdReused,
            "the request_id was used for another question in the last 24 h; use a new one",
        ),
        Refusal::RecipientLimited { rule, retry_after } => {
            let limit = format!("{} messages in {} s", rule.max, rule.window.as_secs());
            Problem::new(ErrorReason::RecipientRateLimited, "too many messages to this recipient")
                .retry_after(*retry_after)
                .quota("recipient", limit)
        }
        Refusal::TenantLimited { retry_after } => {
            Problem::new(ErrorReason::TenantRateLimited, "the tenant sends faster than it may")
                .retry_after(*retry_after)
                .quota("tenant", "sends a second")
        }
        Refusal::Overloaded { retry_after } => overloaded(*retry_after),
        Refusal::StoreStalled { retry_after } => stalled(*retry_after),
        Refusal::NotFound => {
            Problem::new(ErrorReason::VerificationNotFound, "there is no verification with this id")
        }
        Refusal::Resend(refusal) => resend(*refusal, about),
        Refusal::Books(error) => books(error),
    };
    problem.into()
}

/// The status of a refusal about a verification, which is looked up only for a status that tells of it: the store may be
/// why the call is refused.
pub(crate) async fn refused_about(refusal: &Refusal, looked_up: impl Future<Output = About>) -> Status {
    let about = if tells_of_the_verification(refusal) { looked_up.await } else { About::NOTHING };
    refused(refusal, about)
}

/// Whether the status of a refusal says something of the verification that it is about.
fn tells_of_the_verification(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::NoRoute(_) | Refusal::Resend(ResendRefusal::TooMany | ResendRefusal::NoCandidate) => true,
        Refusal::UnknownTenant
        | Refusal::UnknownPurpose
        | Refusal::PaymentMissing
        | Refusal::PaymentUnexpected
        | Refusal::Number(_)
        | Refusal::Ttl { .. }
        | Refusal::Uncheckable(_)
        | Refusal::RequestReused
        | Refusal::RecipientLimited { .. }
        | Refusal::TenantLimited { .. }
        | Refusal::Overloaded { .. }
        | Refusal::StoreStalled { .. }
        | Refusal::NotFound
        | Refusal::Resend(
            ResendRefusal::Ended(_)
            | ResendRefusal::Live { .. }
            | ResendRefusal::TooEarly { .. }
            | ResendRefusal::NoTime,
        )
        | Refusal::Books(_) => false,
    }
}

pub(crate) const PAYMENT_MISSING: &str = "is required, because the purpose is for payments";
pub(crate) const PAYMENT_UNEXPECTED: &str = "is not allowed, because the purpose is not for payments";
pub(crate) const PURPOSE_UNKNOWN: &str = "must be one of the tenant's configured purposes";

pub(crate) fn tenant_unknown() -> Problem {
    Problem::new(ErrorReason::TenantUnknown, "the caller's tenant is not configured")
}

fn purpose_unknown() -> Problem {
    Problem::field(ErrorReason::PurposeUnknown, "purpose", PURPOSE_UNKNOWN)
}

fn number(refusal: NumberRefusal) -> Problem {
    match refusal {
        NumberRefusal::CallingCode(_) => line_refused("global_service"),
        NumberRefusal::Line(line) => line_refused(line.as_str()),
        NumberRefusal::Country(country) => {
            Problem::new(ErrorReason::CountryNotAllowed, "the tenant does not send to the number's country")
                .with("country", country)
        }
    }
}

fn line_refused(line: &str) -> Problem {
    Problem::new(ErrorReason::NumberTypeRefused, "nothing is sent to numbers of this kind")
        .with("line_type", line)
}

fn no_route(about: About) -> Problem {
    let text =
        "no provider may carry this request; dry_run lists every candidate with what speaks against it";
    let problem = Problem::new(ErrorReason::NoEligibleRoute, text).with("country", about.country);
    let problem = match about.line {
        Some(line) => problem.with("line_type", line.as_str()),
        None => problem,
    };
    match about.channel {
        Some(channel) => problem.with("channel", channel),
        None => problem,
    }
}

/// The refusal of a code that nobody could check; of several classes the one that is open again first is told.
fn uncheckable(shut: &[ShutClass]) -> Problem {
    let waits = shut.iter().filter_map(|shut| Some((shut.retry_after?, shut.class)));
    match waits.min_by_key(|(wait, _)| *wait) {
        Some((wait, class)) => {
            let text = "after repeated wrong codes a code sent now would expire before it could be checked; \
                        none was sent";
            Problem::new(ErrorReason::CheckWaiting, text)
                .with("channel_class", class.as_str())
                .retry_after(wait)
        }
        None => {
            let problem = locked("no code was sent");
            match shut.first() {
                Some(shut) => problem.with("channel_class", shut.class.as_str()),
                None => problem,
            }
        }
    }
}

/// The refusal of what a lock keeps back.
pub(crate) fn locked(what: &str) -> Problem {
    let text = format!(
        "too many wrong codes in a row for this recipient and subject; {what}. An operator can lift the lock: \
         otter admin locks lift"
    );
    Problem::new(ErrorReason::ChecksLocked, text)
}

fn resend(refusal: ResendRefusal, about: About) -> Problem {
    match refusal {
        ResendRefusal::Ended(how) => ended(how.as_str()),
        ResendRefusal::Live { retry_after } => {
            Problem::new(ErrorReason::AttemptLive, "a message is being sent right now")
                .retry_after(retry_after)
        }
        ResendRefusal::TooEarly { retry_after } => {
            Problem::new(ErrorReason::ResendTooEarly, "the last message is too fresh")
                .retry_after(retry_after)
        }
        ResendRefusal::TooMany => {
            Problem::new(ErrorReason::AttemptsExhausted, "the verification has had all its attempts")
                .with("limit", about.attempts)
        }
        ResendRefusal::NoTime => {
            Problem::new(ErrorReason::ExpiresTooSoon, "the code would expire before it could be used")
        }
        ResendRefusal::NoCandidate => no_route(about),
    }
}

pub(crate) fn ended(state: &str) -> Problem {
    Problem::new(ErrorReason::VerificationEnded, "the verification has ended").with("state", state)
}

/// The refusal of a call that the store could not be asked for.
pub(crate) fn books(error: &BooksError) -> Problem {
    match error {
        BooksError::Store(error) => store(error),
        BooksError::Contended { .. } => {
            Problem::new(ErrorReason::Contention, "others kept changing the verification").retry_after(OUTAGE)
        }
    }
}

/// The refusal of a call whose store did not do what was asked.
pub(crate) fn store(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable { .. } => stalled(OUTAGE),
        StoreError::Unreadable { .. } | StoreError::Unsuitable { .. } => {
            error!(error = %error, "the store cannot be used");
            internal()
        }
    }
}

pub(crate) fn internal() -> Problem {
    Problem::new(ErrorReason::Internal, "a defect in Otter; its log has the cause")
}

pub(crate) fn draining() -> Problem {
    Problem::new(ErrorReason::Draining, "this process is shutting down").retry_after(OUTAGE)
}

/// The refusal of work that could not be done in time.
pub(crate) fn overloaded(retry_after: Duration) -> Problem {
    Problem::new(ErrorReason::Overloaded, "more work is waiting than can be done in time")
        .retry_after(retry_after)
}

/// The refusal of work that would only wait for the store.
pub(crate) fn stalled(retry_after: Duration) -> Problem {
    Problem::new(ErrorReason::StoreUnavailable, "the store does not answer").retry_after(retry_after)
}

pub(crate) fn deadline() -> Problem {
    Problem::new(ErrorReason::DeadlineExceeded, "the deadline passed; the work may have been done")
}

/// Gives the status of an answer that the transport refused by itself the details that ours have, and a text of ours:
/// the transport's may repeat bytes of the request.
pub(crate) fn completed(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok && status.details().is_empty() => {
            of_transport(status.code()).into_http()
        }
        Some(_) | None => response,
    }
}

fn of_transport(code: Code) -> Status {
    match code {
        // The larger of two sizes is noticed while unpacking, and is the same mistake.
        Code::OutOfRange | Code::ResourceExhausted => {
            Problem::new(ErrorReason::MessageTooLarge, "the message is larger than the server reads").into()
        }
        Code::Unimplemented => {
            let text = "there is no such rpc here, or the message's compression is not supported";
            Problem::new(ErrorReason::NotSupported, text).into()
        }
        // The health service, of a service that is not served here.
        Code::NotFound => {
            let status =
                Status::from(Problem::new(ErrorReason::NotSupported, "there is no such service here"));
            Status::with_details(Code::NotFound, status.message(), status.details().to_vec().into())
        }
        // Before the message is read nothing of ours has run, and afterwards our statuses have details.
        Code::Internal | Code::InvalidArgument => {
            Problem::new(ErrorReason::MessageMalformed, "the bytes are no message of this rpc").into()
        }
        Code::DeadlineExceeded => deadline().into(),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => internal().into(),
    }
}

/// The code's name, as labels and spans show it.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
