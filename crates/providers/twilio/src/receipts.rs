//! What Twilio reports about messages and calls.

use std::time::Duration;

use http::Method;
use otter_domain::{ErrorClass, Failure, FailureClass, ProviderReference, ReceiptStatus, VendorCode};
use otter_provider::{Callback, CallbackRefusal, Decoded, Locator, ReceiptDecoder, Report};
use url::form_urlencoded;

use crate::CODES;
use crate::send::HEARD;
use crate::signature::{Parameter, SigningKeys};

/// A call shorter than this ended before the code was read once (FMT-50), if its callback URL does not say better.
const ONE_READING: Duration = Duration::from_secs(8);

/// Statuses that are no news: we know that it was sent.
const QUIET: [&str; 7] = ["accepted", "scheduled", "queued", "sending", "receiving", "received", "initiated"];

/// Reads status callbacks. The token is in the path of the URL that each message was sent with.
#[derive(Debug)]
pub(crate) struct Receipts {
    keys: SigningKeys,
}

impl Receipts {
    /// A decoder that trusts these keys.
    pub(crate) fn new(keys: SigningKeys) -> Self {
        Self { keys }
    }
}

impl ReceiptDecoder for Receipts {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        let parameters = Parameters(self.keys.verify(callback)?);
        let heard = heard_after(callback.query);
        let reports: Vec<_> =
            callback.token.and_then(|token| report(token, &parameters, heard)).into_iter().collect();
        let odd = u32::from(callback.token.is_some() && reports.is_empty() && !parameters.say_nothing_new());
        Ok(Decoded { reports, odd, ..Decoded::default() })
    }
}

/// When the code of a call was heard, as its callback URL says.
fn heard_after(query: &str) -> Duration {
    let said = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == HEARD);
    let seconds = said.and_then(|(_, seconds)| seconds.parse::<u16>().ok());
    seconds.map_or(ONE_READING, |seconds| Duration::from_secs(seconds.into()))
}

fn report(token: &str, parameters: &Parameters, heard: Duration) -> Option<Report> {
    let message = parameters.get("MessageStatus").or_else(|| parameters.get("SmsStatus"));
    let (sid, (status, because)) = match (parameters.get("CallStatus"), message) {
        (Some(status), _) => ("CallSid", call_outcome(status, parameters, heard)?),
        (None, Some(status)) => ("MessageSid", message_outcome(status, parameters.error_code())?),
        // What the machine detection found out, in a callback of its own.
        (None, None) if parameters.answered_by_machine()? => ("CallSid", unheard()),
        (None, None) => ("CallSid", (ReceiptStatus::Sent, None)),
    };
    Some(Report {
        locator: Locator::Token(token.to_owned()),
        status,
        because,
        reference: parameters.get(sid).and_then(|sid| ProviderReference::parse(sid).ok()),
        occurred_at: None,
    })
}

type Outcome = (ReceiptStatus, Option<Failure>);

/// `None` for what says nothing new: the message still waits at Twilio, or is one that somebody sent to us.
fn message_outcome(status: &str, code: Option<VendorCode>) -> Option<Outcome> {
    match status {
        "sent" => Some((ReceiptStatus::Sent, None)),
        "delivered" => Some((ReceiptStatus::Delivered, None)),
        "read" => Some((ReceiptStatus::Read, None)),
        "undelivered" | "failed" | "canceled" => {
            Some(failed(code, Failure::new(FailureClass::Rejected, ErrorClass::Unknown)))
        }
        "partially_delivered" => {
            Some(failed(code, Failure::new(FailureClass::Ambiguous, ErrorClass::Unknown)))
        }
        _ => None,
    }
}

fn failed(code: Option<VendorCode>, otherwise: Failure) -> Outcome {
    let because = code.map_or(otherwise, |code| CODES.reported(code));
    let expired = because.error == ErrorClass::Expired;
    (if expired { ReceiptStatus::Expired } else { ReceiptStatus::Undelivered }, Some(because))
}

