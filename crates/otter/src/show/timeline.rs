//! What happens to verifications, one line each.

use otter_contract::v1::event::Kind;
use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, Channel, Event, FailureClass, ReceiptStatus, StreamEventsResponse,
    Verification, VerificationState, WatchOtpResponse, watch_otp_response::Update,
};
use prost_types::Timestamp;

use super::screen::Width;
use super::words::{Word as _, tone_of_attempt, tone_of_receipt, tone_of_verification};
use super::{Shown, Tone, time};

/// The story of one verification. What is told once is not told again, whether the snapshot or an event brings it.
#[derive(Debug)]
pub(crate) struct Timeline {
    since: Timestamp,
    told: Vec<Mark>,
}

impl Timeline {
    /// Begins with what the snapshot knows: the story so far.
    pub(crate) fn begin(snapshot: &Verification) -> (Self, String) {
        let since = snapshot.create_time.unwrap_or_default();
        let mut timeline = Self { since, told: quiet_marks(snapshot) };
        let heading = format!(
            "{}  {} to {}",
            Tone::Strong.paint(&snapshot.id),
            snapshot.purpose,
            snapshot.masked_recipient
        );
        let facts = facts_of(snapshot);
        let past = facts.into_iter().filter_map(|fact| timeline.tell_fact(&fact));
        let lines: Vec<_> = std::iter::once(heading).chain(past).collect();
        (timeline, lines.join("\n"))
    }

    /// The line for an event. `None` if it was told before, or is of a kind that this program does not know.
    pub(crate) fn tell(&mut self, event: &Event) -> Option<String> {
        self.tell_fact(&Fact::of(event)?)
    }

    fn tell_fact(&mut self, fact: &Fact) -> Option<String> {
        if self.told.iter().any(|told| told.covers(fact.mark)) {
            return None;
        }
        self.told.push(fact.mark);
        let offset = fact.time.map(|at| time::offset(&self.since, &at)).unwrap_or_default();
        Some(format!("{}  {}", Tone::Faint.paint(format!("{offset:>12}")), fact.line()))
    }
}

/// What makes two reports of the same thing the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Opened,
    Queued(u32),
    Retrying(u32),
    Accepted(u32),
    Ambiguous(u32),
    Ended(u32),
    Receipt(u32, ReceiptStatus),
    CheckFailed { remaining: u32 },
    VerificationEnded,
}

impl Mark {
    /// Whether the other says nothing new after this one. A receipt covers the weaker ones of its attempt.
    fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Receipt(attempt, known), Self::Receipt(of, status)) => attempt == of && known >= status,
            (told, news) => told == news,
        }
    }
}

/// One thing that happened.
#[derive(Debug)]
struct Fact {
    time: Option<Timestamp>,
    mark: Mark,
    /// Who did it, for attempts.
    by: Option<(u32, String, Channel)>,
    tone: Tone,
    what: String,
}

impl Fact {
    fn of(event: &Event) -> Option<Self> {
        let time = event.event_time;
        let fact = match event.kind.as_ref()? {
            Kind::VerificationOpened(_) => opened(time),
            Kind::AttemptQueued(queued) => {
                let by = (queued.attempt, queued.provider.clone(), queued.channel());
                Self::attempt(time, Mark::Queued(queued.attempt), by, Tone::Plain, {
                    cause(queued.attempt, queued.origin(), Some(queued.because()))
                })
            }
            Kind::AttemptRetrying(retrying) => {
                let by = (retrying.attempt, retrying.provider.clone(), retrying.channel());
                let what = format!("{}, tried once more", retrying.because().word());
                Self::attempt(time, Mark::Retrying(retrying.attempt), by, Tone::Open, what)
            }
            Kind::AttemptAccepted(accepted) => {
                let by = (accepted.attempt, accepted.provider.clone(), accepted.channel());
                outcome(time, by, AttemptState::Accepted, "")
            }
            Kind::AttemptAmbiguous(ambiguous) => {
                let by = (ambiguous.attempt, ambiguous.provider.clone(), ambiguous.channel());
                outcome(time, by, AttemptState::Ambiguous, &ambiguous.error_class)
            }
            Kind::AttemptEnded(ended) => {
                let by = (ended.attempt, ended.provider.clone(), ended.channel());
                outcome(time, by, ended.state(), &ended.error_class)
            }
            Kind::ReceiptMerged(receipt) => {
                let by = (receipt.attempt, receipt.provider.clone(), receipt.channel());
                merged(time, by, receipt.status())
            }
            Kind::CheckFailed(failed) => Self {
                time,
                mark: Mark::CheckFailed { remaining: failed.checks_remaining },
                by: None,
                tone: Tone::Bad,
                what: format!("wrong code, {} checks left", failed.checks_remaining),
            },
            Kind::VerificationEnded(ended) => verification_ended(time, ended.state(), ended.verified_attempt),
        };
        Some(fact)
    }

