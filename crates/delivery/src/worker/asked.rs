//! The partitions that a lane has still to ask.

use std::collections::VecDeque;

use otter_domain::{Partition, PartitionCount};

/// Partitions in the order in which they are asked, each at most once.
#[derive(Debug)]
pub(super) struct Asked {
    queue: VecDeque<Partition>,
    is_queued: Vec<bool>,
    all: PartitionCount,
}

impl Asked {
    /// All partitions.
    pub(super) fn all(count: PartitionCount) -> Self {
        let is_queued = vec![false; usize::from(count.get())];
        let mut asked = Self { queue: VecDeque::new(), is_queued, all: count };
        asked.add_all();
        asked
    }

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

    pub(super) fn first(&self) -> Option<Partition> {
        self.queue.front().copied()
    }

    pub(super) fn remove_first(&mut self) {
        if let Some(home) = self.queue.pop_front() {
            self.is_queued[usize::from(home.index())] = false;
        }
    }

    /// Puts the first behind all others.
    pub(super) fn first_to_last(&mut self) {
        if !self.queue.is_empty() {
            self.queue.rotate_left(1);
        }
    }
}