/// An answered call is no delivery yet: that is told by who answered and for how long they listened.
fn call_outcome(status: &str, parameters: &Parameters, heard: Duration) -> Option<Outcome> {
    match status {
        "in-progress" | "completed" if parameters.answered_by_machine() == Some(true) => Some(unheard()),
        "ringing" | "in-progress" => Some((ReceiptStatus::Sent, None)),
        "completed" => Some(ended_call(parameters, heard)),
        "busy" | "no-answer" => Some(unheard()),
        // The number could not be dialled, unless a code says better.
        "failed" => {
            let undialled = Failure::new(FailureClass::Unroutable, ErrorClass::InvalidDestination);
            Some(failed(parameters.error_code(), undialled))
        }
        "canceled" => {
            let stopped = Failure::new(FailureClass::Rejected, ErrorClass::Unknown);
            Some(failed(parameters.error_code(), stopped))
        }
        _ => None,
    }
}

fn ended_call(parameters: &Parameters, heard: Duration) -> Outcome {
    match parameters.get("CallDuration").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs) {
        Some(listened) if listened >= heard => (ReceiptStatus::Delivered, None),
        Some(_) => unheard(),
        None => (ReceiptStatus::Sent, None),
    }
}

fn unheard() -> Outcome {
    let away = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
    (ReceiptStatus::Undelivered, Some(away))
}

struct Parameters(Vec<Parameter>);

impl Parameters {
    /// The first value of this name, which is the one that every signature covers.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is of a form that Twilio documents and says nothing that we do not know: still waiting, or a message
    /// that somebody sent to us.
    fn say_nothing_new(&self) -> bool {
        let status = ["CallStatus", "MessageStatus", "SmsStatus"].into_iter().find_map(|name| self.get(name));
        match status {
            Some(status) => QUIET.contains(&status),
            None => self.get("Body").is_some(),
        }
    }

    /// Twilio's code; 0 is none.
    fn error_code(&self) -> Option<VendorCode> {
        VendorCode::parse(self.get("ErrorCode")?).ok().filter(|code| code.number() != Some(0))
    }

