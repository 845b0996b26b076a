//! The partitions that a lane has still to ask.

use std::collections::{BTreeMap, VecDeque};

use otter_domain::{Moment, Partition, PartitionCount};

/// Partitions in the order in which they are asked, each at most once, and never while it is being asked or rests.
#[derive(Debug)]
pub(super) struct Asked {
    queue: VecDeque<Partition>,
    is_queued: Vec<bool>,
    under_way: BTreeMap<Partition, Moment>,
    rests: BTreeMap<Partition, Moment>,
    all: PartitionCount,
}

impl Asked {
    /// All partitions.
    pub(super) fn all(count: PartitionCount) -> Self {
        let is_queued = vec![false; usize::from(count.get())];
        let (under_way, rests) = (BTreeMap::new(), BTreeMap::new());
        let mut asked = Self { queue: VecDeque::new(), is_queued, under_way, rests, all: count };
        asked.add_all();
        asked
    }

    /// Puts a partition behind all others, unless it stands in the queue.
    pub(super) fn add(&mut self, home: Partition) {
        let is_queued = &mut self.is_queued[usize::from(home.index())];
        if !std::mem::replace(is_queued, true) {
            self.queue.push_back(home);
        }
    }

    pub(super) fn add_all(&mut self) {
        for home in self.all.all() {
            self.add(home);
        }
    }

    /// The first that can be asked at `now`.
    pub(super) fn first(&self, now: Moment) -> Option<Partition> {
        let is_free = |home: &&Partition| {
            !self.under_way.contains_key(home) && self.rests.get(home).is_none_or(|until| *until <= now)
        };
        self.queue.iter().find(is_free).copied()
    }

    /// A partition is being asked from now on.
    pub(super) fn begin(&mut self, home: Partition, now: Moment) {
        self.queue.retain(|queued| *queued != home);
        self.is_queued[usize::from(home.index())] = false;
        self.under_way.insert(home, now);
    }

    /// It has answered.
    pub(super) fn answered(&mut self, home: Partition) {
        self.under_way.remove(&home);
        self.rests.remove(&home);
    }

    /// It did not answer as it should: it is left alone for as long as it kept us waiting, so that it holds what could be
    /// used for others at most half of the time. It is asked again when it is put into the queue again.
    pub(super) fn failed(&mut self, home: Partition, now: Moment) {
        if let Some(since) = self.under_way.remove(&home) {
            self.rests.insert(home, now + now.since(since));
        }
    }

    /// Since when the one is being asked that has been for longest.
    pub(super) fn oldest(&self) -> Option<Moment> {
        self.under_way.values().min().copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: Moment = Moment::from_millis(1_000_000);

    fn at(millis: u64) -> Moment {
        NOW + std::time::Duration::from_millis(millis)
    }

    fn partitions(count: u16) -> (Asked, Vec<Partition>) {
        let count = PartitionCount::new(count).unwrap();
        (Asked::all(count), count.all().collect())
    }

    #[test]
    fn a_partition_is_asked_once_at_a_time_and_again_if_news_came_meanwhile() {
        let (mut asked, homes) = partitions(2);
        asked.begin(homes[0], NOW);
        assert_eq!(asked.first(NOW), Some(homes[1]));
        asked.begin(homes[1], NOW);
        asked.add(homes[0]);
        asked.add(homes[0]);
        assert_eq!(asked.first(NOW), None);
        asked.answered(homes[0]);
        assert_eq!(asked.first(NOW), Some(homes[0]));
        asked.begin(homes[0], NOW);
        asked.answered(homes[0]);
        assert_eq!(asked.first(NOW), None);
    }

    #[test]
    fn one_that_fails_slowly_rests_for_as_long_and_keeps_nobody_waiting() {
        let (mut asked, homes) = partitions(2);
        asked.begin(homes[0], NOW);
        assert_eq!(asked.oldest(), Some(NOW));
        asked.failed(homes[0], at(500));
        asked.add_all();
        assert_eq!(asked.first(at(500)), Some(homes[1]));
        asked.begin(homes[1], at(500));
        asked.answered(homes[1]);
        assert_eq!(asked.first(at(999)), None);
        assert_eq!(asked.first(at(1000)), Some(homes[0]));
    }

    #[test]
    fn one_that_fails_at_once_does_not_rest_but_waits_to_be_named() {
        let (mut asked, homes) = partitions(1);
        asked.begin(homes[0], NOW);
        asked.failed(homes[0], NOW);
        assert_eq!(asked.first(NOW), None);
        asked.add_all();
        assert_eq!(asked.first(NOW), Some(homes[0]));
    }
}
