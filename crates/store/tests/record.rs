//! Records: nothing is lost, nothing private is readable, old ones stay readable, finished ones are small.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use otter_domain::{
    Attempt, ChoiceReason, Ending, Exclusion, FailureClass, KeyId, Moment, PartitionCount, ProviderReference,
    Revocation, Verification, VerificationId,
};
use otter_store::{Error, Keyring, Record, Sealer, bounds, event_record};
use otter_store_testkit::fixture::{
    self, CODE, NUMBER, accepted, ended, every_happening, nth, planned, sealer, seconds, typical_plan,
    verification, with_every_field,
};
use proptest::prelude::*;

const NOW: Moment = Moment::from_millis(1_767_225_600_000);

fn everything() -> Verification {
    let mut verification = with_every_field(PartitionCount::DEFAULT.at(7).unwrap(), NOW);
    verification.id = VerificationId::parse("018f2c5a-7b1e-7007-9d2e-4f5a6b7c8d9e").unwrap();
    verification.recipient = otter_domain::RecipientRef::from_hash([9; 8]);
    verification
}

fn sealer_with(current: u8, keys: &[u8]) -> Sealer {
    let keys = keys.iter().map(|key| (KeyId(*key), [*key; 32]));
    Sealer::new(Keyring::new(KeyId(current), keys).unwrap(), Arc::new(|| [5; 24]))
}

#[test]
fn every_field_survives_a_record() {
    let (verification, sealer) = (everything(), sealer());
    let bytes = sealer.record(&verification).encode();
    assert_eq!(sealer.verification(&Record::decode(&bytes).unwrap()).unwrap(), verification);
}

#[test]
fn what_is_known_of_earlier_tries_survives_a_record_and_costs_nothing_where_there_is_none() {
    let without = sealer().record(&everything()).encode().len();
    let check = |change: fn(&mut Attempt), cost: usize| {
        let mut verification = everything();
        change(&mut verification.attempts[0]);
        let bytes = sealer().record(&verification).encode();
        assert_eq!(sealer().verification(&Record::decode(&bytes).unwrap()).unwrap(), verification);
        assert_eq!(bytes.len(), without + cost);
    };
    check(|attempt| attempt.refused = Some(FailureClass::Throttled), "throttled".len() + 3);
    // Three seconds as milliseconds since it began.
    check(|attempt| attempt.again_at = Some(NOW + seconds(3)), 5);
}

#[test]
fn a_record_shows_neither_number_nor_code() {
    let bytes = sealer().record(&everything()).encode();
    let find = |needle: &str| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(!find(&NUMBER[1..]) && !find(CODE) && !find("DE89370400440532013000"));
    let shown = format!("{:?} {:?}", sealer().record(&everything()), sealer());
    assert!(!shown.contains(CODE) && !shown.contains(&NUMBER[1..]));
}

#[test]
fn without_the_body_everything_else_is_readable() {
    let verification = everything();
    let public = sealer().record(&verification).without_private().unwrap();
    assert_eq!(public, Verification { private: None, ..verification });
}

#[test]
fn a_body_opens_only_in_its_own_record_and_under_its_own_key() {
    let verification = everything();
    let record = sealer_with(1, &[1]).record(&verification);
    let rotated = sealer_with(2, &[1, 2]);
    assert_eq!(rotated.verification(&record).unwrap(), verification, "an old key still opens");
    assert_eq!(rotated.record(&verification).body.unwrap()[1], 2, "the current key seals");

    let unreadable = |sealer: Sealer, record: &Record| match sealer.verification(record) {
        Err(Error::Unreadable { why }) => why,
        other => panic!("expected an unreadable record, got {other:?}"),
    };
    assert!(unreadable(sealer_with(2, &[2]), &record).contains("key 1, which is not configured"));
    let mut moved = record.clone();
    moved.plain.id[15] ^= 1;
    assert!(unreadable(sealer_with(1, &[1]), &moved).contains("does not open"));
    let mut cut = record;
    cut.body.as_mut().unwrap().truncate(20);
    assert!(unreadable(sealer_with(1, &[1]), &cut).contains("too short"));
}

#[test]
fn a_ring_without_its_current_key_is_refused() {
    assert!(matches!(Keyring::new(KeyId(3), [(KeyId(1), [0; 32])]), Err(Error::Unsuitable { .. })));
}

