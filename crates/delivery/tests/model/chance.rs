//! Draws that a seed determines.

use std::time::Duration;

use otter_runtime::{Dice, SeededDice};

#[derive(Debug)]
pub(crate) struct Chance(SeededDice);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededDice::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.0.u64() % end as u64).expect("it is below a usize")
    }

    pub(crate) fn percent(&self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(crate) fn pick<T: Clone>(&self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// One of the entries, as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&self, from: &[(usize, T)]) -> T {
        let mut ticket = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, entry) in from {
            match ticket.checked_sub(*weight) {
                Some(rest) => ticket = rest,
                None => return *entry,
            }
        }
        from[0].1
    }

    pub(crate) fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.0.u64() % (to - from).max(1))
    }

    /// A seed for something that draws by itself.
    pub(crate) fn seed(&self) -> u64 {
        self.0.u64()
    }
}
