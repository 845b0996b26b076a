//! What the outcome of a send changes.

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Effect, ErrorClass, Failure, FailureClass, HappeningKind, JobKind,
    Measure, Moment, Phase, ProviderReference, Revocation,
};

use super::Turn;
use super::next::{again_at, goes_before, patience, wait_until};

impl Turn<'_> {
    /// A worker says what came of the send that it held.
    pub(super) fn sent(
        &mut self,
        number: AttemptNumber,
        tries: u8,
        outcome: &Result<Option<ProviderReference>, Failure>,
    ) {
        let Some(attempt) = self.tried(number, tries) else { return };
        match (&attempt.phase, outcome) {
            (Phase::Claimed { .. }, Ok(reference)) => self.accepted(&attempt, reference.clone()),
            (Phase::Claimed { .. }, Err(failure)) => self.failed(&attempt, failure),
            // The lease was lost and the outcome declared unknown; the worker woke up and knows better.
            (Phase::Ambiguous { .. }, Ok(reference)) => self.take_over(&attempt, reference.clone()),
            (
                Phase::Queued { .. }
                | Phase::Retrying { .. }
                | Phase::Accepted { .. }
                | Phase::Ambiguous { .. }
                | Phase::Ended { .. },
                _,
            ) => {}
        }
    }

    /// A report on a message that waits to be tried again: the try before was taken, whatever its answer said.
    pub(super) fn believe_report(&mut self) {
        let Some(attempt) = self.next.current().filter(|attempt| is_reported(attempt)).cloned() else {
            return;
        };
        match attempt.phase {
            Phase::Queued { .. } | Phase::Retrying { .. } => self.accepted(&attempt, None),
            // Its worker says what came of it, or nobody does any more.
            Phase::Claimed { .. }
            | Phase::Accepted { .. }
            | Phase::Ambiguous { .. }
            | Phase::Ended { .. } => {}
        }
    }

    /// The attempt, if this was its latest try.
    fn tried(&self, number: AttemptNumber, tries: u8) -> Option<Attempt> {
        self.next.attempt(number).filter(|attempt| attempt.tries == tries).cloned()
    }

    /// A worker gives a job back before anything left.
    pub(super) fn released(&mut self, number: AttemptNumber, tries: u8) {
        let Some(attempt) = self.tried(number, tries) else { return };
        let Phase::Claimed { .. } = attempt.phase else { return };
        if is_reported(&attempt) {
            return self.accepted(&attempt, None);
        }
        if !self.next.is_pending() {
            self.end_attempt(&attempt, AttemptEnd::Withdrawn);
            return self.tidy();
        }
        self.put_on_lane(&attempt);
    }

    /// A worker did not even try, because of an open breaker or because the account is busy until then.
    pub(super) fn skipped(&mut self, number: AttemptNumber, tries: u8, busy_until: Option<Moment>) {
        let Some(mut attempt) = self.tried(number, tries) else { return };
        let Phase::Claimed { .. } = attempt.phase else { return };
        if is_reported(&attempt) {
            return self.accepted(&attempt, None);
        }
        let class = match busy_until {
            Some(_) => FailureClass::Throttled,
            None => FailureClass::Unavailable,
        };
        let failure = Failure::new(class, ErrorClass::Unknown);
        let failure = failure.with_retry_after(busy_until.map(|until| self.now.until(until)));
        attempt.again_at = busy_until.and_then(|_| again_at(&self.next, &attempt, &failure, self.now));
        // It was claimed and not handed over.
        attempt.tries = tries.saturating_sub(1);
        if let Some(kept) = self.attempt_mut(number) {
            *kept = attempt.clone();
        }
        // What was not submitted is counted apart: an open breaker must not lower the rates of whom it protects.
        let outcome = attempt.refused.map_or(Measure::Skipped, Measure::Failed);
        self.close_with(&attempt, AttemptEnd::Failed(failure.kept()), Some(outcome));
        if self.next.is_pending() { self.advance(Some(class)) } else { self.tidy() }
    }

    pub(super) fn dispatch(&mut self, attempt: &Attempt, job: JobKind) {
        let provider = attempt.provider.clone();
        self.effects.push(Effect::Dispatch { provider, attempt: attempt.number, job });
    }

    /// Puts the current attempt on its lane, for as long as somebody else can be kept waiting behind it.
    pub(super) fn put_on_lane(&mut self, attempt: &Attempt) {
        let plan = self.next.plan();
        let candidate = plan.and_then(|plan| plan.candidates.get(usize::from(attempt.candidate)));
        let configured = candidate.map(|candidate| candidate.max_queue_wait).unwrap_or_default();
        let patience = patience(&self.next, self.policy, configured, self.now);
        let withdraw_at = (self.now + patience).min(self.next.send_before);
        if let Some(attempt) = self.attempt_mut(attempt.number) {
            attempt.phase = Phase::Queued { withdraw_at };
        }
        self.dispatch(attempt, JobKind::Send);
    }

    /// Ends an attempt that led to no message; its code leaves its slot at once.
    pub(super) fn end_attempt(&mut self, attempt: &Attempt, how: AttemptEnd) {
        let outcome = match how {
            // Our own deadline says nothing about the provider.
            AttemptEnd::Failed(Failure { error: ErrorClass::Expired, .. }) | AttemptEnd::Withdrawn => {
                attempt.refused
            }
            AttemptEnd::Failed(Failure { class, .. }) => Some(class),
        };
        self.close_with(attempt, how, outcome.map(Measure::Failed));
    }

    /// The same for one that was not submitted to the provider: it is no evidence, unless an earlier try was refused.
    pub(super) fn close_attempt(&mut self, attempt: &Attempt, how: AttemptEnd) {
        self.close_with(attempt, how, attempt.refused.map(Measure::Failed));
    }

    fn close_with(&mut self, attempt: &Attempt, how: AttemptEnd, outcome: Option<Measure>) {
        if let Some(outcome) = outcome {
            self.observe(attempt, outcome);
        }
        let number = attempt.number;
        let at = self.now;
        if let Some(attempt) = self.attempt_mut(number) {
            attempt.phase = Phase::Ended { at, how };
        }
        // A code that earlier attempts carry too has no attempt in its slot and stays.
        self.next.slots.retain(|slot| slot.attempt != Some(number));
        self.forget_code();
        let (provider, channel) = (attempt.provider.clone(), attempt.channel);
        self.publish(HappeningKind::AttemptEnded { attempt: number, provider, channel, how });
    }

    /// Nobody knows whether it was sent: never called failed, never blindly repeated, always counted.
    pub(super) fn make_ambiguous(&mut self, attempt: &Attempt, error: ErrorClass) {
        let at = self.now;
        self.leave(attempt, |wait_until| Phase::Ambiguous { at, wait_until, error });
        self.observe_sent(attempt, Measure::Failed(FailureClass::Ambiguous));
        let (provider, channel) = (attempt.provider.clone(), attempt.channel);
        let attempt = attempt.number;
        self.publish(HappeningKind::AttemptAmbiguous { attempt, provider, channel, error });
        self.forget_code();
    }

    /// Nothing is done with an attempt any more until its wait is over. Who can follow depends on what it has come to.
    fn leave(&mut self, attempt: &Attempt, phase: impl Fn(Moment) -> Phase) {
        let number = attempt.number;
        if let Some(attempt) = self.attempt_mut(number) {
            attempt.phase = phase(attempt.queued_at);
        }
        let until = wait_until(&self.next, self.policy, attempt);
        if let Some(attempt) = self.attempt_mut(number) {
            attempt.phase = phase(until);
        }
    }

    fn accepted(&mut self, attempt: &Attempt, reference: Option<ProviderReference>) {
        self.observe_sent(attempt, Measure::Accepted);
        self.forget_code();
        self.take_over(attempt, reference);
    }

    fn take_over(&mut self, attempt: &Attempt, reference: Option<ProviderReference>) {
        let (number, at) = (attempt.number, self.now);
        self.leave(attempt, |wait_until| Phase::Accepted { at, wait_until });
        if let Some(attempt) = self.attempt_mut(number) {
            attempt.reference = reference.or(attempt.reference.take());
        }
        let (provider, channel) = (attempt.provider.clone(), attempt.channel);
        self.publish(HappeningKind::AttemptAccepted { attempt: number, provider, channel });
        if self.next.is_pending() { self.receipt_merged(number) } else { self.tidy() }
    }

    fn failed(&mut self, attempt: &Attempt, failure: &Failure) {
        match failure.class {
            FailureClass::Ambiguous => {
                self.make_ambiguous(attempt, failure.error);
                if self.next.is_pending() { self.receipt_merged(attempt.number) } else { self.tidy() }
            }
            FailureClass::Rejected
            | FailureClass::Unroutable
            | FailureClass::Throttled
            | FailureClass::Unavailable
            | FailureClass::Misconfigured
                if is_reported(attempt) =>
            {
                self.accepted(attempt, None);
            }
            FailureClass::Throttled | FailureClass::Unavailable if self.retries(attempt, failure) => {}
            FailureClass::Rejected
            | FailureClass::Unroutable
            | FailureClass::Throttled
            | FailureClass::Unavailable
            | FailureClass::Misconfigured => {
                let again_at = again_at(&self.next, attempt, failure, self.now);
                if let Some(attempt) = self.attempt_mut(attempt.number) {
                    attempt.again_at = again_at;
                }
                self.end_attempt(attempt, AttemptEnd::Failed(failure.kept()));
                if self.next.is_pending() { self.advance(Some(failure.class)) } else { self.tidy() }
            }
        }
    }

    /// Books one more try of the same attempt with the same code, if the class and the time allow it. Nobody waits for a
    /// provider that is too busy while somebody else may go.
    fn retries(&mut self, attempt: &Attempt, failure: &Failure) -> bool {
        let Some(at) = again_at(&self.next, attempt, failure, self.now) else { return false };
        let is_busy = failure.class == FailureClass::Throttled;
        if is_busy && goes_before(&self.next, self.policy, self.may_go, self.now, at) {
            return false;
        }
        if let Some(attempt) = self.attempt_mut(attempt.number) {
            attempt.phase = Phase::Retrying { at, because: failure.class };
            attempt.again_at = Some(at);
            attempt.refused = Some(failure.class);
        }
        let (provider, channel, number) = (attempt.provider.clone(), attempt.channel, attempt.number);
        let because = failure.class;
        self.publish(HappeningKind::AttemptRetrying { attempt: number, provider, channel, because });
        true
    }

    /// A message was taken back, or it is known to be too late.
    pub(super) fn revoke_settled(&mut self, number: AttemptNumber) {
        let Some(attempt) = self.attempt_mut(number) else { return };
        if attempt.revocation == Revocation::Wanted {
            attempt.revocation = Revocation::Settled;
            if !self.next.is_pending() {
                self.tidy();
            }
        }
    }
}

/// Whether the vendor reported on the attempt's message. It has taken what it reports on, good or bad, even if it or
/// something in front of it says the contrary: the person may hold the code, and another try would be a second message.
fn is_reported(attempt: &Attempt) -> bool {
    attempt.receipt.is_some()
}
