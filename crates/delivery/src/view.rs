//! What this process knows of providers, kept fresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use otter_domain::{Moment, ProviderName};
use otter_evidence::{Breakers, Change, Directives, Lanes, Rates, UnlistedCodes};
use otter_runtime::{Phase, Phases};
use otter_store::{Board, Error};
use tokio::time::timeout;
use tracing::warn;

use crate::standing::{Trouble, standing};
use crate::{Books, Setup};

/// How old the view may be.
const REFRESH: Duration = Duration::from_secs(2);

/// How old what is known of lanes may be.
const LANES: Duration = Duration::from_secs(1);

/// The most partitions whose lanes are read.
const LANES_READ: usize = 32;

/// How long an open breaker stays on the board: longer than the longest that it stays open.
const BREAKER_LIFE: Duration = Duration::from_secs(600);

/// Rates, breakers and operators' orders as this process knows them.
#[derive(Debug, Default)]
pub struct View {
    /// Rates.
    pub rates: Arc<Rates>,
    /// Breakers.
    pub breakers: Breakers,
    /// Operators' orders.
    pub directives: Directives,
    /// Vendors' codes that stand in no table.
    pub codes: UnlistedCodes,
    /// How full lanes are; only where [`Self::keep_lanes_fresh`] runs.
    pub lanes: Lanes,
    /// Until when accounts are left alone that said that we are too fast: no more than there are providers.
    busy: Mutex<BTreeMap<ProviderName, Moment>>,
    /// Breakers of ours that others have not been told of yet, by the board's key: no more than there are segments.
    untold: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl View {
    /// Reads the boards and what is new of the evidence, and tells others what they could not be told before.
    pub async fn refresh(&self, books: &Books) -> Result<(), crate::BooksError> {
        self.tell(books).await;
        let directives = books.stamped(books.store().read(Board::Directives).await?);
        self.directives.learn(&directives);
        let breakers = books.stamped(books.store().read(Board::Breakers).await?);
        self.breakers.learn(&breakers);
        self.rates.refresh(&**books.store()).await?;
        Ok(())
    }

    /// Keeps the view fresh until the process closes.
    pub async fn keep_fresh(self: Arc<Self>, books: Arc<Books>, phases: Phases) {
        standing("view", || self.refresh_again_and_again(&books, &phases)).await;
    }

    async fn refresh_again_and_again(&self, books: &Books, phases: &Phases) {
        let mut trouble = Trouble::default();
        while phases.now() < Phase::Closing {
            let refreshed = self.refresh(books).await;
            let is_news = trouble.is_news(&refreshed);
            if let Err(error) = refreshed
                && is_news
            {
                warn!(error = %error, "could not refresh the view of providers");
            }
            tokio::select! {
                biased;
                () = phases.reached(Phase::Closing) => return,
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    /// Reads how full the lanes are of all providers that are configured.
    pub async fn refresh_lanes(&self, books: &Books, setup: &Setup) -> Result<(), crate::BooksError> {
        let names: Vec<ProviderName> = setup.providers.keys().cloned().collect();
        let partitions = books.store().partitions();
        // One that does not answer in time must not make all of them old.
        let reads = partitions.all().take(LANES_READ);
        let reads = reads.map(|home| timeout(LANES, books.store().lanes(home, names.clone())));
        let (mut answers, mut failure) = (Vec::new(), None);
        for answer in join_all(reads).await {
            let answer = answer.unwrap_or(Err(Error::Unavailable { doing: "reading lanes", source: None }));
            answers.push(answer.map_err(|error| failure = Some(error)).ok());
        }
        self.lanes.learn(&names, &answers, usize::from(partitions.get()));
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Keeps what is known of lanes fresh until the process closes: for processes that put messages on them.
    pub async fn keep_lanes_fresh(
        self: Arc<Self>,
        books: Arc<Books>,
        setup: Arc<ArcSwap<Setup>>,
        phases: Phases,
    ) {
        let refreshing = async || {
            let mut trouble = Trouble::default();
            while phases.now() < Phase::Closing {
                let refreshed = self.refresh_lanes(&books, &setup.load_full()).await;
                let is_news = trouble.is_news(&refreshed);
                if let Err(error) = refreshed
                    && is_news
                {
                    warn!(error = %error, "could not read how full the lanes are");
                }
                tokio::select! {
                    biased;
                    () = phases.reached(Phase::Closing) => return,
                    () = tokio::time::sleep(LANES) => {}
                }
            }
        };
        standing("lanes", refreshing).await;
    }

    /// Tells the other processes of breakers that opened or closed; again with the next refresh if that fails.
    pub(crate) async fn announce(&self, books: &Books, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        self.untold().extend(changes.iter().map(|change| (change.key(), change.value())));
        self.tell(books).await;
    }

    async fn tell(&self, books: &Books) {
        let untold: Vec<_> = self.untold().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        for (key, value) in untold {
            let posted = books.store().post(Board::Breakers, &key, value.clone(), Some(BREAKER_LIFE)).await;
            if let Err(error) = posted {
                warn!(error = %error, "could not tell others of a breaker");
                return;
            }
            let mut untold = self.untold();
            // It may have changed again meanwhile.
            if untold.get(&key) == Some(&value) {
                untold.remove(&key);
            }
        }
    }

    /// Until when an account is left alone, if it is: this process was told by its provider that we are too fast.
    pub fn busy_until(&self, provider: &ProviderName, now: Moment) -> Option<Moment> {
        self.busy().get(provider).copied().filter(|until| now < *until)
    }

    /// An account is to be left alone until then.
    pub(crate) fn leave_alone(&self, provider: &ProviderName, until: Moment) {
        let mut busy = self.busy();
        let known = busy.entry(provider.clone()).or_default();
        *known = until.max(*known);
    }

    fn busy(&self) -> MutexGuard<'_, BTreeMap<ProviderName, Moment>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
