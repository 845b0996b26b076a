//! The order of stopping: readiness off, stop taking work, finish what is held, flush.
//!
//! One [`Lifecycle`] belongs to `main`; every part of the process gets its [`Phases`], watches them and holds an
//! [`InFlight`] guard for each piece of work. The process owns every deadline: a peer that never finishes a handshake
//! or a send that hangs is left behind when the grace is over, and the store hands its work to somebody else.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::pulse::{Pulse, Pulses};

/// How far the process is on its way out. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Ready and working.
    Running,
    /// Not ready any more, but still working: others need time to notice.
    Leaving,
    /// Takes no new work and finishes what it holds.
    Draining,
    /// The grace is over or nothing is held: drop what is left.
    Closing,
}

/// How long each part of stopping may take (OPERATIONS section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace {
    /// From readiness off to the last new piece of work.
    pub delay: Duration,
    /// For finishing what is held.
    pub drain: Duration,
    /// For flushing telemetry and closing stores.
    pub flush: Duration,
}

/// What stopping came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// What was still held when the grace was over.
    pub unfinished: Unfinished,
    /// Whether the flush ended in time.
    pub flushed: bool,
}

/// Work by label with how many pieces of it are held.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unfinished(BTreeMap<&'static str, usize>);

impl Unfinished {
    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many pieces are held under a label.
    pub fn count(&self, label: &str) -> usize {
        self.0.get(label).copied().unwrap_or(0)
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (label, count)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {label}")?;
        }
        Ok(())
    }
}

/// The process's way out; belongs to `main`.
#[derive(Debug)]
pub struct Lifecycle {
    phase: watch::Sender<Phase>,
    held: watch::Sender<Unfinished>,
    pulses: Pulses,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            phase: watch::Sender::new(Phase::Running),
            held: watch::Sender::new(Unfinished::default()),
            pulses: Pulses::default(),
        }
    }
}

impl Lifecycle {
    /// What every part of the process is given.
    pub fn phases(&self) -> Phases {
        Phases { phase: self.phase.subscribe(), held: self.held.clone(), pulses: self.pulses.clone() }
    }

    /// Goes through the phases: leaving for `delay`, draining until nothing is held or `drain` is over, then closing
    /// while `flush` runs for at most as long as it may. Ends within the sum of the three; when `hurry` ends, what is
    /// left of the first two is skipped.
    pub async fn stop(
        self,
        grace: Grace,
        hurry: impl Future<Output = ()>,
        flush: impl Future<Output = ()>,
    ) -> Stopped {
        tokio::select! {
            () = self.drain(grace) => {}
            () = hurry => {}
        }
        let unfinished = self.held.borrow().clone();
        self.phase.send_replace(Phase::Closing);
        let flushed = timeout(grace.flush, flush).await.is_ok();
        Stopped { unfinished, flushed }
    }

    async fn drain(&self, grace: Grace) {
        self.phase.send_replace(Phase::Leaving);
        sleep(grace.delay).await;
        self.phase.send_replace(Phase::Draining);
        let mut held = self.held.subscribe();
        // Both ends of the channel are in `self`, so waiting ends by itself or by the grace.
        let _ = timeout(grace.drain, held.wait_for(Unfinished::is_empty)).await;
    }
}

/// Tells a part of the process how far the way out is, counts the work it holds, and watches its loops. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Phases {
    phase: watch::Receiver<Phase>,
    held: watch::Sender<Unfinished>,
    pulses: Pulses,
}

impl Phases {
    /// The present phase.
    pub fn now(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the phase is at least this. A process whose [`Lifecycle`] is gone is closing.
    pub async fn reached(&self, phase: Phase) {
        let _ = self.phase.clone().wait_for(|now| *now >= phase).await;
    }

    /// Counts a piece of work as held until the guard is dropped. Draining waits for it.
    pub fn hold(&self, label: &'static str) -> InFlight {
        self.held.send_modify(|held| *held.0.entry(label).or_default() += 1);
        InFlight { label, held: self.held.clone() }
    }

    /// Watches a loop until the pulse is dropped: it has to beat at least every `turn`, which is the longest that one
    /// turn may take while all is well. What it waits for must have deadlines of its own within that, so that a store or
    /// a provider that is down does not look like a loop that is stuck.
    pub fn pulse(&self, what: &'static str, turn: Duration) -> Pulse {
        self.pulses.begin(what, turn)
    }

    /// The loops that have not turned for three times their longest turn. None once the process drains: loops end then,
    /// and the grace says until when.
    pub fn stalled(&self) -> Vec<&'static str> {
        if self.now() >= Phase::Draining { Vec::new() } else { self.pulses.stalled() }
    }
}

