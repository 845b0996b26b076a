//! The check of a code: the executable specification of the one atomic step that every store takes (SEC-09).
//!
//! A store loads the verification, the winner's `request_id` and the counters of failed checks, and writes back what
//! [`judge`] changed, all in one step that nothing can come between. Engines whose step is a script repeat these rules
//! in the script; the suite of the stores runs both.

use std::time::Duration;

use otter_domain::{
    AttemptNumber, ChannelClass, CheckSubmission, CheckVerdict, CodeSlot, Ending, FailedChecks,
    HappeningKind, Measure, Moment, Observation, Phase, RequestId, Revocation, ShutClass, State,
    Verification, VerificationId, latency_bin,
};
use subtle::{Choice, ConstantTimeEq};

use crate::credit;

/// From this many failed checks in a row on, the next verification's checks have to wait (SEC-05).
pub const FAILURES_BEFORE_WAIT: u16 = 5;

/// At this many failed checks in a row the channel class is locked: until an operator lifts it, or until the store
/// forgets the counter, 90 days after the last failure (SEC-05).
pub const FAILURES_BEFORE_LOCK: u16 = 100;

/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a check learnt and what else its commit carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub verdict: CheckVerdict,
    /// The outcome to be counted: the credited attempt was verified, or it cannot be told whether the one that was sent
    /// was.
    pub observation: Option<Observation>,
    /// What is to be told, in order.
    pub happening: Vec<HappeningKind>,
    /// The name under which this success can be asked for again; set only by the check that won.
    pub winner: Option<RequestId>,
}

impl Judgement {
    /// An answer that changes nothing.
    fn only(verdict: CheckVerdict) -> Self {
        Self { verdict, observation: None, happening: Vec::new(), winner: None }
    }

    /// Whether the check was counted, so that verification and counters have changed and must be written.
    pub fn is_counted(&self) -> bool {
        match self.verdict {
            CheckVerdict::Verified { repeated, .. } => !repeated,
            CheckVerdict::Wrong { .. } => true,
            CheckVerdict::Ended(_) | CheckVerdict::Waiting { .. } | CheckVerdict::Unknown => false,
        }
    }
}

/// Judges one submission and changes the verification and its counters accordingly.
///
/// `failed` holds the counters of this verification's tenant, recipient and subject, at most one per class; a counter
/// that is gone from it afterwards is deleted, a new one is kept for 90 days after its last failure. `winner` is the
/// `request_id` of the check that succeeded, if one did.
///
/// Refusals come in this order and count nothing: another tenant's, ended or expired (SEC-02), exhausted (SEC-04),
/// waiting (SEC-05). Whatever passes them is counted before it is compared (SEC-09).
///
/// Only a check that ends the verification makes a new version. A wrong one is no conflict for what was decided before
/// it: no commit lowers the count of checks, so none brings a spent check back.
pub fn judge(
    verification: &mut Verification,
    failed: &mut Vec<FailedChecks>,
    winner: Option<&RequestId>,
    submission: &CheckSubmission,
    now: Moment,
) -> Judgement {
    let classes = live_classes(verification, now);
    if let Some(verdict) = refusal(verification, failed, &classes, winner, submission, now) {
        return Judgement::only(verdict);
    }
    verification.checks = verification.checks.saturating_add(1);
    match matching_slot(verification, submission, now).cloned() {
        Some(slot) => {
            failed.retain(|counter| !classes.contains(&counter.class));
            let winner = submission.request_id.clone();
            Judgement { winner, ..succeed(verification, &slot, now) }
        }
        None => {
            for class in classes {
                count_failure(failed, verification, class, now);
            }
            fail(verification, now)
        }
    }
}

