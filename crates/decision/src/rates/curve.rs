//! How fast outcomes come in: F(age), the share of all eventual deliveries or verifications that have happened by then.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, Country, LATENCY_BINS, Measure, Moment, Segment};

use super::Cell;

/// One more bin than edges, for what took longer.
const BINS: usize = LATENCY_BINS.len() + 1;

/// A curve of its own needs at least this many outcomes; with fewer the next wider group's is borrowed.
const ENOUGH: u64 = 50;

/// From this share of all eventual outcomes on an attempt is mature (DOMAIN 5.3).
const MATURE_SHARE: f64 = 0.99;

/// What a curve was learnt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveSource {
    /// The segment's own outcomes.
    Segment,
    /// The outcomes of its channel in its country, of all providers.
    Country,
    /// The outcomes of its channel in all countries.
    Channel,
}

/// F(age) for one kind of outcome: 0 at age 0, never falling, 1 from its maturity on.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The share by each edge of [`LATENCY_BINS`].
    shares: [f64; LATENCY_BINS.len()],
    maturity: Duration,
    /// The life of the codes whose outcomes it was learnt from.
    life: Duration,
    source: CurveSource,
    outcomes: u64,
}

/// What share of a bucket's attempts has had its chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// If all of them were made at the end of the bucket, and all outcomes come as late as their bin allows.
    pub least: f64,
    /// If they were made evenly over the bucket, and outcomes come evenly within a bin.
    pub likely: f64,
    /// If all of them were made when the bucket began, and all outcomes come as early as their bin allows.
    pub most: f64,
}

impl Chance {
    /// Nothing more is expected of them.
    pub(super) const FULL: Self = Self { least: 1.0, likely: 1.0, most: 1.0 };
}