/// A piece of work in flight; dropping it is finishing.
#[derive(Debug)]
#[must_use = "the work counts as finished as soon as this is dropped"]
pub struct InFlight {
    label: &'static str,
    held: watch::Sender<Unfinished>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.held.send_modify(|held| {
            let left = held.count(self.label).saturating_sub(1);
            if left == 0 {
                held.0.remove(self.label);
            } else {
                held.0.insert(self.label, left);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    const GRACE: Grace = Grace {
        delay: Duration::from_secs(5),
        drain: Duration::from_secs(20),
        flush: Duration::from_secs(5),
    };

    #[tokio::test(start_paused = true)]
    async fn phases_come_in_order_and_at_their_time() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        assert_eq!(phases.now(), Phase::Running);
        let began = Instant::now();
        let watcher = tokio::spawn(async move {
            phases.reached(Phase::Leaving).await;
            let left = began.elapsed();
            phases.reached(Phase::Draining).await;
            let drained = began.elapsed();
            phases.reached(Phase::Closing).await;
            (left, drained, began.elapsed())
        });
        let stopped = lifecycle.stop(GRACE, pending(), async {}).await;
        assert_eq!(stopped, Stopped { unfinished: Unfinished::default(), flushed: true });
        assert_eq!(watcher.await.unwrap(), (Duration::ZERO, GRACE.delay, GRACE.delay));
    }

    #[tokio::test(start_paused = true)]
    async fn draining_waits_for_what_is_held() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        let send = phases.hold("send");
        let began = Instant::now();
        tokio::spawn(async move {
            phases.reached(Phase::Draining).await;
            sleep(Duration::from_secs(3)).await;
            drop(send);
        });
        let stopped = lifecycle.stop(GRACE, pending(), async {}).await;
        assert!(stopped.unfinished.is_empty());
        assert_eq!(began.elapsed(), Duration::from_secs(8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_finishes_is_named_and_left_behind() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        let _held = (phases.hold("send"), phases.hold("send"), phases.hold("connection"));
        let began = Instant::now();
        let stopped = lifecycle.stop(GRACE, pending(), pending()).await;
        assert_eq!(began.elapsed(), GRACE.delay + GRACE.drain + GRACE.flush);
        assert!(!stopped.flushed);
        assert_eq!(stopped.unfinished.count("send"), 2);
        assert_eq!(stopped.unfinished.to_string(), "1 connection, 2 send");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_began_while_leaving_is_waited_for() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        tokio::spawn(async move {
            phases.reached(Phase::Leaving).await;
            let _held = phases.hold("call");
            sleep(Duration::from_secs(10)).await;
        });
        let began = Instant::now();
        let stopped = lifecycle.stop(GRACE, pending(), async {}).await;
        assert!(stopped.unfinished.is_empty());
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hurry_skips_the_delay_and_the_drain_but_not_the_flush() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        let _held = phases.hold("stream");
        let began = Instant::now();
        let after = async |seconds| sleep(Duration::from_secs(seconds)).await;
        let stopped = lifecycle.stop(GRACE, after(1), after(2)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert!(stopped.flushed);
        assert_eq!(stopped.unfinished.count("stream"), 1);
        assert_eq!(phases.now(), Phase::Closing);
    }

    #[tokio::test(start_paused = true)]
    async fn loops_are_watched_until_the_process_drains() {
        let lifecycle = Lifecycle::default();
        let phases = lifecycle.phases();
        let _pulse = phases.pulse("lane", Duration::from_secs(1));
        sleep(Duration::from_secs(4)).await;
        assert_eq!(phases.stalled(), ["lane"]);
        let _held = phases.hold("send");
        let stopping = tokio::spawn(lifecycle.stop(GRACE, pending(), async {}));
        phases.reached(Phase::Draining).await;
        assert_eq!(phases.stalled(), Vec::<&str>::new());
        stopping.abort();
    }
}
