//! What the passing of time changes.

use std::time::Duration;

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Ending, ErrorClass, Failure, FailureClass, LifecyclePolicy, Moment,
    Phase, Revocation, State, SucceedOn, Verification,
};

use super::Turn;
use super::next::turn_at;

/// How long a wish to take a message back may stay unanswered before it is repeated.
const REVOKE_AGAIN: Duration = Duration::from_secs(10);

/// The next instant at which somebody must look at a verification; `None` when nothing will change by itself.
pub fn next_due(verification: &Verification, policy: &LifecyclePolicy, now: Moment) -> Option<Moment> {
    let wanted = verification.attempts.iter().any(|a| a.revocation == Revocation::Wanted);
    let again = wanted.then(|| now + REVOKE_AGAIN);
    [own_instant(verification, policy, now), again].into_iter().flatten().min()
}

/// The instant that a verification waits for, to be compared with the moment at which somebody looks; `None` when it
/// only waits for a message to be taken back, which has no moment of its own.
pub fn awaited(verification: &Verification, policy: &LifecyclePolicy) -> Option<Moment> {
    own_instant(verification, policy, Moment::EPOCH)
}

fn own_instant(verification: &Verification, policy: &LifecyclePolicy, now: Moment) -> Option<Moment> {
    match verification.state {
        State::Pending => {
            let instant =
                verification.current().and_then(|attempt| attempt_due(verification, attempt, policy, now));
            Some(instant.unwrap_or(verification.expires_at).min(verification.expires_at))
        }
        State::Ended { .. } => verification.current().and_then(|attempt| match attempt.phase {
            // Whatever the end was: if its worker is gone, it is ambiguous, and counted so.
            Phase::Claimed { lease_until, .. } => Some(lease_until),
            Phase::Queued { .. }
            | Phase::Retrying { .. }
            | Phase::Accepted { .. }
            | Phase::Ambiguous { .. }
            | Phase::Ended { .. } => None,
        }),
    }
}

fn attempt_due(
    verification: &Verification,
    attempt: &Attempt,
    policy: &LifecyclePolicy,
    now: Moment,
) -> Option<Moment> {
    match attempt.phase {
        Phase::Queued { withdraw_at } => Some(withdraw_at),
        Phase::Claimed { lease_until, .. } => Some(lease_until),
        Phase::Retrying { at, .. } => Some(at),
        Phase::Accepted { wait_until, .. } | Phase::Ambiguous { wait_until, .. } => {
            if is_satisfied(attempt) {
                return None;
            }
            Some(turn_at(verification, policy, now.max(wait_until))?.max(wait_until))
        }
        Phase::Ended { .. } => None,
    }
}

/// Whether the step of an attempt counts as successful, so that the next one is not tried.
fn is_satisfied(attempt: &Attempt) -> bool {
    let status = attempt.receipt.map(|receipt| receipt.status);
    if status.is_some_and(|status| status.is_negative()) {
        return false;
    }
    let taken = matches!(attempt.phase, Phase::Accepted { .. }) || status.is_some();
    match attempt.succeed_on {
        SucceedOn::Accepted => taken,
        SucceedOn::Delivered => status.is_some_and(|status| status.is_positive()),
        SucceedOn::Verified => false,
    }
}

impl Turn<'_> {
    /// An instant has come at which somebody must look.
    pub(super) fn due(&mut self) {
        if !self.next.is_pending() {
            return self.tidy();
        }
        if self.now >= self.next.expires_at {
            return self.end(Ending::Expired);
        }
        let Some(attempt) = self.next.current().cloned() else { return };
        match attempt.phase {
            Phase::Queued { withdraw_at } if self.now >= withdraw_at => self.withdraw(&attempt),
            Phase::Claimed { lease_until, .. } if self.now >= lease_until => self.lose_lease(&attempt),
            Phase::Retrying { at, .. } if self.now >= at => self.try_again(&attempt),
            Phase::Accepted { wait_until, .. } | Phase::Ambiguous { wait_until, .. }
                if self.now >= wait_until && !is_satisfied(&attempt) =>
            {
                self.silent();
            }
            Phase::Queued { .. }
            | Phase::Claimed { .. }
            | Phase::Retrying { .. }
            | Phase::Accepted { .. }
            | Phase::Ambiguous { .. }
            | Phase::Ended { .. } => {}
        }
        if self.effects.is_empty() {
            // Nothing else was due, so it was a wish to take a message back that stayed unanswered.
            self.recall_again();
        }
    }

    /// A receipt was merged: a hard negative lets the next candidate go at once (RTE-31). The code stays valid, because
    /// receipts lie (RTE-02).
    pub(super) fn receipt_merged(&mut self, number: AttemptNumber) {
        if !self.next.is_pending() || !self.is_current(number) || self.now >= self.next.expires_at {
            return;
        }
        let Some(attempt) = self.next.attempt(number).cloned() else { return };
        let negative = attempt.receipt.filter(|receipt| receipt.status.is_negative());
        if let Some(receipt) = negative.filter(|_| attempt.is_outstanding()) {
            self.advance(Some(receipt.because.map_or(FailureClass::Unroutable, |failure| failure.class)));
        }
    }

    /// The current attempt had its time: the next candidate goes, as soon as there is one that can.
    fn silent(&mut self) {
        if turn_at(&self.next, self.policy, self.now).is_some_and(|at| at <= self.now) {
            self.advance(None);
        }
    }

    /// Nobody claimed the job in time: its lane is stuck, so the next candidate goes. Past `send_before` there is none.
    fn withdraw(&mut self, attempt: &Attempt) {
        if self.now >= self.next.send_before {
            return self.end_attempt(attempt, AttemptEnd::Withdrawn);
        }
        let (class, error) = (FailureClass::Unavailable, ErrorClass::Timeout);
        self.close_attempt(attempt, AttemptEnd::Failed(Failure::new(class, error)));
        self.advance(Some(class));
    }

    /// The worker is gone, and nobody knows what it had done.
    fn lose_lease(&mut self, attempt: &Attempt) {
        self.make_ambiguous(attempt, ErrorClass::Unknown);
        // A receipt may have come while it was claimed.
        self.receipt_merged(attempt.number);
        self.due();
    }

    fn try_again(&mut self, attempt: &Attempt) {
        if self.now >= self.next.send_before {
            return self.end_attempt(attempt, AttemptEnd::Withdrawn);
        }
        self.put_on_lane(attempt);
    }
}
