//! Twilio's signature over its callbacks (<https://www.twilio.com/docs/usage/security#validating-requests>).
//!
//! `X-Twilio-Signature` is base64 of HMAC-SHA1, keyed with the account's primary auth token, over the public URL and,
//! for forms, every decoded parameter sorted by name, name and value without separators. For JSON the URL alone is
//! signed and carries the body's hash as `bodySHA256`. There is no time in it: replays are harmless by design.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use otter_domain::Secret;
use otter_provider::{Callback, CallbackRefusal};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use url::form_urlencoded;

/// A parameter of a callback, decoded.
pub(crate) type Parameter = (String, String);

/// The auth tokens that a callback may be signed with.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    current: Secret,
    next: Option<Secret>,
}

impl SigningKeys {
    /// The primary auth token, and during a rotation the one that will be.
    pub(crate) fn new(current: Secret, next: Option<Secret>) -> Self {
        Self { current, next }
    }

    /// Verifies the signature and returns what was signed: the form's parameters, or the fields of the JSON object.
    pub(crate) fn verify(&self, callback: &Callback<'_>) -> Result<Vec<Parameter>, CallbackRefusal> {
        let signature = callback
            .headers
            .get("x-twilio-signature")
            .and_then(|value| STANDARD.decode(value.as_bytes()).ok())
            .ok_or(CallbackRefusal::Signature)?;
        if let Some(hash) = body_hash(callback.query) {
            let genuine =
                self.signed(callback.url, &[String::new()], &signature) && hash == hex_sha256(callback.body);
            return if genuine { Ok(json_fields(callback.body)) } else { Err(CallbackRefusal::Signature) };
        }
        let parameters: Vec<Parameter> = form_urlencoded::parse(callback.body).into_owned().collect();
        let genuine = self.signed(callback.url, &signed_forms(&parameters), &signature);
        if genuine { Ok(parameters) } else { Err(CallbackRefusal::Signature) }
    }

    fn signed(&self, url: &str, forms: &[String], signature: &[u8]) -> bool {
        let urls = [Some(url.to_owned()), other_port_form(url)];
        let keys = [Some(&self.current), self.next.as_ref()];
        keys.into_iter().flatten().any(|key| {
            urls.iter().flatten().any(|url| forms.iter().any(|form| matches(key, url, form, signature)))
        })
    }
}

