//! Who is tried, who is not, and why.

use otter_contract::v1::{Candidate, Considered, Plan};

use super::screen::Width;
use super::table::{Head, table};
use super::words::Word as _;
use super::{Tone, time};

const HEADS: [Head; 6] = [
    Head::Figures("#"),
    Head::Words("PROVIDER"),
    Head::Words("CHANNEL"),
    Head::Figures("STEP"),
    Head::Words("NEXT UNLESS"),
    Head::Sentences("WHY"),
];

/// The plan as a table: who is tried, in that order, then who is left out.
pub(crate) fn plan(plan: &Plan, width: Width) -> String {
    let (mut chosen, left_out): (Vec<_>, Vec<_>) =
        plan.considered.iter().partition(|considered| considered.chosen);
    chosen.sort_by_key(|considered| considered.rank);
    let rows = chosen.into_iter().chain(left_out).map(|considered| {
        let place = usize::try_from(considered.rank).unwrap_or_default();
        let candidate = place.checked_sub(1).and_then(|place| plan.candidates.get(place));
        row(considered, candidate)
    });
    let title = Tone::Faint.paint(format!("planned from route {}, seed {}", plan.route, plan.seed));
    format!("{title}\n{}", table(&HEADS, rows, width))
}

fn row(considered: &Considered, candidate: Option<&Candidate>) -> Vec<comfy_table::Cell> {
    let (tone, place) = if considered.chosen {
        (Tone::Plain, considered.rank.to_string())
    } else {
        (Tone::Faint, "-".to_owned())
    };
    let why = if considered.explanation.is_empty() {
        considered.reason().as_str_name().trim_start_matches("CHOICE_REASON_").to_lowercase()
    } else {
        considered.explanation.clone()
    };
    vec![
        tone.figure(place),
        tone.cell(&considered.provider),
        tone.cell(considered.channel().word()),
        tone.figure(considered.step),
        tone.cell(candidate.map(success).unwrap_or_default()),
        tone.cell(why),
    ]
}

fn success(candidate: &Candidate) -> String {
    let wait = candidate.wait.as_ref().map(time::contract_span).unwrap_or_default();
    format!("{} within {wait}", candidate.succeed_on().word())
}

#[cfg(test)]
mod tests {
    use otter_contract::v1::{Channel, ChoiceReason, SucceedOn};

    use super::super::tone::plain;
    use super::*;

    #[test]
    fn those_who_are_tried_come_first_in_their_order() {
        let considered = |provider: &str, rank: u32, explanation: &str| Considered {
            provider: provider.to_owned(),
            channel: Channel::Sms.into(),
            step: 1,
            chosen: rank > 0,
            rank,
            reason: ChoiceReason::BreakerOpen.into(),
            explanation: explanation.to_owned(),
            ..Considered::default()
        };
        let candidate = |provider: &str| Candidate {
            provider: provider.to_owned(),
            succeed_on: SucceedOn::Delivered.into(),
            wait: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
            ..Candidate::default()
        };
        let drawn = plan(
            &Plan {
                candidates: vec![candidate("sms-a"), candidate("sms-b")],
                considered: vec![
                    considered("sms-c", 0, ""),
                    considered("sms-b", 2, "Second in the configured order."),
                    considered("sms-a", 1, "First in the configured order."),
                ],
                route: "default".to_owned(),
                seed: 7,
                ..Plan::default()
            },
            None,
        );
        assert_eq!(
            plain(&drawn),
            "\
planned from route default, seed 7
#  PROVIDER  CHANNEL  STEP  NEXT UNLESS            WHY
1  sms-a     sms         1  delivered within 30 s  First in the configured order.
2  sms-b     sms         1  delivered within 30 s  Second in the configured order.
-  sms-c     sms         1                         breaker_open"
        );
    }
}
