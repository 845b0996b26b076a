//! Who could go next, and how long those who can leave each other.
//!
//! Who comes next is decided when its turn comes: a plan lists everybody who may ever be of use, and nothing here looks
//! at the worst case. Of the time until `send_before` everybody who can still go gets the same, and nobody takes more
//! than its configured wait (RTE-33): a long life leaves all waits as they are, a short one shrinks them.

use std::time::Duration;

use otter_domain::{
    Attempt, AttemptEnd, Candidate, Failure, FailureClass, LifecyclePolicy, Moment, Origin, Phase,
    Verification,
};

use super::advance::is_open;
use crate::retry;

/// The least that a wait shrinks to: a message that its provider took needs so long to arrive, and whoever would be left
/// sooner had better not be asked.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// The most attempts of a verification, those included that nobody was handed: a bound for its record.
const MOST_ATTEMPTS: usize = 24;

/// Who goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Successor {
    /// Its place in the plan.
    pub(super) candidate: usize,
    /// When its provider, which was too busy, can be asked again; `None` if it goes at once.
    pub(super) not_before: Option<Moment>,
}

impl Successor {
    pub(super) fn at_once(candidate: usize) -> Self {
        Self { candidate, not_before: None }
    }
}

/// How many attempts count against the limit of a verification (SEC-19): those that a provider was handed or will be. One
/// that was passed over (an open breaker, a lane where nobody came) leaves its place to somebody else.
fn counted_attempts(verification: &Verification) -> usize {
    verification.attempts.iter().filter(|attempt| attempt.is_live() || attempt.tries > 0).count()
}

/// How many more attempts a verification may have.
pub fn attempts_left(verification: &Verification, policy: &LifecyclePolicy) -> usize {
    let allowed = usize::from(policy.resend.max_attempts).saturating_sub(counted_attempts(verification));
    allowed.min(MOST_ATTEMPTS.saturating_sub(verification.attempts.len()))
}

/// Who would go next at `now`, if there is room and time for one.
///
/// First whoever may go now: the untried in the plan's order, then those who were too busy and are not any more. When
/// nobody may, the first who said when it can be asked again. Last an untried one of whom nobody knows when it may go:
/// trying it is better than trying nobody (RTE-21).
pub(super) fn advances_to(
    verification: &Verification,
    policy: &LifecyclePolicy,
    may_go: &dyn Fn(&Candidate) -> bool,
    now: Moment,
) -> Option<Successor> {
    if attempts_left(verification, policy) == 0 || now >= verification.send_before {
        return None;
    }
    if let Some(candidate) = free(verification, may_go, now) {
        return Some(Successor::at_once(candidate));
    }
    let later = busy(verification).min_by_key(|(_, at)| *at);
    later
        .map(|(candidate, at)| Successor { candidate, not_before: (now < at).then_some(at) })
        .or_else(|| untried(verification).next().map(Successor::at_once))
}

/// From when on somebody can go, seen from a moment at which there is still room and time; in the past if it is so already.
/// Whoever may not go at that moment goes all the same when nobody else can.
pub(super) fn turn_at(verification: &Verification, policy: &LifecyclePolicy, from: Moment) -> Option<Moment> {
    if attempts_left(verification, policy) == 0 || from >= verification.send_before {
        return None;
    }
    if untried(verification).next().is_some() {
        return Some(Moment::EPOCH);
    }
    busy(verification).map(|(_, at)| at).min()
}

/// Whether somebody may go at this moment.
pub(super) fn goes_now(
    verification: &Verification,
    policy: &LifecyclePolicy,
    may_go: &dyn Fn(&Candidate) -> bool,
    now: Moment,
) -> bool {
    let is_in_time = attempts_left(verification, policy) > 0 && now < verification.send_before;
    is_in_time && free(verification, may_go, now).is_some()
}

/// Whether somebody else goes before the current attempt's provider can be asked again: then it is not waited for.
pub(super) fn goes_before(
    verification: &Verification,
    policy: &LifecyclePolicy,
    may_go: &dyn Fn(&Candidate) -> bool,
    now: Moment,
    again_at: Moment,
) -> bool {
    let has_room = attempts_left(verification, policy) > 0;
    goes_now(verification, policy, may_go, now) || has_room && busy(verification).any(|(_, at)| at < again_at)
}

fn free(verification: &Verification, may_go: &dyn Fn(&Candidate) -> bool, now: Moment) -> Option<usize> {
    let again = busy(verification).filter(|(_, at)| *at <= now).map(|(candidate, _)| candidate);
    untried(verification).chain(again).find(|index| candidates(verification).get(*index).is_some_and(may_go))
}

