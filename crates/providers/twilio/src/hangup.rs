//! Hanging up calls. Messages cannot be taken back once Twilio has them.

use otter_domain::{Channel, Failure};
use otter_provider::{Recall, RecallOutcome};
use otter_provider_http::{Form, RecallCodec, Request, Response, json};
use serde::Deserialize;

use crate::account::Account;
use crate::errors;

/// The codes for a call that is over already and for one that the account does not know.
const OVER: [u32; 2] = [21220, 20404];

/// Ends calls of one account, ringing or answered.
#[derive(Debug)]
pub(crate) struct HangupCodec {
    pub(crate) account: Account,
}

impl RecallCodec for HangupCodec {
    fn encode_recall(&self, recall: &Recall) -> Option<Request> {
        match recall.channel {
            Channel::Voice => {}
            Channel::Sms | Channel::WhatsApp | Channel::Rcs => return None,
        }
        let call = format!("{}.json", recall.reference.as_ref()?);
        let form = Form::new().field("Status", "completed");
        Some(self.account.post(&["Calls", &call], "/2010-04-01/Accounts/{account}/Calls/{call}.json", form))
    }

    fn decode_recall(&self, _: &Recall, response: &Response) -> Result<RecallOutcome, Failure> {
        if response.status.is_success() {
            return json::<Ended>(response).map(|_| RecallOutcome::Revoked);
        }
        let failure = errors::failure(response);
        let over =
            failure.vendor_code.and_then(|code| code.number()).is_some_and(|code| OVER.contains(&code));
        if over { Ok(RecallOutcome::TooLate) } else { Err(failure) }
    }
}

/// What shows that the answer is Twilio's.
#[derive(Deserialize)]
struct Ended {
    #[serde(rename = "sid")]
    _sid: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{FailureClass, ProviderReference};

    use super::*;
    use crate::sample;

    fn codec() -> HangupCodec {
        HangupCodec { account: sample::account() }
    }

    fn call() -> Recall {
        let reference = ProviderReference::parse("CA0123456789abcdef0123456789abcdef").ok();
        sample::recall(Channel::Voice, reference)
    }

    #[test]
    fn a_call_is_ended_by_its_sid() {
        let request = codec().encode_recall(&call()).unwrap();
        let path = "/2010-04-01/Accounts/ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/Calls/CA0123456789abcdef0123456789abcdef.json";
        assert_eq!(request.url.path(), path);
        assert_eq!(request.body, "Status=completed");
    }

    #[test]
    fn what_has_no_sid_or_is_no_call_cannot_be_taken_back() {
        assert!(codec().encode_recall(&Recall { reference: None, ..call() }).is_none());
        for channel in [Channel::Sms, Channel::WhatsApp, Channel::Rcs] {
            assert!(codec().encode_recall(&Recall { channel, ..call() }).is_none(), "{channel}");
        }
    }

    #[test]
    fn a_reference_cannot_change_the_path() {
        let reference = ProviderReference::parse("../Messages/x?y#z").ok();
        let request = codec().encode_recall(&Recall { reference, ..call() }).unwrap();
        assert!(request.url.path().ends_with("/Calls/..%2FMessages%2Fx%3Fy%23z.json"));
    }

    #[test]
    fn a_call_that_is_over_is_too_late_and_garbage_is_neither() {
        let read = |status, body: &str| codec().decode_recall(&call(), &sample::response(status, body));
        assert_eq!(read(200, r#"{"sid":"CA1","status":"completed"}"#), Ok(RecallOutcome::Revoked));
        assert_eq!(read(400, r#"{"code":21220}"#), Ok(RecallOutcome::TooLate));
        assert_eq!(read(404, r#"{"code":20404}"#), Ok(RecallOutcome::TooLate));
        assert_eq!(read(404, "not found").unwrap_err().class, FailureClass::Ambiguous);
        assert_eq!(read(200, "").unwrap_err().class, FailureClass::Ambiguous);
        assert_eq!(read(503, r#"{"code":20503}"#).unwrap_err().class, FailureClass::Unavailable);
    }
}
