//! Breakers, opened by what this process sees and shared with the others over a board.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use otter_decision::breaker::{Breaker, Outcome, Permit, State};
use otter_domain::{Channel, Country, Moment, ProviderName, Segment};
use otter_store::BoardEntry;

/// The breakers of all segments (RTE-20).
///
/// A worker's own breaker opens at once in its own process and is asked before each send; what other processes opened
/// is known as fast as the board is read.
#[derive(Debug, Default)]
pub struct Breakers {
    own: Mutex<HashMap<Segment, Breaker>>,
    others: Mutex<HashMap<Segment, Moment>>,
}

/// A breaker that opened or closed, to be posted for the other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub segment: Segment,
    /// How it reads now.
    pub state: State,
}

impl Change {
    /// The board's key.
    pub fn key(&self) -> String {
        key(&self.segment)
    }

    /// The board's value: until when it is open; the epoch when it is closed.
    pub fn value(&self) -> Vec<u8> {
        let until = match self.state {
            State::Open { until } => until,
            State::Closed | State::HalfOpen => Moment::EPOCH,
        };
        until.as_millis().to_string().into_bytes()
    }
}

impl Breakers {
    /// Asks for a send to be let through.
    pub fn permits(&self, segment: &Segment, now: Moment) -> Permit {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = self.opened_elsewhere(segment, now) {
            own.entry(segment.clone()).or_default().adopt(until);
        }
        own.get_mut(segment).map_or(Permit::Granted, |breaker| breaker.permits(now))
    }

    /// Takes a probe back that did not reach the provider.
    pub fn give_back(&self, segment: &Segment) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(breaker) = own.get_mut(segment) {
            breaker.give_back();
        }
    }

    /// Learns how a send went; an opened or closed breaker is to be posted.
    pub fn record(&self, segment: &Segment, outcome: Outcome, now: Moment) -> Option<Change> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = own.entry(segment.clone()).or_default();
        let changed = breaker.record(outcome, now);
        changed.then(|| Change { segment: segment.clone(), state: breaker.state(now) })
    }

    /// Whether sends should go elsewhere.
    pub fn is_open(&self, segment: &Segment, now: Moment) -> bool {
        matches!(self.state(segment, now), State::Open { .. })
    }

    /// How a segment's breaker reads.
    pub fn state(&self, segment: &Segment, now: Moment) -> State {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let state = own.get(segment).map_or(State::Closed, |breaker| breaker.state(now));
        match self.opened_elsewhere(segment, now) {
            Some(until) if state == State::Closed => State::Open { until },
            Some(_) | None => state,
        }
    }

    /// Every breaker that is not closed.
    pub fn not_closed(&self, now: Moment) -> Vec<(Segment, State)> {
        let own: Vec<_> = self.own.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let others: Vec<_> =
            self.others.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let mut segments: Vec<_> = own.into_iter().chain(others).collect();
        segments.sort();
        segments.dedup();
        let states = segments.into_iter().map(|segment| {
            let state = self.state(&segment, now);
            (segment, state)
        });
        states.filter(|(_, state)| *state != State::Closed).collect()
    }

    /// Takes over what the board says.
    pub fn learn(&self, entries: &[BoardEntry]) {
        let read = entries.iter().filter_map(|entry| {
            let until: u64 = std::str::from_utf8(&entry.value).ok()?.parse().ok()?;
            Some((parse_key(&entry.key)?, Moment::from_millis(until)))
        });
        *self.others.lock().unwrap_or_else(PoisonError::into_inner) = read.collect();
    }

    fn opened_elsewhere(&self, segment: &Segment, now: Moment) -> Option<Moment> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.get(segment).copied().filter(|until| now < *until)
    }
}

fn key(segment: &Segment) -> String {
    format!("{}|{}|{}", segment.provider, segment.channel, segment.country)
}

fn parse_key(key: &str) -> Option<Segment> {
    let mut parts = key.split('|');
    let segment = Segment {
        provider: ProviderName::parse(parts.next()?).ok()?,
        channel: Channel::parse(parts.next()?)?,
        country: Country::parse(parts.next()?).ok()?,
    };
    parts.next().is_none().then_some(segment)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use otter_domain::{ErrorClass, FailureClass};

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    fn segment() -> Segment {
        Segment {
            provider: ProviderName::parse("alpha").unwrap(),
            channel: Channel::Sms,
            country: Country::parse("DE").unwrap(),
        }
    }

    #[test]
    fn rte_20_what_one_process_opens_is_open_for_another_and_closes_again() {
        let (one, other) = (Breakers::default(), Breakers::default());
        let fatal = Outcome::Failed(FailureClass::Misconfigured, ErrorClass::Auth);
        let change = one.record(&segment(), fatal, NOW).unwrap();
        assert!(one.is_open(&segment(), NOW));
        assert!(!other.is_open(&segment(), NOW));
        other.learn(&[BoardEntry { key: change.key(), value: change.value() }]);
        assert!(other.is_open(&segment(), NOW));
        assert!(matches!(other.permits(&segment(), NOW), Permit::Refused { .. }));
        assert_eq!(other.not_closed(NOW).len(), 1);
    }

    #[test]
    fn rte_20_after_a_rest_that_another_process_began_one_probe_goes_and_not_everything() {
        let (one, other) = (Breakers::default(), Breakers::default());
        let fatal = Outcome::Failed(FailureClass::Misconfigured, ErrorClass::Auth);
        let change = one.record(&segment(), fatal, NOW).unwrap();
        other.learn(&[BoardEntry { key: change.key(), value: change.value() }]);
        assert!(matches!(other.permits(&segment(), NOW), Permit::Refused { .. }));
        let rested = NOW + Duration::from_secs(11);
        assert!(!other.is_open(&segment(), rested));
        assert_eq!(other.permits(&segment(), rested), Permit::Probe);
        assert!(matches!(other.permits(&segment(), rested), Permit::Refused { .. }));
    }

    #[test]
    fn a_damaged_board_entry_is_left_out() {
        let breakers = Breakers::default();
        breakers.learn(&[
            BoardEntry { key: "alpha|fax|DE".to_owned(), value: b"1".to_vec() },
            BoardEntry { key: "alpha|sms|DE".to_owned(), value: b"soon".to_vec() },
        ]);
        assert!(breakers.not_closed(NOW).is_empty());
    }
}