/// When an attempt that failed now may be tried once more by the same provider, if it may: as [`retry`] says, before
/// anything would be sent too late, and once.
pub(super) fn again_at(
    verification: &Verification,
    attempt: &Attempt,
    failure: &Failure,
    now: Moment,
) -> Option<Moment> {
    let is_first = attempt.again_at.is_none();
    let is_asked_again = attempt_count(verification, usize::from(attempt.candidate)) > 1;
    if !is_first || failure.class == FailureClass::Throttled && is_asked_again {
        return None;
    }
    let seed = verification.plan().map_or(0, |plan| plan.seed);
    let seed = seed.wrapping_add(u64::from(attempt.number.get()));
    let claimed_at = attempt.claimed_at.unwrap_or(now);
    let at = retry::retry_at(failure.class, failure.retry_after, attempt.wait, claimed_at, now, seed);
    at.filter(|at| verification.is_pending() && *at < verification.send_before)
}

/// How long the current attempt may stay on its lane before somebody else goes.
pub(super) fn patience(
    verification: &Verification,
    policy: &LifecyclePolicy,
    configured: Duration,
    now: Moment,
) -> Duration {
    share(configured, following_waits(verification, policy), now.until(verification.send_before))
}

/// Until when the current attempt, which was handed over, has time to succeed: its wait counts from the claim. When nobody
/// can follow in time, it has all the time there is.
pub(super) fn wait_until(verification: &Verification, policy: &LifecyclePolicy, attempt: &Attempt) -> Moment {
    let claimed_at = attempt.claimed_at.unwrap_or(attempt.queued_at);
    let following = following_waits(verification, policy);
    if following.is_empty() {
        return verification.expires_at;
    }
    let until = claimed_at + share(attempt.wait, following, claimed_at.until(verification.send_before));
    if until < verification.send_before { until } else { verification.expires_at }
}

/// The waits of those who can still go after the current attempt.
fn following_waits(verification: &Verification, policy: &LifecyclePolicy) -> Vec<Duration> {
    let again = busy(verification).map(|(candidate, _)| candidate);
    let following = untried(verification).chain(again).take(attempts_left(verification, policy));
    following.filter_map(|index| candidates(verification).get(index)).map(|it| it.wait).collect()
}

/// What a wait may take of the time that is left: an equal part, and of what others do not need of theirs as well, but
/// never more than `own`. Below [`SHORTEST_WAIT`] it does not shrink.
fn share(own: Duration, mut others: Vec<Duration>, mut left: Duration) -> Duration {
    others.sort();
    let mut sharers = 1 + u32::try_from(others.len()).unwrap_or(u32::MAX - 1);
    for other in others {
        if other >= left / sharers {
            break;
        }
        left -= other;
        sharers -= 1;
    }
    own.min((left / sharers).max(SHORTEST_WAIT))
}

fn candidates(verification: &Verification) -> &[Candidate] {
    // Without the private part there is nothing that could be sent.
    let plan = verification.private.as_ref().and(verification.plan());
    plan.map_or(&[], |plan| &plan.candidates)
}

fn attempt_count(verification: &Verification, index: usize) -> usize {
    verification.attempts.iter().filter(|attempt| usize::from(attempt.candidate) == index).count()
}

/// The candidates of the plan, in order, that have not been tried and that nothing speaks against.
fn untried(verification: &Verification) -> impl Iterator<Item = usize> + '_ {
    let all = candidates(verification);
    let fits = move |index: &usize| is_open(verification, all, &all[*index], Origin::Failover);
    (0..all.len()).filter(|index| attempt_count(verification, *index) == 0).filter(fits)
}

/// Those who were too busy and said when they can be asked again; each is asked once more.
fn busy(verification: &Verification) -> impl Iterator<Item = (usize, Moment)> + '_ {
    let all = candidates(verification);
    verification.attempts.iter().filter_map(move |attempt| {
        let index = usize::from(attempt.candidate);
        let at = attempt.again_at.filter(|at| *at < verification.send_before && is_throttled(attempt))?;
        let is_first = attempt_count(verification, index) == 1;
        let fits = is_open(verification, all, all.get(index)?, Origin::Failover);
        (is_first && fits).then_some((index, at))
    })
}

fn is_throttled(attempt: &Attempt) -> bool {
    matches!(
        attempt.phase,
        Phase::Ended { how: AttemptEnd::Failed(Failure { class: FailureClass::Throttled, .. }), .. }
    )
}
