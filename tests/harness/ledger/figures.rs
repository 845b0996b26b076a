//! The figures of a run.

use std::time::Duration;

use otter_contract::v1::{VerificationState, event};
use otter_domain::Moment;
use otter_sandbox_vendor::Handling;
use serde::Serialize;

use super::judge::was_ambiguous;
use super::{Ledger, moment};
use crate::fleet::{BlowKind, Role};

/// How far two clocks of one machine may disagree in whole milliseconds.
const CLOCKS: Duration = Duration::from_millis(50);

/// What a run comes to, in numbers. Spans are in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// Verifications that `SendOtp` answered with OK.
    pub accepted: usize,
    /// Requests that were refused, or never answered.
    pub not_accepted: usize,
    /// States at the end.
    pub pending: usize,
    /// The same.
    pub verified: usize,
    /// The same.
    pub expired: usize,
    /// The same.
    pub failed: usize,
    /// The same.
    pub exhausted: usize,
    /// The same.
    pub cancelled: usize,
    /// Accepted, and nobody knows them any more.
    pub lost: usize,
    /// Attempts that were booked.
    pub attempts: usize,
    /// Attempts of which it was ever unknown whether they had been sent.
    pub ambiguous: usize,
    /// Those of them whose worker was lost.
    pub leases_lost: usize,
    /// Requests that the vendor received.
    pub requests: usize,
    /// Messages that the vendor took.
    pub messages: usize,
    /// Messages after the first of their verification: an ambiguous attempt came before.
    pub extra_after_ambiguous: usize,
    /// The same: the person asked for it.
    pub extra_asked_for: usize,
    /// The same: the message before was reported as undelivered, or not at all within the step's wait.
    pub extra_after_silence: usize,
    /// Checks that were answered.
    pub checks: usize,
    /// Times that processes were killed.
    pub kills: usize,
    /// Half of the claims of dead workers were declared lost within this, counted from the first death of a worker after
    /// the claim: a survivor's death may be the one that counts, so a send that hangs makes it look longer.
    pub declared_p50: u64,
    /// The same for all of them.
    pub declared_within: u64,
    /// The longest time without an accepted request while people came.
    pub longest_without_accept: u64,
    /// The longest time without a message at the vendor while people came.
    pub longest_without_message: u64,
    /// Half of the requests were accepted within this.
    pub accept_p50: u64,
    /// 99 of 100 requests were accepted within this.
    pub accept_p99: u64,
}

impl Figures {
    pub(super) fn of(ledger: &Ledger) -> Self {
        let mut figures = Self::default();
        let accepted: Vec<_> = ledger.told.iter().filter(|told| !told.ids.is_empty()).collect();
        figures.accepted = accepted.len();
        figures.not_accepted = ledger.told.len() - accepted.len();
        for told in &accepted {
            figures.count_state(ledger, &told.ids[0]);
        }
        figures.checks =
            ledger.told.iter().flat_map(|told| &told.checks).filter(|c| c.outcome.is_some()).count();
        figures.kills = ledger.blows.iter().filter(|blow| blow.kind == BlowKind::Killed).count();
        figures.requests = ledger.journal.len();
        let is_message = |handling: Handling| handling.is_a_message();
        figures.messages = ledger.journal.iter().filter(|received| is_message(received.handling)).count();
        figures.count_attempts(ledger);
        figures.measure(ledger);
        figures
    }

    /// The states together.
    pub fn sum_of_states(&self) -> usize {
        self.pending + self.verified + self.expired + self.failed + self.exhausted + self.cancelled
    }

    fn count_state(&mut self, ledger: &Ledger, id: &str) {
        let Some(Some(verification)) = ledger.finals.get(id) else {
            self.lost += 1;
            return;
        };
        match verification.state() {
            VerificationState::Unspecified => self.lost += 1,
            VerificationState::Pending => self.pending += 1,
            VerificationState::Verified => self.verified += 1,
            VerificationState::Expired => self.expired += 1,
            VerificationState::Failed => self.failed += 1,
            VerificationState::Exhausted => self.exhausted += 1,
            VerificationState::Cancelled => self.cancelled += 1,
        }
    }

    fn count_attempts(&mut self, ledger: &Ledger) {
        for (id, verification) in &ledger.finals {
            let Some(verification) = verification else { continue };
            let story = ledger.stories.get(id).map(Vec::as_slice).unwrap_or_default();
            self.attempts += verification.attempts.len();
            self.ambiguous +=
                verification.attempts.iter().filter(|attempt| was_ambiguous(attempt, story)).count();
        }
        let mut waits = Vec::new();
        for told in ledger.told.iter().filter(|told| !told.is_steered) {
            let Some(id) = told.ids.first() else { continue };
            for (claimed_at, declared_at) in declared(ledger, id) {
                self.leases_lost += 1;
                if let Some(died_at) = death_after(ledger, claimed_at) {
                    waits.push(declared_at.since(died_at.max(claimed_at)));
                }
            }
        }
        waits.sort_unstable();
        self.declared_p50 = millis(quantile(&waits, 500));
        self.declared_within = waits.last().copied().map(millis).unwrap_or_default();
    }

    fn measure(&mut self, ledger: &Ledger) {
        let accepts = ledger.told.iter().filter_map(|told| told.accepted);
        let (mut moments, mut spans): (Vec<_>, Vec<_>) = accepts.unzip();
        moments.sort_unstable();
        spans.sort_unstable();
        self.accept_p50 = millis(quantile(&spans, 500));
        self.accept_p99 = millis(quantile(&spans, 990));
        self.longest_without_accept = millis(longest_gap(&moments));
        let last = moments.last().copied().unwrap_or_default();
        let mut messages: Vec<_> =
            ledger.journal.iter().map(|received| received.at).filter(|at| *at <= last).collect();
        messages.sort_unstable();
        self.longest_without_message = millis(longest_gap(&messages));
    }
}

/// The attempts of a verification that were given up for lost with their worker: when each was claimed and declared.
/// On a number that steers nothing the vendor's answers are known ones, or late: then the class tells.
fn declared(ledger: &Ledger, id: &str) -> Vec<(Moment, Moment)> {
    let Some(Some(verification)) = ledger.finals.get(id) else { return Vec::new() };
    let story = ledger.stories.get(id).map(Vec::as_slice).unwrap_or_default();
    let declared = story.iter().filter_map(|event| {
        let Some(event::Kind::AttemptAmbiguous(ambiguous)) = &event.kind else { return None };
        if ambiguous.error_class != "unknown" {
            return None;
        }
        let attempt = verification.attempts.iter().find(|attempt| attempt.number == ambiguous.attempt)?;
        Some((moment(attempt.claim_time?), moment(event.event_time?)))
    });
    declared.collect()
}

/// When a worker was killed or frozen first after an instant.
fn death_after(ledger: &Ledger, instant: Moment) -> Option<Moment> {
    let deaths = ledger
        .blows
        .iter()
        .filter(|blow| blow.role == Role::Worker && matches!(blow.kind, BlowKind::Killed | BlowKind::Frozen));
    deaths.map(|blow| blow.at).filter(|at| *at + CLOCKS >= instant).min()
}

fn longest_gap(moments: &[Moment]) -> Duration {
    moments.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or_default()
}

fn quantile(sorted: &[Duration], in_a_thousand: usize) -> Duration {
    let place = (sorted.len() * in_a_thousand).div_ceil(1000).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
