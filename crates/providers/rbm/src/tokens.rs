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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::future::join_all;
    use otter_provider_testkit::{Answer, Behaviour, ScriptedVendor};
    use url::Url;

    use super::*;
    use crate::samples::{SERVICE_ACCOUNT, now, response};

    const GRANTED: &str = include_str!("../fixtures/token.json");

    async fn stage() -> (ScriptedVendor, Tokens) {
        let google = ScriptedVendor::start().await;
        let token_url = Url::parse(&format!("{}/token", google.base_url())).unwrap();
        let account = ServiceAccount::parse(&Secret::new(SERVICE_ACCOUNT), Some(token_url)).unwrap();
        (google, Tokens::new(account))
    }

    /// The credentials that a request gets at this moment.
    async fn authorized(tokens: &Tokens, now: Moment) -> Result<String, FailureClass> {
        let mut request = grant_request(&tokens.account, now);
        tokens.authorize(&Client::new(), now, &mut request).await.map_err(|failure| failure.class)?;
        Ok(request.headers[header::AUTHORIZATION].to_str().unwrap().to_owned())
    }

    fn granted(token: &str, seconds: u32) -> Answer {
        Answer::json(
            200,
            format!(r#"{{"access_token":"{token}","expires_in":{seconds},"token_type":"Bearer"}}"#),
        )
    }

    #[tokio::test]
    async fn a_token_is_asked_for_with_a_signed_assertion_and_kept() {
        let (google, tokens) = stage().await;
        google.then(Answer::json(200, GRANTED));
        for _ in 0..3 {
            assert_eq!(authorized(&tokens, now()).await.unwrap(), "Bearer ya29.c.test-only-token");
        }
        let received = google.received();
        let [request] = received.as_slice() else { panic!("{} requests for one token", received.len()) };
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/token"));
        assert_eq!(request.header("content-type"), Some("application/x-www-form-urlencoded"));
        let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=eyJ";
        assert!(request.body.starts_with(form.as_bytes()));
    }

    #[tokio::test]
    async fn callers_at_the_same_time_wait_for_one_fetch() {
        let (google, tokens) = stage().await;
        google.then(Answer::json(200, GRANTED));
        let outcomes = join_all((0..20).map(|_| authorized(&tokens, now()))).await;
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(google.received().len(), 1);
    }

    #[tokio::test]
    async fn a_token_is_renewed_shortly_before_its_end() {
        let (google, tokens) = stage().await;
        google.then(granted("first", 3600));
        google.then(granted("second", 3600));
        let after = |seconds: u64| now() + Duration::from_secs(seconds);
        assert_eq!(authorized(&tokens, now()).await.unwrap(), "Bearer first");
        assert_eq!(authorized(&tokens, after(3600 - 91)).await.unwrap(), "Bearer first");
        assert_eq!(authorized(&tokens, after(3600 - 90)).await.unwrap(), "Bearer second");
    }

    #[tokio::test]
    async fn a_forgotten_token_is_fetched_anew() {
        let (google, tokens) = stage().await;
        google.then(granted("first", 3600));
        google.then(granted("second", 3600));
        assert_eq!(authorized(&tokens, now()).await.unwrap(), "Bearer first");
        tokens.forget();
        assert_eq!(authorized(&tokens, now()).await.unwrap(), "Bearer second");
    }

    #[tokio::test]
    async fn a_failed_fetch_is_not_remembered() {
        let (google, tokens) = stage().await;
        google.then(Answer::new(503));
        google.then(Answer::json(400, include_str!("../fixtures/token-refused.json")));
        google.then(Answer::json(200, GRANTED));
        assert_eq!(authorized(&tokens, now()).await, Err(FailureClass::Unavailable));
        assert_eq!(authorized(&tokens, now()).await, Err(FailureClass::Misconfigured));
        assert!(authorized(&tokens, now()).await.is_ok());
    }

    #[tokio::test]
    async fn a_fetch_that_everybody_gave_up_is_begun_anew() {
        let (google, tokens) = stage().await;
        google.then(Behaviour::Silence);
        let waiting = tokens.clone();
        let caller = tokio::spawn(async move { authorized(&waiting, now()).await });
        google.until_received(1).await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        google.then(Answer::json(200, GRANTED));
        assert!(authorized(&tokens, now()).await.is_ok());
        assert_eq!(google.received().len(), 2);
    }

    #[tokio::test]
    async fn a_silent_token_endpoint_is_given_up() {
        let (google, tokens) = stage().await;
        google.then(Behaviour::Silence);
        let waiting = tokens.clone();
        let caller = tokio::spawn(async move { authorized(&waiting, now()).await });
        google.until_received(1).await;
        tokio::time::pause();
        assert_eq!(caller.await.unwrap(), Err(FailureClass::Unavailable));
    }

    #[test]
    fn no_answer_of_the_token_endpoint_is_ambiguous() {
        let check = |status: u16, body: &'static str, class: FailureClass, error: ErrorClass| {
            let failure = read_grant(&response(status, body), now()).unwrap_err();
            assert_eq!((failure.class, failure.error), (class, error), "{status} {body}");
        };
        check(200, "", FailureClass::Unavailable, ErrorClass::Provider5xx);
        check(
            200,
            r#"{"access_token":"two\nlines","expires_in":1}"#,
            FailureClass::Unavailable,
            ErrorClass::Provider5xx,
        );
        check(302, "", FailureClass::Misconfigured, ErrorClass::Auth);
        check(
            400,
            include_str!("../fixtures/token-refused.json"),
            FailureClass::Misconfigured,
            ErrorClass::Auth,
        );
        check(429, "", FailureClass::Throttled, ErrorClass::RateLimited);
        check(500, "", FailureClass::Unavailable, ErrorClass::Provider5xx);
    }
}
