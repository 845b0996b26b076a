//! Holds the four accounts of a run against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, CheckOutcome, Event, ReceiptStatus, Verification,
    VerificationState, event,
};
use otter_domain::Moment;
use otter_sandbox_vendor::{Handling, Received};

use super::figures::Figures;
use super::{
    Breach, BreachKind, Handed, Judgement, Ledger, by_message, is_live, is_settled, message_id, moment,
};
use crate::visit::Told;

/// A code with less time left is not handed over (`min_useful` of test configurations).
const MIN_USEFUL: Duration = Duration::from_secs(10);

/// How long the last bytes of a request may take on a busy machine: the gate looks at the clock when the first leave.
const TRAVEL: Duration = Duration::from_secs(4);

/// The same for what was on its way when its worker was declared lost.
const WAKING: Duration = Duration::from_secs(2);

/// How long after its time a verification may still be read as pending: the answer was on its way.
const READING: Duration = Duration::from_secs(2);

/// How long every step waits in test configurations.
const WAIT: Duration = Duration::from_secs(5);

/// How long a claim may outlive its verification while the store is there: the longest answer of a vendor, or a lease that
/// nobody renews.
const CLAIM: Duration = Duration::from_secs(20);

/// When nobody was accepted for so long although people came, the store was away.
const AWAY: Duration = Duration::from_secs(5);

/// How many codes are valid at once in test configurations.
const VALID_CODES: usize = 3;

/// The judgement of one verification in the making.
struct Case<'a> {
    id: &'a str,
    told: &'a Told,
    verification: &'a Verification,
    handed: Vec<Handed<'a>>,
    story: &'a [Event],
    /// Whether it was still open when the other accounts were read.
    is_open: bool,
    breaches: Vec<Breach>,
}

impl Ledger {
    /// How long the store was away between two moments.
    fn away(&self, from: Moment, to: Moment) -> Duration {
        let mut accepts: Vec<_> = self.told.iter().filter_map(|told| Some(told.accepted?.0)).collect();
        accepts.sort_unstable();
        let gaps = accepts.windows(2).filter(|pair| pair[1].since(pair[0]) > AWAY);
        gaps.map(|pair| pair[1].min(to).since(pair[0].max(from))).sum()
    }

    /// Counts, and finds every promise that was broken.
    pub fn judge(&self) -> Judgement {
        let mut figures = Figures::of(self);
        let mut breaches = Vec::new();
        let journal = by_message(&self.journal);
        let mut explained = BTreeSet::new();
        for told in &self.told {
            breaches.extend(defects(told));
            let Some(id) = told.ids.first() else { continue };
            if told.ids.len() > 1 {
                breaches.push(Breach { id: id.clone(), kind: BreachKind::AnsweredTwice });
            }
            let Some(Some(verification)) = self.finals.get(id) else {
                breaches.push(Breach { id: id.clone(), kind: BreachKind::Lost });
                continue;
            };
            let handed = handed(verification, &journal, &mut explained);
            let story = self.stories.get(id).map(Vec::as_slice).unwrap_or_default();
            let is_open = self.open.contains(id);
            let case = Case { id, told, verification, handed, story, is_open, breaches: Vec::new() };
            breaches.extend(case.judge(self, &mut figures));
        }
        breaches.extend(self.unbooked(&explained));
        Judgement { figures, breaches }
    }

    /// Messages to people whose verification is known, but that no attempt of it was booked for.
    fn unbooked(&self, explained: &BTreeSet<String>) -> Vec<Breach> {
        let known: BTreeMap<_, _> = self
            .told
            .iter()
            .filter_map(|told| Some((told.number.as_str(), told.ids.first()?)))
            .filter(|(_, id)| self.finals.get(*id).is_some_and(Option::is_some))
            .collect();
        let strange = self.journal.iter().filter(|received| {
            received.message_id.as_ref().is_none_or(|message| !explained.contains(message))
        });
        strange
            .filter_map(|received| known.get(received.number.reveal()))
            .map(|id| Breach { id: (*id).clone(), kind: BreachKind::Unbooked })
            .collect()
    }
}

fn defects(told: &Told) -> impl Iterator<Item = Breach> {
    let id = told.ids.first().cloned().unwrap_or_default();
    let found = |defect: &String| Breach { id: id.clone(), kind: BreachKind::Defect(defect.clone()) };
    told.defects.iter().map(found).collect::<Vec<_>>().into_iter()
}

fn handed<'a>(
    verification: &'a Verification,
    journal: &BTreeMap<&str, Vec<&'a Received>>,
    explained: &mut BTreeSet<String>,
) -> Vec<Handed<'a>> {
    let hand = |attempt: &'a Attempt| {
        let message = message_id(&verification.id, attempt.number);
        let received = journal.get(message.as_str()).cloned().unwrap_or_default();
        explained.insert(message);
        Handed { attempt, received }
    };
    verification.attempts.iter().map(hand).collect()
}

