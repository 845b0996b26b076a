//! Books what providers report.

use std::sync::Arc;

use arc_swap::ArcSwap;
use otter_decision::{lifecycle, token};
use otter_domain::{Event, Moment, Partition, ProviderName, Verification};
use otter_provider::{Locator, Report};
use otter_store::{MergeVerdict, ReceiptMerge, ReceiptTarget};
use tracing::info;

use crate::scheduler::policy_of;
use crate::{Books, BooksError, Keys, Setup, drawing};

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It names no message that this provider was handed.
    Unknown,
    /// It says nothing new.
    Stale,
    /// It was booked.
    Booked {
        /// When the attempt was claimed; from here times to deliver are counted.
        attempted_at: Option<Moment>,
        /// Over which channel.
        channel: otter_domain::Channel,
    },
}

/// Books reports: merges them, and lets `decision` look when one says more than was known.
#[derive(Debug, Clone)]
pub struct Desk {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
}

impl Desk {
    /// A desk over these books.
    pub fn new(books: Arc<Books>, setup: Arc<ArcSwap<Setup>>, keys: Arc<Keys>) -> Self {
        Self { books, setup, keys }
    }

    /// Books one report of a provider's. A repeat is stale.
    pub async fn book(&self, provider: &ProviderName, report: &Report) -> Result<Reported, BooksError> {
        let Some((home, target)) = self.locate(provider, &report.locator) else {
            return Ok(Reported::Unknown);
        };
        let (status, because) = (report.status, report.because);
        let merge = ReceiptMerge { target, provider: provider.clone(), status, because };
        match self.books.merge(home, merge).await? {
            MergeVerdict::Unknown => Ok(Reported::Unknown),
            MergeVerdict::Stale => Ok(Reported::Stale),
            MergeVerdict::Advanced { verification, attempt } => {
                let merged =
                    verification.attempt(attempt).map(|attempt| (attempt.claimed_at, attempt.channel));
                let id = verification.id;
                info!(verification_id = %id, %provider, status = %status, "receipt booked");
                if verification.is_pending() {
                    self.follow(*verification, Event::ReceiptMerged { attempt }).await?;
                }
                let (attempted_at, channel) = merged.expect("the store names an attempt that exists");
                Ok(Reported::Booked { attempted_at, channel })
            }
        }
    }

    async fn follow(&self, verification: Verification, event: Event) -> Result<(), BooksError> {
        let setup = self.setup.load_full();
        let (policy, digits) = policy_of(&setup, &verification);
        let id = verification.id;
        self.books
            .decide(id, Some(verification), &policy, |before, now| {
                let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
                lifecycle::step(before, &event, &fresh, &policy, now)
            })
            .await?;
        Ok(())
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
