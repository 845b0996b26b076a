//! Holds the statuses to the contract's table.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use otter_domain::{Ending, LimitRule, Moment, Partition, PartitionCount, VerificationId};

use super::*;

/// The table in `docs/errors.md`, which is rendered from the comments of the contract.
fn table() -> BTreeMap<String, (String, Vec<String>)> {
    let page = include_str!("../../../docs/errors.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| {
        let cells: Vec<&str> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        let with = cells[3].split(", ").filter(|detail| !detail.is_empty()).map(str::to_owned);
        (cells[1].to_owned(), (cells[2].to_owned(), with.collect()))
    });
    rows.collect()
}

fn reasons() -> impl Iterator<Item = ErrorReason> {
    (1..200).filter_map(|number| ErrorReason::try_from(number).ok())
}

fn shown(status: &Status) -> (String, String, Vec<String>) {
    let details = status.get_error_details();
    let info = details.error_info().expect("every status has an ErrorInfo");
    assert_eq!(info.domain, ERROR_DOMAIN);
    let with = [
        ("BadRequest", details.bad_request().is_some()),
        ("RetryInfo", details.retry_info().is_some()),
        ("QuotaFailure", details.quota_failure().is_some()),
    ];
    let with = with.into_iter().filter(|(_, has)| *has).map(|(name, _)| name.to_owned());
    (info.reason.clone(), code_name(status.code()).to_owned(), with.collect())
}

fn assert_as_in_the_table(status: &Status) -> String {
    let (reason, code, with) = shown(status);
    let table = table();
    let (expected_code, expected_with) = table.get(&reason).unwrap_or_else(|| panic!("{reason} is listed"));
    assert_eq!((&code, &with), (expected_code, expected_with), "{reason}");
    reason
}

#[test]
fn every_reason_has_the_code_that_the_contract_says() {
    let table = table();
    for reason in reasons() {
        let (code, _) = table.get(reason.reason()).unwrap_or_else(|| panic!("{} is listed", reason.reason()));
        assert_eq!(code_name(code_of(reason)), code, "{}", reason.reason());
    }
    assert_eq!(table.len(), reasons().count());
}

fn id() -> VerificationId {
    let home: Partition = PartitionCount::DEFAULT.at(3).expect("there are 16");
    VerificationId::new(Moment::EPOCH, home, [7; 8])
}

fn store_refusal(error: StoreError) -> Refusal {
    Refusal::Books(BooksError::Store(Arc::new(error)))
}

#[test]
fn every_refusal_has_the_status_that_the_contract_says() {
    let second = Duration::from_secs(1);
    let country = Country::parse("DE").expect("it is a country");
    let about = About { channel: Some(Channel::Voice), attempts: 5, ..About::NOTHING };
    let check = |refusal: Refusal, reason: &str| {
        let status = refused(&refusal, about);
        assert_eq!(assert_as_in_the_table(&status), reason);
        let of_another = refused(&refusal, About { country, attempts: 4, ..about });
        assert_eq!(tells_of_the_verification(&refusal), status.details() != of_another.details(), "{reason}");
    };
    check(Refusal::UnknownTenant, "TENANT_UNKNOWN");
    check(Refusal::UnknownPurpose, "PURPOSE_UNKNOWN");
    check(Refusal::PaymentMissing, "INVALID_FIELDS");
    check(Refusal::PaymentUnexpected, "INVALID_FIELDS");
    check(Refusal::Number(NumberRefusal::CallingCode(881)), "NUMBER_TYPE_REFUSED");
    check(Refusal::Number(NumberRefusal::Line(LineType::PremiumRate)), "NUMBER_TYPE_REFUSED");
    check(Refusal::Number(NumberRefusal::Country(Country::NONE)), "COUNTRY_NOT_ALLOWED");
    check(Refusal::Ttl { least: second, most: second }, "TTL_TOO_SHORT");
    check(Refusal::RequestReused, "REQUEST_ID_REUSED");
    let rule = LimitRule { max: 3, window: second };
    check(Refusal::RecipientLimited { rule, retry_after: second }, "RECIPIENT_RATE_LIMITED");
    check(Refusal::TenantLimited { retry_after: second }, "TENANT_RATE_LIMITED");
    check(Refusal::Overloaded { retry_after: second }, "OVERLOADED");
    check(Refusal::StoreStalled { retry_after: second }, "STORE_UNAVAILABLE");
    check(Refusal::NotFound, "VERIFICATION_NOT_FOUND");
    check(Refusal::Resend(ResendRefusal::Ended(Ending::Expired)), "VERIFICATION_ENDED");
    check(Refusal::Resend(ResendRefusal::Live { retry_after: second }), "ATTEMPT_LIVE");
    check(Refusal::Resend(ResendRefusal::TooEarly { retry_after: second }), "RESEND_TOO_EARLY");
    check(Refusal::Resend(ResendRefusal::TooMany), "ATTEMPTS_EXHAUSTED");
    check(Refusal::Resend(ResendRefusal::NoTime), "EXPIRES_TOO_SOON");
    check(Refusal::Resend(ResendRefusal::NoCandidate), "NO_ELIGIBLE_ROUTE");
    check(Refusal::Books(BooksError::Contended { id: id() }), "CONTENTION");
    let unavailable = StoreError::Unavailable { doing: "committing", source: None };
    check(store_refusal(unavailable), "STORE_UNAVAILABLE");
    check(store_refusal(StoreError::Unreadable { why: "damaged".to_owned() }), "INTERNAL");
    check(store_refusal(StoreError::Unsuitable { why: "too old".to_owned() }), "INTERNAL");
}