impl Case<'_> {
    fn judge(mut self, ledger: &Ledger, figures: &mut Figures) -> Vec<Breach> {
        self.state(ledger);
        self.checks();
        self.requests();
        self.lives();
        self.extra_messages(figures);
        self.story();
        self.breaches
    }

    fn find(&mut self, kind: BreachKind) {
        self.breaches.push(Breach { id: self.id.to_owned(), kind });
    }

    fn state(&mut self, ledger: &Ledger) {
        let read_at = ledger.read_at;
        let state = self.verification.state();
        let is_pending = state == VerificationState::Pending;
        if is_pending && read_at > self.told.expires_at + READING {
            self.find(BreachKind::Overdue);
        }
        if self.told.is_cancelled && state != VerificationState::Cancelled {
            self.find(BreachKind::CancellationForgotten);
        }
        let ended_at = self.verification.end_time.map_or(self.told.expires_at, moment);
        // Looked up for the few that seem to have been left.
        let is_left = |latest: Moment| read_at > latest && read_at > latest + ledger.away(ended_at, read_at);
        for attempt in &self.verification.attempts {
            if !is_pending && is_live(attempt.state()) && is_left(ended_at + CLAIM) {
                self.find(BreachKind::LiveAfterTheEnd(attempt.number));
            }
        }
    }

    fn checks(&mut self) {
        let verified = |check: &&crate::visit::Check| check.outcome == Some(CheckOutcome::Verified);
        let successes: Vec<_> = self.told.checks.iter().filter(verified).collect();
        // Without a name each check is another; under one name all are one.
        let nameless = successes.iter().filter(|check| check.request_id.is_empty()).count();
        let names: BTreeSet<_> = successes.iter().map(|check| &check.request_id).collect();
        let named = names.iter().filter(|name| !name.is_empty()).count();
        let is_verified = self.verification.state() == VerificationState::Verified;
        let submitted = self.told.checks.iter().any(|check| check.is_right);
        // With more attempts than codes are valid at once, the first codes have made way.
        let is_valid = self.verification.attempts.len() <= VALID_CODES;
        let refused = self
            .told
            .checks
            .iter()
            .any(|check| check.is_right && check.outcome == Some(CheckOutcome::WrongCode) && is_valid);
        let taken = successes.iter().any(|check| !check.is_right);
        let findings = [
            (nameless + named > 1, BreachKind::SecondSuccess),
            (!successes.is_empty() && !is_verified, BreachKind::SuccessForgotten),
            (is_verified && !submitted, BreachKind::SuccessFromNowhere),
            (refused, BreachKind::RightCodeRefused),
            (taken, BreachKind::WrongCodeTaken),
        ];
        for (_, kind) in findings.into_iter().filter(|(is_broken, _)| *is_broken) {
            self.find(kind);
        }
    }

    /// What the vendor received against what was booked.
    fn requests(&mut self) {
        let mut found = Vec::new();
        for handed in &self.handed {
            let number = handed.attempt.number;
            let tries = usize::try_from(handed.attempt.tries).unwrap_or(usize::MAX);
            if handed.received.len() > tries {
                found.push(BreachKind::SentMoreThanBegun(number));
            }
            let again = handed.received.iter().any(|received| received.handling == Handling::Repeated);
            if again || handed.messages() > 1 {
                found.push(BreachKind::SentTwice(number));
            }
            let (state, is_sent) = (handed.attempt.state(), handed.messages() > 0);
            if is_sent && !may_be_sent(state) {
                found.push(BreachKind::SentButBookedAsUnsent(number));
            }
            if !is_sent && state == AttemptState::Accepted {
                found.push(BreachKind::AcceptedButNeverSent(number));
            }
        }
        found.into_iter().for_each(|kind| self.find(kind));
    }

    fn lives(&mut self) {
        let expires_at = self.verification.expire_time.map(moment).unwrap_or_default();
        let latest = expires_at - MIN_USEFUL + TRAVEL;
        let late: Vec<_> = self
            .handed
            .iter()
            .filter(|handed| handed.received.iter().any(|received| received.at > latest))
            .map(|handed| BreachKind::DeadCode(handed.attempt.number))
            .collect();
        late.into_iter().for_each(|kind| self.find(kind));
        let lost: Vec<_> = self
            .handed
            .iter()
            .filter(|handed| {
                let lost_at = lost_at(handed.attempt, self.story);
                lost_at.is_some_and(|lost_at| handed.received.iter().any(|r| r.at > lost_at + WAKING))
            })
            .map(|handed| BreachKind::SentAfterLoss(handed.attempt.number))
            .collect();
        lost.into_iter().for_each(|kind| self.find(kind));
    }

    /// Every message after the first needs a reason.
    fn extra_messages(&mut self, figures: &mut Figures) {
        let sent: Vec<_> = self.handed.iter().filter(|handed| handed.messages() > 0).collect();
        let mut unexplained = Vec::new();
        for (last, handed) in sent.iter().zip(sent.iter().skip(1)) {
            let number = handed.attempt.number;
            let before: Vec<_> =
                sent.iter().map(|handed| handed.attempt).filter(|attempt| attempt.number < number).collect();
            if before.iter().any(|attempt| was_ambiguous(attempt, self.story)) {
                figures.extra_after_ambiguous += 1;
            } else if self.is_asked_for_between(last.attempt.number, number) {
                figures.extra_asked_for += 1;
            } else if before.iter().all(|attempt| was_silent_or_refused(attempt, handed.attempt)) {
                figures.extra_after_silence += 1;
            } else {
                unexplained.push(BreachKind::ExtraMessage(number));
            }
        }
        unexplained.into_iter().for_each(|kind| self.find(kind));
    }

    /// Whether the person asked for a message after the attempt `last`, which was sent, and `next` came of it: as it is,
    /// or because what was to be sent for it could not be.
    fn is_asked_for_between(&self, last: u32, next: u32) -> bool {
        let mut attempts = self.verification.attempts.iter();
        attempts.any(|it| (last + 1..=next).contains(&it.number) && it.origin() == AttemptOrigin::Resend)
    }

    /// What was published against what is stored.
    fn story(&mut self) {
        let told = Published::of(self.story);
        self.breaches.extend(
            told.together
                .iter()
                .map(|attempt| Breach { id: self.id.to_owned(), kind: BreachKind::TwoLive(*attempt) }),
        );
        let state = self.verification.state();
        // What still happens when the accounts are read is published a moment after it is stored.
        let may_lag = !is_settled(self.verification) || self.is_open;
        let ends = if state == VerificationState::Pending { Vec::new() } else { vec![state] };
        if told.ends.len() > 1 {
            self.find(BreachKind::EndedTwice);
        } else if told.ends != ends && !(may_lag && told.ends.is_empty()) {
            self.find(BreachKind::StoryDiffers(format!("it ended as {:?}, and is {state:?}", told.ends)));
        }
        let stored = self.verification.attempts.len();
        let agrees = (told.opened, told.queued) == (1, stored);
        let lags = may_lag && told.opened <= 1 && told.queued <= stored;
        if !agrees && !lags {
            let (opened, queued) = (told.opened, told.queued);
            let differs = format!("opened {opened} times, {queued} attempts queued, {stored} stored");
            self.find(BreachKind::StoryDiffers(differs));
        }
    }
}

