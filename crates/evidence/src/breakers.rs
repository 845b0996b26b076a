//! Breakers, opened by what this process sees and shared with the others over a board.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use otter_decision::breaker::{Breaker, Outcome, Permit, State, Width, Witness};
use otter_domain::{
    BreakerScope, Channel, Country, Failure, FailureClass, Moment, ProviderName, Segment, SpeaksOf, TextName,
    VendorCode,
};
use otter_store::BoardEntry;

/// The breakers of all accounts, their ways and their texts (RTE-20).
///
/// A worker's own breaker opens at once in its own process and is asked before each send; what other processes opened
/// is known as fast as the board is read.
#[derive(Debug, Default)]
pub struct Breakers {
    /// None for what has always gone well, so that usually there is nothing to look at.
    own: Mutex<HashMap<BreakerScope, Own>>,
    others: Mutex<HashMap<BreakerScope, Posted>>,
}

#[derive(Debug, Default)]
struct Own {
    breaker: Breaker,
    cause: Option<Cause>,
}

impl Own {
    fn adopt(&mut self, posted: Posted, now: Moment) {
        let by = posted.cause.map_or(Witness::Answer, |cause| cause.by);
        self.breaker.adopt(posted.until, by, now);
        self.cause = self.cause.or(posted.cause);
    }
}

#[derive(Debug, Clone, Copy)]
struct Posted {
    until: Moment,
    cause: Option<Cause>,
}

/// What opened a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// Who told.
    pub by: Witness,
    /// The failure that was the one too many.
    pub class: FailureClass,
    /// What it spoke of.
    pub speaks_of: SpeaksOf,
    /// The vendor's code.
    pub vendor_code: Option<VendorCode>,
}

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotClosed {
    /// What it guards.
    pub scope: BreakerScope,
    /// How it reads.
    pub state: State,
    /// What opened it, if that is known here.
    pub cause: Option<Cause>,
}

/// A breaker that opened or closed, to be posted for the other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it guards.
    pub scope: BreakerScope,
    /// How it reads now.
    pub state: State,
    /// What opened it; `None` if it closed.
    pub cause: Option<Cause>,
}

impl Change {
    /// The board's key.
    pub fn key(&self) -> String {
        key(&self.scope)
    }

    /// The board's value: until when it is open, the epoch when it is closed; then what opened it.
    pub fn value(&self) -> Vec<u8> {
        let until = match self.state {
            State::Open { until } => until,
            State::Closed | State::HalfOpen => Moment::EPOCH,
        };
        let mut text = until.as_millis().to_string();
        if let Some(cause) = &self.cause {
            let by = cause.by.as_str();
            let code = cause.vendor_code.map_or_else(String::new, |code| code.to_string());
            text.push_str(&format!("|{by}|{}|{}|{code}", cause.class, cause.speaks_of));
        }
        text.into_bytes()
    }
}

impl Breakers {
    /// Asks for a send to be let through by everything that it passes. A probe of one is a probe of the send; whoever is
    /// refused by one holds no probe of another.
    pub fn permits(&self, scopes: &[BreakerScope], now: Moment) -> Permit {
        let mut own = self.own();
        let mut permit = Permit::Granted;
        for (place, scope) in scopes.iter().enumerate() {
            if let Some(posted) = self.opened_elsewhere(scope, now) {
                own.entry(scope.clone()).or_default().adopt(posted, now);
            }
            match own.get_mut(scope).map_or(Permit::Granted, |known| known.breaker.permits(now)) {
                Permit::Granted => {}
                Permit::Probe => permit = Permit::Probe,
                Permit::Refused { until } => {
                    for passed in &scopes[..place] {
                        give_back(&mut own, passed);
                    }
                    return Permit::Refused { until };
                }
            }
        }
        permit
    }

    /// Takes the probes back of a send that did not reach the provider.
    pub fn give_back(&self, scopes: &[BreakerScope]) {
        let mut own = self.own();
        for scope in scopes {
            give_back(&mut own, scope);
        }
    }

    /// Learns what became of a message that was sent at `sent_at`; every breaker that opened or closed is to be posted.
    pub fn record(
        &self,
        scopes: &[BreakerScope],
        outcome: Outcome,
        by: Witness,
        sent_at: Moment,
        now: Moment,
    ) -> Vec<Change> {
        let mut own = self.own();
        let changes = scopes.iter().filter_map(|scope| {
            if outcome == Outcome::Accepted && !own.contains_key(scope) {
                return None;
            }
            // What another process opened for is known: what was sent before tells nothing new here either.
            let posted = self.opened_elsewhere(scope, now);
            let known = own.entry(scope.clone()).or_default();
            if let Some(posted) = posted {
                known.adopt(posted, now);
            }
            let changed = known.breaker.record(outcome, width(scope), by, sent_at, now);
            let state = known.breaker.state(now);
            if changed {
                known.cause = cause(outcome, by).filter(|_| state != State::Closed);
            }
            let change = Change { scope: scope.clone(), state, cause: known.cause };
            if known.breaker.is_blank(now) {
                own.remove(scope);
            }
            changed.then_some(change)
        });
        changes.collect()
    }

