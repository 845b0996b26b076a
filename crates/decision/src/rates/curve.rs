//! How fast outcomes come in: F(age), the share of all eventual deliveries or verifications that have happened by then.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, Country, LATENCY_BINS, Measure, Moment};

use super::Cell;

/// One more bin than edges, for what took longer.
const BINS: usize = LATENCY_BINS.len() + 1;

/// A curve of its own needs at least this many outcomes; with fewer the next wider group's is used.
const ENOUGH: u64 = 50;

/// From this share of all eventual outcomes on an attempt is mature (DOMAIN 5.3).
const MATURE_SHARE: f64 = 0.99;

/// Shares of deliveries reported by each edge before anything was learnt: half within 4 s, 95 % within 20 s, 99 % within
/// 45 s, what is published of healthy routes (RTE-31).
const PRIOR_DELIVERED: [f64; LATENCY_BINS.len()] =
    [0.08, 0.22, 0.38, 0.58, 0.75, 0.81, 0.91, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0, 1.0, 1.0];

/// Shares of codes entered by each edge before anything was learnt: half within 20 s (DOMAIN 5.3), nine in ten within
/// 90 s.
const PRIOR_VERIFIED: [f64; LATENCY_BINS.len()] =
    [0.0, 0.01, 0.03, 0.08, 0.17, 0.23, 0.38, 0.50, 0.66, 0.79, 0.86, 0.92, 0.95, 0.98, 0.999, 1.0];

/// What a curve was learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveSource {
    /// The outcomes of one channel in one country.
    Country,
    /// The outcomes of one channel in all countries.
    Channel,
    /// Published figures; nothing was learnt yet.
    Prior,
}

/// F(age) for one kind of outcome: 0 at age 0, never falling, 1 from its maturity on.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The share by each edge of [`LATENCY_BINS`].
    shares: [f64; LATENCY_BINS.len()],
    maturity: Duration,
    source: CurveSource,
}

impl Curve {
    /// What holds before anything was learnt of deliveries, for codes of this life.
    pub fn prior_delivered(ttl: Duration) -> Self {
        Self { shares: PRIOR_DELIVERED, maturity: ttl, source: CurveSource::Prior }
    }

    /// What holds before anything was learnt of verifications, for codes of this life.
    pub fn prior_verified(ttl: Duration) -> Self {
        Self { shares: PRIOR_VERIFIED, maturity: ttl, source: CurveSource::Prior }
    }

    /// The curve of outcomes counted by latency bin, all of attempts older than `ttl`; `None` if they are too few.
    pub fn learn(bins: &[u64; BINS], source: CurveSource, ttl: Duration) -> Option<Self> {
        let total: u64 = bins.iter().sum();
        if total < ENOUGH {
            return None;
        }
        let mut seen = 0;
        let shares = std::array::from_fn(|bin| {
            seen += bins[bin];
            seen as f64 / total as f64
        });
        let curve = Self { shares, maturity: ttl, source };
        Some(Self { maturity: curve.age_of(MATURE_SHARE).min(ttl), ..curve })
    }

    /// F(age): shares between two edges lie on a straight line.
    pub fn share_by(&self, age: Duration) -> f64 {
        if age >= self.maturity {
            return 1.0;
        }
        let age = age.as_secs_f64();
        let mut from = (0.0, 0.0);
        for to in self.points() {
            if age < to.0 {
                return from.1 + (to.1 - from.1) * (age - from.0) / (to.0 - from.0);
            }
            from = to;
        }
        from.1
    }

    /// The age from which on nothing more is expected: the 99th percentile of the time if it was learnt, at most the life
    /// of a code.
    pub fn maturity(&self) -> Duration {
        self.maturity
    }

    /// What it was learnt from.
    pub fn source(&self) -> CurveSource {
        self.source
    }

    /// The age by which this share has happened; unbounded if the last edge is too early.
    fn age_of(&self, share: f64) -> Duration {
        let mut from = (0.0, 0.0);
        for to in self.points() {
            if to.1 >= share {
                return Duration::from_secs_f64(
                    from.0 + (to.0 - from.0) * (share - from.1) / (to.1 - from.1),
                );
            }
            from = to;
        }
        Duration::MAX
    }

    fn points(&self) -> impl Iterator<Item = (f64, f64)> {
        LATENCY_BINS.iter().map(|edge| *edge as f64).zip(self.shares)
    }
}

/// The curves of all channels and countries, learnt from what is mature.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    delivered: Learnt,
    verified: Learnt,
}

impl Curves {
    /// Learns from the cells whose attempts have outlived their codes; `ttl` is the usual life of a code.
    ///
    /// A channel in a country has a curve of its own, or its channel's in all countries, or the published one.
    pub fn learn<'a>(cells: impl IntoIterator<Item = Cell<'a>>, ttl: Duration, now: Moment) -> Self {
        let mut delivered = Histograms::default();
        let mut verified = Histograms::default();
        for cell in cells.into_iter().filter(|cell| cell.age(now) >= ttl) {
            for (measure, count) in cell.counts {
                match measure {
                    Measure::Delivered(bin) => delivered.add(&cell, *bin, *count),
                    Measure::Verified(bin) => verified.add(&cell, *bin, *count),
                    Measure::Accepted | Measure::Failed(_) | Measure::Undelivered => {}
                }
            }
        }
        Self {
            delivered: delivered.learnt(Curve::prior_delivered(ttl), ttl),
            verified: verified.learnt(Curve::prior_verified(ttl), ttl),
        }
    }

    /// The curve of deliveries.
    pub fn delivered(&self, channel: Channel, country: Country) -> &Curve {
        self.delivered.curve(channel, country)
    }

    /// The curve of verifications.
    pub fn verified(&self, channel: Channel, country: Country) -> &Curve {
        self.verified.curve(channel, country)
    }
}

/// The curves of one kind of outcome.
#[derive(Debug, Clone, PartialEq)]
struct Learnt {
    countries: BTreeMap<(Channel, Country), Curve>,
    channels: BTreeMap<Channel, Curve>,
    prior: Curve,
}

impl Learnt {
    fn curve(&self, channel: Channel, country: Country) -> &Curve {
        let own = self.countries.get(&(channel, country));
        own.or_else(|| self.channels.get(&channel)).unwrap_or(&self.prior)
    }
}

/// Counts of one kind of outcome by latency bin.
#[derive(Debug, Default)]
struct Histograms {
    countries: BTreeMap<(Channel, Country), [u64; BINS]>,
    channels: BTreeMap<Channel, [u64; BINS]>,
}

impl Histograms {
    fn add(&mut self, cell: &Cell<'_>, bin: u8, count: u64) {
        let bin = usize::from(bin).min(LATENCY_BINS.len());
        let (channel, country) = (cell.segment.channel, cell.segment.country);
        self.countries.entry((channel, country)).or_insert([0; BINS])[bin] += count;
        self.channels.entry(channel).or_insert([0; BINS])[bin] += count;
    }

    fn learnt(self, prior: Curve, ttl: Duration) -> Learnt {
        let countries = self.countries.into_iter();
        let channels = self.channels.into_iter();
        Learnt {
            countries: countries
                .filter_map(|(key, bins)| Some((key, Curve::learn(&bins, CurveSource::Country, ttl)?)))
                .collect(),
            channels: channels
                .filter_map(|(key, bins)| Some((key, Curve::learn(&bins, CurveSource::Channel, ttl)?)))
                .collect(),
            prior,
        }
    }
}
