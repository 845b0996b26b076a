//! The vendor's JSON.

use otter_domain::{Channel, PhoneNumber, Secret};
use serde::{Deserialize, Serialize};

use crate::{HandsetMessage, Refusal};

/// The longest text that is taken, in characters; longer than any message, shorter than an attack.
const MAX_TEXT: usize = 2000;

/// `POST /v1/messages` as it comes. Unknown fields are ignored.
#[derive(Deserialize)]
struct SubmissionBody {
    to: String,
    channel: String,
    text: Option<String>,
    template: Option<Template>,
    speech: Option<Speech>,
    validity_seconds: u64,
    client_reference: String,
    callback_url: Option<String>,
    message_id: Option<String>,
}

#[derive(Deserialize)]
struct Template {
    name: String,
    language: String,
    code: String,
}

#[derive(Deserialize)]
struct Speech {
    language: String,
    intro: String,
    code: String,
    again: String,
    goodbye: String,
}

/// A message that the vendor can work with.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) to: PhoneNumber,
    pub(crate) channel: Channel,
    pub(crate) text: Secret,
    pub(crate) validity_seconds: u64,
    pub(crate) client_reference: String,
    pub(crate) callback_url: Option<String>,
    pub(crate) message_id: Option<String>,
}

impl Submission {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let body: SubmissionBody = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
        let channel = Channel::parse(&body.channel).ok_or(Refusal::Malformed)?;
        let text = shown(channel, body.text, body.template, body.speech).ok_or(Refusal::Malformed)?;
        if text.is_empty() || text.chars().count() > MAX_TEXT {
            return Err(Refusal::ContentRejected);
        }
        Ok(Self {
            to: PhoneNumber::parse(&body.to).map_err(|_| Refusal::InvalidNumber)?,
            channel,
            text: Secret::new(text),
            validity_seconds: body.validity_seconds,
            client_reference: body.client_reference,
            callback_url: body.callback_url,
            message_id: body.message_id,
        })
    }
}

/// What the person gets to see or hear; `None` if the content is not that of the channel.
fn shown(
    channel: Channel,
    text: Option<String>,
    template: Option<Template>,
    speech: Option<Speech>,
) -> Option<String> {
    match (channel, text, template, speech) {
        (Channel::Sms | Channel::Rcs, Some(text), None, None) => Some(text),
        (Channel::WhatsApp, None, Some(template), None) => {
            let named = !template.name.is_empty() && !template.language.is_empty();
            named.then(|| format!("{} is your verification code. Do not share it.", template.code))
        }
        (Channel::Voice, None, None, Some(speech)) if !speech.language.is_empty() => {
            let digits: Vec<_> = speech.code.chars().map(String::from).collect();
            let digits = digits.join(", ");
            let Speech { intro, again, goodbye, .. } = speech;
            Some(format!("{intro} {digits}. {again} {digits}. {goodbye}"))
        }
        _ => None,
    }
}

/// The answer to an accepted or revoked message.
#[derive(Serialize)]
pub(crate) struct Acknowledgement<'a> {
    pub(crate) id: &'a str,
    pub(crate) status: &'static str,
}

/// An error, in an answer or a receipt.
#[derive(Serialize)]
pub(crate) struct Detail {
    number: u32,
    message: &'static str,
}

impl From<Refusal> for Detail {
    fn from(refusal: Refusal) -> Self {
        Self { number: refusal.number(), message: refusal.message() }
    }
}

/// The body of an error answer.
#[derive(Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: Detail,
}

/// The body of a receipt.
#[derive(Serialize)]
pub(crate) struct ReceiptBody<'a> {
    pub(crate) id: &'a str,
    pub(crate) client_reference: &'a str,
    pub(crate) message_id: Option<&'a str>,
    pub(crate) status: &'static str,
    pub(crate) error: Option<Detail>,
    pub(crate) occurred_at: u64,
}

/// The answer to a look at a handset.
#[derive(Serialize)]
pub(crate) struct Inbox<'a> {
    pub(crate) messages: Vec<InboxMessage<'a>>,
}

#[derive(Serialize)]
pub(crate) struct InboxMessage<'a> {
    sequence: u64,
    id: &'a str,
    account: &'a str,
    channel: &'static str,
    text: &'a str,
    code: Option<String>,
    arrived_at: u64,
}

impl<'a> From<&'a HandsetMessage> for InboxMessage<'a> {
    fn from(message: &'a HandsetMessage) -> Self {
        Self {
            sequence: message.sequence,
            id: &message.id,
            account: &message.account,
            channel: message.channel.as_str(),
            text: message.text.reveal(),
            code: message.code(),
            arrived_at: message.arrived_at.as_millis(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn parse(fields: &str) -> Result<Submission, Refusal> {
        let rest = r#""validity_seconds":60,"client_reference":"token","unknown":[]"#;
        Submission::parse(format!("{{{fields},{rest}}}").as_bytes())
    }

    #[test]
    fn each_channel_has_its_own_content() {
        let text = |fields: &str| parse(fields).unwrap().text.reveal().to_owned();
        let to = r#""to":"+4915112345678""#;
        assert_eq!(text(&format!(r#"{to},"channel":"sms","text":"123456 hello""#)), "123456 hello");
        let template = r#""template":{"name":"login","language":"en","code":"123456"}"#;
        assert!(text(&format!(r#"{to},"channel":"whatsapp",{template}"#)).starts_with("123456 is your"));
        let speech =
            r#""speech":{"language":"en","intro":"Code","code":"123456","again":"Again","goodbye":"Bye"}"#;
        let spoken = text(&format!(r#"{to},"channel":"voice",{speech}"#));
        assert_eq!(spoken, "Code 1, 2, 3, 4, 5, 6. Again 1, 2, 3, 4, 5, 6. Bye");
        for wrong in [
            format!(r#"{to},"channel":"sms",{template}"#),
            format!(r#"{to},"channel":"voice","text":"x""#),
            format!(r#"{to},"channel":"fax","text":"x""#),
            r#""channel":"sms","text":"x""#.to_owned(),
        ] {
            assert_eq!(parse(&wrong).unwrap_err(), Refusal::Malformed, "{wrong}");
        }
        assert_eq!(parse(r#""to":"+99","channel":"sms","text":"x""#).unwrap_err(), Refusal::InvalidNumber);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_request_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Submission::parse(&body);
        }
    }
}
