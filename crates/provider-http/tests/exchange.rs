//! Sending over real connections, as far as `otter-provider-testkit` does not examine it through every vendor.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use otter_domain::{Channel, ErrorClass, Failure, FailureClass, Moment, ProviderReference};
use otter_provider::{Dispatch, Recall, RecallOutcome, Revoker, Sender};
use otter_provider_http::{
    Authorizer, Client, Codec, HttpRevoker, HttpSender, RecallCodec, Request, Response, unreadable,
};
use otter_provider_testkit::sample::{self, CODE, FixedClock, NUMBER};
use otter_provider_testkit::{Answer, Behaviour, Capture, ScriptedVendor, assert_silent};
use url::Url;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Puts number and code where a careless log would show them.
#[derive(Debug)]
struct Plain {
    base_url: String,
    body: bool,
}

impl Plain {
    fn request(&self, method: Method) -> Request {
        let mut url = Url::parse(&self.base_url).unwrap();
        url.set_path(&format!("/to/{NUMBER}/code/{CODE}"));
        let body = if self.body { Bytes::from(format!("to={NUMBER}&code={CODE}")) } else { Bytes::new() };
        Request { method, url, template: "/to/{number}/code/{code}", headers: HeaderMap::new(), body }
    }
}

impl Codec for Plain {
    fn encode(&self, _: &Dispatch) -> Result<Request, Failure> {
        Ok(self.request(if self.body { Method::POST } else { Method::GET }))
    }

    fn decode(&self, _: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure> {
        match response.status {
            StatusCode::OK => Ok(None),
            StatusCode::UNAUTHORIZED => Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)),
            _ => Err(unreadable()),
        }
    }
}

impl RecallCodec for Plain {
    fn encode_recall(&self, _: &Recall) -> Option<Request> {
        Some(self.request(Method::DELETE))
    }

    fn decode_recall(&self, _: &Recall, response: &Response) -> Result<RecallOutcome, Failure> {
        if response.status == StatusCode::OK { Ok(RecallOutcome::Revoked) } else { Err(unreadable()) }
    }
}

/// Fetches a token from the vendor, or fails, and counts how often it was told to forget.
#[derive(Debug, Default)]
struct Tokens {
    url: String,
    kept: Mutex<Option<String>>,
    forgotten: AtomicUsize,
}

#[async_trait]
impl Authorizer for Tokens {
    async fn authorize(&self, client: &Client, _: Moment, request: &mut Request) -> Result<(), Failure> {
        let kept = self.kept.lock().unwrap().clone();
        let token = match kept {
            Some(token) => token,
            None => {
                let fetching = Request {
                    method: Method::GET,
                    url: Url::parse(&self.url).unwrap(),
                    template: "/token",
                    headers: HeaderMap::new(),
                    body: Bytes::new(),
                };
                let answer = client.fetch(&fetching).await?;
                String::from_utf8(answer.body.to_vec()).unwrap()
            }
        };
        request.headers.insert(AUTHORIZATION, HeaderValue::from_str(&token).unwrap());
        *self.kept.lock().unwrap() = Some(token);
        Ok(())
    }

    fn forget(&self) {
        self.kept.lock().unwrap().take();
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

fn sender(base_url: String) -> HttpSender<Plain> {
    HttpSender::new(Client::new(), Plain { base_url, body: true }, TIMEOUT)
}

/// A vendor that gives out a new token for every request for one.
async fn vendor_with_tokens() -> ScriptedVendor {
    let given = AtomicUsize::new(0);
    ScriptedVendor::start_with(Arc::new(move |request| {
        let token = || format!("token-{}", given.fetch_add(1, Ordering::SeqCst) + 1);
        (request.target == "/token").then(|| Answer::new(200).with_body(token()))
    }))
    .await
}

fn authorized(vendor: &ScriptedVendor) -> (HttpSender<Plain>, Arc<Tokens>) {
    let tokens = Arc::new(Tokens { url: format!("{}/token", vendor.base_url()), ..Tokens::default() });
    (sender(vendor.base_url()).with_authorizer(Arc::clone(&tokens) as _), tokens)
}

fn tokens_used(vendor: &ScriptedVendor) -> Vec<String> {
    let header =
        |request: &otter_provider_testkit::Received| request.header("authorization").unwrap().to_owned();
    vendor.received().iter().map(header).collect()
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_then_kept() {
    let vendor = vendor_with_tokens().await;
    let (sender, tokens) = authorized(&vendor);
    for status in [200, 401, 200, 200] {
        vendor.then(Answer::new(status));
    }
    for _ in 0..3 {
        assert_eq!(sender.send(&sample::dispatch(Channel::Sms)).await, Ok(None));
    }
    assert_eq!(tokens_used(&vendor), ["token-1", "token-1", "token-2", "token-2"]);
    assert_eq!(tokens.forgotten.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_second_refusal_of_the_token_is_final() {
    let vendor = vendor_with_tokens().await;
    let (sender, _) = authorized(&vendor);
    for _ in 0..3 {
        vendor.then(Answer::new(401));
    }
    let outcome = sender.send(&sample::dispatch(Channel::Sms)).await;
    assert_eq!(outcome, Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)));
    assert_eq!(vendor.received().len(), 2);
}

#[tokio::test]
async fn nothing_is_sent_when_no_token_can_be_had() {
    let vendor = ScriptedVendor::start().await;
    let url = format!("{}/token", ScriptedVendor::absent().await);
    let sender = sender(vendor.base_url()).with_authorizer(Arc::new(Tokens { url, ..Tokens::default() }));
    let outcome = sender.send(&sample::dispatch(Channel::Sms)).await;
    assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Network)));
    assert_eq!(vendor.received(), []);
}

