//! `Debug` for the messages that hold codes, numbers and other personal data (SEC-10).
//!
//! Of such a field it shows whether it is set and nothing else, not even its length. Each message is taken apart by
//! name, so that a new field does not compile before somebody has decided how it is shown. The list of these messages
//! is in `build.rs`.

use std::fmt;

use crate::admin::v1::{GetLocksRequest, LiftLockRequest};
use crate::v1::{CheckOtpRequest, ClientSignals, Payment, SendOtpRequest};

/// Stands for a text that may not be shown.
struct Hidden<'a>(&'a str);

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "unset" } else { "[redacted]" })
    }
}

impl fmt::Debug for SendOtpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            recipient,
            purpose,
            subject,
            context,
            payment,
            locale,
            preferred_channels: _, // Shown by name, through the accessor.
            allowed_channels: _,
            code,
            client,
            ttl,
            request_id,
            dry_run,
        } = self;
        f.debug_struct("SendOtpRequest")
            .field("recipient", &Hidden(recipient))
            .field("purpose", purpose)
            .field("subject", &Hidden(subject))
            .field("context", &Hidden(context))
            .field("payment", payment)
            .field("locale", locale)
            .field("preferred_channels", &self.preferred_channels().collect::<Vec<_>>())
            .field("allowed_channels", &self.allowed_channels().collect::<Vec<_>>())
            .field("code", &Hidden(code))
            .field("client", client)
            .field("ttl", ttl)
            .field("request_id", &Hidden(request_id))
            .field("dry_run", dry_run)
            .finish()
    }
}

impl fmt::Debug for CheckOtpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification_id, code, purpose, context, payment, request_id } = self;
        f.debug_struct("CheckOtpRequest")
            .field("verification_id", verification_id)
            .field("code", &Hidden(code))
            .field("purpose", purpose)
            .field("context", &Hidden(context))
            .field("payment", payment)
            .field("request_id", &Hidden(request_id))
            .finish()
    }
}

impl fmt::Debug for GetLocksRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, recipient, subject } = self;
        f.debug_struct("GetLocksRequest")
            .field("tenant", tenant)
            .field("recipient", &Hidden(recipient))
            .field("subject", &Hidden(subject))
            .finish()
    }
}

impl fmt::Debug for LiftLockRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The class is shown by name, through the accessor.
        let Self { tenant, recipient, subject, channel_class: _, reason } = self;
        f.debug_struct("LiftLockRequest")
            .field("tenant", tenant)
            .field("recipient", &Hidden(recipient))
            .field("subject", &Hidden(subject))
            .field("channel_class", &self.channel_class())
            .field("reason", reason)
            .finish()
    }
}

impl fmt::Debug for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { currency, minor_units: _, payee_id, payee_name } = self;
        f.debug_struct("Payment")
            .field("currency", currency)
            .field("payee_id", &Hidden(payee_id))
            .field("payee_name", &Hidden(payee_name))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientSignals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ip_address, device_id, user_agent } = self;
        f.debug_struct("ClientSignals")
            .field("ip_address", &Hidden(ip_address))
            .field("device_id", &Hidden(device_id))
            .field("user_agent", &Hidden(user_agent))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Channel;

    const NUMBER: &str = "+4915112345678";
    const CODE: &str = "042137";
    const IBAN: &str = "DE89370400440532013000";

    fn payment() -> Payment {
        Payment {
            currency: "EUR".into(),
            minor_units: 4_999,
            payee_id: IBAN.into(),
            payee_name: "Book Shop GmbH".into(),
        }
    }

    fn assert_silent(shown: &str) {
        for secret in
            [NUMBER, &NUMBER[1..], CODE, IBAN, "4999", "Book Shop", "account-7", "192.0.2.7", "phone-1"]
        {
            assert!(!shown.contains(secret), "{secret} is shown in {shown}");
        }
    }

    #[test]
    fn what_an_operator_asks_about_a_person_does_not_show_whom() {
        let subject = "account-7".to_owned();
        let get =
            GetLocksRequest { tenant: "shop".into(), recipient: NUMBER.into(), subject: subject.clone() };
        assert_silent(&format!("{get:?}"));
        let lift = LiftLockRequest {
            tenant: "shop".into(),
            recipient: NUMBER.into(),
            subject,
            channel_class: 1,
            reason: "she called".into(),
        };
        let shown = format!("{lift:?}");
        assert_silent(&shown);
        assert!(shown.contains("she called") && shown.contains("Pstn"), "{shown}");
    }

    #[test]
    fn a_send_request_shows_neither_number_nor_code() {
        let request = SendOtpRequest {
            recipient: NUMBER.into(),
            purpose: "payment".into(),
            subject: "account-7".into(),
            context: format!("{NUMBER} {CODE}"),
            payment: Some(payment()),
            allowed_channels: vec![Channel::Sms.into()],
            code: CODE.into(),
            client: Some(ClientSignals {
                ip_address: "192.0.2.7".into(),
                device_id: "phone-1".into(),
                user_agent: NUMBER.into(),
            }),
            request_id: NUMBER.into(),
            ..SendOtpRequest::default()
        };
        for shown in [format!("{request:?}"), format!("{request:#?}")] {
            assert_silent(&shown);
            assert!(
                shown.contains("payment") && shown.contains("Sms"),
                "what is harmless is still shown: {shown}"
            );
        }
    }

    #[test]
    fn a_check_request_shows_no_code() {
        let request = CheckOtpRequest {
            verification_id: "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e".into(),
            code: CODE.into(),
            purpose: "payment".into(),
            payment: Some(payment()),
            request_id: NUMBER.into(),
            ..CheckOtpRequest::default()
        };
        let shown = format!("{request:?}");
        assert_silent(&shown);
        assert!(shown.contains(&request.verification_id) && shown.contains("context: unset"));
    }
}
