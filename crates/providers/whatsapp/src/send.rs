//! Authentication templates.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use otter_domain::{Content, ErrorClass, Failure, FailureClass, ProviderReference, TemplateCall};
use otter_provider::Dispatch;
use otter_provider_http::{Codec, Request, Response, json, unreadable};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::errors;
use crate::reference::reference;

/// Writes requests for one business number and reads Meta's answers.
#[derive(Debug)]
pub(crate) struct SendCodec {
    url: Url,
    authorization: HeaderValue,
}

impl SendCodec {
    /// Sends from one number of the business through one version of the API.
    pub(crate) fn new(
        base_url: &Url,
        version: &str,
        phone_number_id: &str,
        authorization: HeaderValue,
    ) -> Self {
        let mut url = base_url.clone();
        url.path_segments_mut().expect("http and https addresses have a path").pop_if_empty().extend([
            version,
            phone_number_id,
            "messages",
        ]);
        Self { url, authorization }
    }
}

impl Codec for SendCodec {
    fn encode(&self, dispatch: &Dispatch) -> Result<Request, Failure> {
        let call = match &dispatch.content {
            Content::WhatsApp(call) => call,
            Content::Sms(_) | Content::Rcs(_) | Content::Voice(_) => {
                return Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Unknown));
            }
        };
        let message = Message::new(dispatch, call);
        let body = serde_json::to_vec(&message).expect("texts and lists always become JSON");
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Request {
            method: Method::POST,
            url: self.url.clone(),
            template: "/{version}/{phone_number}/messages",
            headers,
            body: Bytes::from(body),
        })
    }

    fn decode(&self, _: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure> {
        if !response.status.is_success() {
            return Err(errors::failure(response));
        }
        let accepted: Accepted = json(response)?;
        let [message] = accepted.messages.as_slice() else { return Err(unreadable()) };
        reference(&message.id).map(Some).ok_or_else(unreadable)
    }
}

#[derive(Serialize)]
struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    /// With its plus sign: without it Meta puts the country code of the business number in front.
    to: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    template: Template<'a>,
    /// Comes back in every webhook about this message, in clear: our token, which says nothing to anybody else.
    biz_opaque_callback_data: &'a str,
}

#[derive(Serialize)]
struct Template<'a> {
    name: &'a str,
    language: Language<'a>,
    components: [Component<'a>; 2],
}

#[derive(Serialize)]
struct Language<'a> {
    policy: &'static str,
    code: &'a str,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Component<'a> {
    Body {
        parameters: [Parameter<'a>; 1],
    },
    /// The copy-code, one-tap or zero-tap button. It is created as `otp` and called as `url`.
    Button {
        sub_type: &'static str,
        index: &'static str,
        parameters: [Parameter<'a>; 1],
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Parameter<'a> {
    Text { text: &'a str },
}

impl<'a> Message<'a> {
    /// The code goes into the body and the button from one place, so they cannot differ (FMT-33).
    fn new(dispatch: &'a Dispatch, call: &'a TemplateCall) -> Self {
        let code = || [Parameter::Text { text: call.code.reveal() }];
        Self {
            messaging_product: "whatsapp",
            recipient_type: "individual",
            to: dispatch.number.reveal(),
            kind: "template",
            template: Template {
                name: &call.template,
                language: Language { policy: "deterministic", code: &call.language },
                components: [
                    Component::Body { parameters: code() },
                    Component::Button { sub_type: "url", index: "0", parameters: code() },
                ],
            },
            biz_opaque_callback_data: &dispatch.token,
        }
    }
}

/// The part of an acceptance that matters. `contacts` repeats the number; `message_status` may say that Meta holds the
/// template back for a while, which is acceptance all the same.
#[derive(Deserialize)]
struct Accepted {
    messages: Vec<AcceptedMessage>,
}

#[derive(Deserialize)]
struct AcceptedMessage {
    id: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use otter_domain::{Channel, Code, Secret, SmsText};
    use otter_provider_http::bearer;
    use otter_provider_testkit::sample::dispatch;
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn codec() -> SendCodec {
        let base_url = Url::parse("https://graph.facebook.com").unwrap();
        SendCodec::new(&base_url, "v24.0", "106540352242922", bearer(&Secret::new("sesame")).unwrap())
    }

    fn call(template: &str, language: &str) -> Content {
        Content::WhatsApp(TemplateCall {
            template: template.into(),
            language: language.into(),
            send_ttl: Duration::from_secs(60),
            code: Code::parse("042137").unwrap(),
        })
    }

    #[test]
    fn a_template_is_called_as_the_vendor_documents_it() {
        let content = call("login_code_v1", "pt_BR");
        let request = codec().encode(&Dispatch { content, ..dispatch(Channel::WhatsApp) }).unwrap();
        assert_eq!(request.url.as_str(), "https://graph.facebook.com/v24.0/106540352242922/messages");
        assert_eq!(request.headers["authorization"], "Bearer sesame");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.body, include_str!("../fixtures/message.json").trim_end());
    }

    #[test]
    fn only_templates_are_sent() {
        let text = SmsText { text: Secret::new("x"), parts: 1, unicode: false };
        let message = Dispatch { content: Content::Sms(text), ..dispatch(Channel::Sms) };
        assert_eq!(codec().encode(&message).unwrap_err().class, FailureClass::Misconfigured);
    }

    #[test]
    fn answers_are_read_as_the_vendor_documents_them() {
        let read = |status, body: &str| {
            codec().decode(&dispatch(Channel::WhatsApp), &sample::response(status, body))
        };
        let accepted = read(200, include_str!("../fixtures/message.accepted.json")).unwrap().unwrap();
        assert_eq!(Some(accepted), reference("wamid.HBgNNDkxNTExMjM0NTY3OBUCABEYEjdFRkY5QkU3RjQ4"));
        let refused = read(400, include_str!("../fixtures/error.131026.json")).unwrap_err();
        assert_eq!((refused.class, refused.vendor_code), (FailureClass::Unroutable, Some(131026.into())));
        for garbage in
            ["", "{}", r#"{"messages":[]}"#, r#"{"messages":[{"id":""}]}"#, r#"{"error":{"code":1}}"#]
        {
            assert_eq!(read(200, garbage), Err(unreadable()), "{garbage}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_text_makes_writing_panic(template in any::<String>(), language in any::<String>(), token in any::<String>()) {
            let content = call(&template, &language);
            let request = codec().encode(&Dispatch { content, token, ..dispatch(Channel::WhatsApp) }).unwrap();
            let read: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            prop_assert_eq!(&read["template"]["name"], &template);
            prop_assert_eq!(&read["template"]["language"]["code"], &language);
        }

        #[test]
        fn no_answer_makes_reading_panic(status in 200_u16..600, body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let response = Response { body: body.into(), ..sample::response(status, "") };
            let _ = codec().decode(&dispatch(Channel::WhatsApp), &response);
        }
    }
}
