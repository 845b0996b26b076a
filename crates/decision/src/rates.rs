//! What share of sends is accepted, arrives, and is typed in (DOMAIN 5.2 to 5.4).
//!
//! Outcomes are counted in cells: one segment, one bucket of 10 s, all outcomes of the attempts that were claimed in
//! it. Young attempts have not had their chance yet, so each counts only as far as attempts of its age have had theirs
//! ([`Curve`]): `rate = happened / Σ F(age)`. Mature attempts count in full. Until a segment has taught how fast outcomes
//! come in, its shares say what they rest on instead ([`Basis`]).
//!
//! - acceptance = accepted / submitted. Known at once, so nothing is corrected.
//! - delivery = delivered / Σ F over what was or may have been sent: accepted and ambiguous. No receipt is no delivery.
//! - conversion = verified / Σ F over all submitted: what a provider refuses is not converted either. Attempts whose code
//!   others carry too cannot be credited and are in neither term (RTE-04).
//!
//! What was skipped was not submitted: it is counted apart.

mod curve;
mod share;

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{FailureClass, Measure, Moment, Segment};

use share::Sum;

pub use curve::{Chance, Curve, CurveSource, Curves};
pub use share::{Basis, Rate, back_off};

/// The length of the buckets that outcomes are counted in.
pub const BUCKET: Duration = Duration::from_secs(10);

/// The discount of a parent's rate in [`back_off`]: how many attempts of its own outweigh it.
pub const KAPPA: f64 = 20.0;

/// The outcomes of one segment's attempts that were claimed in one bucket.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// When the bucket begins.
    pub bucket: Moment,
    /// Where the outcomes belong.
    pub segment: &'a Segment,
    /// How many of each.
    pub counts: &'a BTreeMap<Measure, u64>,
}

impl Cell<'_> {
    /// How old the cell's attempts are at least.
    fn youngest(&self, now: Moment) -> Duration {
        now.since(self.bucket + BUCKET)
    }

    /// How old they are at most.
    fn oldest(&self, now: Moment) -> Duration {
        now.since(self.bucket)
    }

    /// What share of them has had its chance; without a curve that is known of those only that outlived their codes.
    fn chance(&self, curve: Option<&Curve>, life: Duration, now: Moment) -> Option<Chance> {
        let (youngest, oldest) = (self.youngest(now), self.oldest(now));
        match curve {
            Some(curve) => Some(curve.chance(youngest, oldest)),
            None => (youngest >= life).then_some(Chance::FULL),
        }
    }
}

/// What became of the attempts of one window, and the shares that follow from it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentRates {
    /// Attempts with a known outcome of the send.
    pub submitted: u64,
    /// The provider took them.
    pub accepted: u64,
    /// They arrived: a receipt said so, or as many codes were entered (RTE-01).
    pub delivered: u64,
    /// A receipt said that they will not arrive; those that arrived later all the same are in both.
    pub undelivered: u64,
    /// Their code was entered.
    pub verified: u64,
    /// Accepted and ambiguous attempts that are old enough that nothing more is expected of them.
    pub mature: u64,
    /// Sends that did not succeed or may not have, by class.
    pub failed: BTreeMap<FailureClass, u64>,
    /// Of the submitted ones, those that are left out of conversion because others carry their code too.
    pub uncredited: u64,
    /// Attempts that were not handed over because a breaker was open or the account too busy; they are not among the
    /// submitted ones.
    pub skipped: u64,
    /// The share that was accepted.
    pub acceptance: Rate,
    /// The share that arrived.
    pub delivery: Rate,
    /// The share whose code was entered.
    pub conversion: Rate,
}

impl SegmentRates {
    /// Those of a window in which nothing was attempted.
    pub fn none() -> Self {
        Tally::default().rates()
    }
}

/// The rates of each group among the cells whose bucket began within `window` before `now`. `group` says where a
/// segment belongs (itself, its channel, everything …); groups without a cell are absent.
pub fn by<'a, G: Ord>(
    group: impl Fn(&Segment) -> G,
    cells: impl IntoIterator<Item = Cell<'a>>,
    curves: &Curves,
    window: Duration,
    now: Moment,
) -> BTreeMap<G, SegmentRates> {
    let mut tallies: BTreeMap<G, Tally> = BTreeMap::new();
    for cell in cells.into_iter().filter(|cell| now.since(cell.bucket) < window) {
        tallies.entry(group(cell.segment)).or_default().add(&cell, curves, now);
    }
    tallies.into_iter().map(|(group, tally)| (group, tally.rates())).collect()
}

/// Sums of cells, some of them weighted by age.
#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    delivered: u64,
    undelivered: u64,
    verified: u64,
    mature: u64,
    failed: BTreeMap<FailureClass, u64>,
    uncredited: u64,
    skipped: u64,
    delivery: Sum,
    conversion: Sum,
}

impl Tally {
    fn add(&mut self, cell: &Cell<'_>, curves: &Curves, now: Moment) {
        let (mut sent, mut submitted, mut reported, mut verified, mut uncredited) = (0, 0, 0, 0, 0);
        for (measure, count) in cell.counts {
            match measure {
                Measure::Accepted => {
                    self.accepted += count;
                    sent += count;
                    submitted += count;
                }
                Measure::Failed(class) => {
                    *self.failed.entry(*class).or_default() += count;
                    sent += if *class == FailureClass::Ambiguous { *count } else { 0 };
                    submitted += count;
                }
                Measure::Delivered(_) => reported += count,
                Measure::Undelivered => self.undelivered += count,
                Measure::Verified(_) => verified += count,
                Measure::Uncredited => uncredited += count,
                Measure::Skipped => self.skipped += count,
            }
        }
        self.verified += verified;
        self.uncredited += uncredited;
        // A code that was entered has arrived, whatever the receipts say (RTE-01). Which attempts had both is not
        // counted, so this is the least that must have arrived.
        let delivered = reported.max(verified);
        self.delivered += delivered;
        let (deliveries, verifications) = (curves.delivered(cell.segment), curves.verified(cell.segment));
        let chance = |curve| cell.chance(curve, curves.life(), now);
        let maturity = verifications.map_or(curves.life(), Curve::maturity);
        self.mature += if cell.youngest(now) >= maturity { sent } else { 0 };
        self.delivery.cell(delivered, sent, deliveries, chance(deliveries));
        let creditable = u64::saturating_sub(submitted, uncredited);
        self.conversion.cell(verified, creditable, verifications, chance(verifications));
    }

    fn rates(self) -> SegmentRates {
        let submitted = self.accepted + self.failed.values().sum::<u64>();
        SegmentRates {
            submitted,
            accepted: self.accepted,
            delivered: self.delivered,
            undelivered: self.undelivered,
            verified: self.verified,
            mature: self.mature,
            uncredited: self.uncredited,
            skipped: self.skipped,
            acceptance: Rate::of(self.accepted, submitted),
            delivery: self.delivery.rate(),
            conversion: self.conversion.rate(),
            failed: self.failed,
        }
    }
}

#[cfg(test)]
#[path = "rates_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "rates_truth_tests.rs"]
mod truth;
