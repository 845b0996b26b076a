//! Taking messages back through a codec.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::Failure;
use otter_provider::{Recall, RecallOutcome, Revoker};

use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::{Authorizer, Client, RecallCodec, Response};

/// Takes messages back through a vendor's [`RecallCodec`], one request per wish. Fails like [`crate::HttpSender`],
/// except that there is no moment after which it is too late to ask.
#[derive(Debug)]
pub struct HttpRevoker<C> {
    codec: C,
    exchange: Exchange,
}

impl<C: RecallCodec> HttpRevoker<C> {
    /// A revoker for one account. `timeout` is the one of [`otter_provider::Capabilities`].
    pub fn new(client: Client, codec: C, timeout: Duration) -> Self {
        Self { codec, exchange: Exchange::new(client, timeout) }
    }

    /// The same with credentials that have to be fetched.
    pub fn with_authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.exchange.authorize_with(authorizer);
        self
    }
}

#[async_trait]
impl<C: RecallCodec> Revoker for HttpRevoker<C> {
    async fn revoke(&self, recall: &Recall) -> Result<RecallOutcome, Failure> {
        let Some(request) = self.codec.encode_recall(recall) else { return Ok(RecallOutcome::TooLate) };
        let read = |response: &Response| self.codec.decode_recall(recall, response);
        self.exchange.run(&request, recall.clock.as_ref(), Gate::unlimited, read).await
    }
}
