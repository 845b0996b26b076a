//! Messages and calls.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::StatusCode;
use otter_domain::{Content, ErrorClass, Failure, FailureClass, ProviderReference, SmsText, Spoken};
use otter_provider::Dispatch;
use otter_provider_http::{Codec, Form, Request, Response, json, unreadable};
use serde::Deserialize;

use crate::account::Account;
use crate::languages::Voices;
use crate::reading::Reading;
use crate::voice::{MAX_TWIML, twiml};
use crate::{CODES, errors};

/// What Twilio accepts as the time that a message may wait in its queue.
const VALIDITY_PERIOD: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(36_000);

/// How long a phone rings. Longer than most people need, shorter than most mailboxes wait.
const RINGING: Duration = Duration::from_secs(25);

/// The parameter of a call's callback URL that says after how many seconds the code was heard. Twilio signs it with the
/// rest of the URL, so nobody else can write it.
pub(crate) const HEARD: &str = "heard";

/// Appended to the callback URL: repeat a callback up to three times when we cannot be reached or answer 5xx. The
/// default is a single repeat, and only if connecting timed out. Twilio neither sends nor signs the fragment
/// (<https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides>).
const CALLBACK_REPEATS: &str = "#rc=3&rp=5xx,ct,rt";

/// Writes requests for one account and reads Twilio's answers.
#[derive(Debug)]
pub(crate) struct SendCodec {
    pub(crate) account: Account,
    /// Whom messages come from; `None` if the account does not serve SMS.
    pub(crate) messages: Option<MessageSender>,
    /// Whom calls come from; `None` if the account does not serve voice.
    pub(crate) calls: Option<Caller>,
}

/// Whom messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MessageSender {
    /// A number, short code or name.
    From(String),
    /// A messaging service that chooses one.
    Service(String),
}

/// Whom calls come from, and who speaks.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) from: String,
    pub(crate) voices: Voices,
    /// Whether Twilio is asked who answers.
    pub(crate) detects_machines: bool,
}

impl Codec for SendCodec {
    fn encode(&self, dispatch: &Dispatch) -> Result<Request, Failure> {
        match (&dispatch.content, &self.messages, &self.calls) {
            (Content::Sms(text), Some(sender), _) => self.message(dispatch, text, sender),
            (Content::Voice(spoken), _, Some(caller)) => self.call(dispatch, spoken, caller),
            (Content::Sms(_) | Content::Voice(_) | Content::WhatsApp(_) | Content::Rcs(_), _, _) => {
                Err(Failure::new(FailureClass::Misconfigured, ErrorClass::Unknown))
            }
        }
    }

    fn decode(&self, _: &Dispatch, response: &Response) -> Result<Option<ProviderReference>, Failure> {
        if !response.status.is_success() {
            return Err(errors::failure(response));
        }
        let created: Created = json(response)?;
        if let Some(code) = created.error_code {
            // The message failed at once, so a receipt would say the same.
            return Err(CODES.answered(code.into(), StatusCode::BAD_REQUEST.as_u16()));
        }
        ProviderReference::parse(&created.sid).map(Some).map_err(|_| unreadable())
    }
}

impl SendCodec {
    fn message(
        &self,
        dispatch: &Dispatch,
        text: &SmsText,
        sender: &MessageSender,
    ) -> Result<Request, Failure> {
        let validity = dispatch.lifetime(VALIDITY_PERIOD)?.as_secs().to_string();
        let form = Form::new().field("To", dispatch.number.reveal());
        let form = match sender {
            MessageSender::From(from) => form.field("From", from),
            MessageSender::Service(service) => form.field("MessagingServiceSid", service),
        };
        let form = form.field("Body", text.text.reveal()).field("ValidityPeriod", &validity);
        let form = match &dispatch.callback_url {
            Some(url) => form.field("StatusCallback", &format!("{url}{CALLBACK_REPEATS}")),
            None => form,
        };
        Ok(self.account.post(&["Messages.json"], "/2010-04-01/Accounts/{account}/Messages.json", form))
    }

    fn call(&self, dispatch: &Dispatch, spoken: &Spoken, caller: &Caller) -> Result<Request, Failure> {
        let refused = Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected);
        let speaker = caller.voices.speaker(&spoken.locale, dispatch.number.country()).ok_or(refused)?;
        let twiml = twiml(spoken, speaker);
        if twiml.reveal().chars().count() > MAX_TWIML {
            return Err(refused);
        }
        let reading = Reading::of(spoken, speaker);
        let ringing = dispatch.validity.min(RINGING).as_secs().max(1).to_string();
        let form = Form::new()
            .field("To", dispatch.number.reveal())
            .field("From", &caller.from)
            .field("Twiml", twiml.reveal())
            .field("Timeout", &ringing)
            .field("TimeLimit", &reading.limit.as_secs().to_string());
        let form = match &dispatch.callback_url {
            Some(url) => {
                let mark = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{mark}{HEARD}={}{CALLBACK_REPEATS}", reading.heard.as_secs());
                watched(form, &url, caller.detects_machines)
            }
            None => form,
        };
        Ok(self.account.post(&["Calls.json"], "/2010-04-01/Accounts/{account}/Calls.json", form))
    }
}

