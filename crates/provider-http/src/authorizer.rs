//! Credentials that have to be fetched first.

use std::fmt;

use async_trait::async_trait;
use otter_domain::{Failure, Moment};

use crate::{Client, Request};

/// Puts credentials on requests that the codec cannot know, for example a short-lived token of a service account.
#[async_trait]
pub trait Authorizer: Send + Sync + fmt::Debug {
    /// Adds the credentials to a request, fetching them through [`Client::fetch`] if none are kept that are good
    /// at `now`.
    ///
    /// Runs within the deadline of the send and holds nothing while it waits that a second send would need. A failure
    /// means that nothing was sent.
    async fn authorize(&self, client: &Client, now: Moment, request: &mut Request) -> Result<(), Failure>;

    /// Forgets what is kept, because the vendor answered 401. The request is then authorized and sent once more, since
    /// a 401 says that it was not processed; a second 401 is final.
    fn forget(&self);
}
