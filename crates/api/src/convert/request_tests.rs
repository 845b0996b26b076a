#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use otter_domain::{LifecyclePolicy, PurposePolicy, RouteName};
use proptest::prelude::*;
use tonic_types::StatusExt;

use super::*;

fn purpose(name: &str, payment: PaymentPolicy) -> (PurposeName, PurposePolicy) {
    let name = PurposeName::parse(name).unwrap();
    let policy = PurposePolicy {
        name: name.clone(),
        route: RouteName::parse("default").unwrap(),
        ttl: Duration::from_secs(300),
        code_digits: 6,
        budget: 5,
        payment,
        locale: None,
        lifecycle: LifecyclePolicy::default(),
    };
    (name, policy)
}

fn tenant() -> TenantPolicy {
    let purposes = [purpose("login", PaymentPolicy::NotAPayment), purpose("pay", PaymentPolicy::Required)];
    TenantPolicy {
        id: TenantId::parse("shop").unwrap(),
        countries: None,
        recipient_limits: Vec::new(),
        rate: None,
        opaque_results: false,
        purposes: BTreeMap::from(purposes),
    }
}

fn good() -> SendOtpRequest {
    SendOtpRequest {
        recipient: "+49 151 12345678".into(),
        purpose: "login".into(),
        ..SendOtpRequest::default()
    }
}

fn payment() -> v1::Payment {
    v1::Payment {
        currency: "EUR".into(),
        minor_units: 4_999,
        payee_id: "DE89370400440532013000".into(),
        payee_name: "Bücher & Söhne".into(),
    }
}

/// Every bad field with its reason, in the order of the request.
fn bad(request: SendOtpRequest) -> Vec<(String, String)> {
    let status = send(request, &tenant()).unwrap_err();
    let details = status.get_error_details();
    let violations = details.bad_request().unwrap().field_violations.iter();
    violations.map(|violation| (violation.field.clone(), violation.reason.clone())).collect()
}

fn only_bad(request: SendOtpRequest, field: &str) {
    assert_eq!(bad(request), [(field.to_owned(), "INVALID_FIELDS".to_owned())]);
}

#[test]
fn a_request_is_read_as_it_was_meant() {
    let request = SendOtpRequest {
        subject: "account-7".into(),
        context: "order 17".into(),
        locale: "pt_br".into(),
        preferred_channels: vec![v1::Channel::Whatsapp.into()],
        allowed_channels: vec![v1::Channel::Whatsapp.into(), v1::Channel::Sms.into()],
        code: "042137".into(),
        ttl: Some(prost_types::Duration { seconds: 120, nanos: 0 }),
        request_id: "call-1".into(),
        ..good()
    };
    let read = send(request, &tenant()).unwrap();
    assert_eq!(read.number.reveal(), "+4915112345678");
    assert_eq!(read.context, Context::Text("order 17".to_owned()));
    assert_eq!(read.locales, [Locale::parse("pt-BR").unwrap()]);
    assert_eq!(read.preferred, [Channel::WhatsApp]);
    assert_eq!(read.allowed, [Channel::WhatsApp, Channel::Sms]);
    assert_eq!(read.code.unwrap().reveal(), "042137");
    assert_eq!(read.ttl, Some(Duration::from_secs(120)));
    assert_eq!(read.request_id, Some(RequestId::parse("call-1").unwrap()));
}

#[test]
fn no_wish_for_a_language_fails_a_send_fmt_60() {
    let check = |wish: &str, expected: &[&str]| {
        let read = send(SendOtpRequest { locale: wish.into(), ..good() }, &tenant()).unwrap();
        let found: Vec<_> = read.locales.iter().map(Locale::as_str).collect();
        assert_eq!(found, expected, "{wish}");
    };
    check("zh_CN_#Hans", &["zh-Hans-CN"]);
    check("de_DE.UTF-8", &["de-DE"]);
    check("*", &[]);
    check("in", &["id"]);
    check("iw", &["he"]);
    check("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", &["fr-CH", "fr", "en"]);
    check("german!", &[]);
    check(&"x-".repeat(5000), &[]);
}

