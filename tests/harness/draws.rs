//! Chance that can be repeated.

use std::ops::Range;
use std::time::Duration;

/// A stream of draws that depends on nothing but its seed (SplitMix64).
#[derive(Debug, Clone)]
pub struct Draws(u64);

impl Draws {
    /// The draws of one thing among many that share a seed.
    pub fn of(seed: u64, thing: u64) -> Self {
        let mut draws = Self(seed);
        let start = draws.next() ^ thing.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(start)
    }

    /// Any number.
    #[allow(clippy::should_implement_trait, reason = "draws have no end, so they are no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = self.next() % u64::try_from(bound).expect("a usize fits");
        usize::try_from(drawn).expect("it is below a usize")
    }

    /// One of several.
    pub fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Whether something happens that happens this often in a thousand.
    pub fn happens(&mut self, in_a_thousand: usize) -> bool {
        self.below(1000) < in_a_thousand
    }

    /// A span within bounds.
    pub fn span(&mut self, bounds: Range<Duration>) -> Duration {
        let width = bounds.end.saturating_sub(bounds.start).as_millis().max(1);
        bounds.start + Duration::from_millis(self.next() % u64::try_from(width).expect("spans are short"))
    }
}