    /// Whether a mailbox or a fax answered; `None` if Twilio does not say who did.
    fn answered_by_machine(&self) -> Option<bool> {
        let answered_by = self.get("AnsweredBy")?;
        Some(answered_by.starts_with("machine") || answered_by == "fax")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::HeaderMap;
    use otter_domain::{Secret, SpeaksOf};
    use proptest::prelude::*;

    use super::*;
    use crate::sample;

    fn receipts() -> Receipts {
        Receipts::new(SigningKeys::new(Secret::new("12345"), None))
    }

    fn decode(body: &str) -> Vec<Report> {
        decode_at("", body)
    }

    fn decode_at(query: &str, body: &str) -> Vec<Report> {
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{}{mark}{query}", sample::CALLBACK_URL);
        let mut headers = HeaderMap::new();
        headers
            .insert("x-twilio-signature", sample::signature("12345", &url, body.as_bytes()).parse().unwrap());
        let token = Some(sample::TOKEN);
        let callback = sample::callback(&headers, body.as_bytes());
        let decoded = receipts().decode(&Callback { token, url: &url, query, ..callback }).unwrap();
        assert_eq!(decoded.reply, otter_provider::CallbackReply::default());
        decoded.reports
    }

    type Seen = (ReceiptStatus, Option<(FailureClass, ErrorClass)>);

    fn outcome(body: &str) -> Option<Seen> {
        let report = decode(body).into_iter().next()?;
        Some((report.status, report.because.map(|failure| (failure.class, failure.error))))
    }

    use {ErrorClass as E, FailureClass as F, ReceiptStatus as S};

    #[test]
    fn message_statuses_become_reports() {
        let check = |body: &str, expected: Option<Seen>| assert_eq!(outcome(body), expected, "{body}");
        for waiting in ["accepted", "scheduled", "queued", "sending", "receiving", "received", "brand-new"] {
            check(&format!("MessageSid=SM1&MessageStatus={waiting}"), None);
        }
        check("MessageSid=SM1&MessageStatus=sent", Some((S::Sent, None)));
        check("MessageSid=SM1&MessageStatus=delivered", Some((S::Delivered, None)));
        check("MessageSid=SM1&MessageStatus=read", Some((S::Read, None)));
        check("MessageSid=SM1&SmsStatus=delivered", Some((S::Delivered, None)));
        check(
            "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005",
            Some((S::Undelivered, Some((F::Unroutable, E::InvalidDestination)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=failed&ErrorCode=30036",
            Some((S::Expired, Some((F::Unavailable, E::Expired)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=failed&ErrorCode=30007",
            Some((S::Undelivered, Some((F::Rejected, E::ContentRejected)))),
        );
        check("MessageSid=SM1&MessageStatus=failed", Some((S::Undelivered, Some((F::Rejected, E::Unknown)))));
        check(
            "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=99999",
            Some((S::Undelivered, Some((F::Unroutable, E::Unknown)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=partially_delivered",
            Some((S::Undelivered, Some((F::Ambiguous, E::Unknown)))),
        );
        check(
            "MessageSid=SM1&MessageStatus=canceled",
            Some((S::Undelivered, Some((F::Rejected, E::Unknown)))),
        );
    }

    #[test]
    fn a_call_is_delivered_when_a_person_listened_to_one_reading() {
        let check = |body: &str, expected: Option<Seen>| {
            assert_eq!(outcome(&format!("CallSid=CA1&{body}")), expected, "{body}");
        };
        let away = Some((S::Undelivered, Some((F::Unroutable, E::Unreachable))));
        check("CallStatus=queued", None);
        check("CallStatus=initiated", None);
        check("CallStatus=ringing", Some((S::Sent, None)));
        check("CallStatus=in-progress", Some((S::Sent, None)));
        check("CallStatus=completed&CallDuration=21", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=21&AnsweredBy=human", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=21&AnsweredBy=unknown", Some((S::Delivered, None)));
        check("CallStatus=completed&CallDuration=3", away);
        check("CallStatus=completed&CallDuration=30&AnsweredBy=machine_start", away);
        check("CallStatus=completed&CallDuration=30&AnsweredBy=fax", away);
        check("CallStatus=completed", Some((S::Sent, None)));
        check("CallStatus=busy", away);
        check("CallStatus=no-answer", away);
        check("CallStatus=failed", Some((S::Undelivered, Some((F::Unroutable, E::InvalidDestination)))));
        check("CallStatus=failed&ErrorCode=13225", Some((S::Undelivered, Some((F::Rejected, E::Blocked)))));
        check("CallStatus=canceled", Some((S::Undelivered, Some((F::Rejected, E::Unknown)))));
    }

    #[test]
    fn a_failure_says_what_it_speaks_of_and_with_which_code() {
        let because = |code: &str| {
            let body = format!("MessageSid=SM1&MessageStatus=undelivered&ErrorCode={code}");
            decode(&body).remove(0).because.unwrap()
        };
        let unregistered = because("30034");
        assert_eq!((unregistered.class, unregistered.speaks_of), (F::Misconfigured, SpeaksOf::Sender));
        assert_eq!((unregistered.vendor_code, unregistered.unlisted), (Some(30034.into()), false));
        assert_eq!(because("30002").speaks_of, SpeaksOf::Account);
        assert_eq!(because("30003").speaks_of, SpeaksOf::Person);
        let new = because("39999");
        assert_eq!((new.class, new.speaks_of, new.unlisted), (F::Unroutable, SpeaksOf::Person, true));
        let none = because("0");
        assert_eq!((none.vendor_code, none.unlisted), (None, false));
    }

    #[test]
    fn a_call_was_heard_when_it_lasted_as_long_as_its_address_says() {
        let status = |query: &str, seconds: u64| {
            let body = format!("CallSid=CA1&CallStatus=completed&CallDuration={seconds}");
            decode_at(query, &body).remove(0).status
        };
        assert_eq!(status("heard=19", 18), S::Undelivered);
        assert_eq!(status("heard=19", 19), S::Delivered);
        assert_eq!(status("heard=9", 18), S::Delivered);
        for odd in ["", "heard=", "heard=x", "heard=-1", "other=1"] {
            assert_eq!((status(odd, 7), status(odd, 8)), (S::Undelivered, S::Delivered), "{odd}");
        }
    }

    #[test]
    fn a_mailbox_is_no_delivery_whichever_callback_says_so() {
        let check = |body: &str, expected: S| {
            let report = decode_at("heard=8", &format!("CallSid=CA1&AccountSid=AC1&{body}")).remove(0);
            assert_eq!(report.status, expected, "{body}");
            assert_eq!(report.reference.unwrap().as_str(), "CA1");
        };
        for who in ["machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax"] {
            check(&format!("AnsweredBy={who}&MachineDetectionDuration=3000"), S::Undelivered);
            check(&format!("CallStatus=in-progress&AnsweredBy={who}"), S::Undelivered);
            check(&format!("CallStatus=completed&CallDuration=40&AnsweredBy={who}"), S::Undelivered);
        }
        for who in ["human", "unknown"] {
            check(&format!("AnsweredBy={who}&MachineDetectionDuration=3000"), S::Sent);
            check(&format!("CallStatus=completed&CallDuration=40&AnsweredBy={who}"), S::Delivered);
        }
    }

    #[test]
    fn a_documented_callback_names_its_message_by_token_and_sid() {
        let [report] =
            decode(include_str!("../fixtures/message.undelivered.form").trim_end()).try_into().unwrap();
        assert_eq!(report.locator, Locator::Token(sample::TOKEN.into()));
        assert_eq!(report.reference.unwrap().as_str(), "SM0123456789abcdef0123456789abcdef");
        let [report] = decode(include_str!("../fixtures/call.completed.form").trim_end()).try_into().unwrap();
        assert_eq!(report.reference.unwrap().as_str(), "CA0123456789abcdef0123456789abcdef");
        assert_eq!(report.status, S::Delivered);
    }

    #[test]
    fn what_is_genuine_and_odd_is_counted() {
        let odd = |body: &str| {
            let headers = sample::signed("12345", body);
            let callback = sample::callback(&headers, body.as_bytes());
            receipts().decode(&Callback { token: Some(sample::TOKEN), ..callback }).unwrap().odd
        };
        for body in ["", "MessageSid=SM1", "MessageSid=SM1&MessageStatus=brand-new", "CallStatus=", "%ff=%ff"]
        {
            assert_eq!(odd(body), 1, "{body}");
        }
        for body in
            ["MessageStatus=queued", "CallStatus=initiated", "From=%2B49170&Body=STOP", "MessageStatus=sent"]
        {
            assert_eq!(odd(body), 0, "{body}");
        }
    }

    #[test]
    fn genuine_callbacks_about_nothing_of_ours_are_taken_without_reports() {
        for odd in
            ["From=%2B49170&Body=STOP&OptOutType=STOP", "", "&&", "%ff=%ff", "MessageStatus=&MessageSid="]
        {
            assert_eq!(decode(odd), [], "{odd}");
        }
        let body = "MessageSid=SM1&MessageStatus=delivered";
        let headers = sample::signed("12345", body);
        let decoded = receipts().decode(&sample::callback(&headers, body.as_bytes())).unwrap();
        assert_eq!(decoded.reports, []);
    }

    #[test]
    fn unsigned_callbacks_and_other_methods_are_refused() {
        let body = "MessageSid=SM1&MessageStatus=delivered";
        let unsigned = HeaderMap::new();
        let callback = sample::callback(&unsigned, body.as_bytes());
        assert_eq!(receipts().decode(&callback), Err(CallbackRefusal::Signature));
        let headers = sample::signed("12345", body);
        let got = Callback { method: &Method::GET, ..sample::callback(&headers, body.as_bytes()) };
        assert_eq!(receipts().decode(&got), Err(CallbackRefusal::Method));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_callback_makes_decoding_panic(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            url in any::<String>(),
            query in "(bodySHA256=)?[a-f0-9&=]{0,70}",
            signature in "[A-Za-z0-9+/=]{0,40}",
        ) {
            let mut headers = HeaderMap::new();
            headers.insert("x-twilio-signature", signature.parse().unwrap());
            let callback = sample::callback(&headers, &body);
            let _ = receipts().decode(&Callback { url: &url, query: &query, ..callback });
        }

        #[test]
        fn no_signed_field_makes_reading_panic(name in "(Message|Call|Sms)Status|ErrorCode", value in any::<String>()) {
            let form = otter_provider_http::Form::new().field("CallStatus", "completed").field(&name, &value);
            let body = String::from_utf8(form.finish().to_vec()).unwrap();
            let headers = sample::signed("12345", &body);
            let callback = Callback { token: Some("t"), ..sample::callback(&headers, body.as_bytes()) };
            prop_assert!(receipts().decode(&callback).is_ok());
        }
    }
}
