//! What a snapshot or an event says happened.

use otter_contract::v1::event::Kind;
use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, Channel, ChannelClass, ChecksLifted, Event, ExpiryReason,
    FailureClass, ReceiptStatus, Verification, VerificationEnded, VerificationState,
};
use prost_types::Timestamp;

use crate::show::Tone;
use crate::show::words::{Word as _, tone_of_attempt, tone_of_receipt, tone_of_verification};

/// What makes two reports of the same thing the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Opened,
    Queued(u32),
    Retrying(u32),
    Accepted(u32),
    Ambiguous(u32),
    Ended(u32),
    Receipt(u32, ReceiptStatus),
    CheckFailed { remaining: u32 },
    ChecksLifted(ChannelClass),
    VerificationEnded,
}

impl Mark {
    /// Whether the other says nothing new after this one. A receipt covers the weaker ones of its attempt.
    pub(super) fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Receipt(attempt, known), Self::Receipt(of, status)) => attempt == of && known >= status,
            (told, news) => told == news,
        }
    }
}

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) time: Option<Timestamp>,
    pub(super) mark: Mark,
    /// Who did it, for attempts.
    by: Option<(u32, String, Channel)>,
    tone: Tone,
    pub(super) what: String,
}

impl Fact {
    /// What the event says. `None` for kinds that are newer than this program.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let time = event.event_time;
        let fact = match event.kind.as_ref()? {
            Kind::VerificationOpened(_) => opened(time),
            Kind::AttemptQueued(queued) => {
                let by = (queued.attempt, queued.provider.clone(), queued.channel());
                let what = cause(queued.attempt, queued.origin(), Some(queued.because()));
                Self::attempt(time, Mark::Queued(queued.attempt), by, Tone::Plain, what)
            }
            Kind::AttemptRetrying(retrying) => {
                let by = (retrying.attempt, retrying.provider.clone(), retrying.channel());
                let what = format!("{}, tried once more", retrying.because().word());
                Self::attempt(time, Mark::Retrying(retrying.attempt), by, Tone::Open, what)
            }
            Kind::AttemptAccepted(accepted) => {
                let by = (accepted.attempt, accepted.provider.clone(), accepted.channel());
                outcome(time, by, AttemptState::Accepted, "")
            }
            Kind::AttemptAmbiguous(ambiguous) => {
                let by = (ambiguous.attempt, ambiguous.provider.clone(), ambiguous.channel());
                outcome(time, by, AttemptState::Ambiguous, &ambiguous.error_class)
            }
            Kind::AttemptEnded(ended) => {
                let by = (ended.attempt, ended.provider.clone(), ended.channel());
                outcome(time, by, ended.state(), &ended.error_class)
            }
            Kind::ReceiptMerged(receipt) => {
                let by = (receipt.attempt, receipt.provider.clone(), receipt.channel());
                merged(time, by, receipt.status())
            }
            Kind::CheckFailed(failed) => Self {
                time,
                mark: Mark::CheckFailed { remaining: failed.checks_remaining },
                by: None,
                tone: Tone::Bad,
                what: format!("wrong code, {} checks left", failed.checks_remaining),
            },
            Kind::ChecksLifted(lifted) => checks_lifted(time, lifted),
            Kind::VerificationEnded(ended) => verification_ended(time, ended),
        };
        Some(fact)
    }

    fn attempt(
        time: Option<Timestamp>,
        mark: Mark,
        by: (u32, String, Channel),
        tone: Tone,
        what: String,
    ) -> Self {
        Self { time, mark, by: Some(by), tone, what }
    }

    /// The fact as a line, without its time.
    pub(super) fn line(&self) -> String {
        let what = self.tone.paint(&self.what);
        match &self.by {
            Some((attempt, provider, channel)) => {
                let by = format!("{provider} over {}", channel.word());
                format!("attempt {attempt}  {by:<24}  {what}")
            }
            None => what,
        }
    }
}

fn opened(time: Option<Timestamp>) -> Fact {
    Fact { time, mark: Mark::Opened, by: None, tone: Tone::Plain, what: "request accepted".to_owned() }
}

fn outcome(
    time: Option<Timestamp>,
    by: (u32, String, Channel),
    state: AttemptState,
    error_class: &str,
) -> Fact {
    let mark = match state {
        AttemptState::Accepted => Mark::Accepted(by.0),
        AttemptState::Ambiguous => Mark::Ambiguous(by.0),
        AttemptState::Unspecified
        | AttemptState::Queued
        | AttemptState::Claimed
        | AttemptState::Retrying
        | AttemptState::Rejected
        | AttemptState::Unroutable
        | AttemptState::Throttled
        | AttemptState::Unavailable
        | AttemptState::Misconfigured
        | AttemptState::Withdrawn => Mark::Ended(by.0),
    };
    let state_word = state.word();
    let what = if error_class.is_empty() { state_word } else { format!("{state_word}: {error_class}") };
    Fact::attempt(time, mark, by, tone_of_attempt(state), what)
}

