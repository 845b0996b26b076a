//! Callbacks.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, ProviderReference, ReceiptStatus, Secret};
use otter_provider::{Callback, CallbackRefusal, Decoded, Locator, ReceiptDecoder, Report};
use serde::Deserialize;
use sha2::Sha256;

use crate::error::classes;

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
        let body: Body = serde_json::from_slice(callback.body).map_err(|_| CallbackRefusal::Schema)?;
        if body.client_reference.is_empty() {
            return Err(CallbackRefusal::Schema);
        }
        // A status that we do not know is one that the vendor has added since: of no interest, and not to be repeated.
        let Some(status) = ReceiptStatus::parse(&body.status) else { return Ok(Decoded::default()) };
        let report = Report {
            locator: Locator::Token(body.client_reference),
            status,
            because: status.is_negative().then(|| reason(status, body.error.as_ref())),
            reference: ProviderReference::parse(&body.id).ok(),
            occurred_at: body.occurred_at.map(Moment::from_millis),
        };
        Ok(Decoded { reports: vec![report], ..Decoded::default() })
    }
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
    let known = error.and_then(|detail| Some((classes(detail.number)?, detail.number)));
    known.map_or(Failure::new(FailureClass::Unroutable, unnamed), |((class, error), number)| {
        Failure::new(class, error).with_code(number)
    })
}
