//! One send or recall from the first byte to the verdict.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use otter_domain::{Clock, ErrorClass, Failure, FailureClass};
use tokio::time::Sleep;
use tracing::field::{Empty, display};
use tracing::{Instrument as _, Span, info_span};

use crate::gate::Gate;
use crate::{Authorizer, Client, Request, Response, unreadable};

/// How one vendor account exchanges a request for an answer.
#[derive(Debug)]
pub(crate) struct Exchange {
    client: Client,
    authorizer: Option<Arc<dyn Authorizer>>,
    timeout: Duration,
}

impl Exchange {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, authorizer: None, timeout }
    }

    pub(crate) fn authorize_with(&mut self, authorizer: Arc<dyn Authorizer>) {
        self.authorizer = Some(authorizer);
    }

    /// Makes the request and reads the answer, all within the timeout. With an authorizer a 401 is answered by one
    /// more request with fresh credentials; `gate` makes the gate of each.
    pub(crate) async fn run<T>(
        &self,
        request: &Request,
        clock: &dyn Clock,
        gate: impl Fn() -> Arc<Gate> + Send + Sync,
        read: impl Fn(&Response) -> Result<T, Failure> + Send + Sync,
    ) -> Result<T, Failure> {
        let mut deadline = std::pin::pin!(tokio::time::sleep(self.timeout));
        let Some(authorizer) = &self.authorizer else {
            return self.once(request, &gate(), deadline, read).await.verdict;
        };
        let authorized = self.authorize(authorizer, request, clock, deadline.as_mut()).await?;
        let first = self.once(&authorized, &gate(), deadline.as_mut(), &read).await;
        if first.status != Some(StatusCode::UNAUTHORIZED) {
            return first.verdict;
        }
        authorizer.forget();
        let authorized = self.authorize(authorizer, request, clock, deadline.as_mut()).await?;
        self.once(&authorized, &gate(), deadline, read).await.verdict
    }

    async fn authorize(
        &self,
        authorizer: &Arc<dyn Authorizer>,
        request: &Request,
        clock: &dyn Clock,
        deadline: std::pin::Pin<&mut Sleep>,
    ) -> Result<Request, Failure> {
        let mut authorized = request.clone();
        let outcome = tokio::select! {
            biased;
            outcome = authorizer.authorize(&self.client, clock.now(), &mut authorized) => outcome,
            () = deadline => Err(Failure::new(FailureClass::Unavailable, ErrorClass::Timeout)),
        };
        outcome.map(|()| authorized)
    }

    async fn once<T>(
        &self,
        request: &Request,
        gate: &Arc<Gate>,
        deadline: std::pin::Pin<&mut Sleep>,
        read: impl Fn(&Response) -> Result<T, Failure> + Send + Sync,
    ) -> Answer<T> {
        if gate.is_late() {
            let expired = Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
            return Answer { status: None, verdict: Err(expired) };
        }
        let span = span(request);
        let outcome = self.client.exchange_before(request, gate, deadline).instrument(span.clone()).await;
        let answer = match outcome {
            Ok(response) => {
                Answer { status: Some(response.status), verdict: span.in_scope(|| verdict(&response, read)) }
            }
            Err(failure) => Answer { status: None, verdict: Err(failure) },
        };
        answer.note_in(&span);
        answer
    }
}

struct Answer<T> {
    status: Option<StatusCode>,
    verdict: Result<T, Failure>,
}

impl<T> Answer<T> {
    fn note_in(&self, span: &Span) {
        if let Some(status) = self.status {
            span.record("http.response.status_code", status.as_u16());
        }
        if let Err(failure) = &self.verdict {
            span.record("error.type", display(failure.error));
        }
    }
}

/// A redirect is no answer of any vendor's API: following it would hand the code to somebody else.
fn verdict<T>(response: &Response, read: impl Fn(&Response) -> Result<T, Failure>) -> Result<T, Failure> {
    if response.status.is_redirection() { Err(unreadable()) } else { read(response) }
}

/// The client span, with nothing of the URL, the headers or the bodies in it.
fn span(request: &Request) -> Span {
    info_span!(
        "POST",
        otel.name = %format_args!("{} {}", request.method, request.template),
        otel.kind = "client",
        url.template = request.template,
        server.address = request.url.host_str(),
        http.response.status_code = Empty,
        error.type = Empty,
    )
}
