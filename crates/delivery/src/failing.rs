//! What fails again and again: it is counted, so that somebody can give it up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use otter_domain::VerificationId;

/// How often in a row something is tried before it is given up.
pub(crate) const TRIES: u8 = 5;

/// How many failing ones are counted at most. More than that at once is no poison but an outage, and nothing is given up
/// for it: counting begins anew.
const COUNTED: usize = 1024;

/// Failures in a row of one process, by verification.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    counts: Mutex<HashMap<VerificationId, u8>>,
}

impl Failing {
    /// Takes note of a failure; true when it was the last one to be put up with.
    pub(crate) fn failed(&self, id: VerificationId) -> bool {
        let mut counts = self.lock();
        if counts.len() >= COUNTED && !counts.contains_key(&id) {
            counts.clear();
        }
        let count = counts.entry(id).or_default();
        *count += 1;
        let is_last = *count >= TRIES;
        if is_last {
            counts.remove(&id);
        }
        is_last
    }

    /// Takes note that it went well.
    pub(crate) fn worked(&self, id: VerificationId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<VerificationId, u8>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use otter_domain::{Moment, PartitionCount};

    use super::*;

    fn id(number: u64) -> VerificationId {
        let home = PartitionCount::DEFAULT.at(0).expect("there is a first one");
        VerificationId::new(Moment::EPOCH, home, number.to_be_bytes())
    }

    #[test]
    fn only_failures_in_a_row_are_given_up() {
        let failing = Failing::default();
        for _ in 0..3 {
            assert!((1..TRIES).all(|_| !failing.failed(id(1))));
            failing.worked(id(1));
        }
        assert!((1..TRIES).all(|_| !failing.failed(id(1))));
        assert!(!failing.failed(id(2)), "each is counted by itself");
        assert!(failing.failed(id(1)));
        assert!(!failing.failed(id(1)), "from then on anew");
    }

    #[test]
    fn an_outage_is_no_poison_and_takes_no_memory() {
        let failing = Failing::default();
        for _ in 0..TRIES {
            assert!((0..COUNTED as u64 + 1).all(|number| !failing.failed(id(number))));
        }
        assert!(failing.lock().len() <= COUNTED);
    }
}