    fn attempt(
        time: Option<Timestamp>,
        mark: Mark,
        by: (u32, String, Channel),
        tone: Tone,
        what: String,
    ) -> Self {
        Self { time, mark, by: Some(by), tone, what }
    }

    fn line(&self) -> String {
        let what = self.tone.paint(&self.what);
        match &self.by {
            Some((attempt, provider, channel)) => {
                let by = format!("{provider} over {}", channel.word());
                format!("attempt {attempt}  {by:<30}  {what}")
            }
            None => what,
        }
    }
}

fn opened(time: Option<Timestamp>) -> Fact {
    Fact { time, mark: Mark::Opened, by: None, tone: Tone::Plain, what: "request accepted".to_owned() }
}

fn outcome(
    time: Option<Timestamp>,
    by: (u32, String, Channel),
    state: AttemptState,
    error_class: &str,
) -> Fact {
    let mark = match state {
        AttemptState::Accepted => Mark::Accepted(by.0),
        AttemptState::Ambiguous => Mark::Ambiguous(by.0),
        AttemptState::Unspecified
        | AttemptState::Queued
        | AttemptState::Claimed
        | AttemptState::Retrying
        | AttemptState::Rejected
        | AttemptState::Unroutable
        | AttemptState::Throttled
        | AttemptState::Unavailable
        | AttemptState::Misconfigured
        | AttemptState::Withdrawn => Mark::Ended(by.0),
    };
    let state_word = state.word();
    let what = if error_class.is_empty() { state_word } else { format!("{state_word}: {error_class}") };
    Fact::attempt(time, mark, by, tone_of_attempt(state), what)
}

fn merged(time: Option<Timestamp>, by: (u32, String, Channel), status: ReceiptStatus) -> Fact {
    let mark = Mark::Receipt(by.0, status);
    Fact::attempt(time, mark, by, tone_of_receipt(status), status.word())
}

fn verification_ended(time: Option<Timestamp>, state: VerificationState, verified_attempt: u32) -> Fact {
    let word = state.word();
    let what = if verified_attempt > 0 {
        format!("{word} with the code of attempt {verified_attempt}")
    } else {
        word
    };
    Fact { time, mark: Mark::VerificationEnded, by: None, tone: tone_of_verification(state), what }
}

/// Why an attempt was queued. A snapshot does not know what a failover was for.
fn cause(attempt: u32, origin: AttemptOrigin, because: Option<FailureClass>) -> String {
    match (origin, because) {
        (AttemptOrigin::First | AttemptOrigin::Unspecified, _) => "queued".to_owned(),
        (AttemptOrigin::Resend, _) => "queued, because the person asked again".to_owned(),
        (AttemptOrigin::Failover, None) => "queued as failover".to_owned(),
        (AttemptOrigin::Failover, Some(FailureClass::Unspecified)) => {
            format!("queued as failover: attempt {} stayed silent", attempt.saturating_sub(1))
        }
        (AttemptOrigin::Failover, Some(class)) => {
            format!("queued as failover: attempt {} was {}", attempt.saturating_sub(1), class.word())
        }
    }
}

