//! Rates of all segments, from the evidence cells of all partitions.
//!
//! A cell is kept under (bucket, partition, segment) and always read with its full counts, so reading it again replaces
//! it and nothing is counted twice. The oldest cells go first, by age or when there are too many.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_decision::rates::{Cell, Curves, SegmentRates, by};
use otter_domain::{Channel, Measure, Moment, Partition, ProviderName, Segment};
use otter_store::{Error, EvidenceCell, Store};

/// The usual life of a code: attempts older than this teach how fast outcomes come in.
const CODE_LIFE: Duration = Duration::from_secs(300);

/// How long cells are kept, as long as the store keeps them.
const KEPT: Duration = Duration::from_secs(26 * 3600);

/// The most cells in memory, of about 250 bytes each.
const MOST_CELLS: usize = 400_000;

/// How far back before the last reading is read again: the clocks of a store's nodes agree within 1 s.
const OVERLAP: Duration = Duration::from_secs(5);

/// How far back the first reading goes: as far as the longest window looks. More would be one long step of the store in
/// each partition, while everybody else waits.
const FIRST_READING: Duration = Duration::from_secs(3600);

/// How old the curves may be. They change slowly, and learning looks at every cell.
const RELEARN: Duration = Duration::from_secs(60);

/// How far back rates look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The last minute.
    OneMinute,
    /// The last 5 minutes.
    FiveMinutes,
    /// The last hour.
    OneHour,
}

impl Window {
    /// Every window, shortest first.
    pub const ALL: [Self; 3] = [Self::OneMinute, Self::FiveMinutes, Self::OneHour];

    /// Its length.
    pub fn length(self) -> Duration {
        match self {
            Self::OneMinute => Duration::from_secs(60),
            Self::FiveMinutes => Duration::from_secs(300),
            Self::OneHour => Duration::from_secs(3600),
        }
    }

    /// The word used in output and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }
}

/// From this age on what was read is old: it is read again every 2 s, and one reading may fail.
const OLD: Duration = Duration::from_secs(10);

/// How old what is known is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The moment for which rates hold: the present one, or that of the last reading if it is old.
    pub at: Moment,
    /// The age of the oldest part of what is known; `None` if some of it was never read.
    pub age: Option<Duration>,
}

impl Freshness {
    /// Whether something that happened may be missing, because the store could not be read for a while.
    pub fn is_old(self) -> bool {
        self.age.is_none_or(|age| age >= OLD)
    }
}

/// The rates of one segment in one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Whose.
    pub segment: Segment,
    /// What became of its attempts.
    pub rates: SegmentRates,
}

/// The rates of all segments as this process knows them.
///
/// [`Self::refresh`] is to be called at least every 2 s; memory is bounded whatever the traffic. All that is asked of it
/// is computed from what was read last, without a trip.
#[derive(Debug, Default)]
pub struct Rates {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Oldest buckets first.
    cells: BTreeMap<(Moment, Partition, Segment), BTreeMap<Measure, u64>>,
    /// The store's clock at the last reading of each partition.
    read_at: BTreeMap<Partition, Moment>,
    curves: Option<(Moment, Curves)>,
    /// The last bucket of each segment.
    seen: BTreeMap<Segment, Moment>,
    /// Into how many partitions everything falls; 0 until the first reading.
    partitions: u16,
}

impl Rates {
    /// Reads what changed in every partition since the last time. What could be read is taken over; the first failure is
    /// returned, and what it missed is read the next time.
    pub async fn refresh(&self, store: &dyn Store) -> Result<(), Error> {
        let mut outcome = Ok(());
        let first = store.now().await? - FIRST_READING;
        self.known().partitions = store.partitions().get();
        for home in store.partitions().all() {
            let since = self.known().read_at.get(&home).map_or(first, |at| *at - OVERLAP);
            match store.evidence(home, since).await {
                Ok(answer) => self.learn(home, answer.value, answer.now),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    /// The rates of every segment that was attempted within the window, ordered by provider, channel and country.
    pub fn table(&self, window: Window, now: Moment) -> Vec<Row> {
        let rates = self.grouped(Segment::clone, window, now);
        rates.into_iter().map(|(segment, rates)| Row { segment, rates }).collect()
    }

    /// The rates of each provider over all its channels and countries.
    pub fn by_provider(&self, window: Window, now: Moment) -> BTreeMap<ProviderName, SegmentRates> {
        self.grouped(|segment| segment.provider.clone(), window, now)
    }

    /// The rates of each channel over all providers and countries.
    pub fn by_channel(&self, window: Window, now: Moment) -> BTreeMap<Channel, SegmentRates> {
        self.grouped(|segment| segment.channel, window, now)
    }

    /// The rates of everything; `None` if nothing was attempted within the window.
    pub fn total(&self, window: Window, now: Moment) -> Option<SegmentRates> {
        self.grouped(|_| (), window, now).remove(&())
    }

    /// Every segment that was attempted, as far as this process remembers, and when the last bucket with an attempt of it
    /// began. It remembers an hour from before it began, and 26 h in all.
    pub fn seen(&self) -> BTreeMap<Segment, Moment> {
        self.known().seen.clone()
    }

    /// How old what is known is at `now`, and for which moment rates are to be asked.
    pub fn freshness(&self, now: Moment) -> Freshness {
        let known = self.known();
        let is_whole = known.partitions > 0 && known.read_at.len() == usize::from(known.partitions);
        let oldest = known.read_at.values().min().copied().filter(|_| is_whole);
        let age = oldest.map(|oldest| now.since(oldest));
        let at = oldest.filter(|_| age.is_some_and(|age| age >= OLD)).unwrap_or(now);
        Freshness { at, age }
    }

    fn grouped<G: Ord>(
        &self,
        group: impl Fn(&Segment) -> G,
        window: Window,
        now: Moment,
    ) -> BTreeMap<G, SegmentRates> {
        let mut known = self.known();
        let Known { cells, curves, .. } = &mut *known;
        let stale = curves.as_ref().is_none_or(|(learnt_at, _)| now.since(*learnt_at) >= RELEARN);
        if stale {
            *curves = Some((now, Curves::learn(cells.iter().map(cell), CODE_LIFE, now)));
        }
        let (_, curves) = curves.as_ref().expect("they were learnt just now if they were missing");
        // Other partitions may have been read since the moment that is asked about.
        let past = cells.iter().rev().skip_while(|((bucket, ..), _)| *bucket > now);
        let recent = past.take_while(|((bucket, ..), _)| now.since(*bucket) < window.length());
        by(group, recent.map(cell), curves, window.length(), now)
    }

    /// Takes over cells as they were read from a partition at a moment.
    fn learn(&self, home: Partition, read: Vec<EvidenceCell>, now: Moment) {
        let mut known = self.known();
        for EvidenceCell { bucket, segment, counts } in read {
            let last = known.seen.entry(segment.clone()).or_insert(bucket);
            *last = bucket.max(*last);
            known.cells.insert((bucket, home, segment), counts);
        }
        let is_old = |bucket: Moment| now.since(bucket) >= KEPT;
        while known.cells.len() > MOST_CELLS
            || known.cells.first_key_value().is_some_and(|((bucket, ..), _)| is_old(*bucket))
        {
            known.cells.pop_first();
        }
        known.seen.retain(|_, last| !is_old(*last));
        known.read_at.insert(home, now);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cell<'a>(
    ((bucket, _, segment), counts): (&'a (Moment, Partition, Segment), &'a BTreeMap<Measure, u64>),
) -> Cell<'a> {
    Cell { bucket: *bucket, segment, counts }
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;
