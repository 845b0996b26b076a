//! What scrapes read that nobody counts: rates, lanes, dead letters and breakers.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_decision::breaker::State;
use otter_decision::rates::SegmentRates;
use otter_delivery::{Books, BooksError, Setup, View};
use otter_domain::{BreakerScope, ProviderName, Segment};
use otter_evidence::Window;
use otter_runtime::{Phase, Phases};
use otter_telemetry::{Breaker, BreakerReading, LaneReading, Metrics, RateKind, RateReading, RateWindow};
use tracing::{info, warn};

/// How old a reading may be.
const REFRESH: Duration = Duration::from_secs(5);

/// Everything that readings are made of.
#[derive(Debug)]
pub(crate) struct Gauges {
    pub(crate) books: Arc<Books>,
    pub(crate) setup: Arc<ArcSwap<Setup>>,
    pub(crate) view: Arc<View>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Gauges {
    /// Keeps the readings fresh until the process closes.
    pub(crate) async fn keep_fresh(self, phases: Phases) {
        let mut trouble = Trouble::default();
        while phases.now() < Phase::Closing {
            self.rates();
            self.breakers();
            let queues = self.queues().await;
            trouble.tell(&queues);
            show(&self.metrics, queues.unwrap_or_default());
            tokio::select! {
                () = tokio::time::sleep(REFRESH) => {}
                () = phases.reached(Phase::Closing) => return,
            }
        }
    }

    fn rates(&self) {
        let freshness = self.view.rates.freshness(self.books.now());
        if freshness.is_old() {
            return self.metrics.set_rates(&[]);
        }
        let rows = Window::ALL.into_iter().flat_map(|window| {
            let table = self.view.rates.table(window, freshness.at);
            table.into_iter().flat_map(move |row| readings(window, &row.segment, &row.rates))
        });
        self.metrics.set_rates(&rows.collect::<Vec<_>>());
    }

    /// The worst state over all countries and of the account itself, for every channel of every account.
    fn breakers(&self) {
        let now = self.books.now();
        let not_closed = self.view.breakers.not_closed(now);
        let setup = self.setup.load();
        let accounts = setup.providers.iter().flat_map(|(name, provider)| {
            provider.capabilities.channels.iter().map(move |ability| (name, ability.channel))
        });
        let readings = accounts.map(|(provider, channel)| {
            let concerns = |scope: &BreakerScope| match scope {
                BreakerScope::Account(name) => name == provider,
                BreakerScope::Way(way) => way.provider == *provider && way.channel == channel,
                // One text that is not sent leaves the channel to the others.
                BreakerScope::Text(_, _) => false,
            };
            let own = not_closed.iter().filter(|one| concerns(&one.scope));
            let state = own.map(|one| breaker(one.state)).max_by_key(|state| severity(*state));
            BreakerReading { provider: provider.clone(), channel, state: state.unwrap_or(Breaker::Closed) }
        });
        self.metrics.set_breakers(readings.collect());
    }

    /// All of them or nothing: the sum of a part would look like less work than there is.
    async fn queues(&self) -> Result<Queues, BooksError> {
        Ok(Queues { lanes: self.lanes().await?, dead: Some(self.dead_letters().await?) })
    }

    async fn dead_letters(&self) -> Result<u64, BooksError> {
        let mut letters = 0;
        for home in self.books.store().partitions().all() {
            letters += self.books.store().dead_letters(home, None, 0).await?.value.total;
        }
        Ok(letters)
    }

    async fn lanes(&self) -> Result<Vec<LaneReading>, BooksError> {
        let setup = self.setup.load_full();
        let lanes: Vec<ProviderName> = setup.providers.keys().cloned().collect();
        let mut depths = vec![(0_u64, Duration::ZERO); lanes.len()];
        for home in self.books.store().partitions().all() {
            let answer = self.books.store().lanes(home, lanes.clone()).await?;
            for (sum, lane) in depths.iter_mut().zip(answer.value) {
                sum.0 += lane.ready;
                sum.1 = sum.1.max(lane.oldest.map_or(Duration::ZERO, |oldest| answer.now.since(oldest)));
            }
        }
        let purposes = setup.tenants.values().flat_map(|tenant| tenant.purposes.values());
        let ttl = purposes.map(|purpose| purpose.ttl).min().unwrap_or(Duration::from_secs(300));
        let readings = lanes.into_iter().zip(depths);
        let readings =
            readings.map(|(provider, (ready, oldest))| LaneReading { provider, ready, oldest, ttl });
        Ok(readings.collect())
    }
}

/// What waits in the store; nothing is known of what is not in it.
#[derive(Debug, Default)]
struct Queues {
    lanes: Vec<LaneReading>,
    dead: Option<u64>,
}

/// Shows scrapes what is known now. What was known before would look like a standstill while nobody can tell.
fn show(metrics: &Metrics, queues: Queues) {
    metrics.set_lanes(queues.lanes);
    metrics.set_dead_letters(queues.dead);
}

/// Whether the queues could be read, so that a change is told and not each try.
#[derive(Debug, Default)]
struct Trouble {
    is_told: bool,
}

impl Trouble {
    fn tell(&mut self, queues: &Result<Queues, BooksError>) {
        match queues {
            Err(error) if !self.is_told => {
                warn!(error = %error, "could not read the queues; their gauges are absent until that works");
            }
            Ok(_) if self.is_told => info!("the queues can be read again"),
            Ok(_) | Err(_) => {}
        }
        self.is_told = queues.is_err();
    }
}

fn readings(window: Window, segment: &Segment, rates: &SegmentRates) -> Vec<RateReading> {
    let window = match window {
        Window::OneMinute => RateWindow::OneMinute,
        Window::FiveMinutes => RateWindow::FiveMinutes,
        Window::OneHour => RateWindow::OneHour,
    };
    let kinds = [
        (RateKind::Accepted, rates.acceptance),
        (RateKind::Delivered, rates.delivery),
        (RateKind::Verified, rates.conversion),
    ];
    let reading = |(kind, rate): (RateKind, otter_decision::rates::Rate)| RateReading {
        segment: segment.clone(),
        window,
        kind,
        hits: rate.count as f64,
        sample: rate.denominator,
    };
    kinds.into_iter().map(reading).collect()
}

fn breaker(state: State) -> Breaker {
    match state {
        State::Closed => Breaker::Closed,
        State::Open { .. } => Breaker::Open,
        State::HalfOpen => Breaker::HalfOpen,
    }
}

fn severity(state: Breaker) -> u8 {
    match state {
        Breaker::Closed => 0,
        Breaker::HalfOpen => 1,
        Breaker::Open => 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_store::Error;

    use super::*;

    fn read() -> Result<Queues, BooksError> {
        let provider = ProviderName::parse("twilio-eu").unwrap();
        let lane = LaneReading { provider, ready: 4, oldest: Duration::ZERO, ttl: Duration::from_secs(300) };
        Ok(Queues { lanes: vec![lane], dead: Some(2) })
    }

    fn failed() -> Result<Queues, BooksError> {
        Err(BooksError::from(Error::Unavailable { doing: "reading lanes", source: None }))
    }

    #[test]
    fn queues_that_cannot_be_read_are_absent_until_they_can() {
        let metrics = Metrics::new(vec![], "1.2.3", "abc").unwrap();
        for (queues, is_shown) in [(read(), true), (failed(), false), (read(), true)] {
            show(&metrics, queues.unwrap_or_default());
            let text = metrics.render().unwrap();
            let lane = r#"otter_queue_depth{queue="twilio-eu",state="ready"} 4"#;
            assert_eq!(text.contains(lane), is_shown, "{text}");
            assert_eq!(text.contains(r#"otter_queue_depth{queue="all",state="dead"} 2"#), is_shown, "{text}");
        }
    }
}
