//! A verification as it stands.

use otter_contract::v1::{
    CancelOtpResponse, ExpiryReason, GetOtpResponse, ReportOutcomeResponse, Verification, VerificationState,
};

use super::attempts::attempts;
use super::plan::plan;
use super::screen::Width;
use super::table::pairs;
use super::words::{Word as _, tone_of_verification};
use super::{Shown, Tone, time};

/// Everything about it.
pub(crate) fn verification(verification: &Verification, width: Width) -> String {
    let mut parts = vec![heading(verification), facts(verification)];
    if !verification.attempts.is_empty() {
        parts.push(String::new());
        parts.push(attempts(&verification.attempts, verification.create_time.as_ref(), width));
    }
    if let Some(planned) = &verification.plan {
        parts.push(String::new());
        parts.push(plan(planned, width));
    }
    parts.join("\n")
}

fn heading(verification: &Verification) -> String {
    let state = verification.state();
    format!("{}  {}", Tone::Strong.paint(&verification.id), tone_of_verification(state).paint(state.word()))
}

fn facts(verification: &Verification) -> String {
    let is_pending = verification.state() == VerificationState::Pending;
    let mut facts = vec![
        ("number", format!("{} ({})", verification.masked_recipient, verification.country)),
        ("purpose", format!("{} of tenant {}", verification.purpose, verification.tenant)),
    ];
    let times = [
        ("created", &verification.create_time),
        ("expires", &verification.expire_time),
        ("ended", &verification.end_time),
        ("resend from", &verification.resend_allowed_time),
    ];
    facts.extend(times.into_iter().filter_map(|(name, at)| Some((name, time::moment(at.as_ref()?)))));
    if verification.expiry_reason() != ExpiryReason::Unspecified {
        facts.push(("because", verification.expiry_reason().word()));
    }
    facts.push(("checks", format!("{} of {} used", verification.checks_used, verification.check_budget)));
    if is_pending {
        facts.push(("attempts left", verification.attempts_remaining.to_string()));
    }
    pairs(&facts)
}

fn shown(found: Option<&Verification>, width: Width) -> String {
    found.map_or_else(|| Tone::Bad.paint("the server's answer is empty"), |found| verification(found, width))
}

impl Shown for GetOtpResponse {
    const NAME: &'static str = "otter.v1.GetOtpResponse";

    fn text(&self, width: Width) -> String {
        shown(self.verification.as_ref(), width)
    }
}

impl Shown for CancelOtpResponse {
    const NAME: &'static str = "otter.v1.CancelOtpResponse";

    fn text(&self, width: Width) -> String {
        shown(self.verification.as_ref(), width)
    }
}

impl Shown for ReportOutcomeResponse {
    const NAME: &'static str = "otter.v1.ReportOutcomeResponse";

    fn text(&self, width: Width) -> String {
        shown(self.verification.as_ref(), width)
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::super::tone::plain;
    use super::*;

    #[test]
    fn an_ended_verification_shows_what_is_left_of_it() {
        let ended = Verification {
            id: "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e".to_owned(),
            tenant: "shop".to_owned(),
            purpose: "login".to_owned(),
            masked_recipient: "+49*********78".to_owned(),
            country: "DE".to_owned(),
            state: VerificationState::Expired.into(),
            expiry_reason: ExpiryReason::NotEntered.into(),
            create_time: Some(Timestamp { seconds: 1_785_153_600, nanos: 0 }),
            expire_time: Some(Timestamp { seconds: 1_785_153_900, nanos: 0 }),
            end_time: Some(Timestamp { seconds: 1_785_153_900, nanos: 0 }),
            checks_used: 2,
            check_budget: 5,
            ..Verification::default()
        };
        assert_eq!(
            plain(&verification(&ended, None)),
            "\
018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e  expired
  number   +49*********78 (DE)
  purpose  login of tenant shop
  created  2026-07-27 12:00:00 UTC
  expires  2026-07-27 12:05:00 UTC
  ended    2026-07-27 12:05:00 UTC
  because  not entered
  checks   2 of 5 used"
        );
    }
}