/// What the events of one verification say.
#[derive(Default)]
struct Published {
    opened: usize,
    queued: usize,
    /// Attempts that were queued while another was live.
    together: Vec<u32>,
    ends: Vec<VerificationState>,
}

impl Published {
    fn of(story: &[Event]) -> Self {
        let mut told = Self::default();
        let mut live = None;
        for kind in story.iter().filter_map(|event| event.kind.as_ref()) {
            match kind {
                event::Kind::VerificationOpened(_) => told.opened += 1,
                event::Kind::AttemptQueued(queued) => {
                    told.queued += 1;
                    told.together.extend(live.replace(queued.attempt).map(|_| queued.attempt));
                }
                event::Kind::AttemptAccepted(event) if live == Some(event.attempt) => live = None,
                event::Kind::AttemptAmbiguous(event) if live == Some(event.attempt) => live = None,
                event::Kind::AttemptEnded(event) if live == Some(event.attempt) => live = None,
                event::Kind::VerificationEnded(end) => told.ends.push(end.state()),
                event::Kind::AttemptAccepted(_)
                | event::Kind::AttemptAmbiguous(_)
                | event::Kind::AttemptEnded(_)
                | event::Kind::AttemptRetrying(_)
                | event::Kind::ReceiptMerged(_)
                | event::Kind::CheckFailed(_)
                | event::Kind::ChecksLifted(_) => {}
            }
        }
        told
    }
}

/// Whether an attempt in this state may have led to a message.
fn may_be_sent(state: AttemptState) -> bool {
    matches!(state, AttemptState::Claimed | AttemptState::Accepted | AttemptState::Ambiguous)
}

/// Whether it was ever unknown if this attempt had been sent.
pub(super) fn was_ambiguous(attempt: &Attempt, story: &[Event]) -> bool {
    let told = story.iter().any(|event| {
        matches!(&event.kind, Some(event::Kind::AttemptAmbiguous(event)) if event.attempt == attempt.number)
    });
    told || attempt.state() == AttemptState::Ambiguous
}

/// When an attempt was declared lost with its worker.
fn lost_at(attempt: &Attempt, story: &[Event]) -> Option<Moment> {
    let declared = story.iter().find(|event| {
        matches!(&event.kind, Some(event::Kind::AttemptAmbiguous(ambiguous))
            if ambiguous.attempt == attempt.number && ambiguous.error_class == "unknown")
    });
    declared?.event_time.map(moment)
}

/// Whether the vendor said that an attempt's message did not arrive, or nothing for as long as its step waits, before
/// the next was queued.
fn was_silent_or_refused(attempt: &Attempt, next: &Attempt) -> bool {
    let refused = matches!(attempt.receipt(), ReceiptStatus::Undelivered | ReceiptStatus::Expired);
    let claimed_at = attempt.claim_time.map(moment).unwrap_or_default();
    refused || next.queue_time.is_some_and(|queued| moment(queued) >= claimed_at + WAIT)
}
