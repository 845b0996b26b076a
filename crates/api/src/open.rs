//! Streams that everybody may open: watching health, and reflection. Who serves them ends them when the caller does, so
//! their bodies see to it that they keep a place while they live and end when the process drains.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use otter_runtime::{Phase, Phases};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;

use crate::error;
use crate::gate::Held;

/// Ends what the caller asks when the process drains, as if the caller had ended it.
pub(crate) fn asked(request: Request<Body>, held: Arc<Held>, phases: Phases) -> Request<Body> {
    request.map(|body| Body::new(Bounded::new(body, held, phases, None)))
}

/// Ends what the caller is told when the process drains, and says so.
pub(crate) fn told(response: Response<Body>, held: Arc<Held>, phases: Phases) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    let status = Status::from(error::draining());
    status.add_header(&mut trailers).expect("our own texts may be in headers");
    response.map(|body| Body::new(Bounded::new(body, held, phases, Some(trailers))))
}

/// A body that ends when the process drains, with these trailers.
struct Bounded {
    body: Body,
    end: BoxFuture<'static, ()>,
    trailers: Option<HeaderMap>,
    has_ended: bool,
    _held: Arc<Held>,
}

impl Bounded {
    fn new(body: Body, held: Arc<Held>, phases: Phases, trailers: Option<HeaderMap>) -> Self {
        let end = Box::pin(async move { phases.reached(Phase::Draining).await });
        Self { body, end, trailers, has_ended: false, _held: held }
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.has_ended && self.end.as_mut().poll(cx).is_ready() {
            self.has_ended = true;
            // Who writes into it or reads from it learns that nobody is there any more.
            self.body = Body::empty();
        }
        if self.has_ended {
            return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && (self.trailers.is_none() || !self.has_ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