/// What the snapshot tells, in the order in which it happened.
fn facts_of(snapshot: &Verification) -> Vec<Fact> {
    let mut facts = vec![opened(snapshot.create_time)];
    facts.extend(snapshot.attempts.iter().flat_map(facts_of_attempt));
    facts.sort_by_key(|fact| fact.time.map(|at| (at.seconds, at.nanos)));
    if snapshot.state() != VerificationState::Pending {
        let verified_by = snapshot.attempts.iter().find(|attempt| attempt.verified);
        let attempt = verified_by.map_or(0, |attempt| attempt.number);
        facts.push(verification_ended(snapshot.end_time, snapshot.state(), attempt));
    }
    facts
}

fn facts_of_attempt(attempt: &Attempt) -> Vec<Fact> {
    let by = || (attempt.number, attempt.provider.clone(), attempt.channel());
    let what = cause(attempt.number, attempt.origin(), None);
    let mut facts =
        vec![Fact::attempt(attempt.queue_time, Mark::Queued(attempt.number), by(), Tone::Plain, what)];
    let is_live = matches!(
        attempt.state(),
        AttemptState::Unspecified | AttemptState::Queued | AttemptState::Claimed | AttemptState::Retrying
    );
    if !is_live {
        // The error of an accepted attempt is its receipt's.
        let error = if attempt.state() == AttemptState::Accepted { "" } else { &attempt.error_class };
        facts.push(outcome(attempt.outcome_time, by(), attempt.state(), error));
    }
    if attempt.receipt() != ReceiptStatus::Unspecified {
        facts.push(merged(attempt.receipt_time, by(), attempt.receipt()));
    }
    facts
}

/// What the snapshot knows without saying when it happened.
fn quiet_marks(snapshot: &Verification) -> Vec<Mark> {
    let retried = snapshot.attempts.iter().filter(|attempt| attempt.tries > 1);
    let is_verified = snapshot.state() == VerificationState::Verified;
    let wrong = snapshot.checks_used.saturating_sub(u32::from(is_verified));
    let failed = (1..=wrong.min(snapshot.check_budget))
        .map(|used| Mark::CheckFailed { remaining: snapshot.check_budget - used });
    retried.map(|attempt| Mark::Retrying(attempt.number)).chain(failed).collect()
}

impl Shown for WatchOtpResponse {
    const NAME: &'static str = "otter.v1.WatchOtpResponse";

    fn text(&self, _: Width) -> String {
        match &self.update {
            Some(Update::Snapshot(snapshot)) => Timeline::begin(snapshot).1,
            Some(Update::Event(event)) => event_line(event).unwrap_or_default(),
            None => String::new(),
        }
    }
}

impl Shown for StreamEventsResponse {
    const NAME: &'static str = "otter.v1.StreamEventsResponse";

    fn text(&self, _: Width) -> String {
        self.event.as_ref().and_then(event_line).unwrap_or_default()
    }
}

