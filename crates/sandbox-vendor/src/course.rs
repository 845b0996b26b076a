//! What becomes of one send, decided before anything happens. Pure.

use std::time::Duration;

use otter_domain::{Channel, ReceiptStatus};

use crate::dice::Dice;
use crate::{Mishap, Refusal, Rule, Steering};

/// How late the receipts of [`Steering::Slow`] are.
const SLOW: Duration = Duration::from_secs(30);
/// How long the answers of [`Steering::Late`] take.
const LATE: Duration = Duration::from_secs(15);
/// How far the receipts of [`Steering::Hasty`] are ahead of the answer.
const HASTE: Duration = Duration::from_millis(500);

/// What becomes of one send. Spans count from the departure, those of answer and departure from the request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Course {
    /// How long the answer takes.
    pub(crate) latency: Duration,
    /// The answer.
    pub(crate) answer: Answer,
    /// When an accepted message sets off; with the answer, as a rule.
    pub(crate) departure: Duration,
    /// When it reaches the handset, if it does.
    pub(crate) arrival: Option<Duration>,
    /// The receipts, in the order in which they leave.
    pub(crate) reports: Vec<Planned>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    Refused(Refusal),
    Never,
    /// Accepted, but the answer ends in its middle.
    CutOff,
    /// Accepted, but the answer does not say so.
    Garbage,
}

/// A receipt to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it leaves.
    pub(crate) after: Duration,
    /// What it says.
    pub(crate) status: ReceiptStatus,
    /// Why, for a negative one.
    pub(crate) error: Option<Refusal>,
}

impl Course {
    fn failing(latency: Duration, mishap: Mishap) -> Self {
        let answer = mishap.refusal().map_or(Answer::Never, Answer::Refused);
        Self { latency, answer, departure: latency, arrival: None, reports: Vec::new() }
    }
}

/// What is known of a send when its course is decided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Send {
    /// The channel.
    pub(crate) channel: Channel,
    /// How long the message is worth delivering.
    pub(crate) validity: Duration,
    /// Which send of its account on its channel it is, from 1.
    pub(crate) request: u64,
}

/// Decides what becomes of a send. An outage comes before the number, the number before chance.
pub(crate) fn course(send: Send, steering: Steering, rule: &Rule, mut dice: Dice) -> Course {
    // Every draw is made on every path, so that one outcome does not shift the others.
    let (errs, lost, unreported, read) =
        (dice.hits(rule.errors), dice.hits(rule.loss), dice.hits(rule.unreported), dice.hits(rule.read));
    let arrival = rule.arrival + rule.arrival_spread.mul_f64(dice.draw());

    if let Some(mishap) = rule.outage_at(send.request) {
        return Course::failing(rule.latency, mishap);
    }
    if let Steering::Mishap(mishap) = steering {
        return Course::failing(rule.latency, mishap);
    }
    if errs && steering == Steering::Ordinary {
        return Course::failing(rule.latency, rule.error);
    }
    let fate = fate(steering, lost, arrival > send.validity);
    let opened =
        steering == Steering::Read || (read && matches!(send.channel, Channel::WhatsApp | Channel::Rcs));
    let mut reports = reports(fate, arrival.min(send.validity) + rule.receipt, opened);
    match steering {
        Steering::Unreported | Steering::CutOff | Steering::Garbage => reports.clear(),
        Steering::Slow => reports.iter_mut().for_each(|report| report.after += SLOW),
        Steering::Disordered => disorder(&mut reports),
        Steering::Ordinary if unreported => reports.clear(),
        Steering::Ordinary
        | Steering::Mishap(_)
        | Steering::Undelivered
        | Steering::Lying
        | Steering::SilentDelivery
        | Steering::Expired
        | Steering::Read
        | Steering::Late
        | Steering::Hasty => {}
    }
    let (latency, answer) = answer(steering, rule.latency);
    Course {
        latency,
        answer,
        departure: rule.latency,
        arrival: (fate == Fate::Arrives).then_some(arrival),
        reports,
    }
}

fn answer(steering: Steering, latency: Duration) -> (Duration, Answer) {
    match steering {
        Steering::SilentDelivery => (latency, Answer::Never),
        Steering::CutOff => (latency, Answer::CutOff),
        Steering::Garbage => (latency, Answer::Garbage),
        Steering::Late => (latency + LATE, Answer::Accepted),
        Steering::Hasty => (latency + HASTE, Answer::Accepted),
        Steering::Ordinary
        | Steering::Mishap(_)
        | Steering::Unreported
        | Steering::Undelivered
        | Steering::Slow
        | Steering::Lying
        | Steering::Disordered
        | Steering::Expired
        | Steering::Read => (latency, Answer::Accepted),
    }
}

/// What becomes of an accepted message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    Lost,
    Expires,
    /// Reported as if it arrived.
    Vanishes,
}

