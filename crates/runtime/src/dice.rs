//! Random bytes.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;

/// Draws random values. Codes, nonces and ids come from here; every value is equally likely (SEC-01).
pub trait Dice: Send + Sync + fmt::Debug {
    /// Fills the bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Draws 32 bits.
    fn u32(&self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Draws 64 bits.
    fn u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The operating system gives no random bytes.
#[derive(Debug, Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness(#[source] getrandom::Error);

/// The operating system's generator: a CSPRNG without state in this process, so a fork or a restored snapshot never
/// repeats a draw.
#[derive(Debug)]
pub struct OsDice(());

impl OsDice {
    /// Draws once, so that a system without a generator is found at start.
    pub fn open() -> Result<Self, NoRandomness> {
        getrandom::fill(&mut [0; 8]).map_err(NoRandomness)?;
        Ok(Self(()))
    }
}

impl Dice for OsDice {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the generator answered at start and cannot run dry afterwards");
    }
}

/// The same draws for the same seed: for tests and simulations, never for codes that protect anyone.
///
/// SplitMix64, one step per 8 bytes.
#[derive(Debug)]
pub struct SeededDice(Mutex<u64>);

impl SeededDice {
    /// Starts a sequence.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Dice for SeededDice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_draws() {
        let draw = |seed| {
            let dice = SeededDice::new(seed);
            (dice.u32(), dice.u64(), dice.u64())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn seeded_draws_follow_the_published_vector() {
        let dice = SeededDice::new(1_234_567);
        assert_eq!(dice.u64(), 6_457_827_717_110_365_317);
        assert_eq!(dice.u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn the_system_never_repeats_a_draw() {
        let dice = OsDice::open().unwrap();
        let draws: std::collections::BTreeSet<_> = (0..100).map(|_| dice.u64()).collect();
        assert_eq!(draws.len(), 100);
    }
}