#[tokio::test]
async fn a_token_that_never_comes_ends_at_the_deadline_as_not_sent() {
    let vendor = ScriptedVendor::start().await;
    vendor.then(Behaviour::Silence);
    let (sender, _) = authorized(&vendor);
    let sending = tokio::spawn(async move { sender.send(&sample::dispatch(Channel::Sms)).await });
    vendor.until_received(1).await;
    tokio::time::pause();
    let outcome = sending.await.unwrap();
    assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Timeout)));
    assert_eq!(vendor.received().len(), 1, "only the request for the token");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_unavailable() {
    let vendor = ScriptedVendor::start().await;
    let sender = sender(vendor.base_url().replace("http://", "https://"));
    let outcome = sender.send(&sample::dispatch(Channel::Sms)).await;
    assert_eq!(outcome, Err(Failure::new(FailureClass::Unavailable, ErrorClass::Network)));
}

#[tokio::test]
async fn a_request_without_a_body_is_judged_alike() {
    let vendor = ScriptedVendor::start().await;
    let codec = |base_url| Plain { base_url, body: false };
    let sender = HttpSender::new(Client::new(), codec(vendor.base_url()), TIMEOUT);
    let message = sample::dispatch(Channel::Sms);

    vendor.then(Answer::new(200));
    assert_eq!(sender.send(&message).await, Ok(None));
    vendor.then(Behaviour::CloseAfterReading);
    assert_eq!(sender.send(&message).await, Err(unreadable()));
    let late = Arc::new(FixedClock(message.send_before + Duration::from_millis(1)));
    let expired = Failure::new(FailureClass::Unavailable, ErrorClass::Expired);
    assert_eq!(sender.send(&Dispatch { clock: late, ..message.clone() }).await, Err(expired));
    assert_eq!(vendor.received().len(), 2);

    let nowhere = HttpSender::new(Client::new(), codec(ScriptedVendor::absent().await), TIMEOUT);
    let unreached = Failure::new(FailureClass::Unavailable, ErrorClass::Network);
    assert_eq!(nowhere.send(&message).await, Err(unreached));
}

#[tokio::test]
async fn a_message_is_taken_back_also_when_it_is_late() {
    let vendor = ScriptedVendor::start().await;
    let revoker =
        HttpRevoker::new(Client::new(), Plain { base_url: vendor.base_url(), body: false }, TIMEOUT);
    vendor.then(Answer::new(200));
    assert_eq!(revoker.revoke(&sample::recall(Channel::Sms, None)).await, Ok(RecallOutcome::Revoked));
    vendor.then(Answer::new(302).with_header("location", "/elsewhere"));
    assert_eq!(revoker.revoke(&sample::recall(Channel::Sms, None)).await, Err(unreadable()));
    assert_eq!(vendor.received()[0].method, "DELETE");
}

#[tokio::test]
async fn the_span_names_template_host_status_and_error_and_nothing_else() {
    let capture = Capture::start();
    let vendor = ScriptedVendor::start().await;
    vendor.then(Answer::new(422).with_body(format!("{NUMBER} {CODE}")));
    let _ = sender(vendor.base_url()).send(&sample::dispatch(Channel::Sms)).await;
    let text = capture.text();
    let closed = text.lines().find(|line| line.contains("close")).unwrap();
    for expected in [
        "POST{",
        "url.template=\"/to/{number}/code/{code}\"",
        "server.address=\"127.0.0.1\"",
        "http.response.status_code=422",
        "error.type=unknown",
        "otel.kind=\"client\"",
    ] {
        assert!(closed.contains(expected), "{expected} is missing in {closed}");
    }
    assert_silent("the trace", &text, NUMBER);
    assert_silent("the trace", &text, CODE);
}
