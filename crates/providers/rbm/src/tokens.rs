//! Access tokens of a service account: fetched by one caller for all, kept until shortly before they end.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, Secret};
use otter_provider_http::{Authorizer, Client, Form, Request, Response, bearer, json, retry_after};
use serde::Deserialize;

use crate::service_account::ServiceAccount;

/// How long before its end a token is not used any more: longer than any request takes.
const MARGIN: Duration = Duration::from_secs(90);

/// How long fetching may take. It is bounded by itself, because whoever comes later waits for the same fetch.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Puts the service account's token on requests.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    account: Arc<ServiceAccount>,
    slot: Arc<Mutex<Slot>>,
}

impl Tokens {
    /// Without a token yet.
    pub(crate) fn new(account: ServiceAccount) -> Self {
        Self { account: Arc::new(account), slot: Arc::new(Mutex::new(Slot::Empty)) }
    }

    /// The token kept, or a fetch to wait for: the one under way if there is one.
    fn kept_or_fetch(&self, client: &Client, now: Moment) -> Result<HeaderValue, Fetch> {
        let mut slot = self.slot();
        match &*slot {
            Slot::Kept(token) if now + MARGIN < token.ends_at => return Ok(token.header.clone()),
            Slot::Fetching(fetch) => {
                if let Some(fetch) = fetch.upgrade() {
                    return Err(fetch);
                }
            }
            Slot::Kept(_) | Slot::Empty => {}
        }
        let fetch = self.clone().fetch(client.clone(), now).boxed().shared();
        *slot = fetch.downgrade().map_or(Slot::Empty, Slot::Fetching);
        Err(fetch)
    }

    async fn fetch(self, client: Client, now: Moment) -> Result<HeaderValue, Failure> {
        let request = grant_request(&self.account, now);
        let answer = tokio::time::timeout(FETCH_TIMEOUT, client.fetch(&request)).await;
        let answer =
            answer.unwrap_or_else(|_| Err(Failure::new(FailureClass::Unavailable, ErrorClass::Timeout)));
        let token = answer.and_then(|response| read_grant(&response, now));
        let (kept, outcome) = match token {
            Ok(token) => (Slot::Kept(token.clone()), Ok(token.header)),
            Err(failure) => (Slot::Empty, Err(failure)),
        };
        *self.slot() = kept;
        outcome
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Authorizer for Tokens {
    async fn authorize(&self, client: &Client, now: Moment, request: &mut Request) -> Result<(), Failure> {
        let token = match self.kept_or_fetch(client, now) {
            Ok(token) => token,
            Err(fetch) => fetch.await?,
        };
        request.headers.insert(header::AUTHORIZATION, token);
        Ok(())
    }

    fn forget(&self) {
        let mut slot = self.slot();
        // A token that is just being fetched is not the one that was refused.
        if matches!(&*slot, Slot::Kept(_)) {
            *slot = Slot::Empty;
        }
    }
}

/// One fetch that any number of callers wait for. It ends when the last of them has given up.
type Fetch = Shared<BoxFuture<'static, Result<HeaderValue, Failure>>>;

enum Slot {
    Empty,
    Fetching(WeakShared<BoxFuture<'static, Result<HeaderValue, Failure>>>),
    Kept(Token),
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Empty",
            Self::Fetching(_) => "Fetching",
            Self::Kept(_) => "Kept",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    header: HeaderValue,
    ends_at: Moment,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    expires_in: u64,
}

fn grant_request(account: &ServiceAccount, now: Moment) -> Request {
    let assertion = account.assertion(now);
    let body = Form::new().field("grant_type", GRANT_TYPE).field("assertion", assertion.reveal()).finish();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Request { method: Method::POST, url: account.token_url().clone(), template: "/token", headers, body }
}

/// Reads the answer of the token endpoint. Whatever it is, no message has left, so nothing is ambiguous here.
fn read_grant(response: &Response, now: Moment) -> Result<Token, Failure> {
    let status = response.status;
    if status == StatusCode::OK {
        let token = json::<Grant>(response).ok().and_then(|grant| {
            let header = bearer(&Secret::new(grant.access_token))?;
            Some(Token { header, ends_at: now + Duration::from_secs(grant.expires_in) })
        });
        return token.ok_or_else(|| Failure::new(FailureClass::Unavailable, ErrorClass::Provider5xx));
    }
    let wait = retry_after(&response.headers);
    Err(if status == StatusCode::TOO_MANY_REQUESTS {
        Failure::new(FailureClass::Throttled, ErrorClass::RateLimited).with_retry_after(wait)
    } else if status.is_server_error() {
        Failure::new(FailureClass::Unavailable, ErrorClass::Provider5xx).with_retry_after(wait)
    } else {
        // A key that was deleted or disabled, a clock that is wrong, or not the token endpoint at all.
        Failure::new(FailureClass::Misconfigured, ErrorClass::Auth).with_code(status.as_u16().into())
    })
}