impl Curve {
    /// The curve of outcomes counted by latency bin, all of attempts older than `life`, the life of a code; `None` if they
    /// are too few.
    pub fn learn(bins: &[u64; BINS], source: CurveSource, life: Duration) -> Option<Self> {
        let outcomes: u64 = bins.iter().sum();
        if outcomes < ENOUGH {
            return None;
        }
        let mut seen = 0;
        let shares = std::array::from_fn(|bin| {
            seen += bins[bin];
            seen as f64 / outcomes as f64
        });
        let curve = Self { shares, maturity: life, life, source, outcomes };
        Some(Self { maturity: curve.age_of(MATURE_SHARE).min(life), ..curve })
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

    /// What share of attempts has had its chance that are between these ages.
    pub fn chance(&self, youngest: Duration, oldest: Duration) -> Chance {
        if youngest >= self.life {
            return Chance::FULL;
        }
        let most = if oldest >= self.maturity { 1.0 } else { self.share_at_edge(oldest, Edge::Next) };
        let least = self.share_at_edge(youngest, Edge::Last);
        Chance { least, likely: self.mean_share(youngest, oldest).clamp(least, most), most }
    }

    /// The age from which on nothing more is expected: the 99th percentile of the time, at most the life of a code.
    pub fn maturity(&self) -> Duration {
        self.maturity
    }

    /// What it was learnt from.
    pub fn source(&self) -> CurveSource {
        self.source
    }

    /// How many outcomes it rests on.
    pub(super) fn outcomes(&self) -> u64 {
        self.outcomes
    }

    /// The share by the last edge before an age, or by the next one after it.
    fn share_at_edge(&self, age: Duration, edge: Edge) -> f64 {
        let before = LATENCY_BINS.iter().take_while(|edge| Duration::from_secs(**edge) <= age).count();
        match edge {
            Edge::Last => before.checked_sub(1).map_or(0.0, |last| self.shares[last]),
            Edge::Next => self.shares.get(before).copied().unwrap_or(1.0),
        }
    }

    /// The mean of F between two ages. It is a line between edges, so the middle of each piece is the mean of the piece.
    fn mean_share(&self, youngest: Duration, oldest: Duration) -> f64 {
        if oldest <= youngest {
            return self.share_by(youngest);
        }
        let edges = LATENCY_BINS.iter().map(|edge| Duration::from_secs(*edge)).chain([self.maturity]);
        let mut cuts: Vec<Duration> = edges.filter(|edge| youngest < *edge && *edge < oldest).collect();
        cuts.push(oldest);
        cuts.sort();
        let (mut from, mut sum) = (youngest, 0.0);
        for to in cuts {
            sum += self.share_by(from + (to - from) / 2) * (to - from).as_secs_f64();
            from = to;
        }
        sum / (oldest - youngest).as_secs_f64()
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

#[derive(Debug, Clone, Copy)]
enum Edge {
    Last,
    Next,
}

/// The curves of all segments, learnt from what is mature.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    delivered: Learnt,
    verified: Learnt,
    life: Duration,
}

impl Curves {
    /// Learns from the cells whose attempts have outlived their codes; `life` is the usual life of a code.
    ///
    /// A segment has a curve of its own, or its channel's in its country, or its channel's in all countries, or none.
    pub fn learn<'a>(cells: impl IntoIterator<Item = Cell<'a>>, life: Duration, now: Moment) -> Self {
        let mut delivered = Histograms::default();
        let mut verified = Histograms::default();
        for cell in cells.into_iter().filter(|cell| cell.youngest(now) >= life) {
            for (measure, count) in cell.counts {
                match measure {
                    Measure::Delivered(bin) => delivered.add(cell.segment, *bin, *count),
                    Measure::Verified(bin) => verified.add(cell.segment, *bin, *count),
                    Measure::Accepted
                    | Measure::Failed(_)
                    | Measure::Undelivered
                    | Measure::Uncredited
                    | Measure::Skipped => {}
                }
            }
        }
        Self { delivered: delivered.learnt(life), verified: verified.learnt(life), life }
    }

    /// The curve of deliveries, if one was learnt.
    pub fn delivered(&self, segment: &Segment) -> Option<&Curve> {
        self.delivered.curve(segment)
    }

    /// The curve of verifications, if one was learnt.
    pub fn verified(&self, segment: &Segment) -> Option<&Curve> {
        self.verified.curve(segment)
    }

    /// The age from which on nothing more is expected of anything: the life of a code.
    pub fn life(&self) -> Duration {
        self.life
    }
}

/// The curves of one kind of outcome.
#[derive(Debug, Clone, PartialEq)]
struct Learnt {
    segments: BTreeMap<Segment, Curve>,
    countries: BTreeMap<(Channel, Country), Curve>,
    channels: BTreeMap<Channel, Curve>,
}

impl Learnt {
    fn curve(&self, segment: &Segment) -> Option<&Curve> {
        let country = || self.countries.get(&(segment.channel, segment.country));
        let channel = || self.channels.get(&segment.channel);
        self.segments.get(segment).or_else(country).or_else(channel)
    }
}

/// Counts of one kind of outcome by latency bin.
#[derive(Debug, Default)]
struct Histograms {
    segments: BTreeMap<Segment, [u64; BINS]>,
    countries: BTreeMap<(Channel, Country), [u64; BINS]>,
    channels: BTreeMap<Channel, [u64; BINS]>,
}

impl Histograms {
    fn add(&mut self, segment: &Segment, bin: u8, count: u64) {
        let bin = usize::from(bin).min(LATENCY_BINS.len());
        let (channel, country) = (segment.channel, segment.country);
        match self.segments.get_mut(segment) {
            Some(bins) => bins[bin] += count,
            None => self.segments.entry(segment.clone()).or_insert([0; BINS])[bin] += count,
        }
        self.countries.entry((channel, country)).or_insert([0; BINS])[bin] += count;
        self.channels.entry(channel).or_insert([0; BINS])[bin] += count;
    }

    fn learnt(self, life: Duration) -> Learnt {
        Learnt {
            segments: curves(self.segments, CurveSource::Segment, life),
            countries: curves(self.countries, CurveSource::Country, life),
            channels: curves(self.channels, CurveSource::Channel, life),
        }
    }
}

fn curves<K: Ord>(
    counted: BTreeMap<K, [u64; BINS]>,
    source: CurveSource,
    life: Duration,
) -> BTreeMap<K, Curve> {
    let learnt = |(key, bins)| Some((key, Curve::learn(&bins, source, life)?));
    counted.into_iter().filter_map(learnt).collect()
}
