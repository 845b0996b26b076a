//! Codes that nobody could check: what a step puts at stake, and a plan without whom it cannot use (SEC-05).
//!
//! Only the store knows, in the moment of the commit, how checks of a recipient stand. So a commit that queues an attempt
//! says which classes its codes depend on; if one of them is shut it is refused, and decided again without that class.

use otter_domain::{
    Attempt, Candidate, ChannelClass, ChoiceReason, Considered, Exclusion, Moment, ShutClass, Verification,
};

use crate::check::live_classes;

/// The classes in which codes have to be checkable once this step is committed; none if it queues no attempt.
///
/// A check is refused while any class of the valid codes is shut, so all of these are at stake, and at the beginning those
/// of the whole plan, so that callers are told of nobody who could not go.
pub fn at_stake(before: Option<&Verification>, next: &Verification, now: Moment) -> Vec<ChannelClass> {
    if next.attempts.len() <= before.map_or(0, |before| before.attempts.len()) {
        return Vec::new();
    }
    let mut classes = live_classes(next, now);
    if before.is_none() {
        let candidates = next.plan().into_iter().flat_map(|plan| &plan.candidates);
        classes.extend(candidates.map(|candidate| candidate.channel.class()));
    }
    classes.sort_unstable();
    classes.dedup();
    classes
}

/// The verification without the candidates that cannot go because of what is shut; `queued` is the class of the attempt
/// that was refused. Those who were tried stay, and if a code that is valid already is of a shut class, nobody else can go.
pub fn without_shut(verification: &Verification, queued: ChannelClass, shut: &[ShutClass]) -> Verification {
    let mut next = verification.clone();
    let Some(plan) = next.acceptance.as_mut().map(|told| &mut told.plan) else { return next };
    let is_own = shut.iter().any(|shut| shut.class == queued);
    let against = |class: ChannelClass| {
        let of_class = shut.iter().find(|shut| shut.class == class);
        of_class.or(shut.first().filter(|_| !is_own)).map(exclusion)
    };
    let candidates = std::mem::take(&mut plan.candidates);
    let mut places = Vec::with_capacity(candidates.len());
    for (index, candidate) in candidates.into_iter().enumerate() {
        let is_tried = next.attempts.iter().any(|attempt| usize::from(attempt.candidate) == index);
        places.push(u8::try_from(plan.candidates.len()).unwrap_or(u8::MAX));
        match against(candidate.channel.class()).filter(|_| !is_tried) {
            Some(exclusion) => {
                let considered = plan.considered.iter_mut().filter(|one| is_about(one, &candidate));
                considered.for_each(|one| one.reason = ChoiceReason::Excluded(exclusion));
            }
            None => plan.candidates.push(candidate),
        }
    }
    for attempt in &mut next.attempts {
        move_along(attempt, &places);
        // Whoever was too busy is not asked again either.
        if !attempt.is_live() && against(attempt.channel.class()).is_some() {
            attempt.again_at = None;
        }
    }
    next
}

fn exclusion(shut: &ShutClass) -> Exclusion {
    match shut.retry_after {
        Some(_) => Exclusion::ChecksWaiting,
        None => Exclusion::ChecksLocked,
    }
}

fn is_about(considered: &Considered, candidate: &Candidate) -> bool {
    (&considered.provider, considered.channel, considered.step)
        == (&candidate.provider, candidate.channel, candidate.step)
}

/// Lets an attempt name its candidate's new place.
fn move_along(attempt: &mut Attempt, places: &[u8]) {
    if let Some(place) = places.get(usize::from(attempt.candidate)) {
        attempt.candidate = *place;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use otter_domain::{Channel, SucceedOn};

    use super::*;
    use crate::fixture::{T0, attempt, provider, verification};

    const LOCKED: ShutClass = ShutClass { class: ChannelClass::App, retry_after: None };

    fn candidate(name: &str, channel: Channel) -> Candidate {
        Candidate {
            provider: provider(name),
            channel,
            step: 0,
            succeed_on: SucceedOn::Delivered,
            wait: Duration::from_secs(30),
            max_queue_wait: Duration::from_secs(5),
            revocable: false,
            idempotent: false,
        }
    }

    /// An SMS went out, of a plan in which somebody for WhatsApp and somebody for voice stand around it.
    fn begun() -> Verification {
        let mut begun = verification(vec![attempt(1, "two")]);
        begun.attempts[0].candidate = 1;
        let plan = &mut begun.acceptance.as_mut().unwrap().plan;
        plan.candidates = [("meta", Channel::WhatsApp), ("two", Channel::Sms), ("three", Channel::Voice)]
            .map(|(name, channel)| candidate(name, channel))
            .into();
        plan.considered = plan
            .candidates
            .iter()
            .map(|candidate| Considered {
                provider: candidate.provider.clone(),
                channel: candidate.channel,
                step: candidate.step,
                reason: ChoiceReason::Priority { place: 1 },
            })
            .collect();
        begun
    }

    fn left(verification: &Verification) -> Vec<&str> {
        let plan = verification.plan().unwrap();
        plan.candidates.iter().map(|candidate| candidate.provider.as_str()).collect()
    }

    #[test]
    fn who_was_too_busy_is_not_asked_again_over_a_class_that_is_shut() {
        let mut busy = attempt(1, "alpha");
        busy.channel = Channel::WhatsApp;
        busy.again_at = Some(T0);
        let other = Attempt { again_at: Some(T0), ..attempt(2, "beta") };
        let next = without_shut(&verification(vec![busy, other]), ChannelClass::App, &[LOCKED]);
        assert_eq!(next.attempts.iter().map(|it| it.again_at).collect::<Vec<_>>(), [None, Some(T0)]);
    }

    #[test]
    fn the_classes_of_valid_codes_and_at_the_beginning_of_the_plan_are_at_stake() {
        let begun = begun();
        assert_eq!(at_stake(None, &begun, T0), ChannelClass::ALL);
        assert_eq!(at_stake(Some(&begun), &begun, T0), [], "nobody new goes");
        assert_eq!(at_stake(Some(&verification(Vec::new())), &begun, T0), [ChannelClass::Pstn]);
    }

    #[test]
    fn sec_05_candidates_of_a_shut_class_leave_and_attempts_keep_theirs() {
        let without = without_shut(&begun(), ChannelClass::App, &[LOCKED]);
        assert_eq!(left(&without), ["two", "three"]);
        assert_eq!(without.attempts[0].candidate, 0);
        let reasons: Vec<_> = without
            .acceptance
            .unwrap()
            .plan
            .considered
            .into_iter()
            .map(|considered| considered.reason)
            .collect();
        let chosen = ChoiceReason::Priority { place: 1 };
        assert_eq!(reasons, [ChoiceReason::Excluded(Exclusion::ChecksLocked), chosen.clone(), chosen]);
    }

    #[test]
    fn sec_05_nobody_can_go_while_a_valid_code_is_of_a_shut_class() {
        let shut = ShutClass { class: ChannelClass::Pstn, retry_after: Some(Duration::from_secs(900)) };
        let without = without_shut(&begun(), ChannelClass::App, &[shut]);
        assert_eq!(left(&without), ["two"], "the one who was tried stays");
        assert_eq!(without.attempts[0].candidate, 0);
    }
}
