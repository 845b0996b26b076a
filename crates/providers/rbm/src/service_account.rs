//! The key of a Google service account, and the assertions that it signs.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use otter_domain::{Moment, Secret};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

/// The right to speak for the agents of the key's owner.
const SCOPE: &str = "https://www.googleapis.com/auth/rcsbusinessmessaging";

/// How long an assertion is good: the longest that Google takes.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// How far an assertion is dated back, because one from the future is refused.
const CLOCK_SKEW: Duration = Duration::from_secs(10);

/// Why a text is not the key of a service account. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum InvalidKey {
    #[error(
        "must be the JSON of a service account's key as downloaded from Google Cloud, the text and not its path"
    )]
    Json,
    #[error("must be the key of a service account: its \"type\" must be \"service_account\"")]
    Type,
    #[error("must have a \"private_key\" that is an RSA key of at least 2048 bits in PKCS #8 PEM form")]
    PrivateKey,
    #[error("must have a \"token_uri\" that is an https address")]
    TokenUri,
}

/// Signs with a service account's key. Silent in `Debug` except for the account's name.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: Option<String>,
    audience: Url,
    token_url: Url,
    key: RsaKeyPair,
}

impl ServiceAccount {
    /// Reads the JSON that Google Cloud hands out. Tokens are asked for at `token_url` if it is set, else where the
    /// key says.
    pub(crate) fn parse(json: &Secret, token_url: Option<Url>) -> Result<Self, InvalidKey> {
        let file: KeyFile = serde_json::from_str(json.reveal()).map_err(|_| InvalidKey::Json)?;
        if file.kind != "service_account" {
            return Err(InvalidKey::Type);
        }
        let pem = Secret::new(file.private_key);
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.reveal().as_bytes())
            .map_err(|_| InvalidKey::PrivateKey)?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| InvalidKey::PrivateKey)?;
        let audience = Url::parse(&file.token_uri).ok().filter(|url| url.scheme() == "https");
        let audience = audience.ok_or(InvalidKey::TokenUri)?;
        let token_url = token_url.unwrap_or_else(|| audience.clone());
        Ok(Self { email: file.client_email, key_id: file.private_key_id, audience, token_url, key })
    }

    /// Where assertions are exchanged for tokens.
    pub(crate) fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// A signed JSON Web Token that asks for an access token, good for an hour.
    pub(crate) fn assertion(&self, now: Moment) -> Secret {
        let issued_at = now - CLOCK_SKEW;
        let header = Header { alg: "RS256", typ: "JWT", kid: self.key_id.as_deref() };
        let claims = Claims {
            iss: &self.email,
            scope: SCOPE,
            aud: self.audience.as_str(),
            iat: issued_at.as_millis() / 1000,
            exp: (issued_at + LIFETIME).as_millis() / 1000,
        };
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        // The padding is deterministic: ring asks for a source of randomness and draws nothing from it.
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .expect("the buffer is as long as the modulus");
        Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

impl fmt::Debug for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccount").field("email", &self.email).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: String,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'static str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

fn encode<T: Serialize>(part: &T) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("a struct of texts and numbers is always JSON"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::{Value, json};

    use super::*;
    use crate::samples::{SERVICE_ACCOUNT, now};

    const PUBLIC_KEY: &[u8] = include_bytes!("../fixtures/test-only-key.public.der");

    fn account() -> ServiceAccount {
        ServiceAccount::parse(&Secret::new(SERVICE_ACCOUNT), None).unwrap()
    }

    fn part(text: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    #[test]
    fn an_assertion_says_who_asks_for_what_and_until_when() {
        let assertion = account().assertion(now());
        let parts: Vec<_> = assertion.reveal().split('.').collect();
        assert_eq!(part(parts[0]), json!({"alg": "RS256", "typ": "JWT", "kid": "test-only-key"}));
        let claims = json!({
            "iss": "otter@test-only.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/rcsbusinessmessaging",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_777_888_790u64,
            "exp": 1_777_892_390u64,
        });
        assert_eq!(part(parts[1]), claims);
    }

    #[test]
    fn an_assertion_is_signed_with_the_accounts_key() {
        let assertion = account().assertion(now());
        let (signed, signature) = assertion.reveal().rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY);
        key.verify(signed.as_bytes(), &signature).unwrap();
        assert!(key.verify(b"another text", &signature).is_err());
    }

    #[test]
    fn the_audience_stays_the_keys_own_when_tokens_are_asked_for_elsewhere() {
        let elsewhere = Url::parse("http://127.0.0.1:9/token").unwrap();
        let account = ServiceAccount::parse(&Secret::new(SERVICE_ACCOUNT), Some(elsewhere.clone())).unwrap();
        assert_eq!(account.token_url(), &elsewhere);
        let assertion = account.assertion(now());
        let claims = part(assertion.reveal().split('.').nth(1).unwrap());
        assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
    }

    #[test]
    fn what_is_not_a_service_accounts_key_is_refused_without_repeating_it() {
        let check = |text: String, expected: InvalidKey| {
            assert_eq!(ServiceAccount::parse(&Secret::new(text), None).unwrap_err(), expected);
        };
        let with = |field: &str, value: Value| {
            let mut file: Value = serde_json::from_str(SERVICE_ACCOUNT).unwrap();
            file[field] = value;
            file.to_string()
        };
        check(String::new(), InvalidKey::Json);
        check("/etc/otter/rbm.json".to_owned(), InvalidKey::Json);
        check("{}".to_owned(), InvalidKey::Json);
        check(with("client_email", Value::Null), InvalidKey::Json);
        check(with("type", json!("authorized_user")), InvalidKey::Type);
        check(with("private_key", json!("")), InvalidKey::PrivateKey);
        check(
            with("private_key", json!("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
            InvalidKey::PrivateKey,
        );
        check(with("token_uri", json!("http://oauth2.googleapis.com/token")), InvalidKey::TokenUri);
        check(with("token_uri", json!("nowhere")), InvalidKey::TokenUri);
    }

    #[test]
    fn nothing_shows_the_key() {
        let shown = format!("{:?}", account());
        assert_eq!(shown, r#"ServiceAccount { email: "otter@test-only.iam.gserviceaccount.com", .. }"#);
    }
}
