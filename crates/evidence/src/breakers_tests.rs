//! Breakers of several processes.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use otter_domain::ErrorClass;

use super::*;

const NOW: Moment = Moment::from_millis(1_000_000);

fn way(country: &str) -> Segment {
    Segment {
        provider: ProviderName::parse("alpha").unwrap(),
        channel: Channel::WhatsApp,
        country: Country::parse(country).unwrap(),
    }
}

fn scopes(country: &str, text: &str) -> Vec<BreakerScope> {
    BreakerScope::all(&way(country), Some(&TextName::of(&[text])))
}

fn fatal(of: SpeaksOf) -> Outcome {
    let failure = Failure::new(FailureClass::Misconfigured, ErrorClass::Auth).with_code(132_001);
    Outcome::Failed(failure.speaking_of(of))
}

fn answered(breakers: &Breakers, scopes: &[BreakerScope], outcome: Outcome, now: Moment) -> Vec<Change> {
    breakers.record(scopes, outcome, Witness::Answer, now, now)
}

fn entries(changes: &[Change]) -> Vec<BoardEntry> {
    changes.iter().map(|change| BoardEntry { key: change.key(), value: change.value() }).collect()
}

#[test]
fn a_broken_template_shuts_no_door_but_its_own() {
    let breakers = Breakers::default();
    let changes = answered(&breakers, &scopes("DE", "login/de"), fatal(SpeaksOf::Template), NOW);
    assert_eq!(changes.len(), 1);
    assert!(breakers.is_open(&scopes("DE", "login/de"), NOW));
    assert!(!breakers.is_open(&scopes("DE", "login/en"), NOW));
    assert!(!breakers.is_open(&scopes("DE", "payment/de"), NOW));
    assert!(!breakers.is_open(&scopes("FR", "login/de"), NOW));
}

#[test]
fn a_sender_shuts_its_way_and_an_account_everything() {
    let breakers = Breakers::default();
    answered(&breakers, &scopes("DE", "login/de"), fatal(SpeaksOf::Sender), NOW);
    assert!(breakers.is_open(&scopes("DE", "payment/de"), NOW));
    assert!(!breakers.is_open(&scopes("FR", "login/de"), NOW));
    answered(&breakers, &scopes("FR", "login/de"), fatal(SpeaksOf::Account), NOW);
    assert!(breakers.is_open(&scopes("US", "login/en"), NOW));
}

#[test]
fn a_person_and_good_outcomes_leave_no_trace() {
    let breakers = Breakers::default();
    for _ in 0..30 {
        let absent = Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable);
        answered(&breakers, &scopes("DE", "login/de"), Outcome::Failed(absent), NOW);
        answered(&breakers, &scopes("DE", "login/de"), Outcome::Accepted, NOW);
    }
    assert!(breakers.own().is_empty());
}

#[test]
fn whoever_is_refused_by_one_holds_no_probe_of_another() {
    let breakers = Breakers::default();
    answered(&breakers, &scopes("DE", "login/de"), fatal(SpeaksOf::Account), NOW);
    let rested = NOW + Duration::from_secs(5);
    let mut all = scopes("DE", "login/de");
    answered(&breakers, &all[1..2], fatal(SpeaksOf::Sender), rested);
    let account_rested = NOW + Duration::from_secs(11);
    assert!(matches!(breakers.permits(&all, account_rested), Permit::Refused { .. }), "the way still rests");
    all.truncate(1);
    assert_eq!(breakers.permits(&all, account_rested), Permit::Probe, "the account's probe was given back");
}

