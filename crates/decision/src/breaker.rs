//! A breaker leaves alone what is sick and finds out when it is well (RTE-20): an account, a way of it (channel and
//! country), or one text on that way. A failure opens the breaker of what it speaks of, and no wider one.
//!
//! Closed, it remembers the last outcomes, those that answers told and those that receipts told. It opens when too many
//! of them are failures, and stays open for a time that doubles with every probe that fails. Then it is half-open: one send of real traffic at a time goes as a probe, and
//! its outcome closes or opens the breaker again; where a receipt opened it, an answer that the message was taken does not
//! close it, but a receipt does, or half a minute without one.

use std::collections::VecDeque;
use std::time::Duration;

use otter_domain::{ErrorClass, Failure, FailureClass, Moment, SpeaksOf};

/// How many counted outcomes are remembered.
const REMEMBERED: usize = 10;

/// How many failures among the remembered outcomes open the breaker.
const FAILURES_TO_OPEN: usize = 5;

/// How many timeouts in a row open it.
const TIMEOUTS_TO_OPEN: u8 = 3;

/// How long it stays open at first.
const FIRST_REST: Duration = Duration::from_secs(10);

/// The longest that it stays open between probes.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// What became of a message that was sent longer ago says nothing of the present: codes live ten minutes at most.
const EVIDENCE_LIFE: Duration = Duration::from_secs(15 * 60);

/// Outcomes longer ago than this are forgotten: five failures in weeks are no outage.
const MEMORY: Duration = Duration::from_secs(3600);

/// A probe whose outcome has not come by then is lost with its worker, and another may go.
const PROBE_LOST_AFTER: Duration = Duration::from_secs(30);

/// What was heard of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it, or reported that it arrived.
    Accepted,
    /// It did not, or may not have, or reported that it will not arrive.
    Failed(Failure),
}

/// Who told the outcome of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// The provider's answer to the send.
    Answer,
    /// A receipt that came later.
    Receipt,
}

impl Witness {
    /// The word used in records and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Receipt => "receipt",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Answer, Self::Receipt].into_iter().find(|witness| witness.as_str() == word)
    }
}

/// How much a breaker guards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// One account with all that it sends.
    Account,
    /// One way of it: a channel to a country, from the sender that it has there.
    Way,
    /// One text or template on that way.
    Text,
}

/// What an outcome counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Success,
    Failure,
    Timeout,
    /// Something of ours is wrong: no outcome after it will be better.
    Fatal,
    /// The provider answered properly; nothing that this breaker guards is at fault.
    Answered,
    /// Says nothing.
    Nothing,
}

impl Outcome {
    /// A failure counts where it speaks of, and nowhere else: for what is wider the provider has shown that it works, and
    /// about what is narrower nothing was learnt.
    fn weight(self, width: Width) -> Weight {
        let Self::Failed(failure) = self else { return Weight::Success };
        let of = match failure.speaks_of {
            SpeaksOf::Account => Some(Width::Account),
            SpeaksOf::Channel | SpeaksOf::Sender => Some(Width::Way),
            SpeaksOf::Template => Some(Width::Text),
            SpeaksOf::Person => None,
        };
        let works = match failure.class {
            FailureClass::Rejected | FailureClass::Unroutable | FailureClass::Misconfigured => {
                Weight::Answered
            }
            FailureClass::Throttled | FailureClass::Unavailable | FailureClass::Ambiguous => Weight::Nothing,
        };
        match of {
            Some(of) if of == width => fault(&failure),
            Some(of) if of < width => Weight::Nothing,
            Some(_) | None => works,
        }
    }
}

/// What a failure weighs for the breaker of what it speaks of.
fn fault(failure: &Failure) -> Weight {
    match failure.class {
        FailureClass::Misconfigured => Weight::Fatal,
        FailureClass::Unavailable | FailureClass::Ambiguous if failure.error == ErrorClass::Timeout => {
            Weight::Timeout
        }
        FailureClass::Unavailable | FailureClass::Ambiguous | FailureClass::Rejected => Weight::Failure,
        FailureClass::Unroutable => Weight::Answered,
        // The lane is slowed instead.
        FailureClass::Throttled => Weight::Nothing,
    }
}

