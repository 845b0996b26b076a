//! What came of sending, sending again and checking.

use otter_contract::v1::{CheckOtpResponse, CheckOutcome, ResendOtpResponse, SendOtpResponse};

use super::attempts::sent;
use super::plan::plan;
use super::screen::Width;
use super::table::pairs;
use super::words::{Word as _, tone_of_attempt};
use super::{Shown, Tone, time};

impl Shown for SendOtpResponse {
    const NAME: &'static str = "otter.v1.SendOtpResponse";

    fn text(&self, width: Width) -> String {
        let is_dry_run = self.verification_id.is_empty();
        let nobody = self.plan.as_ref().is_none_or(|plan| plan.candidates.is_empty());
        let heading = match (is_dry_run, nobody) {
            (true, true) => Tone::Bad.paint("dry run: nobody may send this"),
            (true, false) => Tone::Strong.paint("dry run: nothing was sent"),
            (false, _) => {
                format!("{}  {}", Tone::Strong.paint(&self.verification_id), Tone::Good.paint("accepted"))
            }
        };
        let mut facts = vec![("number", format!("{} ({})", self.masked_recipient, self.country))];
        if !self.locale.is_empty() {
            facts.push(("language", self.locale.clone()));
        }
        let times = [("expires", &self.expire_time), ("resend from", &self.resend_allowed_time)];
        facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, time::moment(at.as_ref()?)))));
        if self.restricted {
            facts
                .push(("restricted", "bound to a phone number: offer something stronger as well".to_owned()));
        }
        let mut text = format!("{heading}\n{}", pairs(&facts));
        if let Some(planned) = &self.plan {
            text = format!("{text}\n\n{}", plan(planned, width));
        }
        text
    }
}

impl Shown for ResendOtpResponse {
    const NAME: &'static str = "otter.v1.ResendOtpResponse";

    fn text(&self, _: Width) -> String {
        let heading = self.attempt.as_ref().map_or_else(
            || Tone::Bad.paint("the server's answer has no attempt"),
            |attempt| {
                let state = tone_of_attempt(attempt.state()).paint(sent(attempt));
                let name = Tone::Strong.paint(format!("attempt {}", attempt.number));
                format!("{name}  {} over {}  {state}", attempt.provider, attempt.channel().word())
            },
        );
        let mut facts = Vec::new();
        if let Some(at) = &self.resend_allowed_time {
            facts.push(("resend from", time::moment(at)));
        }
        facts.push(("attempts left", self.attempts_remaining.to_string()));
        format!("{heading}\n{}", pairs(&facts))
    }
}

impl Shown for CheckOtpResponse {
    const NAME: &'static str = "otter.v1.CheckOtpResponse";

    fn text(&self, _: Width) -> String {
        match self.outcome() {
            CheckOutcome::Verified if self.verified_attempt > 0 => {
                let by = Tone::Faint.paint(format!("with the code of attempt {}", self.verified_attempt));
                format!("{} {by}", Tone::Good.paint("verified"))
            }
            CheckOutcome::Verified => Tone::Good.paint("verified"),
            CheckOutcome::WrongCode => {
                let left = self.checks_remaining;
                let checks = if left == 1 { "check" } else { "checks" };
                format!("{}: {left} {checks} left", Tone::Bad.paint("wrong code"))
            }
            CheckOutcome::Expired => negative("expired", "the code or its verification expired"),
            CheckOutcome::Exhausted => negative("exhausted", "no checks are left"),
            CheckOutcome::Consumed => negative("consumed", "another check succeeded before"),
            CheckOutcome::Cancelled => negative("cancelled", "the verification was cancelled"),
            CheckOutcome::Failed => negative("failed", "no code reached the person"),
            CheckOutcome::Unknown => negative("unknown", "there is no such verification, or none any more"),
            CheckOutcome::Refused => negative("refused", "this tenant is not told why"),
            CheckOutcome::Unspecified => {
                negative("not verified", "the server's outcome is newer than this program")
            }
        }
    }
}

fn negative(word: &str, meaning: &str) -> String {
    format!("{}: {meaning}", Tone::Bad.paint(word))
}

#[cfg(test)]
mod tests {
    use otter_contract::v1::{Attempt, AttemptState, Channel, Plan};
    use prost_types::Timestamp;

    use super::super::tone;
    use super::*;

    fn plain(answer: &impl Shown) -> String {
        tone::plain(&answer.text(None))
    }

    #[test]
    fn an_accepted_code_shows_its_id_first() {
        let answer = SendOtpResponse {
            verification_id: "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e".to_owned(),
            masked_recipient: "+49*********78".to_owned(),
            country: "DE".to_owned(),
            expire_time: Some(Timestamp { seconds: 1_785_153_900, nanos: 0 }),
            ..SendOtpResponse::default()
        };
        assert_eq!(
            plain(&answer),
            "\
018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e  accepted
  number   +49*********78 (DE)
  expires  2026-07-27 12:05:00 UTC"
        );
    }

    #[test]
    fn a_dry_run_says_if_nobody_may_send() {
        let nobody = SendOtpResponse { plan: Some(Plan::default()), ..SendOtpResponse::default() };
        assert!(plain(&nobody).starts_with("dry run: nobody may send this\n"));
    }

    #[test]
    fn a_resend_names_its_attempt() {
        let answer = ResendOtpResponse {
            attempt: Some(Attempt {
                number: 2,
                provider: "voice-a".to_owned(),
                channel: Channel::Voice.into(),
                state: AttemptState::Queued.into(),
                ..Attempt::default()
            }),
            resend_allowed_time: None,
            attempts_remaining: 0,
        };
        assert_eq!(plain(&answer), "attempt 2  voice-a over voice  queued\n  attempts left  0");
    }

    #[test]
    fn a_check_says_what_it_found() {
        let check = |outcome: CheckOutcome, checks_remaining, verified_attempt| {
            plain(&CheckOtpResponse { outcome: outcome.into(), checks_remaining, verified_attempt, state: 0 })
        };
        assert_eq!(check(CheckOutcome::Verified, 0, 2), "verified with the code of attempt 2");
        assert_eq!(check(CheckOutcome::WrongCode, 1, 0), "wrong code: 1 check left");
        assert_eq!(check(CheckOutcome::Consumed, 0, 0), "consumed: another check succeeded before");
    }
}
