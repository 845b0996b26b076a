#![allow(clippy::unwrap_used)]

use otter_domain::{
    ChoiceReason, Ending, Exclusion, Moment, PartitionCount, ProviderReference, RecipientRef,
};
use otter_store::bounds;
use otter_store_testkit::fixture::{
    CODE, NUMBER, accepted, ended, planned, sealer, seconds, typical_plan, verification, with_every_field,
};

use super::*;

const NOW: Moment = Moment::from_millis(1_767_225_600_000);

/// The fields of [`everything`] as format 1 keeps them, packed, in hex.
const GOLDEN: &str = include_str!("../tests/golden/fields-1.hex");

/// The same from before a lane could be full.
const GOLDEN_BEFORE_FULL_LANES: &str = include_str!("../tests/golden/fields-1-before-full-lanes.hex");

/// The same from before a class of channel could be shut.
const GOLDEN_BEFORE_SHUT_CLASSES: &str = include_str!("../tests/golden/fields-1-before-shut-classes.hex");

fn everything() -> Verification {
    let mut verification = with_every_field(PartitionCount::DEFAULT.at(7).unwrap(), NOW);
    verification.id = VerificationId::parse("018f2c5a-7b1e-7007-9d2e-4f5a6b7c8d9e").unwrap();
    verification.recipient = RecipientRef::from_hash([9; 8]);
    verification
}

fn fields(verification: &Verification) -> Fields {
    Fields::of(verification, Nonce(0x0102_0304_0506_0708), &sealer())
}

/// The same from before the plan outlived the end.
const GOLDEN_BEFORE_LASTING_PLANS: &str = include_str!("../tests/golden/fields-1-before-lasting-plans.hex");

/// Everything of the verification that the fields hold.
fn whole(fields: &Fields) -> Verification {
    let mut verification = fields.without_private().unwrap().unwrap();
    fields.unseal(&mut verification, &sealer()).unwrap();
    verification
}

/// What these fields were made of that were once kept.
fn kept(golden: &str) -> Verification {
    whole(&rmp_serde::from_slice(&hex::decode(golden.trim()).unwrap()).unwrap())
}

#[test]
fn every_field_survives() {
    assert_eq!(whole(&fields(&everything())), everything());
}

#[test]
fn when_a_provider_is_asked_once_more_survives() {
    let mut asked_again = everything();
    asked_again.attempts[0].again_at = Some(NOW + seconds(3));
    assert_eq!(whole(&fields(&asked_again)), asked_again);
}

#[test]
fn fields_are_kept_as_they_always_were_and_stay_readable() {
    let packed = pack(&fields(&everything())).unwrap();
    assert_eq!(hex::encode(packed), GOLDEN.trim());
    assert_eq!(kept(GOLDEN), everything());
}

#[test]
fn fields_of_before_stay_readable() {
    let mut everything = everything();
    everything.acceptance.as_mut().unwrap().resend_allowed_at = None;
    assert_eq!(kept(GOLDEN_BEFORE_LASTING_PLANS), everything);
    let mut leave_out = |later: &[Exclusion]| {
        let is_later =
            |reason: &ChoiceReason| later.iter().any(|later| *reason == ChoiceReason::Excluded(*later));
        let considered = &mut everything.acceptance.as_mut().unwrap().plan.considered;
        considered.retain(|considered| !is_later(&considered.reason));
        everything.clone()
    };
    let without = leave_out(&[Exclusion::ChecksLocked, Exclusion::ChecksWaiting]);
    assert_eq!(kept(GOLDEN_BEFORE_SHUT_CLASSES), without);
    assert_eq!(kept(GOLDEN_BEFORE_FULL_LANES), leave_out(&[Exclusion::LaneFull]));
}

#[test]
fn the_code_can_be_erased_and_the_number_kept() {
    let fields = Fields { c: None, ..fields(&everything()) };
    let verification = whole(&fields);
    let private = everything().private.map(|private| Private { code: None, ..private });
    assert_eq!(verification, Verification { private, ..everything() });
}

#[test]
fn a_seal_that_does_not_open_hides_only_what_is_sealed() {
    let mut damaged = fields(&everything());
    damaged.b.as_mut().unwrap()[40] ^= 1;
    assert!(damaged.unseal(&mut everything(), &sealer()).is_err());
    let legible = damaged.legible(&sealer()).unwrap().unwrap();
    assert_eq!(legible, Verification { private: None, ..everything() });
}

#[test]
fn neither_number_nor_code_is_readable() {
    let packed = pack(&fields(&everything())).unwrap();
    let shows = |needle: &str| packed.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(!shows(&NUMBER[1..]) && !shows(CODE) && !shows("DE89370400440532013000"));
}

#[test]
fn a_later_format_is_named_as_such() {
    let mut later = fields(&everything());
    let mut readable: Readable = rmp_serde::from_slice(later.r.as_ref().unwrap()).unwrap();
    readable.format = 9;
    later.r = Some(ByteBuf::from(pack(&readable).unwrap()));
    let error = later.without_private().unwrap_err().to_string();
    assert!(error.contains("its format is 9, this process reads up to 1"), "{error}");
}

#[test]
fn a_finished_verification_with_two_attempts_is_within_its_budget() {
    let reference = ProviderReference::parse("SM0123456789abcdef0123456789abcdef").ok();
    let mut attempts = vec![accepted(1, "twilio-eu", NOW), accepted(2, "vonage", NOW + seconds(31))];
    attempts[0].reference = reference;
    let opened = verification(PartitionCount::DEFAULT.at(7).unwrap(), NOW, attempts);
    let opened = planned(opened, typical_plan());
    let kept = fields(&ended(opened, Ending::Verified { by: None }, NOW + seconds(40)));
    let bytes = kept.r.unwrap().len();
    println!("{bytes} bytes");
    assert!(bytes <= bounds::FINISHED, "{bytes} bytes");
    assert_eq!((kept.b, kept.c), (None, None));
}
