//! The life of one verification: what every event changes, and what has to be done about it.
//!
//! [`open`] begins it, [`step`] answers events, [`resend`] answers a person who waits, and [`next_due`] says when
//! somebody must look again. All of them are total: an event that comes late, twice or in the wrong order changes
//! nothing. The whole table is rendered in `docs/lifecycle.md`.

mod advance;
mod due;
mod end;
mod next;
mod resend;
mod sent;
mod shut;

use otter_domain::{
    Acceptance, Attempt, AttemptNumber, Candidate, Code, CodePolicy, Context, Digest, Effect, Ending, Event,
    HappeningKind, KeyId, LifecyclePolicy, Locale, Measure, Moment, Origin, PhoneNumber, Plan, Private,
    PurposeName, RecipientRef, State, Subject, TenantId, Verification, VerificationId, Version, latency_bin,
};

use crate::credit;

pub use due::{awaited, next_due};
pub use next::attempts_left;
pub use resend::{ResendRefusal, as_resent, resend, resend_allowed_at, resend_by};
pub use shut::{at_stake, without_shut};

/// A code that may travel with the next attempt, with its digest under the current pepper.
///
/// It is drawn before every step, because only the step knows whether it needs one: see [`travelling_code`].
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The code.
    pub code: Code,
    /// Which pepper made the digest.
    pub key: KeyId,
    /// The code's digest, bound to this verification.
    pub digest: Digest,
}

/// Everything that a new verification is made of.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its id.
    pub id: VerificationId,
    /// Who calls.
    pub tenant: TenantId,
    /// What the code is for.
    pub purpose: PurposeName,
    /// The number.
    pub number: PhoneNumber,
    /// The number's keyed hash.
    pub recipient: RecipientRef,
    /// The account that the caller named.
    pub subject: Option<Subject>,
    /// What the code is bound to.
    pub context: Context,
    /// The language of its texts.
    pub locale: Locale,
    /// Who is tried; at least one candidate.
    pub plan: Plan,
    /// Whether the caller brought the code.
    pub callers_code: bool,
    /// How long its codes are valid.
    pub ttl: std::time::Duration,
    /// How many checks it allows.
    pub budget: u8,
}

/// A verification as it is to be, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The verification as it is to be. Its version is still the one that was decided on.
    pub next: Verification,
    /// What follows, in order.
    pub effects: Vec<Effect>,
    /// Whether there is anything to commit.
    pub changed: bool,
}

/// The code that has to travel again instead of a new one: the caller's own, or the first under
/// [`CodePolicy::Same`] (SEC-18).
pub fn travelling_code<'a>(verification: &'a Verification, policy: &LifecyclePolicy) -> Option<&'a Code> {
    let private = verification.private.as_ref()?;
    if private.callers_code || policy.codes == CodePolicy::Same { private.code.as_ref() } else { None }
}

/// Whether somebody else whom `may_go` names could go now if the current attempt failed. If nobody could, trying an open
/// breaker is better than not trying at all (RTE-21).
pub fn has_alternative(
    verification: &Verification,
    may_go: &dyn Fn(&Candidate) -> bool,
    policy: &LifecyclePolicy,
    now: Moment,
) -> bool {
    next::goes_now(verification, policy, may_go, now)
}

/// Begins a verification and queues its first attempt.
///
/// The plan's first candidate is taken; a plan without candidates opens nothing and is the caller's to refuse.
pub fn open(opening: Opening, fresh: &Fresh, policy: &LifecyclePolicy, now: Moment) -> Step {
    let expires_at = now + opening.ttl;
    let locale = opening.locale.clone();
    let private = Private {
        code: None,
        callers_code: opening.callers_code,
        context: opening.context,
        locale: opening.locale,
        number: opening.number,
    };
    let verification = Verification {
        id: opening.id,
        version: Version(0),
        tenant: opening.tenant,
        purpose: opening.purpose,
        recipient: opening.recipient,
        country: private.number.country(),
        masked: private.number.masked(),
        subject: opening.subject,
        created_at: now,
        expires_at,
        send_before: expires_at - policy.min_useful,
        state: State::Pending,
        checks: 0,
        budget: opening.budget,
        attempts: Vec::new(),
        slots: Vec::new(),
        private: Some(private),
        acceptance: Some(Acceptance { plan: opening.plan, locale, resend_allowed_at: None }),
    };
    let mut turn = Turn::new(&verification, &|_| true, fresh, policy, now);
    turn.publish(HappeningKind::Opened);
    turn.queue(next::Successor::at_once(0), Origin::First, None);
    let resend_allowed_at = resend_allowed_at(&turn.next, policy);
    if let Some(acceptance) = &mut turn.next.acceptance {
        acceptance.resend_allowed_at = resend_allowed_at;
    }
    turn.finish(&verification)
}

/// Decides what an event changes, where nothing is known of who may go at this moment.
pub fn step(
    verification: &Verification,
    event: &Event,
    fresh: &Fresh,
    policy: &LifecyclePolicy,
    now: Moment,
) -> Step {
    step_by(verification, event, &|_| true, fresh, policy, now)
}

