//! Messages of an agent: `phones.agentMessages` create and delete.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use otter_domain::{Content, ErrorClass, Failure, FailureClass, MessageId, PhoneNumber, ProviderReference};
use otter_provider::{Dispatch, Recall, RecallOutcome};
use otter_provider_http::{Codec, RecallCodec, Request, Response, json, unreadable};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::status;

/// From the shortest time-to-live that the platform advises (FMT-40) to the longest that it takes. What is left of a code
/// that is valid for less is better spent on another channel.
const TTL: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(15 * 24 * 60 * 60);

/// Writes the messages of one agent and takes them back.
#[derive(Debug, Clone)]
pub(crate) struct AgentMessages {
    /// The region's host.
    pub(crate) base_url: Url,
    /// The part of the agent's id before `@rbm.goog`.
    pub(crate) agent_id: String,
}

impl Codec for AgentMessages {
    fn encode(&self, dispatch: &Dispatch) -> Result<Request, Failure> {
        let text = match &dispatch.content {
            Content::Rcs(rcs) => &rcs.text,
            Content::Sms(_) | Content::WhatsApp(_) | Content::Voice(_) => {
                return Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Unknown));
            }
        };
        let message = AgentMessage {
            content_message: ContentMessage { text: text.reveal() },
            message_traffic_type: "AUTHENTICATION",
            ttl: format!("{}s", dispatch.lifetime(TTL)?.as_secs()),
        };
        let body = serde_json::to_vec(&message).expect("a struct of texts is always JSON");
        let mut url = self.messages_of(&dispatch.number, None);
        url.query_pairs_mut()
            .append_pair("messageId", &dispatch.message_id.to_string())
            .append_pair("agentId", &self.agent_id);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let template = "/v1/phones/{phone}/agentMessages";
        Ok(Request { method: Method::POST, url, template, headers, body: body.into() })
    }

    fn decode(&self, dispatch: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure> {
        if response.status == StatusCode::OK {
            let sent: Sent = json(response)?;
            let ours = names(&sent.name, dispatch.message_id);
            return if ours { Ok(reference(dispatch.message_id)) } else { Err(unreadable()) };
        }
        match status::read(response) {
            // The platform ignores a second message with an id that it has: the first one is on its way.
            Some(error) if error.is_known_already() => Ok(reference(dispatch.message_id)),
            Some(error) => Err(error.failure()),
            None => Err(unreadable()),
        }
    }
}

impl RecallCodec for AgentMessages {
    fn encode_recall(&self, recall: &Recall) -> Option<Request> {
        let mut url = self.messages_of(&recall.number, Some(recall.message_id));
        url.query_pairs_mut().append_pair("agentId", &self.agent_id);
        let template = "/v1/phones/{phone}/agentMessages/{message}";
        Some(Request { method: Method::DELETE, url, template, headers: HeaderMap::new(), body: Bytes::new() })
    }

    fn decode_recall(&self, _recall: &Recall, response: &Response) -> Result<RecallOutcome, Failure> {
        if response.status == StatusCode::OK {
            let empty = response.body.is_empty() || json::<Empty>(response).is_ok();
            return if empty { Ok(RecallOutcome::Revoked) } else { Err(unreadable()) };
        }
        match status::read(response) {
            Some(error) if error.is_not_found() => Ok(RecallOutcome::TooLate),
            Some(error) => Err(error.failure()),
            None => Err(unreadable()),
        }
    }
}

impl AgentMessages {
    fn messages_of(&self, number: &PhoneNumber, message: Option<MessageId>) -> Url {
        let prefix = self.base_url.path().trim_end_matches('/');
        // The number keeps its plus sign, which has to be escaped by hand: in a path it would be legal as it is.
        let mut path = format!("{prefix}/v1/phones/%2B{}/agentMessages", number.reveal_digits());
        if let Some(message) = message {
            path.push('/');
            path.push_str(&message.to_string());
        }
        let mut url = self.base_url.clone();
        url.set_path(&path);
        url
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AgentMessage<'a> {
    content_message: ContentMessage<'a>,
    message_traffic_type: &'static str,
    ttl: String,
}

#[derive(Serialize)]
struct ContentMessage<'a> {
    text: &'a str,
}