#[test]
fn a_number_is_read_as_it_was_pasted() {
    let check = |pasted: &str, expected: &str| {
        let read = send(SendOtpRequest { recipient: pasted.into(), ..good() }, &tenant()).unwrap();
        assert_eq!(read.number.reveal(), expected, "{pasted:?}");
    };
    check("\u{202a}+49\u{a0}151\u{2011}12345678\u{202c}", "+4915112345678");
    check("0049 (0)151/12345678", "+4915112345678");
    check("(+49) 151 12345678", "+4915112345678");
    check("\u{ff0b}\u{ff14}\u{ff19}15112345678", "+4915112345678");
    check("+52 1 55 1234 5678", "+525512345678");
}

#[test]
fn a_number_that_is_not_certain_is_refused_with_a_hint() {
    let check = |pasted: &str, hint: &str| {
        let status = send(SendOtpRequest { recipient: pasted.into(), ..good() }, &tenant()).unwrap_err();
        let details = status.get_error_details();
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!((violation.field.as_str(), violation.reason.as_str()), ("recipient", "INVALID_NUMBER"));
        assert!(violation.description.contains(hint), "{pasted}: {}", violation.description);
        assert!(!format!("{status:?}").contains("12345678"), "{pasted}");
    };
    check("4915112345678", "must begin with + and the country code");
    check("0151 12345678", "must begin with + and the country code");
    check("+4915112345678 ext 7", "extension");
    check("+4915112345678, +4917012345678", "more than one number");
    check("+48 0 512345678", "without the 0 after +48");
    check("4.91511E+12", "spreadsheet");
}

#[test]
fn a_code_is_read_as_it_was_typed_and_a_callers_own_as_it_is_sent() {
    let asked = |code: &str| CheckOtpRequest {
        verification_id: "018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e".into(),
        code: code.into(),
        purpose: "login".into(),
        ..CheckOtpRequest::default()
    };
    let typed = |code: &str| check(asked(code), TenantId::parse("shop").unwrap());
    for code in ["042137", "042 137", "042-137\n", "\u{660}\u{664}\u{662}\u{661}\u{663}\u{667}"] {
        assert_eq!(typed(code).unwrap().code.reveal(), "042137", "{code:?}");
    }
    let refused = typed("04213x").unwrap_err();
    assert!(refused.get_error_details().bad_request().unwrap().field_violations[0].field == "code");
    only_bad(SendOtpRequest { code: "042 137".into(), ..good() }, "code");
}

#[test]
fn a_payment_is_bound_by_currency_amount_and_payee() {
    let request = SendOtpRequest { purpose: "pay".into(), payment: Some(payment()), ..good() };
    let read = send(request, &tenant()).unwrap();
    assert_eq!(read.context.canonical(), "EUR|4999|DE89370400440532013000");
}

#[test]
fn each_field_is_named_when_it_is_wrong() {
    only_bad(SendOtpRequest { recipient: String::new(), ..good() }, "recipient");
    only_bad(SendOtpRequest { purpose: "Log In".into(), ..good() }, "purpose");
    only_bad(SendOtpRequest { subject: "two words".into(), ..good() }, "subject");
    only_bad(SendOtpRequest { context: "x".repeat(513), ..good() }, "context");
    only_bad(SendOtpRequest { preferred_channels: vec![1, 1], ..good() }, "preferred_channels");
    only_bad(SendOtpRequest { preferred_channels: vec![0], ..good() }, "preferred_channels");
    only_bad(SendOtpRequest { allowed_channels: vec![17], ..good() }, "allowed_channels");
    only_bad(SendOtpRequest { code: "12345".into(), ..good() }, "code");
    only_bad(SendOtpRequest { code: "١٢٣٤٥٦".into(), ..good() }, "code");
    only_bad(SendOtpRequest { request_id: "x".repeat(129), ..good() }, "request_id");
    for (seconds, nanos) in [(0, 0), (601, 0), (-60, 0), (60, 1), (i64::MIN, 0), (i64::MAX, 0)] {
        only_bad(SendOtpRequest { ttl: Some(prost_types::Duration { seconds, nanos }), ..good() }, "ttl");
    }
    let client = |ip_address: &str, device_id: &str, user_agent: String| {
        let client = ClientSignals { ip_address: ip_address.into(), device_id: device_id.into(), user_agent };
        SendOtpRequest { client: Some(client), ..good() }
    };
    only_bad(client("300.1.1.1", "", String::new()), "client.ip_address");
    only_bad(client("", "a b", String::new()), "client.device_id");
    only_bad(client("2001:db8::1", "phone-1", "x".repeat(513)), "client.user_agent");
    only_bad(SendOtpRequest { payment: Some(payment()), ..good() }, "payment");
    only_bad(SendOtpRequest { purpose: "pay".into(), ..good() }, "payment");
    let pay =
        |payment: v1::Payment| SendOtpRequest { purpose: "pay".into(), payment: Some(payment), ..good() };
    only_bad(pay(v1::Payment { currency: "eur".into(), ..payment() }), "payment.currency");
    only_bad(pay(v1::Payment { minor_units: 0, ..payment() }), "payment.minor_units");
    only_bad(pay(v1::Payment { minor_units: -1, ..payment() }), "payment.minor_units");
    only_bad(pay(v1::Payment { payee_id: "a|b".into(), ..payment() }), "payment.payee_id");
    only_bad(pay(v1::Payment { payee_name: "two\nlines".into(), ..payment() }), "payment.payee_name");
    only_bad(SendOtpRequest { context: "x".into(), ..pay(payment()) }, "context");
}

