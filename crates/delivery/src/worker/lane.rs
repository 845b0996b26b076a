//! Which jobs are claimed when.
//!
//! Partitions that may hold jobs stand in a queue: those that a wake named, those that had more than could be started,
//! and four times a second all of them. The first is asked as soon as something can be started, and goes to the end if
//! it may hold more, so that a full partition keeps nobody waiting behind it. Several are asked at once, each with slots
//! set aside for what it may give, so that one that does not answer keeps nobody waiting either.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{Moment, Partition, ProviderName};
use otter_runtime::{InFlight, Phase, Pulse};
use otter_store::{Claimed, Wake, WakeReason};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::Lane;
use super::asked::Asked;
use super::claiming::{Ended, Got, Wish};
use super::pace::Purse;
use crate::standing::{TURN, Trouble};

/// The most jobs taken in one claim.
const CLAIM: usize = 32;

/// The most claims of a lane under way at once.
const CLAIMS: usize = 16;

/// The part of a lane's slots that one claim may set aside.
const SHARE: usize = 4;

/// How often every partition is asked although nothing woke us.
const TICK: Duration = Duration::from_millis(250);

/// The work on one lane.
#[derive(Debug)]
pub(super) struct Work {
    lane: Arc<Lane>,
    asked: Asked,
    claims: JoinSet<(Ended, InFlight)>,
    /// Slots that are set aside for what the claims under way may bring.
    set_aside: usize,
    sends: JoinSet<()>,
    purse: Arc<Purse>,
    /// Of each partition, by its index.
    troubles: Vec<Trouble>,
}

impl Work {
    pub(super) fn new(lane: Arc<Lane>) -> Self {
        let partitions = lane.worker.books.store().partitions();
        Self {
            asked: Asked::all(partitions),
            claims: JoinSet::new(),
            set_aside: 0,
            sends: JoinSet::new(),
            purse: Arc::default(),
            troubles: partitions.all().map(|_| Trouble::default()).collect(),
            lane,
        }
    }

    pub(super) async fn run(mut self, pulse: &Pulse) {
        let lane = Arc::clone(&self.lane);
        let mut wakes = lane.worker.books.store().wakes();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while lane.phases.now() < Phase::Draining {
            let now = lane.worker.books.now();
            // A claim that never ends is a loop that does not turn.
            if self.asked.oldest().is_none_or(|since| now.since(since) < TURN) {
                pulse.beat();
            }
            let pause = self.begin_claims(now).map(|moment| now.until(moment));
            // What comes seldom comes first, so that nothing that comes often keeps it waiting.
            tokio::select! {
                biased;
                () = lane.phases.reached(Phase::Draining) => break,
                _ = tick.tick() => self.asked.add_all(),
                Some(ended) = self.claims.join_next() => self.claimed(ended),
                Some(ended) = self.sends.join_next() => self.finished(ended),
                woken = woken(&lane.name, &mut wakes) => match woken {
                    Some(home) => self.asked.add(home),
                    None => self.asked.add_all(),
                },
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
        // What is being claimed at this moment is begun already.
        while let Some(ended) = self.claims.join_next().await {
            self.claimed(ended);
        }
        while let Some(ended) = self.sends.join_next().await {
            self.finished(ended);
        }
    }

    /// Asks partitions in turn, as long as there are free slots and the account's rate allows it. Says when to go on if
    /// that is neither when something is asked or answered nor when a send has finished.
    fn begin_claims(&mut self, now: Moment) -> Option<Moment> {
        while self.claims.len() < CLAIMS {
            let home = self.asked.first(now)?;
            while let Some(ended) = self.sends.try_join_next() {
                self.finished(ended);
            }
            let setup = self.lane.worker.setup.load_full();
            let provider = self.lane.at_work(&setup)?;
            let empty_until = self.purse.pace().empty_until(now);
            let again_at = self.lane.shut_until(now).or(empty_until);
            if again_at.is_some() {
                return again_at;
            }
            let concurrency = usize::from(provider.capabilities.concurrency);
            let slots = concurrency.saturating_sub(self.sends.len() + self.set_aside);
            if slots == 0 {
                return None;
            }
            let max = slots.min(CLAIM).min((concurrency / SHARE).max(1));
            self.begin_claim(home, max, provider.capabilities.rate, now);
        }
        None
    }

    fn begin_claim(&mut self, home: Partition, max: usize, rate: Option<u32>, now: Moment) {
        self.asked.begin(home, now);
        self.set_aside += max;
        let (lane, purse) = (Arc::clone(&self.lane), Arc::clone(&self.purse));
        // Held before the claim, so that a drain does not miss what is claimed at this moment.
        let held = lane.phases.hold("sends");
        let wish = Wish { lane, purse, home, max, rate };
        self.claims.spawn(async move {
            let ended = wish.grant().await;
            (ended, held)
        });
    }

    /// Starts what a claim brought.
    fn claimed(&mut self, ended: Result<(Ended, InFlight), JoinError>) {
        // A claim catches its panics, and is aborted only with all of this.
        let Ok((Ended { home, max, got }, _held)) = ended else { return };
        self.set_aside -= max;
        let is_news = self.troubles[usize::from(home.index())].is_news(&got);
        match got {
            Ok(Got::Jobs { jobs, asked_at, is_all }) => {
                self.asked.answered(home);
                for job in jobs {
                    self.spawn(job, asked_at);
                }
                if !is_all {
                    self.asked.add(home);
                }
                self.lane.worker.metrics.in_flight(&self.lane.name, self.sends.len());
            }
            Ok(Got::NotNow) => {
                self.asked.answered(home);
                self.asked.add(home);
            }
            Err(error) => {
                if is_news {
                    warn!(error = %error, provider = %self.lane.name, partition = %home, "could not claim jobs");
                }
                // The next tick asks again.
                self.asked.failed(home, self.lane.worker.books.now());
            }
        }
    }

    fn spawn(&mut self, job: Claimed, asked_at: Duration) {
        let lane = Arc::clone(&self.lane);
        let held = lane.phases.hold("sends");
        self.sends.spawn(async move {
            lane.perform(job, asked_at).await;
            drop(held);
        });
    }

    fn finished(&self, ended: Result<(), JoinError>) {
        let lane = &self.lane;
        if ended.is_err_and(|error| error.is_panic()) {
            error!(provider = %lane.name, "a job panicked; what became of it is unknown once its lease is over");
        }
        lane.worker.metrics.in_flight(&lane.name, self.sends.len());
    }
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
