//! Counts for dashboards what was committed.

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Channel, CheckVerdict, Effect, Ending, HappeningKind, JobKind,
    Moment, Origin, Phase, Verification,
};
use otter_telemetry::{CheckOutcome, DeliveryOutcome, Metrics};

/// Counts the effects of a commit that is durable. `next` is the verification after it.
pub(crate) fn committed(metrics: &Metrics, next: &Verification, effects: &[Effect], now: Moment) {
    for effect in effects {
        match effect {
            Effect::Dispatch { provider, job: JobKind::Send | JobKind::Revoke, .. } => {
                metrics.enqueued(provider, 1)
            }
            Effect::Observe(_) => {}
            Effect::Publish(kind) => published(metrics, next, kind, now),
        }
    }
}

fn published(metrics: &Metrics, next: &Verification, kind: &HappeningKind, now: Moment) {
    match kind {
        HappeningKind::AttemptQueued { attempt, channel, origin: Origin::Failover, because, .. } => {
            let before = attempt.index().checked_sub(1).and_then(|index| next.attempts.get(index));
            if let Some(before) = before {
                metrics.failover(&before.provider, *channel, *because);
            }
        }
        HappeningKind::AttemptAccepted { channel, .. } => {
            let taken =
                next.attempts.iter().filter(|attempt| matches!(attempt.phase, Phase::Accepted { .. }));
            if taken.count() == 1 {
                metrics.time_to_dispatch(*channel, now.since(next.created_at));
            }
        }
        HappeningKind::Ended { how, because: _ } => ended(metrics, next, *how, now),
        HappeningKind::Opened
        | HappeningKind::AttemptQueued { origin: Origin::First | Origin::Resend, .. }
        | HappeningKind::AttemptRetrying { .. }
        | HappeningKind::AttemptAmbiguous { .. }
        | HappeningKind::AttemptEnded { .. }
        | HappeningKind::ReceiptMerged { .. }
        | HappeningKind::CheckFailed { .. }
        | HappeningKind::ChecksLifted { .. } => {}
    }
}

/// Counts a check, and the end that it brought.
pub(crate) fn checked(
    metrics: &Metrics,
    verdict: &CheckVerdict,
    verification: Option<&Verification>,
    now: Moment,
) {
    let channel = match verdict {
        CheckVerdict::Verified { by, .. } => verification.and_then(|verification| typed(verification, *by)),
        // A wrong code is of no channel, so it is told by the message that the person had last.
        CheckVerdict::Wrong { .. }
        | CheckVerdict::Ended(_)
        | CheckVerdict::Waiting { .. }
        | CheckVerdict::Unknown => verification.and_then(last),
    };
    let country = verification.map_or(otter_domain::Country::NONE, |verification| verification.country);
    metrics.check(channel, country, CheckOutcome::of(verdict));
    match (verdict, verification) {
        (CheckVerdict::Verified { by, repeated: false }, Some(verification)) => {
            ended(metrics, verification, Ending::Verified { by: *by }, now);
        }
        (CheckVerdict::Wrong { remaining: 0 }, Some(verification)) => {
            ended(metrics, verification, Ending::Exhausted, now);
        }
        (
            CheckVerdict::Verified { .. }
            | CheckVerdict::Wrong { .. }
            | CheckVerdict::Ended(_)
            | CheckVerdict::Waiting { .. }
            | CheckVerdict::Unknown,
            _,
        ) => {}
    }
}

/// Counts the end of a verification.
pub(crate) fn ended(metrics: &Metrics, verification: &Verification, how: Ending, now: Moment) {
    let (is_verified, credited, channel) = match how {
        Ending::Verified { by } => (true, by, typed(verification, by)),
        Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled => {
            (false, None, last(verification))
        }
    };
    if is_verified {
        metrics.time_to_verify(channel, now.since(verification.created_at));
    }
    let outcomes = verification.attempts.iter().map(|attempt| {
        let verified = credited == Some(attempt.number);
        let outcome = if verified { DeliveryOutcome::Delivered } else { outcome(attempt) };
        metrics.route_delivery(&attempt.provider, verification.country, outcome);
        outcome
    });
    let outcomes: Vec<_> = outcomes.collect();
    let best = [DeliveryOutcome::Delivered, DeliveryOutcome::Unconfirmed, DeliveryOutcome::Failed]
        .into_iter()
        .find(|outcome| outcomes.contains(outcome))
        .unwrap_or(DeliveryOutcome::Expired);
    let whole = if is_verified { DeliveryOutcome::Delivered } else { best };
    metrics.delivery(channel, verification.country, whole);
}

/// The channel whose code was typed in; `None` if several attempts carried it and not all over the same channel.
fn typed(verification: &Verification, by: Option<AttemptNumber>) -> Option<Channel> {
    let mut channels = verification.attempts.iter().map(|attempt| attempt.channel);
    match by {
        Some(by) => verification.attempt(by).map(|attempt| attempt.channel),
        None => channels.next().filter(|first| channels.all(|channel| channel == *first)),
    }
}

fn last(verification: &Verification) -> Option<Channel> {
    verification.current().map(|attempt| attempt.channel)
}

fn outcome(attempt: &Attempt) -> DeliveryOutcome {
    match (attempt.receipt.map(|receipt| receipt.status), &attempt.phase) {
        (Some(status), _) if status.is_positive() => DeliveryOutcome::Delivered,
        (Some(status), _) if status.is_negative() => DeliveryOutcome::Failed,
        (Some(_) | None, Phase::Accepted { .. } | Phase::Ambiguous { .. } | Phase::Claimed { .. }) => {
            DeliveryOutcome::Unconfirmed
        }
        (Some(_) | None, Phase::Ended { how: AttemptEnd::Failed(_), .. }) => DeliveryOutcome::Failed,
        (
            Some(_) | None,
            Phase::Ended { how: AttemptEnd::Withdrawn, .. } | Phase::Queued { .. } | Phase::Retrying { .. },
        ) => DeliveryOutcome::Expired,
    }
}