#[test]
fn rte_20_what_one_process_opens_is_open_for_another_and_closes_again() {
    let (one, other) = (Breakers::default(), Breakers::default());
    for of in [SpeaksOf::Account, SpeaksOf::Sender, SpeaksOf::Template] {
        let changes = answered(&one, &scopes("DE", "login/de"), fatal(of), NOW);
        assert_eq!(changes.len(), 1, "{of}");
        other.learn(&entries(&changes));
        assert!(other.is_open(&scopes("DE", "login/de"), NOW));
        let told = other.not_closed(NOW);
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0].scope, told[0].cause), (&changes[0].scope, changes[0].cause));
        assert_eq!(told[0].cause.unwrap().vendor_code, Some(132_001.into()));
        assert!(matches!(other.permits(&scopes("DE", "login/de"), NOW), Permit::Refused { .. }));
        let rested = NOW + Duration::from_secs(11);
        assert!(!other.is_open(&scopes("DE", "login/de"), rested));
        assert_eq!(other.permits(&scopes("DE", "login/de"), rested), Permit::Probe);
        assert!(matches!(other.permits(&scopes("DE", "login/de"), rested), Permit::Refused { .. }));
        answered(&other, &scopes("DE", "login/de"), Outcome::Accepted, rested);
        assert_eq!(other.permits(&scopes("DE", "login/de"), rested), Permit::Granted);
        one.own().clear();
    }
}

#[test]
fn what_a_receipt_opened_elsewhere_is_not_closed_by_an_answer_here() {
    let (receipts, worker) = (Breakers::default(), Breakers::default());
    let all = scopes("US", "login/en");
    let changes = receipts.record(&all, fatal(SpeaksOf::Sender), Witness::Receipt, NOW, NOW);
    worker.learn(&entries(&changes));
    assert!(matches!(worker.permits(&all, NOW), Permit::Refused { .. }));
    let rested = NOW + Duration::from_secs(11);
    assert_eq!(worker.permits(&all, rested), Permit::Probe);
    assert!(answered(&worker, &all, Outcome::Accepted, rested).is_empty());
    assert!(matches!(worker.permits(&all, rested), Permit::Refused { .. }), "its receipt decides");
    let later = rested + Duration::from_secs(3);
    let again = receipts.record(&all, fatal(SpeaksOf::Sender), Witness::Receipt, rested, later);
    assert_eq!(again[0].state, State::Open { until: later + Duration::from_secs(20) });
    worker.learn(&entries(&again));
    let refused = worker.permits(&all, later + Duration::from_secs(19));
    assert_eq!(refused, Permit::Refused { until: later + Duration::from_secs(20) });
}

#[test]
fn receipts_on_what_was_sent_before_a_door_was_mended_do_not_shut_it_again() {
    let breakers = Breakers::default();
    let all = scopes("US", "login/en");
    let receipt = |outcome, sent_at, now| breakers.record(&all, outcome, Witness::Receipt, sent_at, now);
    receipt(fatal(SpeaksOf::Sender), NOW, NOW);
    let probed = NOW + Duration::from_secs(11);
    assert_eq!(breakers.permits(&all, probed), Permit::Probe);
    let mended = probed + Duration::from_secs(2);
    assert_eq!(receipt(Outcome::Accepted, probed, mended).len(), 1);
    let late = mended + Duration::from_secs(60);
    assert!(receipt(fatal(SpeaksOf::Sender), NOW - Duration::from_secs(5), late).is_empty());
    assert!(!breakers.is_open(&all, late));
}

#[test]
fn an_entry_of_an_older_process_is_read_and_a_damaged_one_left_out() {
    let breakers = Breakers::default();
    let entry = |key: &str, value: &str| BoardEntry { key: key.to_owned(), value: value.into() };
    breakers.learn(&[
        entry("alpha|fax|DE", "9000000"),
        entry("alpha|sms|DE|a|b", "9000000"),
        entry("alpha|sms", "9000000"),
        entry("alpha|sms|DE", "soon"),
        entry("alpha|voice|DE", "9000000"),
        entry("alpha|rcs|DE", "9000000|answer|odd|account|1"),
    ]);
    let told = breakers.not_closed(NOW);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|one| one.cause.is_none()));
}