#[test]
fn a_single_bad_field_may_have_a_reason_of_its_own() {
    let check = |request, expected: (&str, &str)| {
        assert_eq!(bad(request), [(expected.0.to_owned(), expected.1.to_owned())]);
    };
    check(SendOtpRequest { recipient: "0151 12345678".into(), ..good() }, ("recipient", "INVALID_NUMBER"));
    check(SendOtpRequest { purpose: "logout".into(), ..good() }, ("purpose", "PURPOSE_UNKNOWN"));
}

#[test]
fn a_dry_run_has_no_name() {
    let request = SendOtpRequest { dry_run: true, request_id: "two words".into(), ..good() };
    assert_eq!(send(request, &tenant()).unwrap().request_id, None);
}

#[test]
fn a_check_binds_like_the_send() {
    let id = "018f2c5a-7b1e-7003-9d2e-4f5a6b7c8d9e";
    let request = CheckOtpRequest {
        verification_id: id.into(),
        code: "042137".into(),
        purpose: "pay".into(),
        payment: Some(v1::Payment { payee_name: String::new(), ..payment() }),
        ..CheckOtpRequest::default()
    };
    let read = check(request, tenant().id).unwrap();
    assert_eq!(read.id.to_string(), id);
    assert_eq!(read.context.canonical(), "EUR|4999|DE89370400440532013000");
}

#[test]
fn an_attempt_that_cannot_be_is_not_found() {
    let request = ReportOutcomeRequest {
        verification_id: "018f2c5a-7b1e-7003-9d2e-4f5a6b7c8d9e".into(),
        outcome: ReportedOutcome::Verified.into(),
        attempt: 256,
    };
    let status = report(&request, tenant().id).unwrap_err();
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "ATTEMPT_NOT_FOUND");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_that_was_sent_comes_back_in_a_refusal(
        recipient in "\\+?[0-9 ()-]{6,36}",
        purpose in "[a-zA-Z0-9-]{5,12}",
        context in "\\PC{6,20}",
        code in "[0-9]{5,12}",
        channels in proptest::collection::vec(-2..7_i32, 0..5),
        seconds in any::<i64>(),
    ) {
        let request = SendOtpRequest {
            recipient: recipient.clone(),
            purpose: purpose.clone(),
            context: context.clone(),
            subject: context.clone(),
            locale: context.clone(),
            code: code.clone(),
            preferred_channels: channels,
            ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
            request_id: context.clone(),
            ..SendOtpRequest::default()
        };
        if let Err(status) = send(request, &tenant()) {
            let shown = format!("{} {:?}", status.message(), status.get_error_details());
            for sent in [recipient, purpose, context, code] {
                prop_assert!(!shown.contains(&sent), "{sent} is in {shown}");
            }
        }
    }
}
