//! Events for whoever listens: each process reads each partition once and fans out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otter_domain::{Happening, Partition, TenantId};
use otter_runtime::{Delays, Phase, Phases, Reconnect};
use otter_store::{Events, Position, Wake, WakeReason};
use thiserror::Error;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tracing::warn;

use crate::standing::{Trouble, standing};
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

impl Kept {
    /// The last position that was read.
    fn read_to(&self) -> Option<Position> {
        self.events.back().map(|(position, _)| position).or(self.before.as_ref()).cloned()
    }
}

impl Feed {
    /// A feed over these books; [`Self::run`] fills it.
    pub fn new(books: Arc<Books>) -> Arc<Self> {
        let partitions = books.store().partitions().all().map(|_| Recent::default()).collect();
        Arc::new(Self { books, partitions, news: watch::Sender::new(0) })
    }

    /// Reads all partitions until the process closes.
    pub async fn run(self: Arc<Self>, phases: Phases) {
        let mut loops = JoinSet::new();
        for home in self.books.store().partitions().all() {
            let (feed, phases) = (Arc::clone(&self), phases.clone());
            loops.spawn(async move { standing("events", || feed.follow(home, &phases)).await });
        }
        loops.join_all().await;
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
        let news = self.news.subscribe();
        Ok(Subscription { feed: Arc::clone(self), tenant, positions, turn: 0, news })
    }

    /// Where this process has read to; before its first reading, where the store is.
    async fn latest(&self, home: Partition) -> Result<Position, FeedError> {
        if let Some(position) = self.recent(home).read_to() {
            return Ok(position);
        }
        let answer = self.books.store().events(home, None, 0).await.map_err(BooksError::from)?;
        match self.books.stamped(answer) {
            Events::Read { next, .. } => Ok(next),
            Events::TooOld => Err(FeedError::TooOld),
        }
    }

    async fn follow(&self, home: Partition, phases: &Phases) {
        let mut wakes = self.books.store().wakes();
        let mut after = None;
        let mut trouble = Trouble::default();
        let mut delays = Reconnect::new(Delays::default());
        while phases.now() < Phase::Closing {
            let read = self.read(home, &mut after).await;
            let is_news = trouble.is_news(&read);
            let pause = match read {
                Ok(PAGE..) => continue,
                Ok(_) => {
                    delays.reset();
                    TICK
                }
                Err(error) => {
                    if is_news {
                        warn!(error = %error, partition = %home, "could not read events");
                    }
                    delays.next_delay()
                }
            };
            tokio::select! {
                biased;
                () = phases.reached(Phase::Closing) => return,
                () = woken(&mut wakes, home) => {}
                () = tokio::time::sleep(pause) => {}
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
        let is_first = self.recent(home).keep(after.as_ref().unwrap_or(&next), events);
        *after = Some(next);
        // What came before the first reading is read by listeners themselves, so they have to look after it as well.
        if count > 0 || is_first {
            self.news.send_modify(|count| *count += 1);
        }
        Ok(count)
    }

    fn recent(&self, home: Partition) -> std::sync::MutexGuard<'_, Kept> {
        self.partitions[usize::from(home.index())].events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Takes events that came after a position; says whether they are the first.
    fn keep(&mut self, after: &Position, events: Vec<(Position, Happening)>) -> bool {
        let is_first = self.before.is_none();
        self.before.get_or_insert_with(|| after.clone());
        self.events.extend(events.into_iter().map(|(position, event)| (position, Arc::new(event))));
        while self.events.len() > KEPT {
            self.before = self.events.pop_front().map(|(position, _)| position);
        }
        is_first
    }

    /// The place of the first event after a position; `None` if events between may be missing.
    fn place_after(&self, position: &Position) -> Option<usize> {
        if self.before.as_ref() == Some(position) {
            return Some(0);
        }
        self.events.iter().rposition(|(known, _)| known == position).map(|place| place + 1)
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
    /// Which partition is caught up with first, so that none waits for ever behind the others.
    turn: usize,
    news: watch::Receiver<u64>,
}

impl Subscription {
    /// Where the listener stands, one position per partition in order.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Waits for events and returns them; order holds per verification. Cancelling loses nothing: no position passes an
    /// event of this tenant but in the step that returns it.
    pub async fn next(&mut self) -> Result<Vec<Item>, FeedError> {
        loop {
            self.news.mark_unchanged();
            let CaughtUp { mut items, is_all } = self.catch_up().await?;
            self.take_kept(&mut items);
            if !items.is_empty() {
                return Ok(items);
            }
            if is_all && self.news.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Reads from the store, a page each, what the feed does not hold: what is older, or newer than its last reading. It
    /// ends with the first page that has events of this tenant.
    async fn catch_up(&mut self) -> Result<CaughtUp, FeedError> {
        let homes: Vec<_> = self.feed.books.store().partitions().all().collect();
        let mut is_all = true;
        for step in 0..homes.len() {
            let place = (self.turn + step) % homes.len();
            let home = homes[place];
            if self.feed.recent(home).place_after(&self.positions[place]).is_some() {
                continue;
            }
            let books = &self.feed.books;
            let read = books.store().events(home, Some(self.positions[place].clone()), PAGE).await;
            let (events, next) = match books.stamped(read.map_err(BooksError::from)?) {
                Events::TooOld => return Err(FeedError::TooOld),
                Events::Read { events, next } => (events, next),
            };
            is_all &= events.len() < PAGE;
            self.positions[place] = next;
            let own = events.into_iter().filter(|(_, happening)| happening.tenant == self.tenant);
            let items = own.map(|(position, happening)| {
                let happening = Arc::new(happening);
                Item { home, position, happening }
            });
            let items: Vec<_> = items.collect();
            if !items.is_empty() {
                self.turn = place + 1;
                return Ok(CaughtUp { items, is_all: false });
            }
        }
        Ok(CaughtUp { items: Vec::new(), is_all })
    }

    /// Takes what the feed holds after the positions. Waits for nothing.
    fn take_kept(&mut self, items: &mut Vec<Item>) {
        for (home, position) in self.feed.books.store().partitions().all().zip(&mut self.positions) {
            let kept = self.feed.recent(home);
            let Some(place) = kept.place_after(position) else { continue };
            let Some((last, _)) = kept.events.back() else { continue };
            let own = kept.events.range(place..).filter(|(_, happening)| happening.tenant == self.tenant);
            items.extend(own.map(|(position, happening)| Item {
                home,
                position: position.clone(),
                happening: Arc::clone(happening),
            }));
            *position = last.clone();
        }
    }
}

/// What was read from the store, and whether that was all there is.
struct CaughtUp {
    items: Vec<Item>,
    is_all: bool,
}