/// The answer to a check that is not even counted.
fn refusal(
    verification: &Verification,
    failed: &[FailedChecks],
    classes: &[ChannelClass],
    winner: Option<&RequestId>,
    submission: &CheckSubmission,
    now: Moment,
) -> Option<CheckVerdict> {
    if verification.tenant != submission.tenant || verification.id != submission.id {
        return Some(CheckVerdict::Unknown);
    }
    match verification.state_at(now) {
        State::Ended { how: Ending::Verified { by }, .. } if is_winner(winner, submission) => {
            return Some(CheckVerdict::Verified { by, repeated: true });
        }
        State::Ended { how, .. } => return Some(CheckVerdict::Ended(how)),
        State::Pending => {}
    }
    if verification.checks >= verification.budget {
        return Some(CheckVerdict::Ended(Ending::Exhausted));
    }
    let counters = failed.iter().filter(|counter| classes.contains(&counter.class));
    let waits: Vec<Option<Duration>> =
        counters.filter_map(|counter| waiting(counter, Some(verification.id), now)).collect();
    // A lock outlasts every wait.
    let retry_after = if waits.contains(&None) { None } else { waits.iter().copied().flatten().max() };
    (!waits.is_empty()).then_some(CheckVerdict::Waiting { retry_after })
}

/// Whether this repeats the check that won: the caller's answer was lost, and learns the same again.
fn is_winner(winner: Option<&RequestId>, submission: &CheckSubmission) -> bool {
    winner.is_some() && winner == submission.request_id.as_ref()
}

/// How long a counter makes the caller wait: nothing, a time, or `Some(None)` for a lock. Inside the verification that
/// failed last the budget alone counts; a lock holds there too, so no counter passes [`FAILURES_BEFORE_LOCK`].
fn waiting(counter: &FailedChecks, of: Option<VerificationId>, now: Moment) -> Option<Option<Duration>> {
    if counter.count >= FAILURES_BEFORE_LOCK {
        return Some(None);
    }
    let over_at = counter.last_at + wait_after(counter.count);
    let waits = Some(counter.last_in) != of && now < over_at;
    waits.then(|| Some(now.until(over_at)))
}

/// Those of these classes in which a code could not be checked by then: it is locked, or the wait is over later. `of` is
/// the verification whose code it is; a new one has none yet.
pub fn shut(
    failed: &[FailedChecks],
    classes: &[ChannelClass],
    of: Option<VerificationId>,
    by: Moment,
    now: Moment,
) -> Vec<ShutClass> {
    let shut = |class: ChannelClass| {
        let counter = failed.iter().find(|counter| counter.class == class)?;
        let retry_after = waiting(counter, of, now)?;
        let is_late = retry_after.is_none_or(|wait| now + wait > by);
        is_late.then_some(ShutClass { class, retry_after })
    };
    ChannelClass::ALL.into_iter().filter(|class| classes.contains(class)).filter_map(shut).collect()
}

/// How long the next verification's checks wait after this many failures in a row: 30 s from the 5th on, doubled with
/// each further one, at most 1 h (SEC-05).
pub fn wait_after(failures: u16) -> Duration {
    let Some(doublings) = failures.checked_sub(FAILURES_BEFORE_WAIT) else { return Duration::ZERO };
    let factor = 2_u32.saturating_pow(u32::from(doublings));
    FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
}

/// The classes of the codes that are valid now. While one of them is locked or waiting, no code of them is checked.
pub fn live_classes(verification: &Verification, now: Moment) -> Vec<ChannelClass> {
    let live =
        |class: &ChannelClass| verification.slots.iter().any(|slot| slot.class == *class && slot.until > now);
    ChannelClass::ALL.into_iter().filter(live).collect()
}

/// The valid code that was entered, the oldest if several are equal. Every digest is compared with every live slot of
/// its key, whether or not one has matched before (SEC-08).
fn matching_slot<'a>(
    verification: &'a Verification,
    submission: &CheckSubmission,
    now: Moment,
) -> Option<&'a CodeSlot> {
    let mut found = None;
    for slot in verification.slots.iter().filter(|slot| slot.until > now) {
        let presented = submission.digests.iter().filter(|presented| presented.key == slot.key);
        let equal = presented
            .fold(Choice::from(0), |equal, presented| equal | presented.digest.0.ct_eq(&slot.digest.0));
        if found.is_none() && bool::from(equal) {
            found = Some(slot);
        }
    }
    found
}

/// The one success (SEC-03): the verification ends, all its codes die, the attempt that carried the code gets the
/// credit if it is known (RTE-04).
fn succeed(verification: &mut Verification, slot: &CodeSlot, now: Moment) -> Judgement {
    let by = credit::credited(verification, slot.attempt);
    end(verification, Ending::Verified { by }, now);
    Judgement {
        verdict: CheckVerdict::Verified { by, repeated: false },
        observation: outcome(verification, by, now),
        happening: vec![HappeningKind::Ended { how: Ending::Verified { by }, because: None }],
        winner: None,
    }
}

