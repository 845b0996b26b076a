//! Taking a message back.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use otter_domain::{Attempt, ErrorClass, Event, Failure, FailureClass, Verification};
use otter_provider::{Recall, Revoker};
use tokio::time::timeout;
use tracing::{error, info};

use super::{Lane, OVERTIME};

impl Lane {
    /// Asks the provider to take a message back. What fails for now is asked again by the verification's timer.
    pub(super) async fn revoke(&self, verification: Verification, attempt: Attempt) {
        let setup = self.worker.setup.load_full();
        let provider = setup.providers.get(&self.name);
        let revoker = provider.and_then(|provider| provider.revoker.clone());
        let patience = provider.map_or(OVERTIME, |provider| provider.capabilities.timeout + OVERTIME);
        let is_settled = match (self.recall(&verification, &attempt), revoker) {
            (Some(recall), Some(revoker)) => {
                let asked = timeout(patience, self.ask_back(&*revoker, &recall));
                asked.await.unwrap_or(false)
            }
            // Nothing is left to take it back with.
            (None, _) | (_, None) => true,
        };
        if is_settled {
            self.book(verification, &Event::RevokeSettled { attempt: attempt.number }).await;
        }
    }

    /// Whether there is nothing more to ask.
    async fn ask_back(&self, revoker: &dyn Revoker, recall: &Recall) -> bool {
        let unknown = |_| {
            error!(provider = %self.name, "a provider panicked while it took a message back");
            Err(Failure::new(FailureClass::Ambiguous, ErrorClass::Unknown))
        };
        let answer = AssertUnwindSafe(revoker.revoke(recall)).catch_unwind().await;
        match answer.unwrap_or_else(unknown) {
            Ok(outcome) => {
                info!(verification_id = %recall.verification, provider = %self.name, ?outcome, "revoke answered");
                true
            }
            Err(Failure { class, .. }) => {
                info!(
                    verification_id = %recall.verification,
                    provider = %self.name,
                    class = %class,
                    "revoke failed"
                );
                matches!(class, FailureClass::Misconfigured | FailureClass::Unroutable)
            }
        }
    }

    fn recall(&self, verification: &Verification, attempt: &Attempt) -> Option<Recall> {
        let private = verification.private.as_ref()?;
        let books = &self.worker.books;
        Some(Recall {
            verification: verification.id,
            attempt: attempt.number,
            number: private.number.clone(),
            channel: attempt.channel,
            reference: attempt.reference.clone(),
            message_id: books.message_id(verification.id, attempt.number)?,
            clock: books.clock(),
        })
    }
}
