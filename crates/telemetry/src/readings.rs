//! Gauges that are read when somebody scrapes: what is no longer reported disappears.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otter_domain::{Channel, ProviderName, Segment};

use crate::catalogue;
use crate::describe::observed;
use crate::labels::{Countries, label};

label!(
    /// Which share a rate is (DOMAIN 5.2).
    RateKind {
        /// Accepted of submitted.
        Accepted = "accepted",
        /// Delivered of accepted.
        Delivered = "delivered",
        /// Verified of attempted.
        Verified = "verified",
    }
);

label!(
    /// How far back a rate looks.
    RateWindow {
        /// One minute.
        OneMinute = "1m",
        /// Five minutes.
        FiveMinutes = "5m",
        /// One hour.
        OneHour = "1h",
    }
);

label!(
    /// Whether a provider is being tried.
    Breaker {
        /// It is.
        Closed = "closed",
        /// It is not.
        Open = "open",
        /// A few sends try whether it works again.
        HalfOpen = "half_open",
    }
);

/// One rate of one segment, as its two terms so that segments can be added up.
///
/// Rates are exported although PromQL can divide counters, because the correction for young attempts (DOMAIN 5.3)
/// needs the age of each attempt and the learned curve of how fast people answer, which no counter carries.
#[derive(Debug, Clone, PartialEq)]
pub struct RateReading {
    /// Where it belongs.
    pub segment: Segment,
    /// How far back it looks.
    pub window: RateWindow,
    /// Which share it is.
    pub kind: RateKind,
    /// How many succeeded.
    pub hits: f64,
    /// How many could have: `Σ F(age)`, young ones counted in part.
    pub sample: f64,
}

/// How a lane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReading {
    /// Whose lane.
    pub provider: ProviderName,
    /// Jobs that nobody has claimed.
    pub ready: u64,
    /// The age of the oldest of them; zero if there is none.
    pub oldest: Duration,
    /// The shortest life of the codes that can be in it.
    pub ttl: Duration,
}

/// How a breaker is: the worst over all countries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerReading {
    /// Whose.
    pub provider: ProviderName,
    /// On which channel.
    pub channel: Channel,
    /// Its state.
    pub state: Breaker,
}

/// What the scrapes read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Readings(Arc<Mutex<Latest>>);

#[derive(Debug, Default)]
struct Latest {
    rates: BTreeMap<RateLabels, (f64, f64)>,
    lanes: Vec<LaneReading>,
    dead: Option<u64>,
    breakers: Vec<BreakerReading>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RateLabels {
    provider: ProviderName,
    channel: Channel,
    country: String,
    window: RateWindow,
    kind: RateKind,
}

impl RateLabels {
    fn attributes(&self) -> [KeyValue; 5] {
        [
            KeyValue::new("provider", self.provider.as_str().to_owned()),
            KeyValue::new("channel", self.channel.as_str()),
            KeyValue::new("country", self.country.clone()),
            KeyValue::new("window", self.window.as_str()),
            KeyValue::new("kind", self.kind.as_str()),
        ]
    }
}

impl Readings {
    pub(crate) fn set_rates(&self, rates: &[RateReading], countries: &Countries) {
        let mut merged: BTreeMap<RateLabels, (f64, f64)> = BTreeMap::new();
        for rate in rates {
            let labels = RateLabels {
                provider: rate.segment.provider.clone(),
                channel: rate.segment.channel,
                country: countries.label(rate.segment.country),
                window: rate.window,
                kind: rate.kind,
            };
            let terms = merged.entry(labels).or_default();
            terms.0 += rate.hits;
            terms.1 += rate.sample;
        }
        self.change(|latest| latest.rates = merged);
    }

    pub(crate) fn set_lanes(&self, lanes: Vec<LaneReading>) {
        self.change(|latest| latest.lanes = lanes);
    }

    pub(crate) fn set_dead(&self, letters: Option<u64>) {
        self.change(|latest| latest.dead = letters);
    }

    pub(crate) fn set_breakers(&self, breakers: Vec<BreakerReading>) {
        self.change(|latest| latest.breakers = breakers);
    }

    /// Creates the gauges. They live as long as the meter's provider.
    pub(crate) fn register(&self, meter: &Meter) {
        self.observe(meter, &catalogue::SEGMENT_RATE, |latest, gauge| {
            for (labels, (hits, sample)) in latest.rates.iter().filter(|(_, (_, sample))| *sample > 0.0) {
                gauge.observe((hits / sample).min(1.0), &labels.attributes());
            }
        });
        self.observe(meter, &catalogue::SEGMENT_SAMPLE, |latest, gauge| {
            for (labels, (_, sample)) in &latest.rates {
                gauge.observe(*sample, &labels.attributes());
            }
        });
        self.observe(meter, &catalogue::QUEUE_DEPTH, |latest, gauge| {
            for lane in &latest.lanes {
                gauge.observe(lane.ready as f64, &[queue(&lane.provider), KeyValue::new("state", "ready")]);
            }
            // Dead letters are the installation's, and some are of no lane.
            if let Some(dead) = latest.dead {
                gauge.observe(dead as f64, &[KeyValue::new("queue", "all"), KeyValue::new("state", "dead")]);
            }
        });
        self.observe(meter, &catalogue::QUEUE_OLDEST, |latest, gauge| {
            for lane in &latest.lanes {
                gauge.observe(lane.oldest.as_secs_f64(), &[queue(&lane.provider)]);
            }
        });
        self.observe(meter, &catalogue::QUEUE_TTL, |latest, gauge| {
            for lane in &latest.lanes {
                gauge.observe(lane.ttl.as_secs_f64(), &[queue(&lane.provider)]);
            }
        });
        self.observe(meter, &catalogue::BREAKER_STATE, |latest, gauge| {
            for breaker in &latest.breakers {
                for state in Breaker::ALL {
                    let labels = [
                        KeyValue::new("provider", breaker.provider.as_str().to_owned()),
                        KeyValue::new("channel", breaker.channel.as_str()),
                        KeyValue::new("state", state.as_str()),
                    ];
                    gauge.observe(if *state == breaker.state { 1.0 } else { 0.0 }, &labels);
                }
            }
        });
    }

    fn observe(
        &self,
        meter: &Meter,
        metric: &catalogue::Metric,
        read: impl Fn(&Latest, &dyn AsyncInstrument<f64>) + Send + Sync + 'static,
    ) {
        let latest = Arc::clone(&self.0);
        observed(meter, metric, move |gauge| {
            read(&latest.lock().unwrap_or_else(PoisonError::into_inner), gauge);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Latest)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn queue(provider: &ProviderName) -> KeyValue {
    KeyValue::new("queue", provider.as_str().to_owned())
}