/// Whether a send may go to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Granted,
    /// It may, and its outcome decides whether others may.
    Probe,
    /// It may not.
    Refused {
        /// When to ask again.
        until: Moment,
    },
}

/// How a breaker reads at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sends go.
    Closed,
    /// No send goes.
    Open {
        /// When it will be half-open.
        until: Moment,
    },
    /// One send at a time goes, as a probe.
    HalfOpen,
}

impl State {
    /// The word used in output and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// The breaker of one thing. A new one is closed, and so is one that an operator resets by taking a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    phase: Phase,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Closed {
        /// Receipts on messages sent before tell nothing new.
        since: Moment,
        /// Answers and receipts are remembered apart: one message makes one of each.
        answers: Remembered,
        receipts: Remembered,
        /// It closed because a probe's receipt did not come, after this rest; a bad one that comes yet goes on from there.
        silence: Option<Silence>,
    },
    Open {
        /// What is heard of messages sent before tells nothing new.
        since: Moment,
        until: Moment,
        rest: Duration,
        /// Who told what it opened for. What only a receipt shows, no answer can refute.
        by: Witness,
        probe: Option<Probe>,
    },
}

/// Outcomes that counted, with their moments, oldest first.
type Remembered = VecDeque<(Moment, Weight)>;

/// A rest that ended without proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Silence {
    rest: Duration,
    /// Until when a bad receipt makes the rest longer.
    until: Moment,
}

/// A send that was let through to see whether it works again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Probe {
    sent_at: Moment,
    lost_at: Moment,
    /// The provider took it, and its receipt decides. If none has come by `lost_at`, silence is consent.
    taken: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::closed(Moment::EPOCH)
    }
}

impl Breaker {
    fn closed(since: Moment) -> Self {
        let (answers, receipts) = (VecDeque::new(), VecDeque::new());
        Self { phase: Phase::Closed { since, answers, receipts, silence: None } }
    }

