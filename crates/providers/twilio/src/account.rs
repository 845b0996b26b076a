//! One Twilio account as requests address it.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use otter_domain::Secret;
use otter_provider_http::{Form, Request, basic};
use url::Url;

/// Where requests go and how they prove who sends them.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    base_url: Url,
    sid: String,
    authorization: HeaderValue,
}

impl Account {
    /// An account and the credentials for it: `user` is the SID of an API key, or the account's own with its auth
    /// token.
    pub(crate) fn new(base_url: Url, sid: String, user: &str, password: &Secret) -> Self {
        Self { base_url, sid, authorization: basic(user, password) }
    }

    /// A form posted to a resource of the account.
    pub(crate) fn post(&self, resource: &[&str], template: &'static str, form: Form) -> Request {
        let mut url = self.base_url.clone();
        url.path_segments_mut()
            .expect("http and https addresses have a path")
            .pop_if_empty()
            .extend(["2010-04-01", "Accounts", &self.sid])
            .extend(resource);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Request { method: Method::POST, url, template, headers, body: form.finish() }
    }
}
