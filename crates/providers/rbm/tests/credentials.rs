//! Sending with tokens that the platform no longer takes.

#![allow(clippy::unwrap_used)]

use otter_domain::{Channel, ErrorClass, Failure, FailureClass, ProviderName, VendorCode};
use otter_provider::{Provider, RecallOutcome};
use otter_provider_testkit::{Answer, ScriptedVendor, sample};
use toml::Table;

const SERVICE_ACCOUNT: &str = include_str!("../fixtures/test-only-service-account.json");
const UNAUTHENTICATED: &str = include_str!("../fixtures/unauthenticated.json");

/// An account whose tokens and messages come from one scripted server, in the order of the script.
async fn stage(script: impl IntoIterator<Item = Answer>) -> (ScriptedVendor, Provider) {
    let google = ScriptedVendor::start().await;
    script.into_iter().for_each(|answer| google.then(answer));
    let (base_url, token_url) = (google.base_url(), format!("{}/token", google.base_url()));
    let settings = [
        ("agent_id", "acme_otp_agent"),
        ("base_url", &base_url),
        ("token_url", &token_url),
        ("service_account", SERVICE_ACCOUNT),
    ];
    let table = Table::from_iter(settings.map(|(key, value)| (key.to_owned(), value.into())));
    let name = ProviderName::parse("rbm-eu").unwrap();
    (google, (otter_provider_rbm::REGISTRATION.configure)(&name, &table).unwrap())
}

fn token(word: &str) -> Answer {
    Answer::json(200, format!(r#"{{"access_token":"{word}","expires_in":3599,"token_type":"Bearer"}}"#))
}

fn accepted() -> Answer {
    let name = format!("phones/{}/agentMessages/{}", sample::NUMBER, sample::message_id());
    Answer::json(200, format!(r#"{{"name":"{name}"}}"#))
}

/// The credentials of each request, in order; none on those for a token.
fn credentials(google: &ScriptedVendor) -> Vec<Option<String>> {
    google.received().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

fn bearer(word: &str) -> Option<String> {
    Some(format!("Bearer {word}"))
}

#[tokio::test]
async fn a_refused_token_is_renewed_and_the_message_sent_once_more() {
    let refused = Answer::json(401, UNAUTHENTICATED);
    let (google, provider) = stage([token("old"), refused, token("new"), accepted()]).await;
    let outcome = provider.sender.unwrap().send(&sample::dispatch(Channel::Rcs)).await;
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(credentials(&google), [None, bearer("old"), None, bearer("new")]);
}

#[tokio::test]
async fn a_token_refused_twice_is_final() {
    let refused = || Answer::json(401, UNAUTHENTICATED);
    let (google, provider) = stage([token("old"), refused(), token("new"), refused()]).await;
    let outcome = provider.sender.unwrap().send(&sample::dispatch(Channel::Rcs)).await;
    let expected = Failure::new(FailureClass::Misconfigured, ErrorClass::Auth);
    let code = VendorCode::parse("UNAUTHENTICATED").unwrap();
    assert_eq!(outcome, Err(expected.with_vendor_code(code)));
    assert_eq!(google.received().len(), 4);
}

#[tokio::test]
async fn a_key_that_is_refused_sends_nothing() {
    let refused = Answer::json(400, include_str!("../fixtures/token-refused.json"));
    let (google, provider) = stage([refused]).await;
    let failure = provider.sender.unwrap().send(&sample::dispatch(Channel::Rcs)).await.unwrap_err();
    assert_eq!((failure.class, failure.error), (FailureClass::Misconfigured, ErrorClass::Auth));
    assert_eq!(credentials(&google), [None]);
}

#[tokio::test]
async fn sends_and_recalls_share_one_token() {
    let (google, provider) = stage([token("one"), accepted(), Answer::json(200, "{}")]).await;
    provider.sender.unwrap().send(&sample::dispatch(Channel::Rcs)).await.unwrap();
    let outcome = provider.revoker.unwrap().revoke(&sample::recall(Channel::Rcs, None)).await;
    assert_eq!(outcome, Ok(RecallOutcome::Revoked));
    assert_eq!(credentials(&google), [None, bearer("one"), bearer("one")]);
}
