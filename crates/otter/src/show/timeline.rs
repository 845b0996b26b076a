//! What happens to verifications, one line each.

mod fact;

use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{Event, StreamEventsResponse, Verification, WatchOtpResponse};
use prost_types::Timestamp;

use super::screen::Width;
use super::{Shown, Tone, time};
use fact::{Fact, Mark, facts_of, quiet_marks};

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

    use otter_contract::v1::event::Kind;
    use otter_contract::v1::{
        Attempt, AttemptAccepted, AttemptOrigin, AttemptQueued, AttemptState, Channel, CheckFailed,
        FailureClass, ReceiptMerged, ReceiptStatus, VerificationEnded, VerificationState,
    };

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
            masked_recipient: "+49*********78".to_owned(),
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
{ID}  login to +49*********78
    +0.000 s  request accepted
    +0.000 s  attempt 1  sms-a over sms            queued
    +0.310 s  attempt 1  sms-a over sms            unavailable: provider_5xx
    +0.310 s  attempt 2  sms-b over sms            queued as failover
    +0.450 s  attempt 2  sms-b over sms            accepted
    +1.900 s  attempt 2  sms-b over sms            delivered"
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
        assert_eq!(plain(&line), "    +2.500 s  attempt 2  sms-b over sms            read");
        assert_eq!(timeline.tell(&read), None);
        let ended = VerificationEnded {
            state: VerificationState::Verified.into(),
            verified_attempt: 2,
            ..VerificationEnded::default()
        };
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