#[test]
fn a_record_of_a_later_format_is_named_as_such() {
    let mut bytes = sealer().record(&everything()).encode();
    bytes[0] = 9;
    let error = Record::decode(&bytes).unwrap_err().to_string();
    assert!(error.contains("its format is 9, this process reads up to 1"), "{error}");
}

#[test]
fn a_finished_record_with_two_attempts_is_within_its_budget() {
    let reference = ProviderReference::parse("SM0123456789abcdef0123456789abcdef").ok();
    let mut attempts = vec![accepted(1, "twilio-eu", NOW), accepted(2, "vonage", NOW + seconds(31))];
    for attempt in &mut attempts {
        attempt.reference.clone_from(&reference);
        attempt.revocation = Revocation::Settled;
    }
    let pending = verification(PartitionCount::DEFAULT.at(7).unwrap(), NOW, attempts);
    let pending = planned(pending, typical_plan());
    let finished = ended(pending, Ending::Verified { by: Some(nth(2)) }, NOW + seconds(40));
    let length = sealer().record(&finished).encode().len();
    println!("{length} bytes");
    assert!(length <= bounds::FINISHED, "{length} bytes");
}

#[test]
fn a_record_of_format_1_stays_readable() {
    let golden = include_str!("golden/record-v1.hex").replace('\n', "");
    let record = Record::decode(&hex::decode(golden).unwrap()).unwrap();
    assert_eq!(sealer_with(1, &[1]).verification(&record).unwrap(), everything());
}

/// Everything, but for reasons that were not known yet, and for when a resend was allowed.
fn everything_without(reasons: &[Exclusion]) -> Verification {
    let mut everything = everything();
    let acceptance = everything.acceptance.as_mut().unwrap();
    acceptance.resend_allowed_at = None;
    let plan = &mut acceptance.plan;
    let is_later =
        |reason: &ChoiceReason| reasons.iter().any(|later| *reason == ChoiceReason::Excluded(*later));
    plan.considered.retain(|considered| !is_later(&considered.reason));
    everything
}

#[test]
fn records_of_before_stay_readable() {
    let read = |golden: &str| {
        let record = Record::decode(&hex::decode(golden.replace('\n', "")).unwrap()).unwrap();
        sealer_with(1, &[1]).verification(&record).unwrap()
    };
    assert_eq!(read(include_str!("golden/record-v1-before-lasting-plans.hex")), everything_without(&[]));
    let before = [Exclusion::LaneFull, Exclusion::ChecksLocked, Exclusion::ChecksWaiting];
    assert_eq!(
        read(include_str!("golden/record-v1-before-shut-classes.hex")),
        everything_without(&before[1..])
    );
    assert_eq!(read(include_str!("golden/record-v1-before-full-lanes.hex")), everything_without(&before));
}

#[test]
fn format_1_is_still_what_is_written() {
    let bytes = sealer_with(1, &[1]).record(&everything()).encode();
    let lines: Vec<_> = hex::encode(bytes).as_bytes().chunks(120).map(<[u8]>::to_vec).collect();
    let text = String::from_utf8(lines.join(&b'\n')).unwrap();
    assert_eq!(text, include_str!("golden/record-v1.hex").trim_end());
}

#[test]
fn an_event_of_every_kind_survives_its_fields() {
    for happening in every_happening(&everything(), NOW) {
        let fields = event_record::fields(&happening);
        let pairs = fields.iter().rev().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(event_record::happening(pairs).unwrap(), happening);
    }
}

#[test]
fn the_fields_of_events_stay_what_they_are() {
    let text: Vec<String> = every_happening(&everything(), NOW)
        .iter()
        .map(|happening| {
            let fields = event_record::fields(happening);
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(text.join("\n"), include_str!("golden/events-v1.txt").trim_end());
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Record::decode(&bytes);
        let _ = sealer().open(fixture::id(PartitionCount::DEFAULT.at(0).unwrap(), NOW), &bytes);
    }

    #[test]
    fn a_damaged_record_is_refused_or_reads_as_a_record(place in 0_usize..1_000, bit in 0_u8..8) {
        let mut bytes = sealer().record(&everything()).encode();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        if let Ok(record) = Record::decode(&bytes) {
            let _ = sealer().verification(&record);
        }
    }
}