fn merged(time: Option<Timestamp>, by: (u32, String, Channel), status: ReceiptStatus) -> Fact {
    let mark = Mark::Receipt(by.0, status);
    Fact::attempt(time, mark, by, tone_of_receipt(status), status.word())
}

fn checks_lifted(time: Option<Timestamp>, lifted: &ChecksLifted) -> Fact {
    let ChecksLifted { channel_class: _, failures, author, reason } = lifted;
    let class = lifted.channel_class();
    let what = format!("{failures} wrong codes ({}) forgotten by {author}: {reason}", class.word());
    Fact { time, mark: Mark::ChecksLifted(class), by: None, tone: Tone::Plain, what }
}

fn verification_ended(time: Option<Timestamp>, ended: &VerificationEnded) -> Fact {
    let state = ended.state();
    let word = state.word();
    let what = match (ended.verified_attempt, ended.expiry_reason()) {
        (0, ExpiryReason::Unspecified) => word,
        (0, reason) => format!("{word}: {}", reason.word()),
        (attempt, _) => format!("{word} with the code of attempt {attempt}"),
    };
    Fact { time, mark: Mark::VerificationEnded, by: None, tone: tone_of_verification(state), what }
}

/// Why an attempt was queued. A snapshot does not know what a failover was for.
fn cause(attempt: u32, origin: AttemptOrigin, because: Option<FailureClass>) -> String {
    match (origin, because) {
        (AttemptOrigin::First | AttemptOrigin::Unspecified, _) => "queued".to_owned(),
        (AttemptOrigin::Resend, _) => "queued, because the person asked again".to_owned(),
        (AttemptOrigin::Failover, None) => "queued as failover".to_owned(),
        (AttemptOrigin::Failover, Some(FailureClass::Unspecified)) => {
            format!("queued as failover: attempt {} stayed silent", attempt.saturating_sub(1))
        }
        (AttemptOrigin::Failover, Some(class)) => {
            format!("queued as failover: attempt {} was {}", attempt.saturating_sub(1), class.word())
        }
    }
}

/// What the snapshot tells, in the order in which it happened.
pub(super) fn facts_of(snapshot: &Verification) -> Vec<Fact> {
    let mut facts = vec![opened(snapshot.create_time)];
    facts.extend(snapshot.attempts.iter().flat_map(facts_of_attempt));
    facts.sort_by_key(|fact| fact.time.map(|at| (at.seconds, at.nanos)));
    if snapshot.state() != VerificationState::Pending {
        let verified_by = snapshot.attempts.iter().find(|attempt| attempt.verified);
        let ended = VerificationEnded {
            state: snapshot.state,
            verified_attempt: verified_by.map_or(0, |attempt| attempt.number),
            expiry_reason: snapshot.expiry_reason,
        };
        facts.push(verification_ended(snapshot.end_time, &ended));
    }
    facts
}

fn facts_of_attempt(attempt: &Attempt) -> Vec<Fact> {
    let by = || (attempt.number, attempt.provider.clone(), attempt.channel());
    let what = cause(attempt.number, attempt.origin(), None);
    let mut facts =
        vec![Fact::attempt(attempt.queue_time, Mark::Queued(attempt.number), by(), Tone::Plain, what)];
    let is_live = matches!(
        attempt.state(),
        AttemptState::Unspecified | AttemptState::Queued | AttemptState::Claimed | AttemptState::Retrying
    );
    if !is_live {
        // The error of an accepted attempt is its receipt's.
        let error = if attempt.state() == AttemptState::Accepted { "" } else { &attempt.error_class };
        facts.push(outcome(attempt.outcome_time, by(), attempt.state(), error));
    }
    if attempt.receipt() != ReceiptStatus::Unspecified {
        facts.push(merged(attempt.receipt_time, by(), attempt.receipt()));
    }
    facts
}

/// What the snapshot knows without saying when it happened.
pub(super) fn quiet_marks(snapshot: &Verification) -> Vec<Mark> {
    let retried = snapshot.attempts.iter().filter(|attempt| attempt.tries > 1);
    let is_verified = snapshot.state() == VerificationState::Verified;
    let wrong = snapshot.checks_used.saturating_sub(u32::from(is_verified));
    let failed = (1..=wrong.min(snapshot.check_budget))
        .map(|used| Mark::CheckFailed { remaining: snapshot.check_budget - used });
    retried.map(|attempt| Mark::Retrying(attempt.number)).chain(failed).collect()
}
