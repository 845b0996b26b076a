//! All of a tenant's events, from a resume token.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use otter_contract::v1::{ErrorReason, StreamEventsResponse};
use otter_decision::resume;
use otter_delivery::{Feed, FeedError, Intake, Item, Subscription};
use otter_domain::TenantId;
use otter_store::Position;
use tokio::time::timeout;
use tonic::Status;

use crate::convert::event::event;
use crate::error::{self, Problem};

/// How long nothing may come before a sign of life does.
const SILENCE: Duration = Duration::from_secs(15);

/// The longest token that is read, in characters: a position of at most 32 bytes for each of 1024 partitions.
const LONGEST_TOKEN: usize = 48 * 1024;

/// When a reader that fell behind may come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// What a consumer has still to be told, and how far it has been told.
struct Consumer {
    intake: Arc<Intake>,
    tenant: TenantId,
    listening: Subscription,
    /// What the next token stands for, one position per partition.
    told: Vec<Position>,
    waiting: VecDeque<Item>,
    /// Whether the token of the beginning has been told.
    greeted: bool,
    /// Whether anything was heard since the caller's own token.
    heard: bool,
}

/// Events after the token, or from now on; first the token alone.
pub(crate) async fn stream(
    intake: &Arc<Intake>,
    feed: &Arc<Feed>,
    tenant: TenantId,
    token: &str,
) -> Result<impl Stream<Item = Result<StreamEventsResponse, Status>> + Send + 'static, Status> {
    let after = if token.is_empty() { None } else { Some(positions(intake, &tenant, token)?) };
    let heard = after.is_none();
    let listening = feed.subscribe(tenant.clone(), after).await.map_err(|error| failed(&error))?;
    let told = listening.positions().to_vec();
    let (intake, waiting) = (Arc::clone(intake), VecDeque::new());
    let consumer = Consumer { intake, tenant, listening, told, waiting, greeted: false, heard };
    Ok(stream::try_unfold(consumer, |mut consumer| async move {
        let response = consumer.next().await?;
        Ok(Some((response, consumer)))
    }))
}

fn positions(intake: &Intake, tenant: &TenantId, token: &str) -> Result<Vec<Position>, Status> {
    let read = if token.len() > LONGEST_TOKEN {
        Err(resume::Error::Malformed)
    } else {
        resume::read(&intake.keys().tokens, tenant, token)
    };
    let positions = read.map_err(|_| {
        let form = "must be the resume_token of a response to this tenant";
        Problem::field(ErrorReason::ResumeTokenInvalid, "resume_token", form)
    })?;
    Ok(positions.into_iter().map(Position).collect())
}

impl Consumer {
    async fn next(&mut self) -> Result<StreamEventsResponse, Status> {
        if !self.greeted {
            self.greeted = true;
            return Ok(self.response(None));
        }
        if self.waiting.is_empty() && !self.listen().await? {
            return Ok(self.response(None));
        }
        let item = self.waiting.pop_front();
        if let Some(Item { home, position, .. }) = &item {
            self.told[usize::from(home.index())] = position.clone();
        }
        if self.waiting.is_empty() {
            // What was skipped belongs to others and need not be read again.
            self.told = self.listening.positions().to_vec();
        }
        Ok(self.response(item.as_ref()))
    }

    /// Waits for events; says whether any came before the silence grew too long.
    async fn listen(&mut self) -> Result<bool, Status> {
        let came = match timeout(SILENCE, self.listening.next()).await {
            Ok(Ok(items)) => {
                self.waiting = items.into();
                true
            }
            Ok(Err(error)) if self.heard => return Err(failed_while_open(&error)),
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => {
                self.told = self.listening.positions().to_vec();
                false
            }
        };
        self.heard = true;
        Ok(came)
    }

    fn response(&self, item: Option<&Item>) -> StreamEventsResponse {
        let positions: Vec<_> = self.told.iter().map(|position| position.0.clone()).collect();
        let resume_token = resume::mint(self.intake.keys().token(), &self.tenant, &positions);
        StreamEventsResponse { event: item.map(event), resume_token }
    }
}

/// The status of a listener that could not begin where it wanted.
pub(crate) fn failed(error: &FeedError) -> Status {
    match error {
        FeedError::TooOld => {
            let text = "events after this token are not kept any more; start again without one";
            Problem::new(ErrorReason::ResumeTokenExpired, text).into()
        }
        FeedError::Books(error) => error::books(error).into(),
    }
}

/// The status of a listener that could not go on.
pub(crate) fn failed_while_open(error: &FeedError) -> Status {
    match error {
        FeedError::TooOld => {
            let text = "the reader did not keep up; open the stream again";
            Problem::new(ErrorReason::ReaderTooSlow, text).retry_after(COME_BACK).into()
        }
        FeedError::Books(error) => error::books(error).into(),
    }
}
