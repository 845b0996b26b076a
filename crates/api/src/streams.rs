//! Answers that stay open: until their source ends, the caller's deadline passes or the process drains.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use otter_runtime::{Phase, Phases};
use tokio::time::sleep_until;
use tonic::Status;

use crate::error;
use crate::gate::Hold;

/// An answer that stays open. It holds its room in the process as long as it lives.
pub(crate) struct Answers<T> {
    source: BoxStream<'static, Result<T, Status>>,
    end: BoxFuture<'static, Status>,
    ended: bool,
    _hold: Hold,
}

impl<T> fmt::Debug for Answers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl<T> Answers<T> {
    pub(crate) fn new(
        source: impl Stream<Item = Result<T, Status>> + Send + 'static,
        hold: Hold,
        phases: Phases,
    ) -> Self {
        let end = Box::pin(end_of(hold.deadline, phases));
        Self { source: Box::pin(source), end, ended: false, _hold: hold }
    }
}

/// What ends a stream whose source goes on.
async fn end_of(deadline: Option<tokio::time::Instant>, phases: Phases) -> Status {
    let passed = async {
        match deadline {
            Some(deadline) => sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = phases.reached(Phase::Draining) => error::draining().into(),
        () = passed => error::deadline().into(),
    }
}

impl<T> Stream for Answers<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let answer = match self.end.as_mut().poll(cx) {
            Poll::Ready(status) => Poll::Ready(Some(Err(status))),
            Poll::Pending => self.source.as_mut().poll_next(cx),
        };
        if matches!(answer, Poll::Ready(None | Some(Err(_)))) {
            self.ended = true;
        }
        answer
    }
}
