//! What nobody could work on.

use comfy_table::Cell;
use otter_contract::admin::v1::{
    DeadLetter, DropDeadLetterResponse, GetDeadLetterResponse, ListDeadLettersResponse,
    RetryDeadLetterResponse,
};
use otter_contract::v1::VerificationState;

use super::screen::Width;
use super::table::{Head, pairs, table};
use super::words::Word as _;
use super::{Shown, Tone, time};

const HEADS: [Head; 7] = [
    Head::Words("ID"),
    Head::Words("SINCE"),
    Head::Words("REASON"),
    Head::Words("PROVIDER"),
    Head::Figures("ATTEMPT"),
    Head::Words("STATE"),
    Head::Sentences("WHY"),
];

/// What stands for nothing.
const NONE: &str = "-";

fn row(letter: &DeadLetter) -> Vec<Cell> {
    vec![
        Tone::Plain.cell(&letter.id),
        Tone::Plain.cell(since(letter)),
        Tone::Bad.cell(letter.reason().word()),
        Tone::Plain.cell(or_none(&letter.provider)),
        Tone::Plain.figure(attempt(letter)),
        Tone::Plain.cell(state(letter)),
        Tone::Plain.cell(&letter.detail),
    ]
}

fn since(letter: &DeadLetter) -> String {
    letter.buried_time.as_ref().map_or_else(|| NONE.to_owned(), time::moment)
}

fn attempt(letter: &DeadLetter) -> String {
    if letter.attempt == 0 { NONE.to_owned() } else { letter.attempt.to_string() }
}

fn state(letter: &DeadLetter) -> String {
    match letter.state() {
        VerificationState::Unspecified => NONE.to_owned(),
        state @ (VerificationState::Pending
        | VerificationState::Verified
        | VerificationState::Expired
        | VerificationState::Failed
        | VerificationState::Exhausted
        | VerificationState::Cancelled) => state.word(),
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// One letter in full, under what became of it.
fn whole(title: &str, letter: Option<&DeadLetter>) -> String {
    let Some(letter) = letter else { return title.to_owned() };
    let ends = letter.verification_expire_time.as_ref().map_or_else(|| NONE.to_owned(), time::moment);
    let facts = [
        ("verification", or_none(&letter.verification_id).to_owned()),
        ("tenant", or_none(&letter.tenant).to_owned()),
        ("provider", or_none(&letter.provider).to_owned()),
        ("attempt", attempt(letter)),
        ("reason", letter.reason().word()),
        ("why", letter.detail.clone()),
        ("since", since(letter)),
        ("state", state(letter)),
        ("expires", ends),
    ];
    format!("{title} {}\n{}", Tone::Strong.paint(&letter.id), pairs(&facts))
}

impl Shown for ListDeadLettersResponse {
    const NAME: &'static str = "otter.admin.v1.ListDeadLettersResponse";

    fn text(&self, width: Width) -> String {
        if self.dead_letters.is_empty() {
            return "there are no dead letters".to_owned();
        }
        table(&HEADS, self.dead_letters.iter().map(row), width)
    }
}

impl Shown for GetDeadLetterResponse {
    const NAME: &'static str = "otter.admin.v1.GetDeadLetterResponse";

    fn text(&self, _: Width) -> String {
        whole("dead letter", self.dead_letter.as_ref())
    }
}

impl Shown for RetryDeadLetterResponse {
    const NAME: &'static str = "otter.admin.v1.RetryDeadLetterResponse";

    fn text(&self, _: Width) -> String {
        whole("put back to work:", self.dead_letter.as_ref())
    }
}

impl Shown for DropDeadLetterResponse {
    const NAME: &'static str = "otter.admin.v1.DropDeadLetterResponse";

    fn text(&self, _: Width) -> String {
        whole("dropped:", self.dead_letter.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::admin::v1::DeadLetterReason;
    use prost_types::Timestamp;

    use super::super::tone::plain;
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            id: "p07:018f2c5a".to_owned(),
            verification_id: "018f2c5a".to_owned(),
            provider: "sms-a".to_owned(),
            reason: DeadLetterReason::SealUnopened.into(),
            detail: "it is sealed with key 3, which is not configured".to_owned(),
            buried_time: Some(Timestamp { seconds: 1_785_153_600, nanos: 0 }),
            state: VerificationState::Pending.into(),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn a_row_says_what_died_where_and_why() {
        let drawn = ListDeadLettersResponse { dead_letters: vec![letter()], ..Default::default() }.text(None);
        assert_eq!(
            plain(&drawn),
            "\
ID            SINCE                    REASON         PROVIDER  ATTEMPT  STATE    WHY
p07:018f2c5a  2026-07-27 12:00:00 UTC  seal unopened  sms-a           -  pending  it is sealed with key 3, which is not configured"
        );
        assert_eq!(ListDeadLettersResponse::default().text(None), "there are no dead letters");
    }

    #[test]
    fn one_letter_is_shown_in_full_with_what_became_of_it() {
        let drawn = RetryDeadLetterResponse { dead_letter: Some(letter()) }.text(None);
        assert!(
            plain(&drawn)
                .starts_with("put back to work: p07:018f2c5a\n  verification  018f2c5a\n  tenant        -\n")
        );
    }
}
