//! What callers learn from a check.

use otter_contract::v1::{CheckOtpResponse, CheckOutcome, ErrorReason, VerificationState};
use otter_delivery::Checked;
use otter_domain::{AttemptNumber, CheckVerdict, Ending, State};
use tonic::Status;
use tracing::Span;

use crate::convert::verification::{ending, number, state};
use crate::error::{self, Problem};

/// The answer. With opaque results everything but success is one answer, so that nobody learns whether a verification
/// exists or why it was refused (SEC-12).
pub(crate) fn answer(checked: &Checked, opaque: bool) -> Result<CheckOtpResponse, Status> {
    let answer = exact(checked);
    let outcome = answer.as_ref().map_or(CheckOutcome::Refused, CheckOtpResponse::outcome);
    Span::current().record("otter.verify.outcome", word(outcome));
    if opaque && outcome != CheckOutcome::Verified {
        return Ok(only(CheckOutcome::Refused));
    }
    answer
}

fn exact(checked: &Checked) -> Result<CheckOtpResponse, Status> {
    match checked.verdict {
        CheckVerdict::Verified { by, repeated: _ } => Ok(verified(by)),
        CheckVerdict::Wrong { remaining } => Ok(CheckOtpResponse {
            checks_remaining: u32::from(remaining),
            state: after(checked, remaining).into(),
            ..only(CheckOutcome::WrongCode)
        }),
        CheckVerdict::Ended(how) => {
            Ok(CheckOtpResponse { state: ending(how).into(), ..only(outcome_of(how)) })
        }
        CheckVerdict::Waiting { retry_after: Some(wait) } => {
            let text = "after repeated wrong codes a check has to wait; this one was not counted";
            Err(Problem::new(ErrorReason::CheckWaiting, text).retry_after(wait).into())
        }
        CheckVerdict::Waiting { retry_after: None } => Err(locked(checked).into()),
        CheckVerdict::Unknown => Ok(only(CheckOutcome::Unknown)),
    }
}

fn only(outcome: CheckOutcome) -> CheckOtpResponse {
    CheckOtpResponse { outcome: outcome.into(), ..CheckOtpResponse::default() }
}

fn verified(by: Option<AttemptNumber>) -> CheckOtpResponse {
    CheckOtpResponse {
        state: VerificationState::Verified.into(),
        verified_attempt: by.map_or(0, number),
        ..only(CheckOutcome::Verified)
    }
}

/// Where a verification stands after a wrong code.
fn after(checked: &Checked, remaining: u8) -> VerificationState {
    match &checked.verification {
        Some(verification) => state(verification.state_at(checked.now)),
        None if remaining == 0 => VerificationState::Exhausted,
        None => VerificationState::Pending,
    }
}

fn outcome_of(how: Ending) -> CheckOutcome {
    match how {
        Ending::Verified { .. } => CheckOutcome::Consumed,
        Ending::Expired => CheckOutcome::Expired,
        Ending::Failed => CheckOutcome::Failed,
        Ending::Exhausted => CheckOutcome::Exhausted,
        Ending::Cancelled => CheckOutcome::Cancelled,
    }
}

fn locked(checked: &Checked) -> Problem {
    let problem = error::locked("the check was not counted");
    let latest =
        checked.verification.as_ref().filter(|one| matches!(one.state_at(checked.now), State::Pending));
    match latest.and_then(|verification| verification.current()) {
        Some(attempt) => problem.with("channel_class", attempt.channel.class().as_str()),
        None => problem,
    }
}

fn word(outcome: CheckOutcome) -> &'static str {
    match outcome {
        CheckOutcome::Unspecified => "unspecified",
        CheckOutcome::Verified => "verified",
        CheckOutcome::WrongCode => "wrong_code",
        CheckOutcome::Expired => "expired",
        CheckOutcome::Exhausted => "exhausted",
        CheckOutcome::Consumed => "consumed",
        CheckOutcome::Cancelled => "cancelled",
        CheckOutcome::Failed => "failed",
        CheckOutcome::Unknown => "unknown",
        CheckOutcome::Refused => "refused",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otter_domain::Moment;
    use tonic_types::StatusExt;

    use super::*;

    fn checked(verdict: CheckVerdict) -> Checked {
        Checked { verdict, verification: None, now: Moment::EPOCH }
    }

    fn every_refusal() -> Vec<CheckVerdict> {
        let endings = [
            Ending::Verified { by: None },
            Ending::Expired,
            Ending::Failed,
            Ending::Exhausted,
            Ending::Cancelled,
        ];
        let mut all: Vec<_> = endings.map(CheckVerdict::Ended).into();
        all.extend([
            CheckVerdict::Wrong { remaining: 3 },
            CheckVerdict::Waiting { retry_after: Some(Duration::from_secs(30)) },
            CheckVerdict::Waiting { retry_after: None },
            CheckVerdict::Unknown,
        ]);
        all
    }

    #[test]
    fn sec_12_opaque_results_are_one_answer() {
        for verdict in every_refusal() {
            let answer = answer(&checked(verdict.clone()), true).expect("an outcome is no error");
            assert_eq!(answer, only(CheckOutcome::Refused), "{verdict:?}");
        }
        let success = checked(CheckVerdict::Verified { by: AttemptNumber::new(2), repeated: false });
        assert_eq!(answer(&success, true).expect("it is right"), verified(AttemptNumber::new(2)));
    }

    #[test]
    fn trusted_callers_learn_the_reason() {
        let outcome = |verdict| answer(&checked(verdict), false).map(|answer| answer.outcome());
        let ended = |how| outcome(CheckVerdict::Ended(how)).expect("an ending is an outcome");
        assert_eq!(ended(Ending::Verified { by: None }), CheckOutcome::Consumed);
        assert_eq!(ended(Ending::Expired), CheckOutcome::Expired);
        assert_eq!(ended(Ending::Failed), CheckOutcome::Failed);
        assert_eq!(ended(Ending::Exhausted), CheckOutcome::Exhausted);
        assert_eq!(ended(Ending::Cancelled), CheckOutcome::Cancelled);
        assert_eq!(outcome(CheckVerdict::Unknown).expect("it is an outcome"), CheckOutcome::Unknown);
        let wait = Duration::from_secs(30);
        let waiting = outcome(CheckVerdict::Waiting { retry_after: Some(wait) }).expect_err("it is refused");
        let details = waiting.get_error_details();
        assert_eq!(details.retry_info().and_then(|info| info.retry_delay), Some(wait));
        let locked = outcome(CheckVerdict::Waiting { retry_after: None }).expect_err("it is refused");
        let details = locked.get_error_details();
        assert_eq!(details.error_info().map(|info| info.reason.as_str()), Some("CHECKS_LOCKED"));
    }
}