/// The line for an event among those of other verifications.
fn event_line(event: &Event) -> Option<String> {
    let fact = Fact::of(event)?;
    let at = event.event_time.as_ref().map(time::time_of_day).unwrap_or_default();
    Some(format!("{}  {}  {}", Tone::Faint.paint(at), event.verification_id, fact.line()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_contract::v1::{AttemptAccepted, AttemptQueued, CheckFailed, ReceiptMerged, VerificationEnded};

    use super::super::tone::plain;
    use super::*;

    const ID: &str = "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e";

    fn at(millis: i32) -> Option<Timestamp> {
        Some(Timestamp {
            seconds: 1_785_153_600 + i64::from(millis / 1000),
            nanos: millis % 1000 * 1_000_000,
        })
    }

    fn event(millis: i32, kind: Kind) -> Event {
        Event {
            event_id: format!("event-{millis}"),
            event_time: at(millis),
            verification_id: ID.to_owned(),
            kind: Some(kind),
        }
    }

    fn receipt(status: ReceiptStatus) -> Kind {
        Kind::ReceiptMerged(ReceiptMerged {
            attempt: 2,
            provider: "sms-b".to_owned(),
            channel: Channel::Sms.into(),
            status: status.into(),
        })
    }

    fn snapshot() -> Verification {
        let first = Attempt {
            number: 1,
            provider: "sms-a".to_owned(),
            channel: Channel::Sms.into(),
            state: AttemptState::Unavailable.into(),
            error_class: "provider_5xx".to_owned(),
            origin: AttemptOrigin::First.into(),
            queue_time: at(0),
            outcome_time: at(310),
            ..Attempt::default()
        };
        let second = Attempt {
            number: 2,
            provider: "sms-b".to_owned(),
            state: AttemptState::Accepted.into(),
            error_class: String::new(),
            origin: AttemptOrigin::Failover.into(),
            receipt: ReceiptStatus::Delivered.into(),
            queue_time: at(310),
            outcome_time: at(450),
            receipt_time: at(1_900),
            ..first.clone()
        };
        Verification {
            id: ID.to_owned(),
            purpose: "login".to_owned(),
            masked_recipient: "+4915*******78".to_owned(),
            state: VerificationState::Pending.into(),
            create_time: at(0),
            check_budget: 5,
            checks_used: 1,
            attempts: vec![first, second],
            ..Verification::default()
        }
    }

    #[test]
    fn the_snapshot_tells_the_story_so_far() {
        let (_, past) = Timeline::begin(&snapshot());
        assert_eq!(
            plain(&past),
            format!(
                "\
{ID}  login to +4915*******78
    +0.000 s  request accepted
    +0.000 s  attempt 1  sms-a over sms                  queued
    +0.310 s  attempt 1  sms-a over sms                  unavailable: provider_5xx
    +0.310 s  attempt 2  sms-b over sms                  queued as failover
    +0.450 s  attempt 2  sms-b over sms                  accepted
    +1.900 s  attempt 2  sms-b over sms                  delivered"
            )
        );
    }

    #[test]
    fn what_the_snapshot_told_is_not_told_again() {
        let (mut timeline, _) = Timeline::begin(&snapshot());
        let accepted = AttemptAccepted { attempt: 2, provider: "sms-b".to_owned(), channel: 1 };
        let told = [
            event(450, Kind::AttemptAccepted(accepted)),
            event(900, receipt(ReceiptStatus::Sent)),
            event(1_900, receipt(ReceiptStatus::Delivered)),
            event(2_000, Kind::CheckFailed(CheckFailed { checks_remaining: 4 })),
        ];
        for event in &told {
            assert_eq!(timeline.tell(event), None);
        }
    }

    #[test]
    fn news_is_told_once() {
        let (mut timeline, _) = Timeline::begin(&snapshot());
        let read = event(2_500, receipt(ReceiptStatus::Read));
        let line = timeline.tell(&read).unwrap();
        assert_eq!(plain(&line), "    +2.500 s  attempt 2  sms-b over sms                  read");
        assert_eq!(timeline.tell(&read), None);
        let ended = VerificationEnded { state: VerificationState::Verified.into(), verified_attempt: 2 };
        let line = timeline.tell(&event(12_400, Kind::VerificationEnded(ended))).unwrap();
        assert_eq!(plain(&line), "   +12.400 s  verified with the code of attempt 2");
    }

    #[test]
    fn a_failover_says_what_it_is_for() {
        let queued = |because: FailureClass| {
            let kind = Kind::AttemptQueued(AttemptQueued {
                attempt: 2,
                provider: "sms-b".to_owned(),
                channel: Channel::Sms.into(),
                origin: AttemptOrigin::Failover.into(),
                because: because.into(),
            });
            Fact::of(&event(0, kind)).unwrap().what
        };
        assert_eq!(queued(FailureClass::Throttled), "queued as failover: attempt 1 was throttled");
        assert_eq!(queued(FailureClass::Unspecified), "queued as failover: attempt 1 stayed silent");
    }

    #[test]
    fn an_event_among_others_names_its_verification() {
        let response = StreamEventsResponse {
            event: Some(event(250, Kind::CheckFailed(CheckFailed { checks_remaining: 4 }))),
            resume_token: "token".to_owned(),
        };
        let line = plain(&response.text(None));
        assert_eq!(line, format!("12:00:00.250  {ID}  wrong code, 4 checks left"));
    }

    #[test]
    fn an_event_of_an_unknown_kind_is_skipped() {
        let (mut timeline, _) = Timeline::begin(&snapshot());
        assert_eq!(timeline.tell(&Event { event_time: at(1), ..Event::default() }), None);
    }
}
