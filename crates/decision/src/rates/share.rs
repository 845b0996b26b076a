//! A share with what it rests on.

/// The 97.5 % quantile of the normal distribution: 95 % of it lie within this many deviations.
const Z: f64 = 1.959_963_984_540_054;

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
    /// The lower end of the 95 % interval (Wilson), 0 while the share is unknown.
    pub low: f64,
    /// The upper end, 1 while the share is unknown.
    pub high: f64,
}

impl Rate {
    /// The share of `count` in `denominator`, which rests on `of` attempts.
    pub fn of(count: u64, of: u64, denominator: f64) -> Self {
        let unknown = Self { count, of, denominator, value: None, low: 0.0, high: 1.0 };
        if denominator < 1.0 {
            return unknown;
        }
        let share = (count as f64 / denominator).min(1.0);
        let (low, high) = wilson(share, denominator);
        Self { value: Some(share), low, high, ..unknown }
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