    /// How the breaker reads at `now`.
    pub fn state(&self, now: Moment) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until, .. } if now < until => State::Open { until },
            Phase::Open { probe: Some(Probe { lost_at, taken: true, .. }), .. } if now >= lost_at => {
                State::Closed
            }
            Phase::Open { .. } => State::HalfOpen,
        }
    }

    /// Learns that another process opened its breaker until then: a closed one opens too, so that afterwards one probe
    /// goes instead of everything. One that rests already rests as long as the other.
    pub fn adopt(&mut self, until: Moment, by: Witness, now: Moment) {
        match &mut self.phase {
            Phase::Closed { .. } => {
                self.phase = Phase::Open { since: now, until, rest: FIRST_REST, by, probe: None };
            }
            Phase::Open { until: own, by: told, probe, .. } if *own < until => {
                (*own, *told, *probe) = (until, by, None);
            }
            Phase::Open { .. } => {}
        }
    }

    /// Asks for a send to be let through. Whoever gets [`Permit::Probe`] records its outcome, or gives it
    /// back.
    pub fn permits(&mut self, now: Moment) -> Permit {
        let Phase::Open { until, rest, probe, .. } = &mut self.phase else { return Permit::Granted };
        let free_at = probe.map_or(*until, |probe| probe.lost_at);
        if now < free_at {
            return Permit::Refused { until: free_at };
        }
        if let Some(Probe { sent_at, taken: true, .. }) = *probe {
            // The probe's own receipt still counts, and so does what it would have led to.
            let silence = Some(Silence { rest: *rest, until: now + LONGEST_REST });
            let (answers, receipts) = (VecDeque::new(), VecDeque::new());
            self.phase = Phase::Closed { since: sent_at, answers, receipts, silence };
            return Permit::Granted;
        }
        *probe = Some(Probe { sent_at: now, lost_at: now + PROBE_LOST_AFTER, taken: false });
        Permit::Probe
    }

    /// Takes a probe back that did not reach the provider after all: another may go at once.
    pub fn give_back(&mut self) {
        if let Phase::Open { probe, .. } = &mut self.phase {
            *probe = None;
        }
    }

    /// Learns what became of a message that was sent at `sent_at`, and says whether the breaker opened or closed by it.
    ///
    /// While it is open, only the outcome of a probe counts, and after its rest a receipt on anything sent since it
    /// opened: what was sent before tells nothing new, and what was sent a quarter of an hour ago nothing at all.
    pub fn record(
        &mut self,
        outcome: Outcome,
        width: Width,
        by: Witness,
        sent_at: Moment,
        now: Moment,
    ) -> bool {
        let weight = outcome.weight(width);
        if by == Witness::Receipt && now.since(sent_at) > EVIDENCE_LIFE {
            return false;
        }
        match (&mut self.phase, by) {
            (Phase::Closed { answers, .. }, Witness::Answer) => {
                let opens = should_open(answers, weight, now);
                if opens {
                    self.open(FIRST_REST, by, now);
                }
                opens
            }
            (Phase::Closed { since, receipts, silence, .. }, Witness::Receipt) => {
                let silence = silence.filter(|silence| now < silence.until);
                let rest = silence.map_or(FIRST_REST, |silence| (silence.rest * 2).min(LONGEST_REST));
                let opens = sent_at >= *since && should_open(receipts, weight, now);
                if opens {
                    self.open(rest, by, now);
                }
                opens
            }
            (Phase::Open { probe: None, .. }, Witness::Answer) => false,
            (Phase::Open { since, .. }, _) if sent_at < *since => false,
            (Phase::Open { until, .. }, Witness::Receipt) if now < *until => false,
            (Phase::Open { .. }, _) => self.judge_probe(weight, by, now),
        }
    }

    fn judge_probe(&mut self, weight: Weight, by: Witness, now: Moment) -> bool {
        let Phase::Open { rest, by: opened_by, probe, .. } = &mut self.phase else { return false };
        match weight {
            Weight::Success | Weight::Answered if *opened_by == Witness::Receipt && by == Witness::Answer => {
                *probe = probe.map(|probe| Probe { taken: true, ..probe });
                false
            }
            Weight::Success | Weight::Answered => {
                *self = Self::closed(now);
                true
            }
            Weight::Failure | Weight::Timeout | Weight::Fatal => {
                let rest = (*rest * 2).min(LONGEST_REST);
                self.open(rest, by, now);
                true
            }
            Weight::Nothing if by == Witness::Answer => {
                *probe = None;
                false
            }
            Weight::Nothing => false,
        }
    }

    fn open(&mut self, rest: Duration, by: Witness, now: Moment) {
        self.phase = Phase::Open { since: now, until: now + rest, rest, by, probe: None };
    }

    /// Who told what it opened for; `None` if it is closed.
    pub fn opened_by(&self) -> Option<Witness> {
        match self.phase {
            Phase::Closed { .. } => None,
            Phase::Open { by, .. } => Some(by),
        }
    }

    /// Whether it remembers nothing that matters at `now`, so that a new one could take its place. One that closed a
    /// moment ago still knows which receipts are old.
    pub fn is_blank(&self, now: Moment) -> bool {
        match &self.phase {
            Phase::Closed { since, answers, receipts, .. } => {
                let well = |remembered: &Remembered| {
                    remembered.iter().all(|(at, one)| *one == Weight::Success || now.since(*at) > MEMORY)
                };
                now.since(*since) > EVIDENCE_LIFE && well(answers) && well(receipts)
            }
            Phase::Open { .. } => false,
        }
    }
}

/// Remembers an outcome that counts and says whether it is the one too many.
fn should_open(remembered: &mut Remembered, weight: Weight, now: Moment) -> bool {
    match weight {
        Weight::Fatal => return true,
        Weight::Answered | Weight::Nothing => return false,
        Weight::Success | Weight::Failure | Weight::Timeout => remembered.push_back((now, weight)),
    }
    while remembered.len() > REMEMBERED || remembered.front().is_some_and(|(at, _)| now.since(*at) > MEMORY) {
        remembered.pop_front();
    }
    let failures = remembered.iter().filter(|(_, weight)| *weight != Weight::Success).count();
    let timeouts = remembered.iter().rev().take_while(|(_, weight)| *weight == Weight::Timeout).count();
    failures >= FAILURES_TO_OPEN || timeouts >= usize::from(TIMEOUTS_TO_OPEN)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
