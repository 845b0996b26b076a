//! Which jobs are claimed when.
//!
//! Partitions that may hold jobs stand in a queue: those that a wake named, those that had more than could be started,
//! and four times a second all of them. The first is asked as soon as something can be started, and goes to the end if
//! it may hold more, so that a full partition keeps nobody waiting behind it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use otter_domain::{Moment, Partition, ProviderName};
use otter_provider::Provider;
use otter_runtime::{Phase, Pulse};
use otter_store::{Claim, Claimed, Error, Wake, WakeReason};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::Lane;
use super::asked::Asked;
use super::pace::{Pace, Terms};
use crate::BooksError;
use crate::leases::LEASE;
use crate::standing::Trouble;

/// The most jobs taken in one claim.
const CLAIM: usize = 32;

/// How often every partition is asked although nothing woke us.
const TICK: Duration = Duration::from_millis(250);

/// How many jobs of a partition may be claimed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowance {
    Jobs(usize),
    NothingWaits,
    NotNow,
}

/// The work on one lane.
#[derive(Debug)]
pub(super) struct Work {
    lane: Arc<Lane>,
    asked: Asked,
    sends: JoinSet<()>,
    pace: Pace,
    trouble: Trouble,
}

impl Work {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        let asked = Asked::all(lane.worker.books.store().partitions());
        let (pace, trouble) = (Pace::default(), Trouble::default());
        Self { lane, asked, sends: JoinSet::new(), pace, trouble }
    }

    pub(super) async fn run(mut self, pulse: &Pulse) {
        let lane = Arc::clone(&self.lane);
        let mut wakes = lane.worker.books.store().wakes();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while lane.phases.now() < Phase::Draining {
            let again_at = self.start_what_can_be(pulse).await;
            let pause = again_at.map(|moment| lane.worker.books.now().until(moment));
            // What comes seldom comes first, so that nothing that comes often keeps it waiting.
            tokio::select! {
                biased;
                () = lane.phases.reached(Phase::Draining) => break,
                _ = tick.tick() => self.asked.add_all(),
                Some(ended) = self.sends.join_next() => self.finished(ended),
                woken = woken(&lane.name, &mut wakes) => match woken {
                    Some(home) => self.asked.add(home),
                    None => self.asked.add_all(),
                },
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
        while let Some(ended) = self.sends.join_next().await {
            self.finished(ended);
        }
    }

    /// Claims and starts jobs of the asked partitions in turn, as many as free slots and the account's rate allow.
    /// Says when to go on if that is neither when something is asked nor when a send has finished.
    async fn start_what_can_be(&mut self, pulse: &Pulse) -> Option<Moment> {
        pulse.beat();
        while let Some(home) = self.asked.first() {
            pulse.beat();
            while let Some(ended) = self.sends.try_join_next() {
                self.finished(ended);
            }
            let setup = self.lane.worker.setup.load_full();
            let Some(provider) = self.lane.at_work(&setup) else { break };
            let now = self.lane.worker.books.now();
            let again_at = self.lane.rests_until(now).or(self.pace.empty_until(now));
            if again_at.is_some() {
                return again_at;
            }
            let slots = usize::from(provider.capabilities.concurrency).saturating_sub(self.sends.len());
            if slots == 0 || self.lane.phases.now() >= Phase::Draining {
                break;
            }
            let started = self.start(home, slots.min(CLAIM), &provider);
            // A panic here must not take the sends in flight with it.
            let started = AssertUnwindSafe(started).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
            let is_news = self.trouble.is_news(&started);
            match started {
                Ok(Turn::Again) => {}
                Ok(Turn::Last) => self.asked.first_to_last(),
                Ok(Turn::Over) => self.asked.remove_first(),
                Err(error) => {
                    if is_news {
                        warn!(error = %error, provider = %self.lane.name, %home, "could not claim jobs");
                    }
                    // The next tick asks again.
                    self.asked.remove_first();
                }
            }
        }
        None
    }

    /// Claims jobs of one partition and starts them.
    async fn start(
        &mut self,
        home: Partition,
        slots: usize,
        provider: &Provider,
    ) -> Result<Turn, BooksError> {
        let max = match self.allowance(home, slots, provider.capabilities.rate).await? {
            Allowance::Jobs(count) => count,
            Allowance::NothingWaits => return Ok(Turn::Over),
            Allowance::NotNow => return Ok(Turn::Again),
        };
        let lane = Arc::clone(&self.lane);
        // Held before the claim, so that a drain does not miss what is claimed at this moment.
        let held = lane.phases.hold("sends");
        let claim = Claim { lane: lane.name.clone(), worker: lane.worker.id.clone(), lease: LEASE, max };
        let books = &lane.worker.books;
        let claimed = books.stamped(books.store().claim(home, claim).await?);
        let count = claimed.len();
        self.pace.spend(count);
        for job in claimed {
            self.spawn(job);
        }
        drop(held);
        lane.worker.metrics.in_flight(&lane.name, self.sends.len());
        Ok(if count == max { Turn::Last } else { Turn::Over })
    }

    fn spawn(&mut self, job: Claimed) {
        let lane = Arc::clone(&self.lane);
        let held = lane.phases.hold("sends");
        self.sends.spawn(async move {
            lane.perform(job).await;
            drop(held);
        });
    }

    /// How many jobs may be claimed: without a rate as many as there are slots; with one, tokens are taken for the jobs
    /// that wait.
    async fn allowance(
        &mut self,
        home: Partition,
        slots: usize,
        rate: Option<u32>,
    ) -> Result<Allowance, BooksError> {
        let Some(rate) = rate else { return Ok(Allowance::Jobs(slots)) };
        let books = &self.lane.worker.books;
        let name = &self.lane.name;
        let depths = books.stamped(books.store().lanes(home, vec![name.clone()]).await?);
        let waiting = depths.first().map_or(0, |depth| depth.ready);
        let wanted = slots.min(usize::try_from(waiting).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(Allowance::NothingWaits);
        }
        if self.pace.at_hand(books.now()) == 0 {
            let Terms { inflow, burst } = Terms::of(rate);
            let want = u32::try_from(wanted).unwrap_or(u32::MAX).min(burst);
            let key = format!("provider:{name}");
            let grant = books.stamped(books.store().take(&key, inflow, burst, want).await?);
            self.pace.receive(grant, books.now());
        }
        let tokens = usize::try_from(self.pace.at_hand(books.now())).unwrap_or(usize::MAX);
        Ok(if tokens == 0 { Allowance::NotNow } else { Allowance::Jobs(wanted.min(tokens)) })
    }

    fn finished(&self, ended: Result<(), JoinError>) {
        let lane = &self.lane;
        if ended.is_err_and(|error| error.is_panic()) {
            error!(provider = %lane.name, "a job panicked; what became of it is unknown once its lease is over");
        }
        lane.worker.metrics.in_flight(&lane.name, self.sends.len());
    }
}

fn panicked() -> BooksError {
    Error::Unavailable { doing: "claiming jobs from a store that panicked", source: None }.into()
}

/// What becomes of a partition after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It could not be asked yet and stays the first.
    Again,
    /// It may hold more and is asked again after the others.
    Last,
    /// It holds nothing more.
    Over,
}

/// Waits for this lane's next wake; `None` when some were missed.
async fn woken(name: &ProviderName, wakes: &mut broadcast::Receiver<Wake>) -> Option<Partition> {
    loop {
        match wakes.recv().await {
            Ok(Wake { home, reason: WakeReason::Lane(lane) }) if lane == *name => return Some(home),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return None,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