#[test]
fn a_verification_is_looked_up_only_for_a_status_that_tells_of_it() {
    let is_looked_up = |refusal: Refusal| {
        let mut looked = false;
        let looked_up = async {
            looked = true;
            About::NOTHING
        };
        refused_about(&refusal, looked_up).now_or_never().expect("there is nothing to wait for");
        looked
    };
    assert!(is_looked_up(Refusal::Resend(ResendRefusal::TooMany)));
    assert!(is_looked_up(Refusal::Resend(ResendRefusal::NoCandidate)));
    assert!(!is_looked_up(Refusal::StoreStalled { retry_after: OUTAGE }));
    assert!(!is_looked_up(store_refusal(StoreError::Unavailable { doing: "loading", source: None })));
    assert!(!is_looked_up(Refusal::NotFound));
}

#[test]
fn what_the_process_refuses_by_itself_is_in_the_table_too() {
    let check = |problem: Problem| assert_as_in_the_table(&problem.into());
    assert_eq!(check(draining()), "DRAINING");
    assert_eq!(check(overloaded(Duration::from_secs(1))), "OVERLOADED");
    assert_eq!(check(deadline()), "DEADLINE_EXCEEDED");
    assert_eq!(check(internal()), "INTERNAL");
    assert_eq!(check(ended("verified")), "VERIFICATION_ENDED");
}

#[test]
fn metadata_say_what_the_contract_promises() {
    let about = About { channel: Some(Channel::Voice), attempts: 5, ..About::NOTHING };
    let check = |refusal: Refusal, expected: &[(&str, &str)]| {
        let details = refused(&refusal, about).get_error_details();
        let info = details.error_info().expect("every status has an ErrorInfo");
        let expected = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        assert_eq!(info.metadata, expected.collect(), "{}", info.reason);
    };
    check(Refusal::Number(NumberRefusal::Line(LineType::TollFree)), &[("line_type", "toll_free")]);
    check(Refusal::Number(NumberRefusal::Country(Country::NONE)), &[("country", "ZZ")]);
    check(Refusal::Resend(ResendRefusal::NoCandidate), &[("country", "ZZ"), ("channel", "voice")]);
    let fixed = About { line: Some(LineType::FixedLine), ..about };
    let refusal = Refusal::Resend(ResendRefusal::NoCandidate);
    let details = refused(&refusal, fixed).get_error_details();
    assert_eq!(details.error_info().expect("it has one").metadata["line_type"], "fixed_line");
    check(Refusal::Resend(ResendRefusal::TooMany), &[("limit", "5")]);
    check(Refusal::Resend(ResendRefusal::Ended(Ending::Exhausted)), &[("state", "exhausted")]);
    let (least, most) = (Duration::from_secs(60), Duration::from_secs(600));
    check(Refusal::Ttl { least, most }, &[("minimum", "60")]);
}

#[test]
fn what_the_transport_refuses_gets_details_and_loses_its_text() {
    let check = |code: Code, expected_code: Code, reason: &str| {
        let refused = Status::new(code, "invalid byte at +4915112345678").into_http();
        let status = completed(refused);
        let status = Status::from_header_map(status.headers()).expect("it has a status");
        assert_eq!(status.code(), expected_code);
        assert_eq!(shown(&status).0, reason);
        assert!(!status.message().contains("4915112345678"));
    };
    check(Code::OutOfRange, Code::OutOfRange, "MESSAGE_TOO_LARGE");
    check(Code::ResourceExhausted, Code::OutOfRange, "MESSAGE_TOO_LARGE");
    check(Code::Internal, Code::InvalidArgument, "MESSAGE_MALFORMED");
    check(Code::Unimplemented, Code::Unimplemented, "NOT_SUPPORTED");
    check(Code::NotFound, Code::NotFound, "NOT_SUPPORTED");
    check(Code::DeadlineExceeded, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    check(Code::Unknown, Code::Internal, "INTERNAL");
}

#[test]
fn several_bad_fields_are_invalid_fields_and_a_single_one_keeps_its_reason() {
    let number = (ErrorReason::InvalidNumber, "recipient", "must be a number".to_owned());
    let purpose = (ErrorReason::PurposeUnknown, "purpose", "must be configured".to_owned());
    let one = Status::from(Problem::fields(vec![number.clone()]));
    let both = Status::from(Problem::fields(vec![number, purpose]));
    assert_eq!(assert_as_in_the_table(&one), "INVALID_NUMBER");
    assert_eq!(assert_as_in_the_table(&both), "INVALID_FIELDS");
    let details = both.get_error_details();
    let violations = &details.bad_request().expect("fields are bad").field_violations;
    let reasons: Vec<_> = violations.iter().map(|violation| violation.reason.as_str()).collect();
    assert_eq!(reasons, ["INVALID_NUMBER", "PURPOSE_UNKNOWN"]);
}
