//! What a vendor crate says about itself so that the suite can examine it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use otter_domain::{Channel, Content, ErrorClass, FailureClass, MessageId, ReceiptStatus};
use otter_provider::{Callback, Dispatch, Locator, Registration};
use toml::Table;

use crate::{Answer, Received, sample};

/// A vendor crate under examination. Everything in it comes from the vendor's documentation.
///
/// What a vendor cannot do or say is declared (`None`, [`Self::unsaid`]), so that nothing is left out by accident.
pub trait Subject: Send + Sync + 'static {
    /// The registration.
    fn registration(&self) -> Registration;

    /// Complete settings of an account that serves every channel of [`Self::channels`] at this base URL, callbacks
    /// included. Credentials are plain text.
    fn settings(&self, base_url: &str) -> Table;

    /// The settings that are asked for when there are none at all.
    fn required(&self) -> Vec<&'static str>;

    /// Every secret in [`Self::settings`].
    fn secrets(&self) -> Vec<String>;

    /// The channels that the settings serve.
    fn channels(&self) -> Vec<Channel>;

    /// A message for a channel.
    fn content(&self, channel: Channel) -> Content {
        sample::content(channel)
    }

    /// The answer by which the vendor accepts this message, and the name that it gives it.
    fn accepted(&self, dispatch: &Dispatch) -> (Answer, Option<String>);

    /// The vendor's documented refusals. All of its error table may be here; at least one for each class that is not
    /// in [`Self::unsaid`], and a throttling one with `Retry-After` if the vendor sends that.
    fn refusals(&self) -> Vec<Refusal>;

    /// The classes that no answer of this vendor says.
    fn unsaid(&self) -> Vec<FailureClass>;

    /// The vendor's table of codes, whose rendered form the vendor's page has to hold; `None` if it has no codes.
    fn codes(&self) -> Option<CodePage>;

    /// An error answer with a free text in it, as the vendor would echo what it was sent.
    fn complaint(&self, text: &str) -> Answer;

    /// Whether accepting is said by the status alone, so that no body is garbage.
    fn accepts_by_status(&self) -> bool {
        false
    }

    /// The answer to a request that is not a send, for example for a token; such requests are not counted.
    fn side_answer(&self, request: &Received) -> Option<Answer> {
        let _ = request;
        None
    }

    /// How messages are taken back; `None` if the vendor cannot.
    fn recalls(&self) -> Option<Recalls>;

    /// How the vendor signs callbacks; `None` if it has none.
    fn receipts(&self) -> Option<Arc<dyn ReceiptSigner>>;
}

/// What a vendor's table of codes says of itself: `problems()` and `markdown()` of `otter_provider_http::CodeTable`.
#[derive(Debug, Clone)]
pub struct CodePage {
    /// Everything that is wrong with the table.
    pub problems: Vec<String>,
    /// The table for people.
    pub markdown: String,
}

/// One documented refusal and what it means.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// What the vendor says, for messages of the suite.
    pub name: &'static str,
    /// The channel to try it on; `None` is the first.
    pub channel: Option<Channel>,
    /// The answer.
    pub answer: Answer,
    /// What to do next.
    pub class: FailureClass,
    /// What happened.
    pub error: ErrorClass,
}

impl Refusal {
    /// A refusal on the first channel.
    pub fn new(name: &'static str, answer: Answer, class: FailureClass, error: ErrorClass) -> Self {
        Self { name, channel: None, answer, class, error }
    }

    /// The same on another channel.
    pub fn on(self, channel: Channel) -> Self {
        Self { channel: Some(channel), ..self }
    }
}

/// What a vendor answers to the wish to take a message back.
#[derive(Debug, Clone)]
pub struct Recalls {
    /// The channel to try it on.
    pub channel: Channel,
    /// The name that the vendor gave the message; `None` if it has none.
    pub reference: Option<String>,
    /// Taken back.
    pub revoked: Answer,
    /// Too late, or unknown.
    pub too_late: Answer,
}

/// The vendor's side of receipts: builds callbacks as the vendor does.
pub trait ReceiptSigner: Send + Sync {
    /// The body of a report (or the query, for vendors that use GET); `None` if the vendor has no such status.
    ///
    /// `extra` asks for fields in it that nobody knows yet.
    fn report(&self, status: ReceiptStatus, message: &Reported, extra: bool) -> Option<Bytes>;

    /// A callback with these bytes, genuinely signed. The bytes may be anything.
    fn sign(&self, message: &Reported, body: Bytes) -> SignedCallback;

    /// The same signed with a key that is not ours.
    fn sign_wrongly(&self, message: &Reported, body: Bytes) -> SignedCallback;

    /// How a report names this message.
    fn locator(&self, message: &Reported) -> Locator;
}

/// The message that a report is on.
#[derive(Debug, Clone)]
pub struct Reported {
    /// The token that went with it.
    pub token: String,
    /// The id that it has from us.
    pub message_id: MessageId,
    /// The name that the vendor gave it.
    pub reference: String,
    /// The number that it went to.
    pub number: &'static str,
}

/// A callback as it arrives.
#[derive(Debug, Clone)]
pub struct SignedCallback {
    /// The method.
    pub method: Method,
    /// The public URL, query included.
    pub url: String,
    /// The token in the path.
    pub token: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl SignedCallback {
    /// A POST to the callback URL of a message, without headers.
    pub fn post(message: &Reported, body: Bytes) -> Self {
        Self {
            method: Method::POST,
            url: format!("https://otp.example.net/receipts/vendor-test/{}", message.token),
            token: Some(message.token.clone()),
            headers: HeaderMap::new(),
            body,
        }
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a signature is visible ASCII");
        self.headers.insert(name, value);
        self
    }

    /// The callback as a decoder sees it.
    pub fn as_callback(&self) -> Callback<'_> {
        Callback {
            method: &self.method,
            url: &self.url,
            token: self.token.as_deref(),
            query: self.url.split_once('?').map_or("", |(_, query)| query),
            headers: &self.headers,
            body: &self.body,
        }
    }
}
