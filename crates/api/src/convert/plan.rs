//! Plans as the wire tells them.

use otter_contract::v1;
use otter_domain::{Candidate, ChoiceReason, Considered, Exclusion, LineType, Plan, SucceedOn};

use super::{channel, count, duration, explain};

pub(crate) fn plan(plan: &Plan, line: Option<LineType>) -> v1::Plan {
    v1::Plan {
        candidates: plan.candidates.iter().map(candidate).collect(),
        considered: plan.considered.iter().map(|one| considered(one, &plan.candidates, line)).collect(),
        route: plan.route.to_string(),
        seed: plan.seed,
        line_type: line.map(LineType::as_str).unwrap_or_default().to_owned(),
    }
}

/// Whether a code of this plan may travel over a restricted channel (SEC-16).
pub(crate) fn is_restricted(plan: &Plan) -> bool {
    plan.candidates.iter().any(|candidate| candidate.channel.is_restricted())
}

/// Why a candidate has its place.
pub(crate) fn reason<'a>(plan: &'a Plan, candidate: &Candidate) -> Option<&'a ChoiceReason> {
    plan.considered.iter().find(|one| is_about(one, candidate)).map(|one| &one.reason)
}

fn is_about(considered: &Considered, candidate: &Candidate) -> bool {
    let place = (&considered.provider, considered.channel, considered.step);
    place == (&candidate.provider, candidate.channel, candidate.step)
}

fn candidate(candidate: &Candidate) -> v1::Candidate {
    v1::Candidate {
        provider: candidate.provider.to_string(),
        channel: channel(candidate.channel).into(),
        step: u32::from(candidate.step) + 1,
        succeed_on: succeed_on(candidate.succeed_on).into(),
        wait: Some(duration(candidate.wait)),
        max_queue_wait: Some(duration(candidate.max_queue_wait)),
    }
}

fn considered(one: &Considered, candidates: &[Candidate], line: Option<LineType>) -> v1::Considered {
    let rank = candidates.iter().position(|candidate| is_about(one, candidate)).map(|place| place + 1);
    v1::Considered {
        provider: one.provider.to_string(),
        channel: channel(one.channel).into(),
        step: u32::from(one.step) + 1,
        chosen: rank.is_some(),
        rank: count(rank.unwrap_or(0)),
        score: score(&one.reason),
        reason: choice_reason(&one.reason).into(),
        explanation: match line {
            Some(line) if one.reason == ChoiceReason::Excluded(Exclusion::LineUnsuitable) => {
                explain::unsuitable(line)
            }
            Some(_) | None => explain::choice(&one.reason),
        },
    }
}

fn score(reason: &ChoiceReason) -> Option<f64> {
    match reason {
        ChoiceReason::Drawn { weight, total, .. } => Some(f64::from(*weight) / f64::from((*total).max(1))),
        ChoiceReason::Priority { .. } | ChoiceReason::LeastBad { .. } | ChoiceReason::Excluded(_) => None,
    }
}

fn succeed_on(succeed_on: SucceedOn) -> v1::SucceedOn {
    match succeed_on {
        SucceedOn::Accepted => v1::SucceedOn::Accepted,
        SucceedOn::Delivered => v1::SucceedOn::Delivered,
        SucceedOn::Verified => v1::SucceedOn::Verified,
    }
}

fn choice_reason(reason: &ChoiceReason) -> v1::ChoiceReason {
    match reason {
        ChoiceReason::Priority { .. } => v1::ChoiceReason::Priority,
        ChoiceReason::Drawn { .. } => v1::ChoiceReason::Drawn,
        ChoiceReason::LeastBad { .. } => v1::ChoiceReason::LeastBad,
        ChoiceReason::Excluded(exclusion) => match exclusion {
            Exclusion::ChannelNotAllowed => v1::ChoiceReason::ChannelNotAllowed,
            Exclusion::ChannelUnsupported => v1::ChoiceReason::ChannelUnsupported,
            Exclusion::CountryUnsupported => v1::ChoiceReason::CountryUnsupported,
            Exclusion::LineUnsuitable => v1::ChoiceReason::LineUnsuitable,
            Exclusion::NoContent => v1::ChoiceReason::NoContent,
            Exclusion::ChecksLocked => v1::ChoiceReason::ChecksLocked,
            Exclusion::ChecksWaiting => v1::ChoiceReason::ChecksWaiting,
            Exclusion::Paused => v1::ChoiceReason::Paused,
            Exclusion::BreakerOpen => v1::ChoiceReason::BreakerOpen,
            Exclusion::LaneFull => v1::ChoiceReason::LaneFull,
            Exclusion::NoTime => v1::ChoiceReason::NoTime,
            Exclusion::TooManyAttempts => v1::ChoiceReason::TooManyAttempts,
        },
    }
}
