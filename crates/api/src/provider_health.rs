//! How a provider is doing, for operators.

use std::collections::BTreeMap;

use otter_contract::admin::v1::{self as admin, ProviderHealth};
use otter_contract::v1;
use otter_decision::breaker::{State, Witness};
use otter_domain::{BreakerScope, Channel, Moment, Segment};
use otter_evidence::NotClosed;
use otter_store::LaneDepth;

use crate::convert::{channel, duration, timestamp};

/// A job older than this waits longer than jobs do: the default of `max_queue_wait`.
const SLOW_LANE: std::time::Duration = std::time::Duration::from_secs(5);

/// What a provider's health follows from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// What it offers.
    pub(crate) channels: &'a [Channel],
    /// Its breakers that are not closed.
    pub(crate) breakers: &'a [NotClosed],
    /// Where it was used in the last hour.
    pub(crate) used: &'a [Segment],
    pub(crate) lane: LaneDepth,
    pub(crate) now: Moment,
}

/// The health, and what it rests on.
pub(crate) fn health(facts: &Facts<'_>) -> (ProviderHealth, Vec<String>) {
    let mut reasons: Vec<_> = facts.breakers.iter().map(told).collect();
    let age = facts.lane.oldest.map(|oldest| facts.now.since(oldest));
    if let Some(age) = age.filter(|age| *age > SLOW_LANE) {
        reasons.push(format!("The oldest job has waited for {} s.", age.as_secs()));
    }
    let health =
        if !facts.channels.is_empty() && facts.channels.iter().all(|channel| is_down(facts, *channel)) {
            ProviderHealth::Down
        } else if !reasons.is_empty() {
            ProviderHealth::Degraded
        } else if facts.used.is_empty() && facts.lane.ready == 0 {
            reasons.push("Nothing was sent in the last hour.".to_owned());
            ProviderHealth::Idle
        } else {
            ProviderHealth::Healthy
        };
    (health, reasons)
}

/// Whether a channel's breakers are open wherever it was used, or the account's own is. One text that is not sent leaves
/// the channel to the others.
fn is_down(facts: &Facts<'_>, channel: Channel) -> bool {
    let is_open = |one: &NotClosed| matches!(one.state, State::Open { .. });
    let account =
        facts.breakers.iter().any(|one| matches!(one.scope, BreakerScope::Account(_)) && is_open(one));
    let ways = facts.breakers.iter().filter_map(|one| match &one.scope {
        BreakerScope::Way(way) => Some((way, is_open(one))),
        BreakerScope::Account(_) | BreakerScope::Text(_, _) => None,
    });
    let ways: BTreeMap<_, _> = ways.filter(|(way, _)| way.channel == channel).collect();
    let used = facts.used.iter().filter(|way| way.channel == channel);
    let mut known = ways.keys().copied().chain(used).peekable();
    account || known.peek().is_some() && known.all(|way| ways.get(way) == Some(&true))
}

/// One sentence: what is shut, and by which failure.
fn told(one: &NotClosed) -> String {
    let what = match &one.scope {
        BreakerScope::Account(_) => "The breaker for the whole account".to_owned(),
        BreakerScope::Way(way) => format!("The breaker for {} to {}", way.channel, way.country),
        BreakerScope::Text(way, text) => {
            format!("The breaker for the text {text} by {} to {}", way.channel, way.country)
        }
    };
    let how = match one.state {
        State::Open { .. } => "is open",
        State::HalfOpen => "lets single attempts try again",
        State::Closed => "is closed",
    };
    let Some(cause) = &one.cause else { return format!("{what} {how}.") };
    let by = match cause.by {
        Witness::Answer => "an answer",
        Witness::Receipt => "a receipt",
    };
    let code = cause.vendor_code.map_or_else(String::new, |code| format!(", code {code}"));
    format!("{what} {how}: {by} said {}{code}, about the {}.", cause.class, cause.speaks_of)
}

