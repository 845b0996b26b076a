//! What most codecs need: headers, form bodies, JSON answers.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue};
use otter_domain::{ErrorClass, Failure, FailureClass, Secret};
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use crate::Response;

/// The longest wait that a vendor is believed to ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The vendor's wish to be left alone: `Retry-After` in whole seconds, at most [`MAX_RETRY_AFTER`].
///
/// A date is taken for no wish, since reading it needs a clock that agrees with the vendor's.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = digits.then(|| text.parse().unwrap_or(u64::MAX))?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The value of `Authorization` for HTTP Basic, marked sensitive.
pub fn basic(user: &str, password: &Secret) -> HeaderValue {
    let text = Secret::new(format!("{user}:{}", password.reveal()));
    let text = Secret::new(format!("Basic {}", BASE64_STANDARD.encode(text.reveal())));
    sensitive(text.reveal()).expect("base64 is visible ASCII")
}

/// The value of `Authorization` for a bearer token, marked sensitive; `None` if the token cannot stand in a header.
pub fn bearer(token: &Secret) -> Option<HeaderValue> {
    let text = Secret::new(format!("Bearer {}", token.reveal()));
    sensitive(text.reveal())
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Builds an `application/x-www-form-urlencoded` body. Silent in `Debug`: it holds the number and the code.
pub struct Form(Serializer<'static, String>);

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self(Serializer::new(String::new()))
    }

    /// The same with one more field, in order.
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.0.append_pair(name, value);
        self
    }

    /// The encoded body.
    pub fn finish(mut self) -> Bytes {
        Bytes::from(self.0.finish())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").finish_non_exhaustive()
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a JSON body; [`unreadable`] if it is not of this form.
pub fn json<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    serde_json::from_slice(&response.body).map_err(|_| unreadable())
}

/// An answer that is not of the vendor's documented form: bytes left, and nobody knows what became of them.
pub fn unreadable() -> Failure {
    Failure::new(FailureClass::Ambiguous, ErrorClass::Unknown)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;

    fn wish(text: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_whole_seconds_within_bounds() {
        assert_eq!(wish("7"), Some(Duration::from_secs(7)));
        assert_eq!(wish(" 0 "), Some(Duration::ZERO));
        assert_eq!(wish("99999999999999999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(wish("1.5"), None);
        assert_eq!(wish("-1"), None);
        assert_eq!(wish("+1"), None);
        assert_eq!(wish(""), None);
        assert_eq!(wish("Wed, 21 Oct 2015 07:28:00 GMT"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn credentials_are_encoded_and_silent() {
        let value = basic("Aladdin", &Secret::new("open sesame"));
        assert_eq!(value.to_str().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{value:?}").contains("QWxh"));
        assert_eq!(bearer(&Secret::new("k3y")).unwrap().to_str().unwrap(), "Bearer k3y");
        assert_eq!(bearer(&Secret::new("two\nlines")), None);
    }

    #[test]
    fn a_form_is_url_encoded_in_order() {
        let body = Form::new().field("To", "+491700").field("Body", "4711 & more ü").finish();
        assert_eq!(body, "To=%2B491700&Body=4711+%26+more+%C3%BC");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_body_makes_reading_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let response =
                Response { status: StatusCode::OK, headers: HeaderMap::new(), body: body.into() };
            let _ = json::<serde_json::Value>(&response);
        }
    }
}
