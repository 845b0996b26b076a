//! What this process knows of providers, kept fresh.

use std::sync::Arc;
use std::time::Duration;

use otter_evidence::{Breakers, Change, Directives, Rates};
use otter_runtime::{Phase, Phases};
use otter_store::Board;
use tracing::warn;

use crate::Books;
use crate::standing::{Trouble, standing};

/// How old the view may be.
const REFRESH: Duration = Duration::from_secs(2);

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
}

impl View {
    /// Reads the boards and what is new of the evidence.
    pub async fn refresh(&self, books: &Books) -> Result<(), crate::BooksError> {
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

    /// Tells the other processes of a breaker that opened or closed.
    pub(crate) async fn announce(&self, books: &Books, change: &Change) {
        let posted =
            books.store().post(Board::Breakers, &change.key(), change.value(), Some(BREAKER_LIFE)).await;
        if let Err(error) = posted {
            warn!(error = %error, "could not tell others of a breaker");
        }
    }
}
