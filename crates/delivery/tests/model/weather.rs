//! What goes wrong between processes and the store, and when it did.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otter_domain::{Clock, Moment};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::gate::Gate;

/// What is set in motion by trouble goes on for so long: what a scheduler took with it is hidden for 5 s, and a store
/// that did not answer is left alone for a moment.
pub(crate) const AFTERMATH: Duration = Duration::from_millis(6_500);

const START: Moment = Moment::from_millis(1_800_000_000_000);

/// The store's time, which passes with tokio's.
#[derive(Debug)]
pub(crate) struct Paused(Instant);

impl Paused {
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self(Instant::now()))
    }

    /// The time since the run began.
    pub(crate) fn elapsed(moment: Moment) -> Duration {
        moment.since(START)
    }
}

impl Clock for Paused {
    fn now(&self) -> Moment {
        START + self.0.elapsed()
    }
}

/// What becomes of a call to the store.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    Smooth,
    Refused { after: Duration },
    Travels { before: Duration, after: Duration, answer: Answer },
}

/// Whether the answer of a call that reached the store arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Arrives,
    Lost,
    /// Lost, and only the first items of the batch were done.
    LostMidway,
}

#[derive(Debug)]
pub(crate) struct Weather {
    clock: Arc<Paused>,
    chance: Chance,
    storms: AtomicUsize,
    /// From when until when something was wrong, in the order in which it began.
    troubles: Mutex<Vec<(Moment, Moment)>>,
}

impl Weather {
    pub(crate) fn new(clock: Arc<Paused>, seed: u64) -> Self {
        let (storms, troubles) = (AtomicUsize::new(0), Mutex::default());
        Self { clock, chance: Chance::new(seed), storms, troubles }
    }

    pub(crate) fn storm(&self) {
        self.storms.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn calm_down(&self) {
        self.storms.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.storms.load(Ordering::SeqCst) == 0
    }

    /// Notes that something is wrong from now on for a while.
    pub(crate) fn trouble(&self, time: Duration) {
        let now = self.clock.now();
        self.troubles.lock().unwrap().push((now, now + time));
    }

    /// Whether everything has worked for long enough before `from`, and until `to`.
    pub(crate) fn was_calm(&self, from: Moment, to: Moment) -> bool {
        let troubles = self.troubles.lock().unwrap();
        !troubles.iter().rev().any(|(began, ended)| *began <= to && *ended + AFTERMATH >= from)
    }

    /// What becomes of a call; one that changes nothing is disturbed less.
    pub(crate) fn fate(&self, gate: &Gate) -> Fate {
        if gate.is_cut() {
            let after = self.chance.millis(0, 20);
            self.trouble(after);
            return Fate::Refused { after };
        }
        if self.is_calm() {
            return Fate::Smooth;
        }
        let fate = self.rough();
        match fate {
            Fate::Smooth => {}
            Fate::Refused { after } => self.trouble(after),
            Fate::Travels { before, after, .. } => self.trouble(before + after),
        }
        fate
    }

    fn rough(&self) -> Fate {
        let short = || self.chance.millis(0, 40);
        let long = || self.chance.millis(0, 1_500);
        match self.chance.below(100) {
            0..8 => Fate::Refused { after: long() },
            8..16 => Fate::Travels { before: short(), after: long(), answer: Answer::Lost },
            16..22 => Fate::Travels { before: short(), after: short(), answer: Answer::LostMidway },
            22..32 => Fate::Travels { before: long(), after: short(), answer: Answer::Arrives },
            32..42 => Fate::Travels { before: short(), after: long(), answer: Answer::Arrives },
            42..60 => Fate::Travels { before: short(), after: short(), answer: Answer::Arrives },
            _ => Fate::Smooth,
        }
    }

    /// A short way to the store and back, as there always is for what changes something.
    pub(crate) fn way(&self) -> Fate {
        let (before, after) = (self.chance.millis(0, 4), self.chance.millis(0, 4));
        Fate::Travels { before, after, answer: Answer::Arrives }
    }

    /// How many items of a batch are done whose answer is lost midway.
    pub(crate) fn part(&self, count: usize) -> usize {
        self.chance.below(count + 1)
    }
}