fn matches(key: &Secret, url: &str, form: &str, signature: &[u8]) -> bool {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(key.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    mac.update(form.as_bytes());
    mac.verify_slice(signature).is_ok()
}

/// The parameters as they are signed. Twilio's own validators differ on repeated names: some sign only the first
/// value, others every different one in order. Both are accepted.
fn signed_forms(parameters: &[Parameter]) -> Vec<String> {
    let mut sorted: Vec<&Parameter> = parameters.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut firsts = sorted.clone();
    firsts.dedup_by(|a, b| a.0 == b.0);
    sorted.sort();
    sorted.dedup();
    let forms = [concatenated(&firsts), concatenated(&sorted)];
    let repeated = forms[0] != forms[1];
    forms.into_iter().take(if repeated { 2 } else { 1 }).collect()
}

fn concatenated(parameters: &[&Parameter]) -> String {
    parameters.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect()
}

/// The same URL with the scheme's default port added or, if there is a port, without it: Twilio signs either.
fn other_port_form(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let port =
        authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
    match port {
        Some(at) => Some(format!("{scheme}://{}{tail}", &authority[..at])),
        None => {
            let default = if scheme == "http" { 80 } else { 443 };
            Some(format!("{scheme}://{authority}:{default}{tail}"))
        }
    }
}

fn body_hash(query: &str) -> Option<String> {
    let (_, hash) = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256")?;
    Some(hash.to_ascii_lowercase())
}

fn hex_sha256(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// The texts and numbers of a JSON object; none of anything else, which is genuine all the same.
fn json_fields(body: &[u8]) -> Vec<Parameter> {
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &serde_json::Value| {
        value.as_str().map(str::to_owned).or_else(|| value.as_number().map(ToString::to_string))
    };
    fields.into_iter().filter_map(|(name, value)| Some((name, text(&value)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use http::{HeaderMap, Method};

    use super::*;

    const PUBLISHED_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const PUBLISHED_BODY: &str = "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%2B14158675309\
        &From=%2B14158675309&ReasonConferenceEnded=test&Reason=Participant";
    const PUBLISHED_SIGNATURE: &str = "vOEb5UThFn24KEfnOFLQY2AE5FY=";

    fn keys() -> SigningKeys {
        SigningKeys::new(Secret::new("12345"), None)
    }

    fn verify(
        keys: &SigningKeys,
        url: &str,
        body: &[u8],
        signature: &str,
    ) -> Result<Vec<Parameter>, CallbackRefusal> {
        let mut headers = HeaderMap::new();
        headers.insert("x-twilio-signature", signature.parse().unwrap());
        let query = url.split_once('?').map_or("", |(_, query)| query);
        keys.verify(&Callback { method: &Method::POST, url, token: None, query, headers: &headers, body })
    }

    fn sign(key: &str, data: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(data.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }

    #[test]
    fn the_published_vector_verifies_and_yields_decoded_parameters() {
        let parameters =
            verify(&keys(), PUBLISHED_URL, PUBLISHED_BODY.as_bytes(), PUBLISHED_SIGNATURE).unwrap();
        assert!(parameters.contains(&("To".into(), "+18005551212".into())));
    }

    #[test]
    fn our_own_vector_verifies() {
        let body = b"MessageSid=SM0123&MessageStatus=delivered&To=%2B491700000001";
        verify(&keys(), "https://otp.example.net/cb/twilio?a=att_01", body, "WTW5dayLXSk+gjy9sPDmJ4MZOYY=")
            .unwrap();
    }

    #[test]
    fn a_default_port_may_be_there_or_not() {
        let with_port = PUBLISHED_URL.replace(".com/", ".com:443/");
        verify(&keys(), &with_port, PUBLISHED_BODY.as_bytes(), PUBLISHED_SIGNATURE).unwrap();
        let signed_with_port = sign("12345", "http://a.example:80/cbAx");
        verify(&keys(), "http://a.example/cb", b"A=x", &signed_with_port).unwrap();
        assert_eq!(other_port_form("https://[::1]/x").unwrap(), "https://[::1]:443/x");
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |url: &str, body: &str, signature: &str| {
            let verdict = verify(&keys(), url, body.as_bytes(), signature);
            assert_eq!(verdict, Err(CallbackRefusal::Signature), "{url} {body} {signature}");
        };
        refused("https://mycompany.com/myapp.php?foo=1&bar=3", PUBLISHED_BODY, PUBLISHED_SIGNATURE);
        refused(PUBLISHED_URL, &PUBLISHED_BODY.replace("1234", "1235"), PUBLISHED_SIGNATURE);
        refused(PUBLISHED_URL, &format!("{PUBLISHED_BODY}&More=1"), PUBLISHED_SIGNATURE);
        refused(PUBLISHED_URL, PUBLISHED_BODY, &PUBLISHED_SIGNATURE.to_lowercase());
        refused(PUBLISHED_URL, PUBLISHED_BODY, "");
        refused(PUBLISHED_URL, PUBLISHED_BODY, "not base64");
        let other_key = SigningKeys::new(Secret::new("54321"), None);
        let verdict = verify(&other_key, PUBLISHED_URL, PUBLISHED_BODY.as_bytes(), PUBLISHED_SIGNATURE);
        assert_eq!(verdict, Err(CallbackRefusal::Signature));
    }

    #[test]
    fn both_tokens_verify_during_a_rotation() {
        let rotating = SigningKeys::new(Secret::new("old"), Some(Secret::new("12345")));
        verify(&rotating, PUBLISHED_URL, PUBLISHED_BODY.as_bytes(), PUBLISHED_SIGNATURE).unwrap();
    }

    #[test]
    fn repeated_names_verify_by_their_first_value_or_by_all() {
        let url = "https://a.example/cb";
        verify(&keys(), url, b"B=2&A=y&A=x", &sign("12345", "https://a.example/cbAyB2")).unwrap();
        verify(&keys(), url, b"B=2&A=y&A=x&A=y", &sign("12345", "https://a.example/cbAxAyB2")).unwrap();
    }

    #[test]
    fn a_json_body_is_bound_by_its_hash() {
        let body = br#"{"MessageStatus":"sent","ErrorCode":30005,"Nested":{}}"#;
        let url = format!("https://a.example/cb?t=1&bodySHA256={}", hex_sha256(body));
        let signature = sign("12345", &url);
        let parameters = verify(&keys(), &url, body, &signature).unwrap();
        assert!(parameters.contains(&("ErrorCode".into(), "30005".into())));
        assert_eq!(verify(&keys(), &url, b"{}", &signature), Err(CallbackRefusal::Signature));
        for odd in [b"x".as_slice(), b"[]", b"", b"{}"] {
            let url = format!("https://a.example/cb?bodySHA256={}", hex_sha256(odd));
            assert_eq!(verify(&keys(), &url, odd, &sign("12345", &url)), Ok(Vec::new()));
        }
    }
}
