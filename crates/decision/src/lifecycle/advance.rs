//! Who is tried next, and with which code.

use otter_domain::{
    Attempt, AttemptEnd, AttemptNumber, Candidate, CodePolicy, CodeSlot, Ending, Failure, FailureClass,
    HappeningKind, JobKind, MAX_SLOTS, Origin, Phase, Revocation, SpeaksOf, Verification,
};

use super::Turn;
use super::next::{Successor, advances_to};

impl Turn<'_> {
    /// Lets the next candidate go, or ends the verification if nobody is left and no code is on its way.
    ///
    /// `because` is what the current attempt ended with; `None` when it stayed silent.
    pub(super) fn advance(&mut self, because: Option<FailureClass>) {
        if self.now >= self.next.send_before {
            return;
        }
        match advances_to(&self.next, self.policy, self.may_go, self.now) {
            Some(successor) => {
                self.recall_current();
                self.queue(successor, Origin::Failover, because);
            }
            None if self.next.slots.is_empty() => self.end(Ending::Failed),
            None => {}
        }
    }

    /// Puts a send of this candidate on its lane, with the code that travels; one whose provider was too busy stays off it
    /// until the provider can be asked again.
    pub(super) fn queue(&mut self, successor: Successor, origin: Origin, because: Option<FailureClass>) {
        let Successor { candidate: index, not_before } = successor;
        let candidate = self.next.plan().and_then(|plan| plan.candidates.get(index)).cloned();
        let (Some(candidate), Some(private)) = (candidate, &mut self.next.private) else { return };
        private.code = Some(self.fresh.code.clone());
        let number = AttemptNumber::at_index(self.next.attempts.len());
        self.place_code(number, &candidate);
        let attempt = Attempt {
            number,
            provider: candidate.provider.clone(),
            channel: candidate.channel,
            candidate: u8::try_from(index).unwrap_or(u8::MAX),
            origin,
            queued_at: self.now,
            claimed_at: None,
            phase: match not_before {
                Some(at) => Phase::Retrying { at, because: FailureClass::Throttled },
                None => Phase::Queued { withdraw_at: self.next.send_before },
            },
            receipt: None,
            reference: None,
            tries: 0,
            revocation: if candidate.revocable { Revocation::Possible } else { Revocation::Impossible },
            succeed_on: candidate.succeed_on,
            wait: candidate.wait,
            refused: None,
            again_at: None,
        };
        self.next.attempts.push(attempt.clone());
        let (provider, channel) = (candidate.provider, candidate.channel);
        if not_before.is_none() {
            self.put_on_lane(&attempt);
        }
        self.publish(HappeningKind::AttemptQueued { attempt: number, provider, channel, origin, because });
    }

    /// Takes back the current attempt's message where the vendor can: the next one goes instead (FMT-41).
    pub(super) fn recall_current(&mut self) {
        let Some(attempt) = self.next.current().cloned() else { return };
        let arrived = attempt.receipt.is_some_and(|receipt| receipt.status.is_positive());
        if attempt.revocation == Revocation::Possible && attempt.is_outstanding() && !arrived {
            if let Some(attempt) = self.attempt_mut(attempt.number) {
                attempt.revocation = Revocation::Wanted;
            }
            self.dispatch(&attempt, JobKind::Revoke);
        }
    }

    /// Asks again for every message that is to be taken back. A repeat is harmless.
    pub(super) fn recall_again(&mut self) {
        let wanted = |attempt: &&Attempt| attempt.revocation == Revocation::Wanted;
        let attempts: Vec<Attempt> = self.next.attempts.iter().filter(wanted).cloned().collect();
        for attempt in attempts {
            self.dispatch(&attempt, JobKind::Revoke);
        }
    }

    /// Makes the travelling code valid beside, or instead of, the earlier ones (SEC-18).
    fn place_code(&mut self, number: AttemptNumber, candidate: &Candidate) {
        let class = candidate.channel.class();
        let until = self.next.expires_at;
        let slot =
            CodeSlot { key: self.fresh.key, digest: self.fresh.digest, until, attempt: Some(number), class };
        let policy = if self.keeps_code() { CodePolicy::Same } else { self.policy.codes };
        let slots = &mut self.next.slots;
        match policy {
            CodePolicy::Same => {
                let shared = !slots.is_empty();
                slots.clear();
                // With one code on several attempts a check cannot tell which of them worked (RTE-04).
                slots.push(CodeSlot { attempt: if shared { None } else { slot.attempt }, ..slot });
            }
            CodePolicy::FreshReplace => {
                slots.clear();
                slots.push(slot);
            }
            CodePolicy::FreshAcceptRecent(recent) => {
                slots.push(slot);
                let keep = usize::from(recent).clamp(1, MAX_SLOTS);
                slots.drain(..slots.len().saturating_sub(keep));
            }
        }
    }
}

