//! Making what happened durable.

use otter_decision::lifecycle;
use otter_domain::{Event, Verification, VerificationId};
use otter_runtime::{Delays, Phase, Reconnect};
use tracing::warn;

use super::Lane;
use crate::scheduler::policy_of;
use crate::standing::Trouble;
use crate::{BooksError, drawing, planning};

impl Lane {
    /// Books what happened, for as long as it takes: the lease is renewed meanwhile, and a lost one is found out by the
    /// next commit. It gives up when the process closes or the code is dead; then the outcome stays unknown.
    pub(super) async fn book(&self, verification: Verification, event: &Event) {
        let (id, expires_at) = (verification.id, verification.expires_at);
        let mut held = Some(verification);
        let mut delays = Reconnect::seeded(Delays::default(), self.worker.books.dice().u64());
        let mut trouble = Trouble::default();
        loop {
            let booked = self.commit(id, held.take(), event).await;
            let is_news = trouble.is_news(&booked);
            let Err(error) = booked else { return };
            if is_news {
                warn!(verification_id = %id, error = %error, "could not book an outcome");
            }
            if self.phases.now() >= Phase::Closing || self.worker.books.now() > expires_at {
                return;
            }
            delays.wait().await;
        }
    }

    async fn commit(
        &self,
        id: VerificationId,
        held: Option<Verification>,
        event: &Event,
    ) -> Result<(), BooksError> {
        let worker = &self.worker;
        let held = match held {
            Some(verification) => verification,
            None => match worker.books.load(id).await? {
                Some(verification) => verification,
                None => return Ok(()),
            },
        };
        let setup = worker.setup.load_full();
        let (policy, digits) = policy_of(&setup, &held);
        let partitions = worker.books.store().partitions();
        let decided = worker.books.decide(id, Some(held), &policy, |before, now| {
            let fresh = drawing::draw(before, &policy, digits, &worker.keys, worker.books.dice());
            let may_go = planning::who_may_go(&setup, &worker.view, partitions, before, now);
            lifecycle::step_by(before, event, &may_go, &fresh, &policy, now)
        });
        decided.await.map(drop)
    }
}