    /// Whether sends that pass all of these should go elsewhere.
    pub fn is_open(&self, scopes: &[BreakerScope], now: Moment) -> bool {
        if self.own().is_empty() && self.others().is_empty() {
            return false;
        }
        scopes.iter().any(|scope| matches!(self.state(scope, now), State::Open { .. }))
    }

    /// How a breaker reads.
    pub fn state(&self, scope: &BreakerScope, now: Moment) -> State {
        let state = self.own().get(scope).map_or(State::Closed, |known| known.breaker.state(now));
        match self.opened_elsewhere(scope, now) {
            Some(posted) if state == State::Closed => State::Open { until: posted.until },
            Some(_) | None => state,
        }
    }

    /// Every breaker that is not closed.
    pub fn not_closed(&self, now: Moment) -> Vec<NotClosed> {
        let mut causes: BTreeMap<BreakerScope, Option<Cause>> = BTreeMap::new();
        causes.extend(self.others().iter().map(|(scope, posted)| (scope.clone(), posted.cause)));
        causes.extend(self.own().iter().map(|(scope, known)| (scope.clone(), known.cause)));
        let read = causes.into_iter().map(|(scope, cause)| {
            let state = self.state(&scope, now);
            NotClosed { scope, state, cause }
        });
        read.filter(|one| one.state != State::Closed).collect()
    }

    /// Takes over what the board says.
    pub fn learn(&self, entries: &[BoardEntry]) {
        let read =
            entries.iter().filter_map(|entry| Some((parse_key(&entry.key)?, parse_value(&entry.value)?)));
        *self.others() = read.collect();
    }

    fn opened_elsewhere(&self, scope: &BreakerScope, now: Moment) -> Option<Posted> {
        self.others().get(scope).copied().filter(|posted| now < posted.until)
    }

    fn own(&self) -> MutexGuard<'_, HashMap<BreakerScope, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn others(&self) -> MutexGuard<'_, HashMap<BreakerScope, Posted>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn give_back(own: &mut HashMap<BreakerScope, Own>, scope: &BreakerScope) {
    if let Some(known) = own.get_mut(scope) {
        known.breaker.give_back();
    }
}

fn cause(outcome: Outcome, by: Witness) -> Option<Cause> {
    let Outcome::Failed(Failure { class, speaks_of, vendor_code, .. }) = outcome else { return None };
    Some(Cause { by, class, speaks_of, vendor_code })
}

fn width(scope: &BreakerScope) -> Width {
    match scope {
        BreakerScope::Account(_) => Width::Account,
        BreakerScope::Way(_) => Width::Way,
        BreakerScope::Text(_, _) => Width::Text,
    }
}

fn key(scope: &BreakerScope) -> String {
    let way = |way: &Segment| format!("{}|{}|{}", way.provider, way.channel, way.country);
    match scope {
        BreakerScope::Account(provider) => provider.to_string(),
        BreakerScope::Way(segment) => way(segment),
        BreakerScope::Text(segment, text) => format!("{}|{text}", way(segment)),
    }
}

fn parse_key(key: &str) -> Option<BreakerScope> {
    let parts: Vec<_> = key.split('|').collect();
    let [provider, rest @ ..] = parts.as_slice() else { return None };
    let provider = ProviderName::parse(provider).ok()?;
    let [channel, country, rest @ ..] = rest else {
        return rest.is_empty().then_some(BreakerScope::Account(provider));
    };
    let way = Segment { provider, channel: Channel::parse(channel)?, country: Country::recorded(country)? };
    match rest {
        [] => Some(BreakerScope::Way(way)),
        [text] => Some(BreakerScope::Text(way, TextName::of(&[text]))),
        _ => None,
    }
}

fn parse_value(value: &[u8]) -> Option<Posted> {
    let mut parts = std::str::from_utf8(value).ok()?.split('|');
    let until = Moment::from_millis(parts.next()?.parse().ok()?);
    let parts: Vec<_> = parts.collect();
    let cause = match parts.as_slice() {
        [by, class, speaks_of, code] => parse_cause(by, class, speaks_of, code),
        _ => None,
    };
    Some(Posted { until, cause })
}

fn parse_cause(by: &str, class: &str, speaks_of: &str, code: &str) -> Option<Cause> {
    let by = Witness::parse(by)?;
    let (class, speaks_of) = (FailureClass::parse(class)?, SpeaksOf::parse(speaks_of)?);
    Some(Cause { by, class, speaks_of, vendor_code: VendorCode::parse(code).ok() })
}

#[cfg(test)]
#[path = "breakers_tests.rs"]
mod tests;