/// One check of the budget is gone; the last one takes the verification with it (SEC-04).
fn fail(verification: &mut Verification, now: Moment) -> Judgement {
    let remaining = verification.budget.saturating_sub(verification.checks);
    let mut happening = vec![HappeningKind::CheckFailed { remaining }];
    if remaining == 0 {
        end(verification, Ending::Exhausted, now);
        happening.push(HappeningKind::Ended { how: Ending::Exhausted, because: None });
    }
    Judgement { verdict: CheckVerdict::Wrong { remaining }, observation: None, happening, winner: None }
}

fn count_failure(
    failed: &mut Vec<FailedChecks>,
    verification: &Verification,
    class: ChannelClass,
    now: Moment,
) {
    match failed.iter_mut().find(|counter| counter.class == class) {
        Some(counter) => {
            counter.count = counter.count.saturating_add(1);
            counter.last_at = now;
            counter.last_in = verification.id;
        }
        None => failed.push(FailedChecks {
            tenant: verification.tenant.clone(),
            recipient: verification.recipient.clone(),
            subject: verification.subject.clone(),
            class,
            count: 1,
            last_at: now,
            last_in: verification.id,
        }),
    }
}

/// The terminal write: no code survives it, and the number only if a message still has to be taken back.
fn end(verification: &mut Verification, how: Ending, now: Moment) {
    verification.version = verification.version.next();
    verification.state = State::Ended { how, at: now };
    verification.slots.clear();
    let tidying = needs_tidying(verification);
    verification.private = verification.private.take().filter(|_| tidying);
    if let Some(private) = &mut verification.private {
        private.code = None;
    }
}

/// Whether an ended verification still needs its number because a vendor's message has to be taken back: one that may
/// be on its way, has not arrived as far as we know, and is not the one whose code was entered. False while pending.
pub fn needs_tidying(verification: &Verification) -> bool {
    let credited = match verification.state {
        State::Pending => return false,
        State::Ended { how: Ending::Verified { by }, .. } => by,
        State::Ended {
            how: Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled,
            ..
        } => None,
    };
    verification.attempts.iter().any(|attempt| {
        let may_arrive = match attempt.phase {
            Phase::Claimed { .. } | Phase::Accepted { .. } | Phase::Ambiguous { .. } => true,
            Phase::Queued { .. } | Phase::Retrying { .. } | Phase::Ended { .. } => false,
        };
        let arrived = attempt.receipt.is_some_and(|receipt| receipt.status.is_positive());
        match attempt.revocation {
            Revocation::Possible => may_arrive && !arrived && credited != Some(attempt.number),
            Revocation::Wanted => true,
            Revocation::Impossible | Revocation::Settled => false,
        }
    })
}

/// When somebody must look at a verification that a check has ended: at once if a message has to be taken back, and
/// otherwise at the end of a lease, as nobody would find out by themselves that its worker is gone.
pub fn due_after_the_end(verification: &Verification, now: Moment) -> Option<Moment> {
    let claim = verification.current().and_then(|attempt| match attempt.phase {
        Phase::Claimed { lease_until, .. } => Some(lease_until),
        Phase::Queued { .. }
        | Phase::Retrying { .. }
        | Phase::Accepted { .. }
        | Phase::Ambiguous { .. }
        | Phase::Ended { .. } => None,
    });
    if needs_tidying(verification) { Some(now) } else { claim }
}

/// What a success counts: its attempt was verified. If nobody can be credited, all that were sent have been taken out of
/// conversion, but for one whose code went on with an attempt that is being sent at this moment.
fn outcome(verification: &Verification, by: Option<AttemptNumber>, now: Moment) -> Option<Observation> {
    let (attempt, measure) = match by {
        Some(by) => {
            let attempt = verification.attempt(by)?;
            (attempt, Measure::Verified(latency_bin(now.since(credit::attempted_at(attempt)))))
        }
        None => (credit::only_sent(verification)?, Measure::Uncredited),
    };
    Some(credit::observation(verification, attempt, measure))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
