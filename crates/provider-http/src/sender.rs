//! Sending through a codec.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{Failure, ProviderReference};
use otter_provider::{Dispatch, Sender};

use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::{Authorizer, Client, Codec, Response};

/// Sends through a vendor's [`Codec`], one request per send.
///
/// | what happened | failure |
/// |---|---|
/// | `send_before` passed, or the right to send was lost, before the body was handed over | `Unavailable`, `Expired` |
/// | no connection, or the timeout passed before the body was handed over | `Unavailable`, `Network` |
/// | the timeout passed afterwards | `Ambiguous`, `Timeout` |
/// | reset, half an answer, more than [`crate::MAX_RESPONSE`] bytes, a redirect | `Ambiguous`, `Unknown` |
/// | a complete answer | what the codec reads in it |
#[derive(Debug)]
pub struct HttpSender<C> {
    codec: C,
    exchange: Exchange,
}

impl<C: Codec> HttpSender<C> {
    /// A sender for one account. `timeout` is the one of [`otter_provider::Capabilities`].
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
impl<C: Codec> Sender for HttpSender<C> {
    async fn send(&self, dispatch: &Dispatch) -> Result<Option<ProviderReference>, Failure> {
        let request = self.codec.encode(dispatch)?;
        let gate = || Gate::of(dispatch);
        let read = |response: &Response| self.codec.decode(dispatch, response);
        self.exchange.run(&request, dispatch.clock.as_ref(), gate, read).await
    }
}