/// Asks for what becomes of a call. Who answered is found out while the code is read, so that nobody waits in silence,
/// and is told in a callback of its own.
fn watched(form: Form, url: &str, detects_machines: bool) -> Form {
    let form = form
        .field("StatusCallback", url)
        .field("StatusCallbackEvent", "ringing")
        .field("StatusCallbackEvent", "completed");
    if !detects_machines {
        return form;
    }
    form.field("MachineDetection", "Enable").field("AsyncAmd", "true").field("AsyncAmdStatusCallback", url)
}

/// The part of a created message or call that matters. `status` is always some form of "queued".
#[derive(Deserialize)]
struct Created {
    sid: String,
    error_code: Option<u32>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{Code, Locale, Secret};
    use proptest::prelude::*;
    use url::form_urlencoded;

    use super::*;
    use crate::sample;

    fn codec(messages: MessageSender) -> SendCodec {
        let calls =
            Caller { from: "+15005550006".into(), voices: Voices::built_in(), detects_machines: true };
        SendCodec { account: sample::account(), messages: Some(messages), calls: Some(calls) }
    }

    fn by_service() -> SendCodec {
        codec(MessageSender::Service("MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".into()))
    }

    fn spoken(intro: &str) -> Content {
        Content::Voice(Spoken {
            locale: Locale::parse("de").unwrap(),
            intro: intro.into(),
            code: Code::parse("042137").unwrap(),
            again: "Noch einmal".into(),
            goodbye: "Auf Wiederhören".into(),
        })
    }

    fn sms(text: &str) -> Content {
        Content::Sms(SmsText { text: Secret::new(text), parts: 1, unicode: false })
    }

