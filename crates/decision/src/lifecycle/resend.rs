//! One more message for a person who waits.

use std::time::Duration;

use otter_domain::{Candidate, Channel, Ending, LifecyclePolicy, Moment, Origin, Phase, State, Verification};

use super::advance::is_open;
use super::next::{Successor, attempts_left};
use super::{Fresh, Step, Turn};

/// Why no further message is sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResendRefusal {
    /// The verification has ended.
    Ended(Ending),
    /// A message is being sent this moment.
    Live {
        /// When it will be clear what became of it.
        retry_after: Duration,
    },
    /// The last message is too fresh (SEC-19).
    TooEarly {
        /// When one more is allowed.
        retry_after: Duration,
    },
    /// The verification may not have more messages (SEC-19).
    TooMany,
    /// A code sent now would be dead before it could be used (RTE-30).
    NoTime,
    /// Nobody can send it on that channel, or at all.
    NoCandidate,
}

/// When one more message may be asked for: after a growing cooldown (SEC-19). `None` when there will be no more.
pub fn resend_allowed_at(verification: &Verification, policy: &LifecyclePolicy) -> Option<Moment> {
    let asked = |origin: Origin| match origin {
        Origin::First | Origin::Resend => true,
        Origin::Failover => false,
    };
    let room = attempts_left(verification, policy) > 0;
    let asked_for = verification.attempts.iter().filter(|attempt| asked(attempt.origin));
    let last = asked_for.clone().next_back()?;
    let cooldowns = &policy.resend.cooldowns;
    let cooldown = cooldowns.get(asked_for.count() - 1).or(cooldowns.last()).copied().unwrap_or_default();
    let at = last.queued_at + cooldown;
    (room && verification.is_pending() && at < verification.send_before).then_some(at)
}

/// Ends the current wait and lets the next candidate go, or one of the asked channel; a candidate may be used again when
/// no other is left.
pub fn resend(
    verification: &Verification,
    channel: Option<Channel>,
    fresh: &Fresh,
    policy: &LifecyclePolicy,
    now: Moment,
) -> Result<Step, ResendRefusal> {
    resend_by(verification, channel, |_| true, fresh, policy, now)
}

/// The same among the candidates that `may_send` names; [`ResendRefusal::NoCandidate`] if none of them can.
pub fn resend_by(
    verification: &Verification,
    channel: Option<Channel>,
    may_send: impl Fn(&Candidate) -> bool,
    fresh: &Fresh,
    policy: &LifecyclePolicy,
    now: Moment,
) -> Result<Step, ResendRefusal> {
    if let State::Ended { how, .. } = verification.state_at(now) {
        return Err(ResendRefusal::Ended(how));
    }
    if let Some(until) = verification.current().and_then(|attempt| live_until(&attempt.phase)) {
        return Err(ResendRefusal::Live { retry_after: now.until(until).max(Duration::from_secs(1)) });
    }
    if attempts_left(verification, policy) == 0 {
        return Err(ResendRefusal::TooMany);
    }
    if now >= verification.send_before {
        return Err(ResendRefusal::NoTime);
    }
    match resend_allowed_at(verification, policy) {
        Some(at) if now < at => return Err(ResendRefusal::TooEarly { retry_after: now.until(at) }),
        Some(_) => {}
        None => return Err(ResendRefusal::NoTime),
    }
    let candidate = choose(verification, channel, may_send).ok_or(ResendRefusal::NoCandidate)?;
    let mut turn = Turn::new(verification, &|_| true, fresh, policy, now);
    turn.recall_current();
    turn.queue(Successor::at_once(candidate), Origin::Resend, None);
    Ok(turn.finish(verification))
}

/// The verification as it was when its latest resend was queued, for telling again what was told of that one.
pub fn as_resent(verification: &Verification) -> Verification {
    let mut then = verification.clone();
    let resent = then.attempts.iter().rposition(|attempt| attempt.origin == Origin::Resend);
    let Some(place) = resent else { return then };
    then.state = State::Pending;
    then.attempts.truncate(place + 1);
    if let Some(attempt) = then.attempts.last_mut() {
        attempt.phase = Phase::Queued { withdraw_at: attempt.queued_at };
        (attempt.claimed_at, attempt.tries) = (None, 0);
        (attempt.receipt, attempt.reference) = (None, None);
    }
    then
}

/// How long the current attempt can stay live by itself, if it is.
fn live_until(phase: &Phase) -> Option<Moment> {
    match phase {
        Phase::Queued { withdraw_at } => Some(*withdraw_at),
        Phase::Claimed { lease_until, .. } => Some(*lease_until),
        Phase::Retrying { at, .. } => Some(*at),
        Phase::Accepted { .. } | Phase::Ambiguous { .. } | Phase::Ended { .. } => None,
    }
}

fn choose(
    verification: &Verification,
    channel: Option<Channel>,
    may_send: impl Fn(&Candidate) -> bool,
) -> Option<usize> {
    let candidates = &verification.private.as_ref().and(verification.plan())?.candidates;
    let tried = |index: usize| verification.attempts.iter().any(|a| usize::from(a.candidate) == index);
    let fits = |index: &usize| {
        let candidate = &candidates[*index];
        channel.is_none_or(|channel| candidate.channel == channel)
            && is_open(verification, candidates, candidate, Origin::Resend)
            && may_send(candidate)
    };
    let untried = (0..candidates.len()).find(|index| !tried(*index) && fits(index));
    untried.or_else(|| {
        // The one that was used longest ago first.
        let used = verification.attempts.iter().map(|attempt| usize::from(attempt.candidate));
        used.filter(|index| *index < candidates.len()).find(fits)
    })
}
