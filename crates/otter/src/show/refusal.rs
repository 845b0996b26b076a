//! Why there is no answer.

use std::collections::BTreeMap;

use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::table::pairs;
use super::{Format, Screen, Tone, time};

/// What is known about an error. Made from the server's details, or from a text of our own.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// What happened, in a sentence.
    message: String,
    /// The gRPC code, for example `RESOURCE_EXHAUSTED`. None if the server did not speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The name of the contract's `ErrorReason`. None if the server gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Every bad field.
    fields: Vec<Field>,
    /// The limits that were reached.
    limits: Vec<Limit>,
    /// When a repeat may help, in protobuf's JSON form: `12.500s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<String>,
    /// What the reason adds.
    metadata: BTreeMap<String, String>,
    #[serde(skip)]
    retry_in: Option<std::time::Duration>,
}

#[derive(Debug, Serialize)]
struct Field {
    field: String,
    description: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Limit {
    subject: String,
    description: String,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a Refusal,
}

impl Refusal {
    /// An error of our own.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The server's error.
    pub(crate) fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        let limits = details.quota_failure().map(|quota| quota.violations.clone()).unwrap_or_default();
        let info = details.error_info();
        let retry_in = details.retry_info().and_then(|retry| retry.retry_delay);
        Self {
            message: status.message().to_owned(),
            code: Some(name(status.code())),
            reason: info.map(|info| info.reason.clone()),
            fields: violations
                .into_iter()
                .map(|bad| Field { field: bad.field, description: bad.description, reason: bad.reason })
                .collect(),
            limits: limits
                .into_iter()
                .map(|limit| Limit { subject: limit.subject, description: limit.description })
                .collect(),
            retry_after: retry_in.map(|delay| format!("{:.3}s", delay.as_secs_f64())),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            retry_in,
        }
    }

    /// Tells it on standard error.
    pub(crate) fn complain(&self, format: Format) {
        let text = match format {
            Format::Human => self.text(),
            Format::Json => self.json(),
        };
        // Whoever closed standard error does not want to know.
        let _ = Screen::errors(format).line(&text);
    }

    /// The error for people, without a line break at its end.
    fn text(&self) -> String {
        let message = if self.message.is_empty() { "the server refused" } else { &self.message };
        let heading = format!("{} {message}", Tone::Bad.paint("error:"));
        let facts = self.facts();
        if facts.is_empty() { heading } else { format!("{heading}\n{}", pairs(&facts)) }
    }

    /// The error as one line of JSON: `{"error":{"message":…,"code":…,"reason":…,"fields":[…],…}}`.
    fn json(&self) -> String {
        serde_json::to_string(&Envelope { error: self }).expect("texts and lists of texts are JSON")
    }

    fn facts(&self) -> Vec<(&str, String)> {
        let mut facts = Vec::new();
        match (&self.reason, self.code) {
            (Some(reason), Some(code)) => facts.push(("reason", format!("{reason} ({code})"))),
            (None, Some(code)) => facts.push(("code", code.to_owned())),
            (_, None) => {}
        }
        facts.extend(self.fields.iter().map(|bad| {
            let reason = if bad.reason.is_empty() { String::new() } else { format!(" ({})", bad.reason) };
            (bad.field.as_str(), format!("{}{reason}", bad.description))
        }));
        facts.extend(
            self.limits.iter().map(|limit| ("limit", format!("{}: {}", limit.subject, limit.description))),
        );
        facts.extend(self.metadata.iter().map(|(name, value)| (name.as_str(), value.clone())));
        if let Some(delay) = self.retry_in {
            facts.push(("try again in", time::span(delay)));
        }
        facts
    }
}

/// The code as the gRPC documentation writes it.
fn name(code: Code) -> &'static str {
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
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use serde_json::{Value, json};
    use tonic_types::{ErrorDetails, FieldViolation};

    use super::super::tone;
    use super::*;

    fn plain(refusal: &Refusal) -> String {
        tone::plain(&refusal.text())
    }

    #[test]
    fn every_bad_field_has_its_line() {
        let mut details = ErrorDetails::with_error_info("INVALID_FIELDS", "otter", []);
        details.set_bad_request(vec![
            FieldViolation {
                field: "recipient".to_owned(),
                description: "must be in E.164 form".to_owned(),
                reason: "INVALID_NUMBER".to_owned(),
                localized_message: None,
            },
            FieldViolation::new("ttl", "must be 60 s to 600 s"),
        ]);
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are bad", details);
        assert_eq!(
            plain(&Refusal::of(&status)),
            "\
error: 2 fields are bad
  reason     INVALID_FIELDS (INVALID_ARGUMENT)
  recipient  must be in E.164 form (INVALID_NUMBER)
  ttl        must be 60 s to 600 s"
        );
    }

    #[test]
    fn a_limit_says_when_to_try_again() {
        let mut details = ErrorDetails::with_error_info("RECIPIENT_RATE_LIMITED", "otter", []);
        details.set_retry_info(Some(Duration::from_millis(12_500)));
        details.add_quota_failure_violation("recipient", "3 messages in 10 minutes");
        let refusal = Refusal::of(&Status::with_error_details(Code::ResourceExhausted, "too many", details));
        assert_eq!(
            plain(&refusal),
            "\
error: too many
  reason        RECIPIENT_RATE_LIMITED (RESOURCE_EXHAUSTED)
  limit         recipient: 3 messages in 10 minutes
  try again in  12.5 s"
        );
        let json: Value = serde_json::from_str(&refusal.json()).unwrap();
        assert_eq!(
            json,
            json!({ "error": {
                "message": "too many",
                "code": "RESOURCE_EXHAUSTED",
                "reason": "RECIPIENT_RATE_LIMITED",
                "fields": [],
                "limits": [{ "subject": "recipient", "description": "3 messages in 10 minutes" }],
                "retryAfter": "12.500s",
                "metadata": {}
            }})
        );
    }

    #[test]
    fn an_error_of_our_own_is_one_line() {
        assert_eq!(plain(&Refusal::local("no code was given")), "error: no code was given");
    }
}
