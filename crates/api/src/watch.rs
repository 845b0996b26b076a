//! One verification's events, after a snapshot of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use otter_contract::v1::{self, WatchOtpResponse, event::Kind, watch_otp_response::Update};
use otter_delivery::{Intake, Subscription};
use otter_domain::{State, Verification};
use tokio::time::timeout;
use tonic::Status;

use crate::convert::event::event;
use crate::events;

/// How long after the end of a code's life its last event is waited for: the terminal write follows within 1 s of a
/// scheduler being alive.
const LATE: Duration = Duration::from_secs(3);

/// How often a verification is looked at whose last event did not come.
const AGAIN: Duration = Duration::from_secs(1);

/// What a watcher has still to be told.
struct Watch {
    intake: Arc<Intake>,
    listening: Subscription,
    verification: Verification,
    waiting: VecDeque<Update>,
    over: bool,
}

/// The snapshot, then events until the verification has ended.
pub(crate) fn stream(
    intake: Arc<Intake>,
    listening: Subscription,
    verification: Verification,
    snapshot: v1::Verification,
) -> impl Stream<Item = Result<WatchOtpResponse, Status>> + Send + 'static {
    let over = matches!(verification.state_at(intake.books().now()), State::Ended { .. });
    let waiting = VecDeque::from([Update::Snapshot(snapshot)]);
    let watch = Watch { intake, listening, verification, waiting, over };
    stream::try_unfold(watch, |mut watch| async move {
        let update = watch.next().await?;
        Ok(update.map(|update| (WatchOtpResponse { update: Some(update) }, watch)))
    })
}

impl Watch {
    async fn next(&mut self) -> Result<Option<Update>, Status> {
        loop {
            if let Some(update) = self.waiting.pop_front() {
                return Ok(Some(update));
            }
            if self.over {
                return Ok(None);
            }
            self.listen().await?;
        }
    }

    async fn listen(&mut self) -> Result<(), Status> {
        let left = self.intake.books().now().until(self.verification.expires_at + LATE);
        let Ok(heard) = timeout(left.max(AGAIN), self.listening.next()).await else {
            return self.look().await;
        };
        let items = heard.map_err(|error| events::failed_while_open(&error))?;
        for item in items.iter().filter(|item| item.happening.verification == self.verification.id) {
            // Receipts may come later, but the story is over.
            if self.over {
                break;
            }
            let event = event(item);
            self.over = matches!(event.kind, Some(Kind::VerificationEnded(_)));
            self.waiting.push_back(Update::Event(event));
        }
        Ok(())
    }

    /// Asks the store, when the event that should have come did not.
    async fn look(&mut self) -> Result<(), Status> {
        let Verification { tenant, id, .. } = &self.verification;
        let found = self.intake.get(tenant, *id).await.map_err(|refusal| crate::otp::plain(&refusal))?;
        self.over = matches!(found.state_at(self.intake.books().now()), State::Ended { .. });
        Ok(())
    }
}
