//! How a verification ends, and what is still to do then.

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Ending, ErrorClass, ExpiryReason, HappeningKind, JobKind, Phase,
    Revocation, State,
};

use super::Turn;
use crate::credit;

impl Turn<'_> {
    /// The caller took it back.
    pub(super) fn cancelled(&mut self) {
        self.end_by_caller(Ending::Cancelled);
    }

    /// The caller checked the code elsewhere. What was not verified there will not be: the caller is done with it.
    pub(super) fn reported(&mut self, verified: bool, attempt: Option<AttemptNumber>) {
        if !verified {
            return self.end_by_caller(Ending::Cancelled);
        }
        let named = attempt.filter(|number| self.next.attempt(*number).is_some());
        let by = credit::credited(&self.next, named);
        // The end forgets which codes there were, and books what its worker left; that one counts itself.
        let (was_pending, is_shared) = (self.next.is_pending(), self.keeps_code());
        let sent: Vec<Attempt> = credit::sent(&self.next).cloned().collect();
        self.end_by_caller(Ending::Verified { by });
        let succeeded = matches!(self.next.state, State::Ended { how: Ending::Verified { .. }, .. });
        if was_pending && succeeded {
            self.observe_success(by, is_shared, &sent);
        }
    }

    fn end_by_caller(&mut self, how: Ending) {
        if self.next.is_pending() {
            let how = if self.now >= self.next.expires_at { Ending::Expired } else { how };
            self.end(how);
        }
    }

    /// Ends the verification: its codes die, what is queued is withdrawn, what was sent is taken back where possible.
    pub(super) fn end(&mut self, how: Ending) {
        let because = matches!(how, Ending::Expired).then(|| ExpiryReason::of(&self.next));
        self.next.state = State::Ended { how, at: self.now };
        self.next.slots.clear();
        if let Some(private) = &mut self.next.private {
            private.code = None;
        }
        self.publish(HappeningKind::Ended { how, because });
        self.tidy();
    }

    /// Brings what is left of an ended verification to rest. The number is erased with the last thing that needs it.
    pub(super) fn tidy(&mut self) {
        let State::Ended { how, .. } = self.next.state else { return };
        let credited = match how {
            Ending::Verified { by } => by,
            Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled => None,
        };
        for attempt in self.next.attempts.clone() {
            match attempt.phase {
                Phase::Queued { .. } | Phase::Retrying { .. } => {
                    self.end_attempt(&attempt, AttemptEnd::Withdrawn);
                }
                Phase::Claimed { lease_until, .. } if self.now >= lease_until => {
                    self.make_ambiguous(&attempt, ErrorClass::Unknown);
                }
                Phase::Claimed { .. }
                | Phase::Accepted { .. }
                | Phase::Ambiguous { .. }
                | Phase::Ended { .. } => {}
            }
            self.recall(attempt.number, credited);
        }
        let busy = self.next.attempts.iter().any(|attempt| {
            let claimed = matches!(attempt.phase, Phase::Claimed { .. });
            attempt.revocation == Revocation::Wanted
                || (claimed && attempt.revocation == Revocation::Possible)
        });
        if !busy {
            self.next.private = None;
        }
    }

    /// Asks for a message to be taken back, again if the first wish stayed unanswered; past the code's life it does not
    /// matter any more.
    fn recall(&mut self, number: AttemptNumber, credited: Option<AttemptNumber>) {
        let Some(attempt) = self.next.attempt(number).cloned() else { return };
        let arrived = attempt.receipt.is_some_and(|receipt| receipt.status.is_positive());
        let wanted = match attempt.revocation {
            Revocation::Possible => attempt.is_outstanding() && !arrived && credited != Some(number),
            Revocation::Wanted => true,
            Revocation::Impossible | Revocation::Settled => return,
        };
        if !wanted {
            return;
        }
        let useful = self.now < self.next.expires_at && self.next.private.is_some();
        if let Some(attempt) = self.attempt_mut(number) {
            attempt.revocation = if useful { Revocation::Wanted } else { Revocation::Settled };
        }
        if useful {
            self.dispatch(&attempt, JobKind::Revoke);
        }
    }
}
