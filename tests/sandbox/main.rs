//! The sandbox provider with the sandbox vendor: what one writes, the other reads.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use otter_domain::{
    Channel, ErrorClass, Failure, FailureClass, PhoneNumber, ProviderName, ProviderReference, ReceiptStatus,
    Secret,
};
use otter_provider::{Callback, Dispatch, Locator, Provider, RecallOutcome, Report};
use otter_provider_sandbox::REGISTRATION;
use otter_provider_testkit::sample::{self, CODE, FixedClock, NOW, NUMBER, TOKEN};
use otter_provider_testkit::{Answer, Received, ScriptedVendor};
use otter_sandbox_vendor::{Account, Options, Script, Vendor};
use toml::Table;

async fn start() -> (Vendor, Provider) {
    let account = Account::new("north", Secret::new("north-key"), Secret::new("north-signs"));
    let vendor = Vendor::start(Options::new(vec![account], Arc::new(FixedClock(NOW)))).await.unwrap();
    let mut settings = Table::new();
    settings.insert("base_url".to_owned(), vendor.base_url().into());
    settings.insert("account_key".to_owned(), "north-key".into());
    settings.insert("signing_key".to_owned(), "north-signs".into());
    settings.insert("timeout".to_owned(), "500ms".into());
    let provider = (REGISTRATION.configure)(&ProviderName::parse("north").unwrap(), &settings).unwrap();
    (vendor, provider)
}

async fn send(provider: &Provider, dispatch: Dispatch) -> Result<Option<ProviderReference>, Failure> {
    provider.sender.as_ref().unwrap().send(&dispatch).await
}

fn to(number: &str) -> Dispatch {
    Dispatch { number: PhoneNumber::parse(number).unwrap(), ..sample::dispatch(Channel::Sms) }
}

fn decode(provider: &Provider, receipt: &Received) -> Report {
    let mut headers = HeaderMap::new();
    for (name, value) in &receipt.headers {
        headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let callback = Callback {
        method: &Method::POST,
        url: "https://otp.example.net/receipts/north",
        token: None,
        query: "",
        headers: &headers,
        body: &receipt.body,
    };
    let decoded = provider.receipts.as_ref().unwrap().decode(&callback).unwrap();
    decoded.reports.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_code_arrives_on_every_channel_and_a_person_can_read_it() {
    let (vendor, provider) = start().await;
    let mut handset = vendor.handset(NUMBER);
    for channel in Channel::ALL {
        let message = Dispatch { message_id: message_id(channel), ..sample::dispatch(channel) };
        let reference = send(&provider, message).await.unwrap().unwrap();
        let arrived = handset.next().await;
        assert_eq!((arrived.channel, arrived.code().as_deref()), (channel, Some(CODE)));
        assert_eq!(arrived.id, reference.as_str());
    }
}

#[tokio::test]
async fn every_failure_class_can_be_had_by_number() {
    use {ErrorClass as Error, FailureClass as Class};
    let (vendor, provider) = start().await;
    for (number, class, error) in [
        ("+4915123000001", Class::Rejected, Error::ContentRejected),
        ("+4915123000002", Class::Unroutable, Error::Unreachable),
        ("+4915123000003", Class::Throttled, Error::RateLimited),
        ("+4915123000004", Class::Unavailable, Error::Provider5xx),
        ("+4915123000005", Class::Misconfigured, Error::Auth),
        ("+4915123000006", Class::Ambiguous, Error::Timeout),
        ("+4915123000015", Class::Ambiguous, Error::Unknown),
        ("+4915123000016", Class::Rejected, Error::Blocked),
        ("+4915123000017", Class::Misconfigured, Error::InsufficientFunds),
    ] {
        let failure = send(&provider, to(number)).await.unwrap_err();
        assert_eq!((failure.class, failure.error), (class, error), "{number}");
        let wait = (class == Class::Throttled).then_some(Duration::from_secs(1));
        assert_eq!(failure.retry_after, wait, "{number}");
        assert_eq!(vendor.handset(number).messages(), [], "{number}");
    }
}

#[tokio::test]
async fn the_vendors_receipts_are_genuine_and_name_the_message() {
    let (_vendor, provider) = start().await;
    let customer = ScriptedVendor::start().await;
    for _ in 0..2 {
        customer.then(Answer::new(200));
    }
    let message = Dispatch { callback_url: Some(customer.base_url()), ..to("+4915123000008") };
    let reference = send(&provider, message).await.unwrap();
    customer.until_received(2).await;
    let reports: Vec<_> = customer.received().iter().map(|receipt| decode(&provider, receipt)).collect();
    let statuses: Vec<_> = reports.iter().map(|report| report.status).collect();
    assert_eq!(statuses, [ReceiptStatus::Sent, ReceiptStatus::Undelivered]);
    for report in &reports {
        assert_eq!(report.locator, Locator::Token(TOKEN.to_owned()));
        assert_eq!((&report.reference, report.occurred_at), (&reference, Some(NOW)));
    }
    assert_eq!(
        reports[1].because.map(|it| (it.class, it.error)),
        Some((FailureClass::Unroutable, ErrorClass::Unreachable))
    );
}

#[tokio::test]
async fn a_repeat_of_a_message_arrives_once() {
    let (vendor, provider) = start().await;
    let first = send(&provider, sample::dispatch(Channel::Sms)).await.unwrap();
    vendor.handset(NUMBER).next().await;
    assert_eq!(send(&provider, sample::dispatch(Channel::Sms)).await.unwrap(), first);
    assert_eq!((vendor.handset(NUMBER).messages().len(), vendor.sends("north")), (1, 1));
}

#[tokio::test]
async fn a_message_is_taken_back_until_it_arrives() {
    let (vendor, provider) = start().await;
    let revoker = provider.revoker.clone().unwrap();
    vendor.follow(Script::parse(br#"{"rules":[{"channel":"voice","arrival":"1000s"}]}"#).unwrap());
    let slow = Dispatch { validity: Duration::from_secs(2000), ..sample::dispatch(Channel::Voice) };
    let reference = send(&provider, slow).await.unwrap();
    let outcome = revoker.revoke(&sample::recall(Channel::Voice, reference)).await;
    assert_eq!(outcome, Ok(RecallOutcome::Revoked));

    let quick = Dispatch { message_id: message_id(Channel::Sms), ..sample::dispatch(Channel::Sms) };
    let reference = send(&provider, quick).await.unwrap();
    vendor.handset(NUMBER).next().await;
    let outcome = revoker.revoke(&sample::recall(Channel::Sms, reference)).await;
    assert_eq!(outcome, Ok(RecallOutcome::TooLate));
    assert_eq!(revoker.revoke(&sample::recall(Channel::Sms, None)).await, Ok(RecallOutcome::TooLate));
}

#[tokio::test]
async fn a_stopped_vendor_is_unavailable() {
    let (vendor, provider) = start().await;
    send(&provider, sample::dispatch(Channel::Sms)).await.unwrap();
    vendor.stop().await;
    let failure = send(&provider, sample::dispatch(Channel::Sms)).await.unwrap_err();
    assert_eq!(failure, Failure::new(FailureClass::Unavailable, ErrorClass::Network));
}

/// One id for each channel, since a repeated one is not a second message.
fn message_id(channel: Channel) -> otter_domain::MessageId {
    let home = otter_domain::PartitionCount::DEFAULT.at(1).unwrap();
    let mut hash = [0; 16];
    hash[..channel.as_str().len()].copy_from_slice(channel.as_str().as_bytes());
    hash[15] = channel.as_str().len() as u8;
    otter_domain::MessageId::from_hash(home, hash)
}
