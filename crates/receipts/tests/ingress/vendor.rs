//! The vendor that the tests speak for: it signs the URL and the body, and reports one message per line.

use hmac::{Hmac, KeyInit, Mac};
use otter_domain::{ErrorClass, Failure, FailureClass, Moment, ReceiptStatus};
use otter_provider::{Callback, CallbackRefusal, CallbackReply, Decoded, Locator, ReceiptDecoder, Report};
use sha2::Sha256;

const KEY: &[u8] = b"what the vendor and the account share";

/// Where the vendor believes the ingress to be; nothing listens there.
pub(crate) const PUBLIC: &str = "https://otp.example.com";

/// The header that has the signature.
pub(crate) const SIGNATURE: &str = "x-signature";

/// Reads `TOKEN STATUS [MILLIS]` lines, `-` for the token of the path, and does not understand lines of `odd`. Answers `GET …?challenge=TEXT` with the text.
#[derive(Debug)]
pub(crate) struct Acme;

impl ReceiptDecoder for Acme {
    fn decode(&self, callback: &Callback<'_>) -> Result<Decoded, CallbackRefusal> {
        if callback.method == "GET" {
            let challenge = callback.query.strip_prefix("challenge=").ok_or(CallbackRefusal::Schema)?;
            let reply = CallbackReply { body: challenge.to_owned().into(), ..CallbackReply::default() };
            return Ok(Decoded { reply, ..Decoded::default() });
        }
        let signature = callback.headers.get(SIGNATURE).map(|value| value.as_bytes());
        if signature != Some(sign(callback.url, callback.body).as_bytes()) {
            return Err(CallbackRefusal::Signature);
        }
        let text = std::str::from_utf8(callback.body).map_err(|_| CallbackRefusal::Schema)?;
        let (odd, known): (Vec<_>, Vec<_>) = text.lines().partition(|line| *line == "odd");
        let reports: Option<Vec<_>> = known.into_iter().map(|line| report(line, callback.token)).collect();
        let reports = reports.ok_or(CallbackRefusal::Schema)?;
        Ok(Decoded { reports, odd: odd.len() as u32, ..Decoded::default() })
    }
}

/// The vendor's signature over a request.
pub(crate) fn sign(url: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    mac.update(url.as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

fn report(line: &str, of_path: Option<&str>) -> Option<Report> {
    let mut words = line.split(' ');
    let token = match words.next()? {
        "-" => of_path?,
        token => token,
    };
    let status = ReceiptStatus::parse(words.next()?)?;
    Some(Report {
        locator: Locator::Token(token.to_owned()),
        status,
        because: status.is_negative().then(|| Failure::new(FailureClass::Rejected, ErrorClass::Blocked)),
        reference: None,
        occurred_at: words.next().and_then(|millis| millis.parse().ok()).map(Moment::from_millis),
    })
}