/// Decides what an event changes. Of candidates that can go next, those that `may_go` names go first: that is where an
/// account that is paused, ill or overloaded is known.
pub fn step_by(
    verification: &Verification,
    event: &Event,
    may_go: &dyn Fn(&Candidate) -> bool,
    fresh: &Fresh,
    policy: &LifecyclePolicy,
    now: Moment,
) -> Step {
    let mut turn = Turn::new(verification, may_go, fresh, policy, now);
    turn.believe_report();
    match event {
        Event::Sent { attempt, tries, outcome } => turn.sent(*attempt, *tries, outcome),
        Event::Released { attempt, tries } => turn.released(*attempt, *tries),
        Event::Skipped { attempt, tries, busy_until } => turn.skipped(*attempt, *tries, *busy_until),
        Event::Due => turn.due(),
        Event::ReceiptMerged { attempt } => turn.receipt_merged(*attempt),
        Event::Cancelled => turn.cancelled(),
        Event::Reported { verified, attempt } => turn.reported(*verified, *attempt),
        Event::RevokeSettled { attempt } => turn.revoke_settled(*attempt),
    }
    turn.finish(verification)
}

/// One decision in the making.
struct Turn<'a> {
    next: Verification,
    effects: Vec<Effect>,
    /// Who may go at this moment, as far as anybody knows.
    may_go: &'a dyn Fn(&Candidate) -> bool,
    fresh: &'a Fresh,
    policy: &'a LifecyclePolicy,
    now: Moment,
}

impl<'a> Turn<'a> {
    fn new(
        verification: &Verification,
        may_go: &'a dyn Fn(&Candidate) -> bool,
        fresh: &'a Fresh,
        policy: &'a LifecyclePolicy,
        now: Moment,
    ) -> Self {
        Self { next: verification.clone(), effects: Vec::new(), may_go, fresh, policy, now }
    }

    fn finish(self, before: &Verification) -> Step {
        let changed = !self.effects.is_empty() || self.next != *before;
        Step { next: self.next, effects: self.effects, changed }
    }

    fn publish(&mut self, kind: HappeningKind) {
        self.effects.push(Effect::Publish(kind));
    }

    fn observe(&mut self, attempt: &Attempt, measure: Measure) {
        self.effects.push(Effect::Observe(credit::observation(&self.next, attempt, measure)));
    }

    /// Counts an attempt as sent, and takes out of conversion what cannot be credited from now on (RTE-04): with a code
    /// that others carry, it and whoever was the only one to carry it before.
    fn observe_sent(&mut self, attempt: &Attempt, measure: Measure) {
        self.observe(attempt, measure);
        match self.next.state {
            State::Ended { how: Ending::Verified { by: Some(_) }, .. } => return,
            // Whoever was sent before is out already.
            State::Ended { how: Ending::Verified { by: None }, .. } => {}
            State::Pending
            | State::Ended {
                how: Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled,
                ..
            } => {
                let others = credit::sent(&self.next).filter(|other| other.number != attempt.number);
                let others: Vec<Attempt> = others.cloned().collect();
                if others.is_empty() || !self.keeps_code() {
                    return;
                }
                if let [other] = others.as_slice() {
                    self.observe(other, Measure::Uncredited);
                }
            }
        }
        self.observe(attempt, Measure::Uncredited);
    }

    /// Counts a success that the caller reported. With a code that several carry, those that were `sent` before have been
    /// taken out of conversion, and the caller cannot know better.
    fn observe_success(&mut self, by: Option<AttemptNumber>, is_shared: bool, sent: &[Attempt]) {
        let is_out = is_shared && sent.len() > 1;
        match by.and_then(|number| self.next.attempt(number).cloned()) {
            Some(attempt) if !is_out => {
                let took = self.now.since(credit::attempted_at(&attempt));
                self.observe(&attempt, Measure::Verified(latency_bin(took)));
            }
            None if !is_out => sent.iter().for_each(|attempt| self.observe(attempt, Measure::Uncredited)),
            Some(_) | None => {}
        }
    }

    fn attempt_mut(&mut self, number: AttemptNumber) -> Option<&mut Attempt> {
        self.next.attempts.get_mut(number.index())
    }

    fn is_current(&self, number: AttemptNumber) -> bool {
        self.next.current().is_some_and(|attempt| attempt.number == number)
    }

    /// Whether a code must be kept after its attempt was handed over, because it travels again.
    fn keeps_code(&self) -> bool {
        let callers = self.next.private.as_ref().is_some_and(|private| private.callers_code);
        callers || self.policy.codes == CodePolicy::Same
    }

    /// Forgets the plaintext of a code that was handed over (SEC-11).
    fn forget_code(&mut self) {
        let keeps = self.keeps_code();
        if let Some(private) = self.next.private.as_mut().filter(|_| !keeps) {
            private.code = None;
        }
    }
}