fn fate(steering: Steering, lost: bool, too_slow: bool) -> Fate {
    match steering {
        Steering::Undelivered => Fate::Lost,
        Steering::Expired => Fate::Expires,
        Steering::Lying => Fate::Vanishes,
        Steering::Ordinary if lost => Fate::Lost,
        Steering::Ordinary
        | Steering::Mishap(_)
        | Steering::Unreported
        | Steering::Slow
        | Steering::Disordered
        | Steering::SilentDelivery
        | Steering::Read
        | Steering::Late
        | Steering::CutOff
        | Steering::Garbage
        | Steering::Hasty => {
            if too_slow {
                Fate::Expires
            } else {
                Fate::Arrives
            }
        }
    }
}

fn reports(fate: Fate, after: Duration, opened: bool) -> Vec<Planned> {
    let positive = |status| Planned { after, status, error: None };
    let sent = Planned { after: Duration::ZERO, status: ReceiptStatus::Sent, error: None };
    match fate {
        Fate::Arrives | Fate::Vanishes => {
            let mut reports = vec![sent, positive(ReceiptStatus::Delivered)];
            if opened {
                reports.push(positive(ReceiptStatus::Read));
            }
            reports
        }
        Fate::Lost => {
            let error = Some(Refusal::Unreachable);
            vec![sent, Planned { after, status: ReceiptStatus::Undelivered, error }]
        }
        Fate::Expires => vec![sent, Planned { after, status: ReceiptStatus::Expired, error: None }],
    }
}

/// Last one first, each twice, and all when the last was due.
fn disorder(reports: &mut Vec<Planned>) {
    let after = reports.iter().map(|report| report.after).max().unwrap_or_default();
    let twice = reports.iter().rev().flat_map(|report| [Planned { after, ..*report }; 2]).collect();
    *reports = twice;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course_of(steering: Steering, rule: &Rule) -> Course {
        let send = Send { channel: Channel::Sms, validity: Duration::from_secs(120), request: 1 };
        course(send, steering, rule, Dice::of(1, "north/sms", 1))
    }

    fn statuses(course: &Course) -> Vec<ReceiptStatus> {
        course.reports.iter().map(|report| report.status).collect()
    }

    #[test]
    fn every_steering_does_what_its_number_promises() {
        use ReceiptStatus::{Delivered, Expired, Read, Sent, Undelivered};
        let check = |steering, answer, arrives: bool, expected: &[ReceiptStatus]| {
            let course = course_of(steering, &Rule::default());
            assert_eq!(course.answer, answer, "{steering:?}");
            assert_eq!(course.arrival.is_some(), arrives, "{steering:?}");
            assert_eq!(statuses(&course), expected, "{steering:?}");
        };
        let accepted = Answer::Accepted;
        check(Steering::Ordinary, accepted, true, &[Sent, Delivered]);
        check(Steering::Mishap(Mishap::Throttle), Answer::Refused(Refusal::TooFast), false, &[]);
        check(Steering::Mishap(Mishap::Silence), Answer::Never, false, &[]);
        check(Steering::Unreported, accepted, true, &[]);
        check(Steering::Undelivered, accepted, false, &[Sent, Undelivered]);
        check(Steering::Slow, accepted, true, &[Sent, Delivered]);
        check(Steering::Lying, accepted, false, &[Sent, Delivered]);
        check(Steering::Disordered, accepted, true, &[Delivered, Delivered, Sent, Sent]);
        check(Steering::SilentDelivery, Answer::Never, true, &[Sent, Delivered]);
        check(Steering::Expired, accepted, false, &[Sent, Expired]);
        check(Steering::Read, accepted, true, &[Sent, Delivered, Read]);
        check(Steering::Late, accepted, true, &[Sent, Delivered]);
        check(Steering::CutOff, Answer::CutOff, true, &[]);
        check(Steering::Garbage, Answer::Garbage, true, &[]);
        check(Steering::Hasty, accepted, true, &[Sent, Delivered]);
    }

    #[test]
    fn late_and_hasty_messages_set_off_before_their_answers() {
        let ordinary = course_of(Steering::Ordinary, &Rule::default());
        assert_eq!(ordinary.departure, ordinary.latency);
        for steering in [Steering::Late, Steering::Hasty] {
            let course = course_of(steering, &Rule::default());
            assert!(course.departure < course.latency, "{steering:?}");
        }
    }

    #[test]
    fn an_outage_comes_before_the_number_and_the_number_before_chance() {
        let down = Rule { outage: Some(Mishap::Unavailable), ..Rule::default() };
        assert_eq!(course_of(Steering::Lying, &down).answer, Answer::Refused(Refusal::Down));
        let shaky =
            Rule { errors: 1.0, error: Mishap::Unknown, loss: 1.0, unreported: 1.0, ..Rule::default() };
        assert_eq!(course_of(Steering::Ordinary, &shaky).answer, Answer::Refused(Refusal::OutcomeUnknown));
        assert_eq!(statuses(&course_of(Steering::Undelivered, &shaky)).len(), 2);
    }

    #[test]
    fn a_message_that_takes_longer_than_it_is_worth_expires() {
        let slow = Rule { arrival: Duration::from_secs(121), ..Rule::default() };
        let course = course_of(Steering::Ordinary, &slow);
        assert_eq!(course.arrival, None);
        assert_eq!(statuses(&course), [ReceiptStatus::Sent, ReceiptStatus::Expired]);
        assert_eq!(course.reports[1].after, Duration::from_secs(120));
    }
}
