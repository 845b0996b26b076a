//! How a provider is doing, for operators.

use otter_contract::admin::v1::{self as admin, ProviderHealth};
use otter_decision::breaker::State;
use otter_domain::{Channel, Moment, Segment};
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
    pub(crate) breakers: &'a [(Segment, State)],
    /// Where it was used in the last hour.
    pub(crate) used: &'a [Segment],
    pub(crate) lane: LaneDepth,
    pub(crate) now: Moment,
}

/// The health, and what it rests on.
pub(crate) fn health(facts: &Facts<'_>) -> (ProviderHealth, Vec<String>) {
    let mut reasons: Vec<_> = facts.breakers.iter().map(|(segment, state)| told(segment, *state)).collect();
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

/// Whether a channel's breakers are open wherever it was used.
fn is_down(facts: &Facts<'_>, channel: Channel) -> bool {
    let is_open = |segment: &Segment| {
        facts.breakers.iter().any(|(of, state)| of == segment && matches!(state, State::Open { .. }))
    };
    let breakers = facts.breakers.iter().map(|(segment, _)| segment);
    let mut known = breakers.chain(facts.used).filter(|segment| segment.channel == channel).peekable();
    known.peek().is_some() && known.all(is_open)
}

fn told(segment: &Segment, state: State) -> String {
    let Segment { provider: _, channel, country } = segment;
    match state {
        State::Open { .. } => format!("The breaker for {channel} to {country} is open."),
        State::HalfOpen => format!("The breaker for {channel} to {country} lets single attempts try again."),
        State::Closed => format!("The breaker for {channel} to {country} is closed."),
    }
}

pub(crate) fn breaker(segment: &Segment, state: State) -> admin::Breaker {
    let (wire, probe_time) = match state {
        State::Closed => (admin::BreakerState::Closed, None),
        State::Open { until } => (admin::BreakerState::Open, Some(timestamp(until))),
        State::HalfOpen => (admin::BreakerState::HalfOpen, None),
    };
    admin::Breaker {
        channel: channel(segment.channel).into(),
        country: segment.country.to_string(),
        state: wire.into(),
        reason: told(segment, state),
        probe_time,
    }
}

pub(crate) fn lane(lane: LaneDepth, now: Moment) -> admin::Lane {
    let oldest_age = lane.oldest.map(|oldest| duration(now.since(oldest)));
    admin::Lane { ready: lane.ready, oldest_age }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otter_domain::{Country, ProviderName};

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);
    const OPEN: State = State::Open { until: Moment::from_millis(1_010_000) };

    fn segment(channel: Channel, country: &str) -> Segment {
        let provider = ProviderName::parse("alpha").expect("it is a name");
        Segment { provider, channel, country: Country::parse(country).expect("it is a country") }
    }

    fn check(breakers: &[(Segment, State)], used: &[Segment], oldest: Option<u64>, expected: ProviderHealth) {
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
        check(&[(sms.clone(), OPEN)], &used, None, ProviderHealth::Degraded);
        check(
            &[(sms.clone(), OPEN), (voice.clone(), State::HalfOpen)],
            &used,
            None,
            ProviderHealth::Degraded,
        );
        check(&[(sms.clone(), OPEN), (voice.clone(), OPEN)], &used, None, ProviderHealth::Down);
        let elsewhere = [sms.clone(), voice.clone(), segment(Channel::Sms, "FR")];
        check(&[(sms, OPEN), (voice, OPEN)], &elsewhere, None, ProviderHealth::Degraded);
    }
}
