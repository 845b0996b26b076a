//! What a vendor crate says about itself so that the suite can examine it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use otter_domain::{
    Channel, Content, ErrorClass, FailureClass, MessageId, ReceiptStatus, SpeaksOf, VendorCode,
};
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

    /// The shortest time that the vendor can be told to keep a message of this channel; `None` if it takes any, or is
    /// not told. A code that is valid for less is not sent.
    fn shortest_validity(&self, channel: Channel) -> Option<Duration> {
        let _ = channel;
        None
    }

    /// How the vendor signs callbacks: one signer for each way in which it does, for example one for messages, one for
    /// calls, and one for a key that takes over; empty if it has no callbacks.
    fn receipts(&self) -> Vec<Arc<dyn ReceiptSigner>>;
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
    /// What will fail again; `None` is not examined.
    pub speaks_of: Option<SpeaksOf>,
    /// The vendor's own code; `None` is not examined.
    pub vendor_code: Option<VendorCode>,
}

impl Refusal {
    /// A refusal on the first channel.
    pub fn new(name: &'static str, answer: Answer, class: FailureClass, error: ErrorClass) -> Self {
        Self { name, channel: None, answer, class, error, speaks_of: None, vendor_code: None }
    }

    /// The same about something in particular.
    pub fn speaking_of(self, speaks_of: SpeaksOf) -> Self {
        Self { speaks_of: Some(speaks_of), ..self }
    }

    /// The same with the vendor's code, a number or a word.
    #[track_caller]
    pub fn with_code(self, code: impl fmt::Display) -> Self {
        let code = VendorCode::parse(&code.to_string()).expect("the sample is of a vendor code's form");
        Self { vendor_code: Some(code), ..self }
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

/// The vendor's side of receipts: builds callbacks as the vendor does, signed in one of its ways.
pub trait ReceiptSigner: Send + Sync {
    /// The way, for messages of the suite.
    fn name(&self) -> &'static str {
        "the only way"
    }

    /// The channel whose messages it reports on; `None` is the first.
    fn channel(&self) -> Option<Channel> {
        None
    }

    /// What the signature covers, by the vendor's documentation.
    fn covers(&self) -> Covers;

    /// The body of a report (or the query, for vendors that use GET); `None` if it has no such status.
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

/// What a signature covers, and so what nobody can change in a callback that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// The body: any URL of ours may be called with it. The body has to name the message.
    Body,
    /// The URL, query included or not: any body may come with it. So the URL has to name the message, and nothing in the
    /// body may name another.
    Url,
    /// Both.
    UrlAndBody,
}

impl Covers {
    pub(crate) fn body(self) -> bool {
        matches!(self, Self::Body | Self::UrlAndBody)
    }

    pub(crate) fn url(self) -> bool {
        matches!(self, Self::Url | Self::UrlAndBody)
    }
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
