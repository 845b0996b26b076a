//! Requests and answers.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use otter_domain::{Content, Failure, ProviderReference};
use otter_provider::{Dispatch, Recall, RecallOutcome};
use otter_provider_http::{Codec, RecallCodec, Request, Response, json, unreadable};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::failure;

/// The vendor's message API, for one account.
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    pub(crate) base_url: Url,
    pub(crate) authorization: HeaderValue,
}

/// `POST /v1/messages`.
#[derive(Serialize)]
struct Submission<'a> {
    to: &'a str,
    channel: &'a str,
    #[serde(flatten)]
    content: Payload<'a>,
    validity_seconds: u64,
    client_reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback_url: Option<&'a str>,
    message_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Payload<'a> {
    Text(&'a str),
    Template { name: &'a str, language: &'a str, code: &'a str },
    Speech { language: &'a str, intro: &'a str, code: &'a str, again: &'a str, goodbye: &'a str },
}

/// The answer to both requests.
#[derive(Deserialize)]
struct Acknowledgement {
    id: String,
    status: String,
}

impl Messages {
    fn request(&self, method: Method, segments: &[&str], template: &'static str, body: Vec<u8>) -> Request {
        let mut url = self.base_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        if !body.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Request { method, url, template, headers, body: body.into() }
    }
}

impl Codec for Messages {
    fn encode(&self, dispatch: &Dispatch) -> Result<Request, Failure> {
        let submission = Submission {
            to: dispatch.number.reveal(),
            channel: dispatch.channel.as_str(),
            content: payload(&dispatch.content),
            validity_seconds: dispatch.validity.as_secs(),
            client_reference: &dispatch.token,
            callback_url: dispatch.callback_url.as_deref(),
            message_id: dispatch.message_id.to_string(),
        };
        let body = serde_json::to_vec(&submission).expect("texts and numbers are always JSON");
        Ok(self.request(Method::POST, &["v1", "messages"], "/v1/messages", body))
    }

    fn decode(&self, _: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure> {
        if response.status != StatusCode::ACCEPTED {
            return Err(failure(response));
        }
        let accepted: Acknowledgement = json(response)?;
        if accepted.status != "accepted" {
            return Err(unreadable());
        }
        ProviderReference::parse(&accepted.id).map(Some).map_err(|_| unreadable())
    }
}

impl RecallCodec for Messages {
    fn encode_recall(&self, recall: &Recall) -> Option<Request> {
        let id = recall.reference.as_ref()?;
        let segments = ["v1", "messages", id.as_str()];
        Some(self.request(Method::DELETE, &segments, "/v1/messages/{id}", Vec::new()))
    }

    fn decode_recall(&self, _: &Recall, response: &Response) -> Result<RecallOutcome, Failure> {
        match response.status {
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => Ok(RecallOutcome::TooLate),
            StatusCode::OK => match json::<Acknowledgement>(response)?.status.as_str() {
                "revoked" => Ok(RecallOutcome::Revoked),
                _ => Err(unreadable()),
            },
            _ => Err(failure(response)),
        }
    }
}

fn payload(content: &Content) -> Payload<'_> {
    match content {
        Content::Sms(message) => Payload::Text(message.text.reveal()),
        Content::Rcs(message) => Payload::Text(message.text.reveal()),
        Content::WhatsApp(call) => {
            Payload::Template { name: &call.template, language: &call.language, code: call.code.reveal() }
        }
        Content::Voice(spoken) => Payload::Speech {
            language: spoken.locale.as_str(),
            intro: &spoken.intro,
            code: spoken.code.reveal(),
            again: &spoken.again,
            goodbye: &spoken.goodbye,
        },
    }
}