#[derive(Deserialize)]
struct Sent {
    name: String,
}

#[derive(Deserialize)]
struct Empty {}

/// Whether a resource name, `phones/{number}/agentMessages/{id}`, is the message's.
fn names(resource: &str, message: MessageId) -> bool {
    let last = resource.rsplit('/').next().unwrap_or_default();
    resource.contains("/agentMessages/") && last.eq_ignore_ascii_case(&message.to_string())
}

/// The id alone: the resource name has the number in it.
fn reference(message: MessageId) -> Option<ProviderReference> {
    ProviderReference::parse(&message.to_string()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{Secret, SmsText, VendorCode};
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{CODE, MESSAGE, NUMBER, dispatch, recall, response};

    fn messages() -> AgentMessages {
        let base_url = Url::parse("https://europe-rcsbusinessmessaging.googleapis.com").unwrap();
        AgentMessages { base_url, agent_id: "acme_otp_agent".to_owned() }
    }

    #[test]
    fn a_message_is_an_authentication_text_that_ends_with_its_code() {
        let request = messages().encode(&dispatch()).unwrap();
        assert_eq!(request.method, Method::POST);
        assert_eq!(
            request.url.as_str(),
            "https://europe-rcsbusinessmessaging.googleapis.com/v1/phones/%2B4915112345678/agentMessages\
             ?messageId=6f8a2c7e-8a60-8a8f-9a35-0f2d3a1b9c44&agentId=acme_otp_agent"
        );
        assert_eq!(request.headers[header::CONTENT_TYPE], "application/json");
        let expected = r#"{"contentMessage":{"text":"482913 is your Acme code. Do not share it."},"messageTrafficType":"AUTHENTICATION","ttl":"120s"}"#;
        assert_eq!(request.body, expected);
    }

    #[test]
    fn a_base_url_may_have_a_path() {
        let check = |base: &str| {
            let messages = AgentMessages { base_url: Url::parse(base).unwrap(), ..messages() };
            let url = messages.encode(&dispatch()).unwrap().url;
            assert_eq!(url.path(), "/rcs/v1/phones/%2B4915112345678/agentMessages", "{base}");
        };
        check("http://proxy:8080/rcs");
        check("http://proxy:8080/rcs/");
    }

    #[test]
    fn a_time_to_live_never_outlives_the_code_and_is_never_shorter_than_advised() {
        let check = |millis: u64, expected: Option<&str>| {
            let written =
                messages().encode(&Dispatch { validity: Duration::from_millis(millis), ..dispatch() });
            let ttl = written
                .ok()
                .map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).unwrap());
            assert_eq!(ttl.as_ref().and_then(|body| body["ttl"].as_str()), expected, "{millis} ms");
        };
        check(0, None);
        check(9_999, None);
        check(10_000, Some("10s"));
        check(299_999, Some("299s"));
        check(u64::MAX, Some("1296000s"));
        let late = Dispatch { validity: Duration::from_secs(9), ..dispatch() };
        let failure = messages().encode(&late).unwrap_err();
        assert_eq!((failure.class, failure.error), (FailureClass::Unavailable, ErrorClass::Expired));
    }

    #[test]
    fn content_of_another_channel_is_not_sent() {
        let text = SmsText { text: Secret::new("482913"), parts: 1, unicode: false };
        let wrong = Dispatch { content: Content::Sms(text), ..dispatch() };
        assert_eq!(messages().encode(&wrong).unwrap_err().class, FailureClass::Misconfigured);
    }

    #[test]
    fn an_accepted_message_is_known_by_our_id_and_not_by_its_resource_name() {
        let accepted = messages().decode(&dispatch(), &response(200, include_str!("../fixtures/sent.json")));
        assert_eq!(accepted.unwrap().unwrap().as_str(), MESSAGE);
    }

    #[test]
    fn a_repeat_that_the_platform_ignores_counts_as_accepted() {
        let repeat = response(409, include_str!("../fixtures/already-exists.json"));
        assert_eq!(messages().decode(&dispatch(), &repeat).unwrap().unwrap().as_str(), MESSAGE);
    }

    #[test]
    fn a_person_without_rcs_is_unroutable() {
        let answer = response(404, include_str!("../fixtures/not-found.json"));
        let failure = messages().decode(&dispatch(), &answer).unwrap_err();
        let expected = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
        assert_eq!(failure, expected.with_vendor_code(VendorCode::parse("NOT_FOUND").unwrap()));
        let answer = response(404, include_str!("../fixtures/not-found.older.json"));
        let failure = messages().decode(&dispatch(), &answer).unwrap_err();
        assert_eq!(failure, expected.with_code(404));
    }

    #[test]
    fn an_answer_that_is_not_of_the_documented_form_is_ambiguous() {
        let check = |status: u16, body: &'static str| {
            let failure = messages().decode(&dispatch(), &response(status, body)).unwrap_err();
            assert_eq!(failure.class, FailureClass::Ambiguous, "{status} {body}");
        };
        check(200, "");
        check(200, "{}");
        check(200, "<html>welcome</html>");
        check(200, r#"{"name":"phones/+4915112345678/agentMessages/019a8f00-0000-8000-8000-000000000001"}"#);
        check(204, "");
        check(404, "<html>not found</html>");
        check(409, "");
        check(500, "");
        check(503, r#"{"error":"down"}"#);
        check(200, include_str!("../fixtures/not-found.json"));
        check(500, include_str!("../fixtures/not-found.json"));
    }

    #[test]
    fn a_recall_deletes_the_message_by_our_id() {
        let request = messages().encode_recall(&recall()).unwrap();
        assert_eq!(request.method, Method::DELETE);
        assert_eq!(
            request.url.as_str(),
            "https://europe-rcsbusinessmessaging.googleapis.com/v1/phones/%2B4915112345678/agentMessages/\
             6f8a2c7e-8a60-8a8f-9a35-0f2d3a1b9c44?agentId=acme_otp_agent"
        );
        assert!(request.body.is_empty());
    }

    #[test]
    fn a_recall_knows_whether_it_came_in_time() {
        let check = |status: u16, body: &'static str, expected: Result<RecallOutcome, FailureClass>| {
            let outcome = messages().decode_recall(&recall(), &response(status, body));
            assert_eq!(outcome.map_err(|failure| failure.class), expected, "{status} {body}");
        };
        check(200, "{}", Ok(RecallOutcome::Revoked));
        check(200, "", Ok(RecallOutcome::Revoked));
        check(404, include_str!("../fixtures/not-found.json"), Ok(RecallOutcome::TooLate));
        check(404, include_str!("../fixtures/not-found.older.json"), Ok(RecallOutcome::TooLate));
        check(429, "", Err(FailureClass::Throttled));
        check(503, include_str!("../fixtures/unavailable.json"), Err(FailureClass::Unavailable));
        check(403, include_str!("../fixtures/permission-denied.json"), Err(FailureClass::Misconfigured));
        check(200, "<html>welcome</html>", Err(FailureClass::Ambiguous));
        check(404, "<html>not found</html>", Err(FailureClass::Ambiguous));
    }

    #[test]
    fn nothing_shows_the_number_or_the_code() {
        let shown = format!("{:?}", messages().encode(&dispatch()).unwrap());
        assert!(!shown.contains(&NUMBER[1..]) && !shown.contains(CODE), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_answer_makes_reading_panic(status in 100u16..600, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answer = response(status, body);
            prop_assert!(messages().decode(&dispatch(), &answer).is_err());
            let _ = messages().decode_recall(&recall(), &answer);
        }

        #[test]
        fn only_the_documented_answers_are_taken_for_accepted(
            status in prop_oneof![Just(200u16), Just(409), 100u16..600],
            word in "[A-Z_]{0,20}",
            name in "[a-zA-Z0-9/+-]{0,80}",
        ) {
            let body = format!(r#"{{"name":"{name}","error":{{"code":{status},"status":"{word}","message":"{CODE}"}}}}"#);
            let outcome = messages().decode(&dispatch(), &response(status, body));
            let accepted = status == 409 && word == "ALREADY_EXISTS";
            prop_assert_eq!(outcome.is_ok(), accepted);
        }
    }
}
