//! Books what providers report.

use std::sync::Arc;

use arc_swap::ArcSwap;
use otter_decision::breaker::{Outcome, Witness};
use otter_decision::{lifecycle, token};
use otter_domain::{Attempt, AttemptNumber, Event, Moment, Partition, Phase, ProviderName, Verification};
use otter_provider::{Locator, Report};
use otter_store::{Error, MergeVerdict, ReceiptMerge, ReceiptTarget};
use otter_telemetry::Metrics;
use tracing::{info, warn};

use crate::scheduler::policy_of;
use crate::{Books, BooksError, Keys, Setup, View, drawing, learning, planning};

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It names no message that this provider was handed.
    Unknown,
    /// It says nothing new.
    Stale {
        /// Over which channel; `None` if the message's verification is not kept any more.
        channel: Option<otter_domain::Channel>,
    },
    /// It was booked.
    Booked {
        /// When the verification was accepted; from here times to deliver are counted.
        accepted_at: Moment,
        /// Over which channel.
        channel: otter_domain::Channel,
    },
}

/// Books reports: merges them, and lets `decision` look where one may change what happens next.
#[derive(Debug, Clone)]
pub struct Desk {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
    view: Arc<View>,
    metrics: Arc<Metrics>,
}

impl Desk {
    /// A desk over these books, whose receipts teach the breakers of `view`.
    pub fn new(
        books: Arc<Books>,
        setup: Arc<ArcSwap<Setup>>,
        keys: Arc<Keys>,
        view: Arc<View>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { books, setup, keys, view, metrics }
    }

    /// Books one report of a provider's. A repeat is stale. Whoever drops this before it is done leaves what follows
    /// from a merged receipt to the vendor's next report or to the verification's timer.
    pub async fn book(&self, provider: &ProviderName, report: &Report) -> Result<Reported, BooksError> {
        let Some((home, target)) = self.locate(provider, &report.locator) else {
            return Ok(Reported::Unknown);
        };
        let (status, because) = (report.status, report.because);
        let merge = ReceiptMerge { target, provider: provider.clone(), status, because };
        match self.books.merge(home, merge).await? {
            MergeVerdict::Unknown => Ok(Reported::Unknown),
            MergeVerdict::Stale { id, attempt } => {
                let Some(verification) = self.books.load(id).await? else {
                    return Ok(Reported::Stale { channel: None });
                };
                let channel = verification.attempt(attempt).map(|attempt| attempt.channel);
                // The one that was merged may have been left at that when its process or the store went away.
                self.follow(verification, attempt).await?;
                Ok(Reported::Stale { channel })
            }
            MergeVerdict::Advanced { verification, attempt } => {
                let Some(merged) = verification.attempt(attempt) else { return Ok(Reported::Unknown) };
                let reported =
                    Reported::Booked { accepted_at: verification.created_at, channel: merged.channel };
                info!(verification_id = %verification.id, %provider, status = %status, "receipt booked");
                self.learn(&verification, merged, report).await;
                self.follow(*verification, attempt).await?;
                Ok(reported)
            }
        }
    }

    /// Lets `decision` look at what was reported on an attempt, if that may change anything. Where the verification
    /// cannot be decided on here, the receipt is merged all the same: its timer leads to somebody who can.
    async fn follow(&self, verification: Verification, attempt: AttemptNumber) -> Result<(), BooksError> {
        let Some(consequence) = consequence(&verification, attempt) else { return Ok(()) };
        let (id, setup) = (verification.id, self.setup.load_full());
        let (policy, digits) = policy_of(&setup, &verification);
        let partitions = self.books.store().partitions();
        let decide = |before: &Verification, now: Moment| {
            let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
            let may_go = planning::who_may_go(&setup, &self.view, partitions, before, now);
            lifecycle::step_by(before, &Event::ReceiptMerged { attempt }, &may_go, &fresh, &policy, now)
        };
        let decided = match consequence {
            Consequence::Now => self.books.decide(id, Some(verification), &policy, decide).await,
            Consequence::WithTheAnswer => {
                self.books.decide_and_touch(id, Some(verification), &policy, decide).await
            }
        };
        match decided {
            Err(BooksError::Store(error)) if matches!(*error, Error::Unreadable { .. }) => {
                warn!(verification_id = %id, error = %error, "could not follow a receipt up");
                Ok(())
            }
            decided => decided.map(drop),
        }
    }

    /// Lets breakers learn what a receipt says about account, sender or text; what it says about a person teaches them
    /// nothing but that the rest works.
    async fn learn(&self, verification: &Verification, attempt: &Attempt, report: &Report) {
        let outcome = match report.because {
            _ if report.status.is_positive() => Outcome::Accepted,
            Some(failure) => Outcome::Failed(failure),
            None => return,
        };
        let Some(sent_at) = attempt.claimed_at else { return };
        let now = self.books.now();
        let scopes = learning::scopes(&self.setup.load(), verification, attempt, now);
        let changes = learning::learn(&self.view, &scopes, outcome, Witness::Receipt, sent_at, now);
        self.view.announce(&self.books, &changes).await;
        if let Some(failure) = &report.because {
            learning::note_unlisted(&self.view, &self.books, &self.metrics, attempt, failure).await;
        }
    }

    fn locate(&self, provider: &ProviderName, locator: &Locator) -> Option<(Partition, ReceiptTarget)> {
        let count = self.books.store().partitions();
        match locator {
            Locator::Token(text) => {
                let (id, attempt) = token::verify(&self.keys.tokens, provider, text)?;
                Some((id.partition(count)?, ReceiptTarget::Attempt(id, attempt)))
            }
            Locator::MessageId(message) => {
                Some((count.at(message.partition_index())?, ReceiptTarget::Message(*message)))
            }
        }
    }
}

/// When a receipt has its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consequence {
    /// As soon as it is decided on.
    Now,
    /// When the send is booked that is still under way: its worker began before the receipt came, so the verification
    /// is touched, and the worker decides again with it.
    WithTheAnswer,
}

/// What may follow from what was reported on an attempt; nothing unless it is the current one.
fn consequence(verification: &Verification, attempt: AttemptNumber) -> Option<Consequence> {
    let current = verification.current().filter(|current| current.number == attempt)?;
    let is_lost = current.receipt.is_some_and(|receipt| receipt.status.is_negative());
    match current.phase {
        // Also after the end: what the vendor took is not called failed.
        Phase::Claimed { .. } => Some(Consequence::WithTheAnswer),
        // It was taken, so it is not tried again.
        Phase::Queued { .. } | Phase::Retrying { .. } => Some(Consequence::Now),
        // The next candidate goes.
        Phase::Accepted { .. } | Phase::Ambiguous { .. } if is_lost => Some(Consequence::Now),
        Phase::Accepted { .. } | Phase::Ambiguous { .. } | Phase::Ended { .. } => None,
    }
}
