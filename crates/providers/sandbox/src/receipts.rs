//! Callbacks.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, ProviderReference, ReceiptStatus, Secret};
use otter_provider::{Callback, CallbackRefusal, Decoded, Locator, ReceiptDecoder, Report};
use serde::Deserialize;
use sha2::Sha256;

use crate::error::CODES;

const TIMESTAMP: &str = "x-sandbox-timestamp";
const SIGNATURE: &str = "x-sandbox-signature";

/// Reads receipts whose `X-Sandbox-Signature` is the hex HMAC-SHA256 over `X-Sandbox-Timestamp`, a dot and the body.
#[derive(Debug)]
pub(crate) struct SignedReceipts {
    pub(crate) key: Secret,
}

#[derive(Deserialize)]
struct Body {
    id: String,
    client_reference: String,
    status: String,
    error: Option<Detail>,
    occurred_at: Option<u64>,
}

#[derive(Deserialize)]
struct Detail {
    number: u32,
}

impl ReceiptDecoder for SignedReceipts {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method != Method::POST {
            return Err(CallbackRefusal::Method);
        }
        self.verify(callback)?;
        // Signed and of another form, or of a status that the vendor has added since: not to be repeated.
        let report = serde_json::from_slice::<Body>(callback.body).ok().and_then(report);
        let odd = u32::from(report.is_none());
        Ok(Decoded { reports: report.into_iter().collect(), odd, ..Decoded::default() })
    }
}

fn report(body: Body) -> Option<Report> {
    let status = ReceiptStatus::parse(&body.status)?;
    (!body.client_reference.is_empty()).then(|| Report {
        locator: Locator::Token(body.client_reference),
        status,
        because: status.is_negative().then(|| reason(status, body.error.as_ref())),
        reference: ProviderReference::parse(&body.id).ok(),
        occurred_at: body.occurred_at.map(Moment::from_millis),
    })
}

impl SignedReceipts {
    fn verify(&self, callback: &Callback<'_>) -> Result<(), CallbackRefusal> {
        let header =
            |name: &str, headers: &HeaderMap| headers.get(name).map(|value| value.as_bytes().to_vec());
        let timestamp = header(TIMESTAMP, callback.headers).ok_or(CallbackRefusal::Signature)?;
        let signature = header(SIGNATURE, callback.headers).ok_or(CallbackRefusal::Signature)?;
        let signature = hex::decode(signature).map_err(|_| CallbackRefusal::Signature)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(&timestamp);
        mac.update(b".");
        mac.update(callback.body);
        mac.verify_slice(&signature).map_err(|_| CallbackRefusal::Signature)
    }
}

fn reason(status: ReceiptStatus, error: Option<&Detail>) -> Failure {
    let unnamed =
        if status == ReceiptStatus::Expired { ErrorClass::Expired } else { ErrorClass::Unreachable };
    error.map_or(Failure::new(FailureClass::Unroutable, unnamed), |error| CODES.reported(error.number.into()))
}
