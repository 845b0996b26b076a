//! Examples that the tests of this crate share.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method, StatusCode};
use otter_domain::{Channel, Content, Secret};
use otter_provider::{Callback, Dispatch};
use otter_provider_http::Response;
pub(crate) use otter_provider_testkit::sample::{CALLBACK_URL, TOKEN, recall};
use sha1::Sha1;
use url::{Url, form_urlencoded};

use crate::account::Account;

pub(crate) fn account() -> Account {
    let base_url = Url::parse("https://api.twilio.com").unwrap();
    Account::new(base_url, format!("AC{}", "a".repeat(32)), "SK1", &Secret::new("sesame"))
}

pub(crate) fn dispatch(content: Content) -> Dispatch {
    let channel = match content {
        Content::Sms(_) => Channel::Sms,
        Content::WhatsApp(_) => Channel::WhatsApp,
        Content::Rcs(_) => Channel::Rcs,
        Content::Voice(_) => Channel::Voice,
    };
    Dispatch { content, ..otter_provider_testkit::sample::dispatch(channel) }
}

pub(crate) fn response(status: u16, body: &str) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec().into(),
    }
}

/// A POST to [`CALLBACK_URL`] whose path was not taken apart yet.
pub(crate) fn callback<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> Callback<'a> {
    Callback { method: &Method::POST, url: CALLBACK_URL, token: None, query: "", headers, body }
}

/// The header with the signature over these forms' parameters and a URL, as Twilio makes it.
pub(crate) fn signature(key: &str, url: &str, body: &[u8]) -> String {
    let mut parameters: Vec<_> = form_urlencoded::parse(body).into_owned().collect();
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    parameters.dedup_by(|a, b| a.0 == b.0);
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(url.as_bytes());
    for (name, value) in &parameters {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The headers of a POST of this form to [`CALLBACK_URL`].
pub(crate) fn signed(key: &str, body: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("x-twilio-signature", signature(key, CALLBACK_URL, body.as_bytes()).parse().unwrap());
    headers
}