    fn fields(request: &Request) -> Vec<String> {
        form_urlencoded::parse(&request.body).map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn a_message_is_written_as_the_vendor_documents_it() {
        let dispatch = sample::dispatch(sms("042137 is your ExampleCo code. 50% & more"));
        let request = by_service().encode(&dispatch).unwrap();
        let path =
            "https://api.twilio.com/2010-04-01/Accounts/ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/Messages.json";
        assert_eq!(request.url.as_str(), path);
        assert_eq!(request.headers["authorization"], "Basic U0sxOnNlc2FtZQ==");
        assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
        let expected: Vec<_> = include_str!("../fixtures/message.form.txt").lines().collect();
        assert_eq!(fields(&request), expected);
    }

    #[test]
    fn a_message_may_come_from_a_sender_and_go_without_callback() {
        let dispatch = Dispatch { callback_url: None, ..sample::dispatch(sms("042137")) };
        let request = codec(MessageSender::From("ExampleCo".into())).encode(&dispatch).unwrap();
        assert_eq!(request.body, "To=%2B4915112345678&From=ExampleCo&Body=042137&ValidityPeriod=120");
    }

    #[test]
    fn the_validity_stays_within_what_the_vendor_takes() {
        let check = |validity: Duration, expected: &str| {
            let request = by_service().encode(&Dispatch { validity, ..sample::dispatch(sms("x")) }).unwrap();
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            assert!(body.contains(&format!("ValidityPeriod={expected}&")), "{expected}");
        };
        check(Duration::from_secs(1), "1");
        check(Duration::from_millis(59_900), "59");
        check(Duration::from_secs(86_400), "36000");
        let late = Dispatch { validity: Duration::from_millis(999), ..sample::dispatch(sms("x")) };
        let failure = by_service().encode(&late).unwrap_err();
        assert_eq!((failure.class, failure.error), (FailureClass::Unavailable, ErrorClass::Expired));
    }

    #[test]
    fn a_call_is_written_as_the_vendor_documents_it() {
        let request = by_service().encode(&sample::dispatch(spoken("Ihr Code ist"))).unwrap();
        assert!(request.url.path().ends_with("/Calls.json"));
        let twiml = include_str!("../fixtures/call.twiml.xml").trim_end();
        let expected = include_str!("../fixtures/call.form.txt").replace("{twiml}", twiml);
        assert_eq!(fields(&request), expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_call_may_last_as_long_as_it_takes_and_says_when_it_was_heard() {
        let seconds = |code: &str, intro: &str| {
            let Content::Voice(spoken) = spoken(intro) else { unreachable!("made two lines above") };
            let content = Content::Voice(Spoken { code: Code::parse(code).unwrap(), ..spoken });
            let fields = fields(&by_service().encode(&sample::dispatch(content)).unwrap());
            let limit = fields.iter().find_map(|field| field.strip_prefix("TimeLimit=")).unwrap();
            let callback = fields.iter().find(|field| field.starts_with("StatusCallback=")).unwrap();
            let heard = callback.split_once("?heard=").unwrap().1.split_once('#').unwrap().0;
            (heard.parse::<u64>().unwrap(), limit.parse::<u64>().unwrap())
        };
        let (short, short_limit) = seconds("042137", "Ihr Code ist");
        let payment = "Du zahlst 1.249,90 EUR an Lange Namen Handels-GmbH mit ExampleCo. Dein Code lautet";
        let (long, long_limit) = seconds("0421370421", payment);
        assert!((8..=11).contains(&short) && (30..=50).contains(&short_limit), "{short} {short_limit}");
        assert!((17..=26).contains(&long) && long_limit > 48, "{long} {long_limit}");
    }

    #[test]
    fn nothing_is_asked_about_a_call_without_a_callback_or_about_machines_where_it_is_off() {
        let encoded = |codec: SendCodec, callback_url: Option<&str>| {
            let callback_url = callback_url.map(str::to_owned);
            let dispatch = Dispatch { callback_url, ..sample::dispatch(spoken("Ihr Code ist")) };
            fields(&codec.encode(&dispatch).unwrap()).join("\n")
        };
        let silent = encoded(by_service(), None);
        assert!(!silent.contains("Callback") && !silent.contains("Machine"), "{silent}");
        let caller = Caller { detects_machines: false, ..by_service().calls.unwrap() };
        let off = SendCodec { calls: Some(caller), ..by_service() };
        let off = encoded(off, Some("https://otp.example.net/receipts/a/b"));
        assert!(off.contains("StatusCallback=") && !off.contains("Machine") && !off.contains("Amd"), "{off}");
    }

    #[test]
    fn a_language_that_nobody_speaks_is_refused_before_sending() {
        let Content::Voice(spoken) = spoken("x") else { unreachable!("made two lines above") };
        let content = Content::Voice(Spoken { locale: Locale::parse("sw").unwrap(), ..spoken });
        let failure = by_service().encode(&sample::dispatch(content)).unwrap_err();
        assert_eq!(failure, Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected));
    }

    #[test]
    fn words_that_do_not_fit_a_call_are_refused_before_sending() {
        let failure = by_service().encode(&sample::dispatch(spoken(&"x".repeat(MAX_TWIML)))).unwrap_err();
        assert_eq!(failure, Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected));
    }

    #[test]
    fn a_channel_without_a_sender_is_misconfigured() {
        let check = |codec: SendCodec, content: Content| {
            let failure = codec.encode(&sample::dispatch(content)).unwrap_err();
            assert_eq!(failure.class, FailureClass::Misconfigured);
        };
        check(SendCodec { messages: None, ..by_service() }, sms("x"));
        check(SendCodec { calls: None, ..by_service() }, spoken("x"));
        check(by_service(), Content::Rcs(otter_domain::RcsText { text: Secret::new("x") }));
    }

    #[test]
    fn answers_are_read_as_the_vendor_documents_them() {
        let read = |status, body: &str| {
            by_service().decode(&sample::dispatch(sms("x")), &sample::response(status, body))
        };
        let created = read(201, include_str!("../fixtures/message.created.json")).unwrap().unwrap();
        assert_eq!(created.as_str(), "SM0123456789abcdef0123456789abcdef");
        let called = read(201, include_str!("../fixtures/call.created.json")).unwrap().unwrap();
        assert_eq!(called.as_str(), "CA0123456789abcdef0123456789abcdef");
        let refused = read(400, include_str!("../fixtures/error.21211.json")).unwrap_err();
        assert_eq!((refused.class, refused.vendor_code), (FailureClass::Unroutable, Some(21211.into())));
        let failed_at_once = read(201, r#"{"sid":"SM1","status":"failed","error_code":30450}"#).unwrap_err();
        assert_eq!(
            (failed_at_once.class, failed_at_once.vendor_code),
            (FailureClass::Rejected, Some(30450.into()))
        );
        for garbage in ["", "{}", "[]", r#"{"sid":""}"#, r#"{"sid":null}"#, "<html>"] {
            assert_eq!(read(201, garbage), Err(unreadable()), "{garbage}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_text_makes_writing_panic(text in any::<String>(), seconds in any::<u32>()) {
            let validity = Duration::from_secs(u64::from(seconds));
            for content in [sms(&text), spoken(&text)] {
                let _ = by_service().encode(&Dispatch { validity, ..sample::dispatch(content) });
            }
        }

        #[test]
        fn no_answer_makes_reading_panic(status in 200_u16..600, body in proptest::collection::vec(any::<u8>(), 0..120)) {
            let response = Response { body: body.into(), ..sample::response(status, "") };
            let _ = by_service().decode(&sample::dispatch(sms("x")), &response);
        }
    }
}
