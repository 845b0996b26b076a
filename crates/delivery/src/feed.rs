//! Events for whoever listens: each process reads each partition once and fans out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{Happening, Partition, TenantId};
use otter_runtime::{Phase, Phases};
use otter_store::{Events, Position, Wake, WakeReason};
use thiserror::Error;
use tokio::sync::{broadcast, watch};
use tracing::warn;

use crate::{Books, BooksError};

/// How many events of a partition are kept for listeners that are a little behind.
const KEPT: usize = 2048;

/// How many events are read at once.
const PAGE: usize = 256;

/// How often a partition is asked although nothing woke us.
const TICK: Duration = Duration::from_millis(250);

/// One event as a listener gets it.
#[derive(Debug, Clone)]
pub struct Item {
    /// Which partition it is from.
    pub home: Partition,
    /// Its place there; with the partition it is the event's id.
    pub position: Position,
    /// What happened.
    pub happening: Arc<Happening>,
}

/// Why a listener cannot go on.
#[derive(Debug, Clone, Error)]
pub enum FeedError {
    /// Events after the position have been forgotten; there would be a gap.
    #[error("events after this position are not kept any more")]
    TooOld,
    /// The store could not be asked.
    #[error(transparent)]
    Books(#[from] BooksError),
}

/// The events of all partitions as this process has read them.
#[derive(Debug)]
pub struct Feed {
    books: Arc<Books>,
    partitions: Vec<Recent>,
    /// Counts reads that brought something.
    news: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Recent {
    events: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The position before the first kept event.
    before: Option<Position>,
    events: VecDeque<(Position, Arc<Happening>)>,
}

impl Feed {
    /// A feed over these books; [`Self::run`] fills it.
    pub fn new(books: Arc<Books>) -> Arc<Self> {
        let partitions = books.store().partitions().all().map(|_| Recent::default()).collect();
        Arc::new(Self { books, partitions, news: watch::Sender::new(0) })
    }

    /// Reads all partitions until the process closes.
    pub async fn run(self: Arc<Self>, phases: Phases) {
        let homes = self.books.store().partitions().all();
        let loops = homes.map(|home| tokio::spawn(Arc::clone(&self).follow(home, phases.clone())));
        futures::future::join_all(loops.collect::<Vec<_>>()).await;
    }

    /// Listens to a tenant's events after these positions, one per partition in order; from now on for `None`.
    pub async fn subscribe(
        self: &Arc<Self>,
        tenant: TenantId,
        after: Option<Vec<Position>>,
    ) -> Result<Subscription, FeedError> {
        let positions = match after {
            Some(positions) if positions.len() == self.partitions.len() => positions,
            Some(_) => return Err(FeedError::TooOld),
            None => {
                let homes = self.books.store().partitions().all();
                futures::future::try_join_all(homes.map(|home| self.latest(home))).await?
            }
        };
        Ok(Subscription { feed: Arc::clone(self), tenant, positions, news: self.news.subscribe() })
    }

    async fn latest(&self, home: Partition) -> Result<Position, FeedError> {
        let answer = self.books.store().events(home, None, 0).await.map_err(BooksError::from)?;
        match self.books.stamped(answer) {
            Events::Read { next, .. } => Ok(next),
            Events::TooOld => Err(FeedError::TooOld),
        }
    }

    async fn follow(self: Arc<Self>, home: Partition, phases: Phases) {
        let mut wakes = self.books.store().wakes();
        let mut after = None;
        while phases.now() < Phase::Closing {
            match self.read(home, &mut after).await {
                Ok(PAGE..) => continue,
                Ok(_) => {}
                Err(error) => warn!(error = %error, "could not read events"),
            }
            tokio::select! {
                () = woken(&mut wakes, home) => {}
                () = tokio::time::sleep(TICK) => {}
                () = phases.reached(Phase::Closing) => {}
            }
        }
    }

    /// Reads what is new in a partition, and says how much that was.
    async fn read(&self, home: Partition, after: &mut Option<Position>) -> Result<usize, BooksError> {
        let events = self.books.stamped(self.books.store().events(home, after.clone(), PAGE).await?);
        let Events::Read { events, next } = events else {
            // This process fell behind by more than is kept: listeners in between read from the store and learn so.
            *after = None;
            *self.recent(home) = Kept::default();
            return Ok(0);
        };
        let count = events.len();
        let mut kept = self.recent(home);
        if kept.before.is_none() {
            kept.before = Some(after.take().unwrap_or_else(|| next.clone()));
        }
        for (position, happening) in events {
            kept.events.push_back((position, Arc::new(happening)));
        }
        while kept.events.len() > KEPT {
            kept.before = kept.events.pop_front().map(|(position, _)| position);
        }
        drop(kept);
        *after = Some(next);
        if count > 0 {
            self.news.send_modify(|count| *count += 1);
        }
        Ok(count)
    }

    fn recent(&self, home: Partition) -> std::sync::MutexGuard<'_, Kept> {
        self.partitions[usize::from(home.index())].events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kept events after a position; `None` if the position is not among them.
    fn kept_after(&self, home: Partition, position: &Position) -> Option<Vec<(Position, Arc<Happening>)>> {
        let kept = self.recent(home);
        if kept.before.as_ref() == Some(position) {
            return Some(kept.events.iter().cloned().collect());
        }
        let place = kept.events.iter().rposition(|(known, _)| known == position)?;
        Some(kept.events.iter().skip(place + 1).cloned().collect())
    }
}

async fn woken(wakes: &mut broadcast::Receiver<Wake>, home: Partition) {
    loop {
        match wakes.recv().await {
            Ok(wake) if wake.home == home && wake.reason == WakeReason::Events => return,
            Ok(_) => {}
            // Wakes were missed, or the store is gone; the poll decides.
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// One listener to a tenant's events.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    tenant: TenantId,
    positions: Vec<Position>,
    news: watch::Receiver<u64>,
}

impl Subscription {
    /// Where the listener stands, one position per partition in order.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Waits for events and returns them; order holds per verification. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Item>, FeedError> {
        loop {
            self.news.mark_unchanged();
            let items = self.gather().await?;
            if !items.is_empty() {
                return Ok(items);
            }
            if self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn gather(&mut self) -> Result<Vec<Item>, FeedError> {
        let mut items = Vec::new();
        let homes: Vec<_> = self.feed.books.store().partitions().all().collect();
        for home in homes {
            let position = &mut self.positions[usize::from(home.index())];
            let events = match self.feed.kept_after(home, position) {
                Some(events) => events,
                None => {
                    let books = &self.feed.books;
                    let read = books.store().events(home, Some(position.clone()), PAGE).await;
                    match books.stamped(read.map_err(BooksError::from)?) {
                        Events::TooOld => return Err(FeedError::TooOld),
                        Events::Read { events, next } => {
                            *position = next;
                            events.into_iter().map(|(at, happening)| (at, Arc::new(happening))).collect()
                        }
                    }
                }
            };
            if let Some((last, _)) = events.last() {
                *position = last.clone();
            }
            let own = events.into_iter().filter(|(_, happening)| happening.tenant == self.tenant);
            items.extend(own.map(|(position, happening)| Item { home, position, happening }));
        }
        Ok(items)
    }
}
