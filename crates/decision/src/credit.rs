//! Which attempt worked, where that can be told (RTE-04).
//!
//! A code of its own names its attempt. A code that several attempts carry names none of them, unless the others are
//! known not to have been sent. What cannot be credited is counted as [`Measure::Uncredited`] once, and so leaves both
//! terms of conversion: as soon as a second message with the code was sent, whatever becomes of the verification, because
//! else those that are never verified would stay behind and look like a provider whose messages nobody gets.

use otter_domain::{Attempt, AttemptNumber, Measure, Moment, Observation, Phase, Segment, Verification};

/// The attempt to credit for a code: the one that the code names, or the only one that can have carried it.
pub(crate) fn credited(verification: &Verification, named: Option<AttemptNumber>) -> Option<AttemptNumber> {
    let only = || match verification.attempts.as_slice() {
        [attempt] => Some(attempt.number),
        attempts => {
            let mut carriers = attempts.iter().filter(|attempt| may_have_arrived(attempt));
            let first = carriers.next()?;
            carriers.next().is_none().then_some(first.number)
        }
    };
    named.or_else(only)
}

/// Whether the person may hold the attempt's message: also while it is being sent, and whatever the vendor answered if it
/// reported on it.
fn may_have_arrived(attempt: &Attempt) -> bool {
    match attempt.phase {
        Phase::Claimed { .. } | Phase::Accepted { .. } | Phase::Ambiguous { .. } => true,
        Phase::Queued { .. } | Phase::Retrying { .. } | Phase::Ended { .. } => attempt.receipt.is_some(),
    }
}

/// The attempts that are counted as sent, so that they are in the denominator of conversion.
pub(crate) fn sent(verification: &Verification) -> impl Iterator<Item = &Attempt> {
    verification.attempts.iter().filter(|attempt| attempt.is_outstanding())
}

/// The only attempt that is counted as sent. Whoever shares its code is being sent, so it was not taken out before.
pub(crate) fn only_sent(verification: &Verification) -> Option<&Attempt> {
    let mut sent = sent(verification);
    let first = sent.next()?;
    sent.next().is_none().then_some(first)
}

/// An outcome in the bucket of its attempt.
pub(crate) fn observation(verification: &Verification, attempt: &Attempt, measure: Measure) -> Observation {
    let segment = Segment {
        provider: attempt.provider.clone(),
        channel: attempt.channel,
        country: verification.country,
    };
    Observation { segment, attempted_at: attempted_at(attempt), measure }
}

/// The moment whose bucket an attempt is counted in.
pub(crate) fn attempted_at(attempt: &Attempt) -> Moment {
    attempt.claimed_at.unwrap_or(attempt.queued_at)
}
