//! Chance that can be repeated.

/// A stream of draws that depends on nothing but its seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The draws for one request: the same seed, account, channel and number of the request give the same.
    pub(crate) fn of(seed: u64, lane: &str, request: u64) -> Self {
        // FNV-1a, so that neighbouring lanes and requests share nothing.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let start = seed ^ 0xcbf2_9ce4_8422_2325;
        Self(lane.bytes().chain(request.to_be_bytes()).fold(start, mix))
    }

    /// A number from 0 up to, but not including, 1.
    pub(crate) fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Whether something happens that happens in this share of cases.
    pub(crate) fn hits(&mut self, share: f64) -> bool {
        self.draw() < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_shares_come_true() {
        let hits =
            |seed| (0..10_000).filter(|request| Dice::of(seed, "north/sms", *request).hits(0.3)).count();
        assert_eq!(hits(1), hits(1));
        assert!((2_800..3_200).contains(&hits(1)), "{}", hits(1));
        assert_ne!(Dice::of(1, "north/sms", 1).draw(), Dice::of(2, "north/sms", 1).draw());
        assert_ne!(Dice::of(1, "north/sms", 1).draw(), Dice::of(1, "south/sms", 1).draw());
        assert!(!Dice::of(1, "north/sms", 1).hits(0.0) && Dice::of(1, "north/sms", 1).hits(1.0));
    }
}