/// Whether nothing that was learnt in this verification speaks against trying a candidate for this reason.
pub(super) fn is_open(
    verification: &Verification,
    candidates: &[Candidate],
    candidate: &Candidate,
    origin: Origin,
) -> bool {
    verification.attempts.iter().all(|attempt| {
        let same_provider = attempt.provider == candidate.provider;
        let same_channel = attempt.channel == candidate.channel;
        match verdict_on(attempt) {
            Some(Verdict::Failed(failure)) => match failure.class {
                FailureClass::Unroutable => !same_channel,
                FailureClass::Rejected | FailureClass::Misconfigured => match failure.speaks_of {
                    // A person whom one vendor refuses may be served by another.
                    SpeaksOf::Account | SpeaksOf::Person => !same_provider,
                    // Senders and templates are registered per channel: the account's other channels may work.
                    SpeaksOf::Channel | SpeaksOf::Sender | SpeaksOf::Template => {
                        !(same_provider && same_channel)
                    }
                },
                FailureClass::Ambiguous => may_follow_doubt(attempt, candidates, candidate, origin),
                FailureClass::Throttled | FailureClass::Unavailable => true,
            },
            Some(Verdict::Doubtful) => may_follow_doubt(attempt, candidates, candidate, origin),
            None => true,
        }
    })
}

/// Whether a candidate may go although this attempt may have led to a message.
fn may_follow_doubt(
    attempt: &Attempt,
    candidates: &[Candidate],
    candidate: &Candidate,
    origin: Origin,
) -> bool {
    let tried = candidates.get(usize::from(attempt.candidate));
    attempt.provider != candidate.provider || tried.is_some_and(|it| may_send_twice(it, origin))
}

/// Whether a provider that may have sent a message may be used for the next. Each attempt has a message id of its own,
/// so even a vendor that recognises repeats takes the next one for a new message: only a caller can want that.
fn may_send_twice(tried: &Candidate, origin: Origin) -> bool {
    match origin {
        Origin::Resend => tried.idempotent,
        Origin::First | Origin::Failover => false,
    }
}

/// What an attempt taught.
enum Verdict {
    /// Its answer, or a report on it, said why no message comes of it.
    Failed(Failure),
    /// A message may come of it.
    Doubtful,
}

fn verdict_on(attempt: &Attempt) -> Option<Verdict> {
    let reported = attempt.receipt.and_then(|receipt| receipt.because).map(Verdict::Failed);
    match attempt.phase {
        Phase::Ended { how: AttemptEnd::Failed(failure), .. } => Some(Verdict::Failed(failure)),
        Phase::Ambiguous { .. } => reported.or(Some(Verdict::Doubtful)),
        Phase::Accepted { .. } => reported,
        Phase::Ended { how: AttemptEnd::Withdrawn, .. }
        | Phase::Queued { .. }
        | Phase::Claimed { .. }
        | Phase::Retrying { .. } => None,
    }
}