pub(crate) fn breaker(one: &NotClosed) -> admin::Breaker {
    let (wire, probe_time) = match one.state {
        State::Closed => (admin::BreakerState::Closed, None),
        State::Open { until } => (admin::BreakerState::Open, Some(timestamp(until))),
        State::HalfOpen => (admin::BreakerState::HalfOpen, None),
    };
    let (way, text) = match &one.scope {
        BreakerScope::Account(_) => (None, None),
        BreakerScope::Way(way) => (Some(way), None),
        BreakerScope::Text(way, text) => (Some(way), Some(text)),
    };
    let code = one.cause.and_then(|cause| cause.vendor_code);
    admin::Breaker {
        channel: way.map_or(v1::Channel::Unspecified, |way| channel(way.channel)).into(),
        country: way.map_or_else(String::new, |way| way.country.to_string()),
        state: wire.into(),
        reason: told(one),
        probe_time,
        text: text.map_or_else(String::new, ToString::to_string),
        vendor_error: code.map_or_else(String::new, |code| code.to_string()),
    }
}

pub(crate) fn lane(lane: LaneDepth, now: Moment) -> admin::Lane {
    let oldest_age = lane.oldest.map(|oldest| duration(now.since(oldest)));
    admin::Lane { ready: lane.ready, oldest_age }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otter_domain::{Country, FailureClass, ProviderName, SpeaksOf, TextName};
    use otter_evidence::Cause;

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);
    const OPEN: State = State::Open { until: Moment::from_millis(1_010_000) };

    fn segment(channel: Channel, country: &str) -> Segment {
        let provider = ProviderName::parse("alpha").expect("it is a name");
        Segment { provider, channel, country: Country::parse(country).expect("it is a country") }
    }

    fn way(segment: &Segment, state: State) -> NotClosed {
        NotClosed { scope: BreakerScope::Way(segment.clone()), state, cause: None }
    }

    fn check(breakers: &[NotClosed], used: &[Segment], oldest: Option<u64>, expected: ProviderHealth) {
        let oldest = oldest.map(|seconds| NOW - Duration::from_secs(seconds));
        let lane = LaneDepth { ready: u64::from(oldest.is_some()), oldest };
        let channels = [Channel::Sms, Channel::Voice];
        let (health, reasons) = health(&Facts { channels: &channels, breakers, used, lane, now: NOW });
        assert_eq!(health, expected, "{reasons:?}");
        assert_eq!(reasons.is_empty(), expected == ProviderHealth::Healthy);
    }

    #[test]
    fn health_follows_from_breakers_traffic_and_lane() {
        let (sms, voice) = (segment(Channel::Sms, "DE"), segment(Channel::Voice, "DE"));
        let used = [sms.clone(), voice.clone()];
        check(&[], &used, None, ProviderHealth::Healthy);
        check(&[], &[], None, ProviderHealth::Idle);
        check(&[], &used, Some(4), ProviderHealth::Healthy);
        check(&[], &used, Some(6), ProviderHealth::Degraded);
        check(&[way(&sms, OPEN)], &used, None, ProviderHealth::Degraded);
        check(&[way(&sms, OPEN), way(&voice, State::HalfOpen)], &used, None, ProviderHealth::Degraded);
        check(&[way(&sms, OPEN), way(&voice, OPEN)], &used, None, ProviderHealth::Down);
        let elsewhere = [sms.clone(), voice.clone(), segment(Channel::Sms, "FR")];
        check(&[way(&sms, OPEN), way(&voice, OPEN)], &elsewhere, None, ProviderHealth::Degraded);
        let account = BreakerScope::Account(sms.provider.clone());
        let account = NotClosed { scope: account, state: OPEN, cause: None };
        check(&[account], &elsewhere, None, ProviderHealth::Down);
        let text = BreakerScope::Text(sms.clone(), TextName::of(&["shop", "login", "de"]));
        let text = NotClosed { scope: text, state: OPEN, cause: None };
        check(&[text], &[sms], None, ProviderHealth::Degraded);
    }

    #[test]
    fn a_reason_says_what_is_shut_and_who_said_why() {
        let sms = segment(Channel::Sms, "US");
        let cause = Cause {
            by: Witness::Receipt,
            class: FailureClass::Misconfigured,
            speaks_of: SpeaksOf::Sender,
            vendor_code: Some(30_034.into()),
        };
        let one = NotClosed { scope: BreakerScope::Way(sms), state: OPEN, cause: Some(cause) };
        let said =
            "The breaker for sms to US is open: a receipt said misconfigured, code 30034, about the sender.";
        assert_eq!(told(&one), said);
        let account = BreakerScope::Account(one.scope.provider().clone());
        let wire = breaker(&NotClosed { scope: account, ..one });
        assert_eq!((wire.channel(), wire.country.as_str()), (v1::Channel::Unspecified, ""));
        assert_eq!(wire.vendor_error, "30034");
    }
}
