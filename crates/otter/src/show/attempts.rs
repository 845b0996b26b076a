//! What was sent, by whom, and what came of it.

use otter_contract::v1::{Attempt, AttemptState, FailureClass, ReceiptStatus};
use prost_types::Timestamp;

use super::screen::Width;
use super::table::{Head, table};
use super::words::{Word as _, tone_of_attempt, tone_of_receipt};
use super::{Tone, time};

const HEADS: [Head; 8] = [
    Head::Figures("#"),
    Head::Words("PROVIDER"),
    Head::Words("CHANNEL"),
    Head::Sentences("SENT"),
    Head::Sentences("RECEIPT"),
    Head::Words("ORIGIN"),
    Head::Figures("AFTER"),
    Head::Sentences("WHY"),
];

/// The attempts as a table. `since` is when the verification was accepted.
pub(crate) fn attempts(attempts: &[Attempt], since: Option<&Timestamp>, width: Width) -> String {
    table(&HEADS, attempts.iter().map(|attempt| row(attempt, since)), width)
}

fn row(attempt: &Attempt, since: Option<&Timestamp>) -> Vec<comfy_table::Cell> {
    let after = since.zip(attempt.queue_time.as_ref()).map(|(since, queued)| time::offset(since, queued));
    vec![
        Tone::Plain.figure(attempt.number),
        Tone::Plain.cell(&attempt.provider),
        Tone::Plain.cell(attempt.channel().word()),
        tone_of_attempt(attempt.state()).cell(sent(attempt)),
        receipt(attempt),
        Tone::Plain.cell(attempt.origin().word()),
        Tone::Plain.figure(after.unwrap_or_default()),
        Tone::Faint.cell(&attempt.explanation),
    ]
}

/// What became of the send: `accepted`, `unavailable: provider_5xx (503)`.
pub(crate) fn sent(attempt: &Attempt) -> String {
    let state = attempt.state().word();
    // After an accepted send a failure is the receipt's.
    if attempt.state() == AttemptState::Accepted || attempt.error_class.is_empty() {
        return state;
    }
    format!("{state}: {}", error(attempt))
}

fn receipt(attempt: &Attempt) -> comfy_table::Cell {
    if attempt.verified {
        return Tone::Good.cell("typed in");
    }
    let status = attempt.receipt();
    if status == ReceiptStatus::Unspecified {
        return Tone::Faint.cell("-");
    }
    let tone = tone_of_receipt(status);
    let failed =
        attempt.state() == AttemptState::Accepted && attempt.failure_class() != FailureClass::Unspecified;
    let detail = if failed { format!("{}: {}", status.word(), error(attempt)) } else { status.word() };
    tone.cell(detail)
}

fn error(attempt: &Attempt) -> String {
    match attempt.vendor_code {
        Some(code) => format!("{} ({code})", attempt.error_class),
        None => attempt.error_class.clone(),
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::v1::{AttemptOrigin, Channel};

    use super::super::tone::plain;
    use super::*;

    #[test]
    fn failures_stand_where_they_belong() {
        let first = Attempt {
            number: 1,
            provider: "sms-a".to_owned(),
            channel: Channel::Sms.into(),
            state: AttemptState::Unavailable.into(),
            failure_class: FailureClass::Unavailable.into(),
            error_class: "provider_5xx".to_owned(),
            vendor_code: Some(503),
            origin: AttemptOrigin::First.into(),
            queue_time: Some(Timestamp { seconds: 100, nanos: 12_000_000 }),
            ..Attempt::default()
        };
        let second = Attempt {
            number: 2,
            provider: "sms-b".to_owned(),
            state: AttemptState::Accepted.into(),
            receipt: ReceiptStatus::Undelivered.into(),
            failure_class: FailureClass::Unroutable.into(),
            error_class: "unreachable".to_owned(),
            vendor_code: None,
            origin: AttemptOrigin::Failover.into(),
            ..first.clone()
        };
        let drawn = attempts(&[first, second], Some(&Timestamp { seconds: 100, nanos: 0 }), None);
        assert_eq!(
            plain(&drawn),
            "\
#  PROVIDER  CHANNEL  SENT                             RECEIPT                   ORIGIN       AFTER  WHY
1  sms-a     sms      unavailable: provider_5xx (503)  -                         first     +0.012 s
2  sms-b     sms      accepted                         undelivered: unreachable  failover  +0.012 s"
        );
    }
}
