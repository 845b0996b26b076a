//! One claim: what waits in a partition, as far as the account's rate allows.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use otter_domain::Partition;
use otter_store::{Claim, Claimed, Error};

use super::Lane;
use super::pace::{Drawn, Purse, Terms};
use crate::BooksError;
use crate::leases::LEASE;

/// A claim that is to be made.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) lane: Arc<Lane>,
    pub(super) purse: Arc<Purse>,
    pub(super) home: Partition,
    /// The most jobs; slots are set aside for them.
    pub(super) max: usize,
    /// How many sends a second the account allows.
    pub(super) rate: Option<u32>,
}

/// What became of a claim.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) home: Partition,
    /// How many slots were set aside.
    pub(super) max: usize,
    pub(super) got: Result<Got, BooksError>,
}

/// What a partition gave.
#[derive(Debug)]
pub(super) enum Got {
    Jobs {
        jobs: Vec<Claimed>,
        /// When they were asked for, by [`crate::Books::steady`].
        asked_at: Duration,
        /// Whether the partition may hold more.
        is_all: bool,
    },
    /// The rate is used up for now.
    NotNow,
}

/// How many jobs may be claimed.
enum Allowance {
    Unlimited,
    Tokens(Drawn),
    NothingWaits,
    NotNow,
}

impl Wish {
    /// Makes the claim. A panic of the store is a failure like others: it must not take the sends in flight with it.
    pub(super) async fn grant(self) -> Ended {
        let (home, max) = (self.home, self.max);
        let got = AssertUnwindSafe(self.ask()).catch_unwind().await.unwrap_or_else(|_| Err(panicked()));
        Ended { home, max, got }
    }

    async fn ask(&self) -> Result<Got, BooksError> {
        let books = &self.lane.worker.books;
        let drawn = match self.allowance().await? {
            Allowance::Unlimited => None,
            Allowance::Tokens(drawn) => Some(drawn),
            Allowance::NothingWaits => {
                return Ok(Got::Jobs { jobs: Vec::new(), asked_at: books.steady(), is_all: true });
            }
            Allowance::NotNow => return Ok(Got::NotNow),
        };
        let max = drawn.map_or(self.max, |drawn| drawn.count);
        let (lane, worker) = (self.lane.name.clone(), self.lane.worker.id.clone());
        let asked_at = books.steady();
        let claim = Claim { lane, worker, lease: LEASE, max };
        let jobs = books.stamped(books.store().claim(self.home, claim).await?);
        if let Some(drawn) = drawn {
            self.purse.pace().give_back(drawn, jobs.len());
        }
        let is_all = jobs.len() < max;
        Ok(Got::Jobs { jobs, asked_at, is_all })
    }

    /// How many jobs may be claimed: without a rate as many as there are slots; with one, tokens are taken for the jobs
    /// that wait.
    async fn allowance(&self) -> Result<Allowance, BooksError> {
        let Some(rate) = self.rate else { return Ok(Allowance::Unlimited) };
        let (books, name) = (&self.lane.worker.books, &self.lane.name);
        let depths = books.stamped(books.store().lanes(self.home, vec![name.clone()]).await?);
        let waiting = depths.first().map_or(0, |depth| depth.ready);
        let wanted = self.max.min(usize::try_from(waiting).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(Allowance::NothingWaits);
        }
        // One asks the bucket at a time: others of this lane wait for what it gives.
        let _turn = self.purse.turn().await;
        if self.purse.pace().is_to_be_filled(books.now()) {
            let Terms { inflow, burst } = Terms::of(rate);
            let want = u32::try_from(wanted).unwrap_or(u32::MAX).min(burst);
            let key = format!("provider:{name}");
            match books.store().take(&key, inflow, burst, want).await {
                Ok(grant) => self.purse.pace().receive(books.stamped(grant), books.now()),
                Err(error) => {
                    self.purse.pace().give_up(books.now());
                    return Err(error.into());
                }
            }
        }
        let drawn = self.purse.pace().draw(wanted, books.now());
        Ok(if drawn.count == 0 { Allowance::NotNow } else { Allowance::Tokens(drawn) })
    }
}

fn panicked() -> BooksError {
    Error::Unavailable { doing: "claiming jobs from a store that panicked", source: None }.into()
}
