//! How full lanes are, for whoever puts messages on them.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otter_decision::backlog::{Depth, Lane, Question};
use otter_domain::{Moment, ProviderName};
use otter_store::{LaneDepth, Stamped};

/// The lanes of all providers as this process knows them: one entry for each that is configured.
///
/// A lane that was never read, or not for long, takes everything.
#[derive(Debug, Default)]
pub struct Lanes {
    known: Mutex<BTreeMap<ProviderName, Lane>>,
}

impl Lanes {
    /// Takes over what the first of `partitions` say of these providers' lanes, `None` for one that did not answer, and
    /// forgets all other lanes. Recipients spread evenly, so a few partitions stand for many.
    pub fn learn(
        &self,
        lanes: &[ProviderName],
        answers: &[Option<Stamped<Vec<LaneDepth>>>],
        partitions: usize,
    ) {
        let Some(now) = answers.iter().flatten().map(|answer| answer.now).max() else { return };
        let mut known = self.lock();
        known.retain(|name, _| lanes.contains(name));
        for (place, name) in lanes.iter().enumerate() {
            let depth = |answer: &Option<Stamped<Vec<LaneDepth>>>| {
                let depth = answer.as_ref()?.value.get(place)?;
                Some(Depth { ready: depth.ready, oldest: depth.oldest })
            };
            let depths = answers.iter().map(depth).collect();
            known.entry(name.clone()).or_default().read(depths, partitions, now);
        }
    }

    /// `None` if a message can wait in a provider's lane; otherwise when to ask again.
    pub fn full(&self, provider: &ProviderName, question: &Question, now: Moment) -> Option<Duration> {
        self.lock().get_mut(provider)?.full(question, now)
    }

    /// A message is put on a provider's lane by this process.
    pub fn begin(&self, provider: &ProviderName) {
        if let Some(lane) = self.lock().get_mut(provider) {
            lane.begin();
        }
    }

    /// It was not put there after all.
    pub fn undo(&self, provider: &ProviderName) {
        if let Some(lane) = self.lock().get_mut(provider) {
            lane.undo();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProviderName, Lane>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::PartitionCount;

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    #[test]
    fn what_partitions_say_is_told_by_provider_and_what_is_not_configured_any_more_is_forgotten() {
        let lanes = Lanes::default();
        let [alpha, beta] = ["alpha", "beta"].map(|name| ProviderName::parse(name).unwrap());
        let home = PartitionCount::new(2).unwrap().all().next().unwrap();
        let question = Question { home, max_queue_wait: Duration::from_secs(5), rate: None };
        let stuck = LaneDepth { ready: 9, oldest: Some(NOW) };
        for second in 0..10 {
            let now = NOW + Duration::from_secs(second);
            let value = vec![stuck, LaneDepth::default()];
            lanes.learn(&[alpha.clone(), beta.clone()], &[Some(Stamped { now, value }), None], 2);
        }
        let now = NOW + Duration::from_secs(9);
        assert!(lanes.full(&alpha, &question, now).is_some());
        assert_eq!(lanes.full(&beta, &question, now), None);
        lanes.learn(
            std::slice::from_ref(&beta),
            &[Some(Stamped { now, value: vec![LaneDepth::default()] })],
            2,
        );
        assert_eq!(lanes.full(&alpha, &question, now), None);
    }
}
