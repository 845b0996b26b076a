//! A share with what it rests on.

use super::curve::{Chance, Curve, CurveSource};

/// The 97.5 % quantile of the normal distribution: 95 % of it lie within this many deviations.
const Z: f64 = 1.959_963_984_540_054;

/// Below this weight nothing is known; the interval's arithmetic still works with it.
const LEAST_WEIGHT: f64 = 1e-6;

/// How far a share can be believed, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Basis {
    /// Counted, or corrected for young attempts by what the segment itself has taught: the interval holds.
    #[default]
    Own,
    /// Corrected by how fast outcomes come in elsewhere, because the segment has taught too little so far: it is off where
    /// the segment is faster or slower than the others of its channel.
    Borrowed,
    /// Not corrected, because nothing is known of how fast outcomes come in: only what is older than a code can live is
    /// counted, which need not be like what is young.
    Raw,
}

impl Basis {
    fn of(curve: Option<&Curve>) -> Self {
        match curve.map(Curve::source) {
            Some(CurveSource::Segment) => Self::Own,
            Some(CurveSource::Country | CurveSource::Channel) => Self::Borrowed,
            None => Self::Raw,
        }
    }
}

/// A share of attempts, never without its count and its uncertainty (RTE-06).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How many attempts had it happen.
    pub count: u64,
    /// How many attempts could have it happen.
    pub of: u64,
    /// How many of these have had their chance by now: Σ F(age) (DOMAIN 5.3). The denominator of the share.
    pub denominator: f64,
    /// The share, at most 1; unknown while less than one attempt has had its chance.
    pub value: Option<f64>,
    /// The lower end of the 95 % interval, 0 while the share is unknown. It is Wilson's, made wider by what the correction
    /// does not know: the moments within a bucket and a bin, and how few outcomes have taught it.
    pub low: f64,
    /// The upper end, 1 while the share is unknown.
    pub high: f64,
    /// How far it can be believed.
    pub basis: Basis,
}

impl Rate {
    /// The share of `count` in `of` attempts whose outcome is known.
    pub fn of(count: u64, of: u64) -> Self {
        let mut sum = Sum { count, ..Sum::default() };
        sum.attempts(of, Chance::FULL, None);
        sum.rate()
    }
}

/// A share in the making.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) count: u64,
    of: u64,
    basis: Basis,
    least: f64,
    likely: f64,
    most: f64,
    /// Σ F².
    squares: f64,
    /// Attempts that are not mature, how many of them have had their chance, and how few outcomes say so.
    young: f64,
    young_likely: f64,
    taught_by: Option<u64>,
}

impl Sum {
    /// Adds the attempts of one cell, and what happened to them. Without a curve they count when they have outlived their
    /// codes, and not before.
    pub(super) fn cell(&mut self, count: u64, of: u64, curve: Option<&Curve>, chance: Option<Chance>) {
        if of == 0 && count == 0 {
            return;
        }
        self.basis = self.basis.max(Basis::of(curve));
        let Some(chance) = chance else { return };
        self.count += count;
        self.attempts(of, chance, curve.map(Curve::outcomes));
    }

    fn attempts(&mut self, of: u64, chance: Chance, outcomes: Option<u64>) {
        let number = of as f64;
        self.of += of;
        self.least += chance.least * number;
        self.likely += chance.likely * number;
        self.most += chance.most * number;
        self.squares += chance.likely * chance.likely * number;
        if chance != Chance::FULL {
            self.young += number;
            self.young_likely += chance.likely * number;
            self.taught_by = self.taught_by.into_iter().chain(outcomes).min();
        }
    }

    pub(super) fn rate(&self) -> Rate {
        let Self { count, of, likely, basis, .. } = *self;
        let unknown = Rate { count, of, denominator: likely, value: None, low: 0.0, high: 1.0, basis };
        if likely < 1.0 {
            return unknown;
        }
        let within = |denominator: f64| (count as f64 / denominator).min(1.0);
        let weight = self.weight();
        let (low, _) = wilson(within(self.most), weight);
        let (_, high) = if self.least > 0.0 { wilson(within(self.least), weight) } else { (0.0, 1.0) };
        let share = within(likely);
        // Rounding must not carry the ends past the share.
        Rate { value: Some(share), low: low.min(share), high: high.max(share), ..unknown }
    }

    /// How many mature attempts would leave as much doubt about the share. Young ones leave more than their part: which of
    /// them have had their chance is a draw too, and the curve rests on some number of outcomes.
    fn weight(&self) -> f64 {
        let guess = (self.count as f64 + Z * Z / 2.0) / (self.likely + Z * Z);
        let taught = self.taught_by.map_or(0.0, |outcomes| {
            self.young_likely * (self.young - self.young_likely).max(0.0) / (outcomes as f64).max(1.0)
        });
        let doubt = self.likely - guess * self.squares + guess * taught;
        let weight = self.likely * self.likely * (1.0 - guess) / doubt;
        if weight.is_finite() { weight.clamp(LEAST_WEIGHT, self.likely) } else { self.likely }
    }
}

/// The Wilson 95 % interval of a share that rests on `n` attempts.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    let shrink = 1.0 + Z * Z / n;
    let middle = (share + Z * Z / (2.0 * n)) / shrink;
    let reach = Z / shrink * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    // The ends meet the share exactly at 0 and 1; rounding must not carry them past it.
    ((middle - reach).clamp(0.0, share), (middle + reach).clamp(share, 1.0))
}

/// The rate of a segment with few attempts, drawn towards its parent's: `(s + κ·parent) / (n + κ)` (DOMAIN 5.4).
///
/// `successes` and `attempts` may be discounted sums. Without attempts and with a `kappa` of 0 it is the parent's.
pub fn back_off(successes: f64, attempts: f64, parent: f64, kappa: f64) -> f64 {
    let weight = attempts + kappa;
    if weight > 0.0 { (successes + kappa * parent) / weight } else { parent }
}
