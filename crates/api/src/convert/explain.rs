//! Reasons for people, one sentence each.

use otter_domain::{ChoiceReason, Exclusion, LineType, Origin, Ranking};

/// Why a provider has its place in a plan, or none.
pub(crate) fn choice(reason: &ChoiceReason) -> String {
    match reason {
        ChoiceReason::Priority { place } => format!("It is number {place} of its step, as configured."),
        ChoiceReason::Drawn { weight, total, after: 0 } => {
            format!("It was drawn first, with weight {weight} of {total}.")
        }
        ChoiceReason::Drawn { weight, total, after } => {
            format!("It was drawn after {after} others, with weight {weight} of the {total} that were left.")
        }
        ChoiceReason::LeastBad { ranking: Ranking::Priority } => {
            "All breakers are open; it comes first as configured.".to_owned()
        }
        ChoiceReason::LeastBad { ranking: Ranking::Weighted } => {
            "All breakers are open; it was drawn by its weight.".to_owned()
        }
        ChoiceReason::Excluded(exclusion) => excluded(*exclusion).to_owned(),
    }
}

/// Why the number's kind of line speaks against a channel.
pub(crate) fn unsuitable(line: LineType) -> String {
    format!("The number's range is of the kind {}, which cannot have this kind of message.", line.as_str())
}

fn excluded(exclusion: Exclusion) -> &'static str {
    match exclusion {
        Exclusion::ChannelNotAllowed => "The request does not allow the channel.",
        Exclusion::ChannelUnsupported => "The provider does not offer the channel.",
        Exclusion::CountryUnsupported => "The provider does not serve the number's country.",
        Exclusion::LineUnsuitable => "The number's kind of line cannot have this kind of message.",
        Exclusion::NoContent => "No text or template fits the language, the payment or the code's life.",
        Exclusion::ChecksLocked => {
            "Too many wrong codes: checks over this kind of channel are locked until an operator lifts it."
        }
        Exclusion::ChecksWaiting => {
            "After wrong codes, checks over this kind of channel wait for longer than the code would live."
        }
        Exclusion::Paused => "An operator paused the provider.",
        Exclusion::BreakerOpen => {
            "A breaker is open for the provider, its way over this channel to this country, or the text."
        }
        Exclusion::LaneFull => "More messages wait for the provider than it sends in time.",
        Exclusion::NoTime => "The code's life is too short, even for a message that goes at once.",
        Exclusion::TooManyAttempts => "The verification may not have so many attempts.",
    }
}

/// Why an attempt was made; `chosen` is why its candidate has its place.
pub(crate) fn attempt(origin: Origin, chosen: Option<&ChoiceReason>) -> String {
    let why = match origin {
        Origin::First => "The plan begins with it.",
        Origin::Failover => "The attempt before it failed, or did not succeed within its wait.",
        Origin::Resend => "The caller asked for one more message.",
    };
    match chosen {
        Some(reason) => format!("{why} {}", choice(reason)),
        None => why.to_owned(),
    }
}
