//! Codes, their digests, and the other keyed hashes that stand in for what must not be stored.
//!
//! Every hash is HMAC-SHA-256 over length-prefixed fields, the first of which names its purpose: the same key never
//! gives the same hash for two uses. The forms are fixed by vectors; they outlive the process that made them.

use otter_domain::{
    AttemptNumber, Code, Digest, MessageId, Partition, PhoneNumber, RecipientRef, Secret, VerificationId,
};
use subtle::ConstantTimeEq;

use crate::keyed;

/// The stored form of a code, bound to its verification, purpose and context (SEC-06, SEC-14, DOMAIN 1.3).
///
/// `context` is the canonical form of the verification's context.
pub fn digest(pepper: &[u8], id: VerificationId, purpose: &str, context: &str, code: &Code) -> Digest {
    let id = id.to_string();
    let fields = ["otp/v1", &id, purpose, context, code.reveal()];
    Digest(keyed::hash(pepper, fields.map(str::as_bytes)))
}

/// Whether two digests are equal, in constant time (SEC-08).
pub fn matches(one: &Digest, other: &Digest) -> bool {
    one.0.ct_eq(&other.0).into()
}

/// Draws a uniform code of `digits` digits (SEC-01); a length outside 6 to 10 is taken for the nearest bound.
///
/// `random` must come from a CSPRNG: every value of `u32` equally likely. Each digit takes one value; the few values
/// at the top that would favour small digits are drawn again.
pub fn code_from_random(random: &mut impl FnMut() -> u32, digits: u8) -> Code {
    let length = usize::from(digits.clamp(6, 10));
    let mut text = String::with_capacity(length);
    text.extend((0..length).map(|_| char::from(b'0' + digit(random))));
    Code::parse(Secret::new(text).reveal()).expect("6 to 10 digits are a code")
}

fn digit(random: &mut impl FnMut() -> u32) -> u8 {
    const FAIR: u32 = u32::MAX - u32::MAX % 10;
    loop {
        let value = random();
        if value < FAIR {
            return (value % 10) as u8;
        }
    }
}

/// The keyed hash of a request's fields, to tell a repeat from another request under the same `request_id` (SEC-13).
pub fn fingerprint(key: &[u8], fields: &[&[u8]]) -> [u8; 32] {
    keyed::hash(key, std::iter::once(b"fingerprint/v1".as_slice()).chain(fields.iter().copied()))
}

/// What a number is called in keys, logs and records.
pub fn recipient_ref(install_key: &[u8], number: &PhoneNumber) -> RecipientRef {
    recipient_of(install_key, &number.identity())
}

/// The hash that chooses a number's partition; independent of [`recipient_ref`], so neither tells the other.
pub fn partition_hash(install_key: &[u8], number: &PhoneNumber) -> u64 {
    partition_of(install_key, &number.identity())
}

/// Where what was counted for a person is that a release before knew by another number: name and partition hash.
/// `None` for the many who were always known by the same.
pub fn former_recipient(install_key: &[u8], number: &PhoneNumber) -> Option<(RecipientRef, u64)> {
    let former = number.former_identity()?;
    Some((recipient_of(install_key, &former), partition_of(install_key, &former)))
}

fn recipient_of(install_key: &[u8], identity: &str) -> RecipientRef {
    let fields = ["recipient/v1", identity].map(str::as_bytes);
    RecipientRef::from_hash(keyed::truncated(keyed::hash(install_key, fields)))
}

fn partition_of(install_key: &[u8], identity: &str) -> u64 {
    let fields = ["partition/v1", identity].map(str::as_bytes);
    u64::from_be_bytes(keyed::truncated(keyed::hash(install_key, fields)))
}

/// The id that a vendor is given for an attempt's message where only a UUID of ours fits. A repeat gives the same id.
pub fn message_id(key: &[u8], id: VerificationId, attempt: AttemptNumber, partition: Partition) -> MessageId {
    let hash = keyed::hash(key, [b"message/v1".as_slice(), id.as_bytes(), &[attempt.get()]]);
    MessageId::from_hash(partition, keyed::truncated(hash))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::PartitionCount;
    use proptest::prelude::*;

    use super::*;

    fn key() -> Vec<u8> {
        (0..32).collect()
    }

    fn id() -> VerificationId {
        VerificationId::parse("018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e").unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn number() -> PhoneNumber {
        PhoneNumber::parse("+4915112345678").unwrap()
    }

    #[test]
    fn sec_14_digests_are_those_of_the_published_vectors() {
        let check = |purpose: &str, context: &str, expected: &str| {
            let code = Code::parse("042137").unwrap();
            assert_eq!(
                hex(&digest(&key(), id(), purpose, context, &code).0),
                expected,
                "{purpose} {context}"
            );
        };
        check("login", "", "2e96cad01e17133b7e2c8e1acfdf6c7a25335954187c08362f99b73808f55ce9");
        let payment = |cents: u32| format!("EUR|{cents}|DE89370400440532013000");
        check("payment", &payment(4999), "19b11dd0cde85ed8bf3545652bcab43b78f8d8ece1ce183953c9b6599df7c5f0");
        check("payment", &payment(5000), "7f30fcb553817df9359727e0a48747a6a21a849e341711bd437cd1e0edc95c86");
    }

    #[test]
    fn keyed_names_never_change() {
        assert_eq!(recipient_ref(&key(), &number()).as_str(), "eb0ebd663d561c09");
        assert_eq!(former_recipient(&key(), &number()), None);
    }

    #[test]
    fn one_person_is_one_recipient_in_every_form_of_the_number() {
        let named = |text: &str| {
            let number = PhoneNumber::parse(text).unwrap();
            (
                recipient_ref(&key(), &number),
                partition_hash(&key(), &number),
                former_recipient(&key(), &number),
            )
        };
        assert_eq!(named("+52 1 55 1234 5678"), named("+52 55 1234 5678"));
        assert_eq!(named("+54 11 6907 1234"), named("+54 9 11 6907 1234"));
        assert_eq!(named("+54 11 15 6907 1234"), named("+54 9 11 6907 1234"));
        assert_eq!(named("+55 11 8123 4567"), named("+55 11 98123 4567"));
        let (recipient, partition, former) = named("+52 55 1234 5678");
        let (former_recipient, former_partition) = former.unwrap();
        assert!(recipient != former_recipient && partition != former_partition);
        assert_eq!(partition_hash(&key(), &number()), 0x60e5_19aa_bf93_9897);
        assert_eq!(
            hex(&fingerprint(&key(), &[b"a", b"bc"])),
            "7c5a76e09683db147ce8670b2ff533ce1bf300c691dc00f81cd95cd3202fe79e"
        );
        let partition = PartitionCount::DEFAULT.at(7).unwrap();
        let message = message_id(&key(), id(), AttemptNumber::FIRST, partition);
        assert_eq!(message.to_string(), "f5ab651d-e88e-8007-a860-68deef2234c3");
        assert_eq!(message.partition_index(), 7);
    }

    #[test]
    fn sec_01_values_that_would_favour_small_digits_are_drawn_again() {
        let mut values = [u32::MAX, u32::MAX - 5, 0, 14, 2, 1, 3, 4_294_967_289].into_iter();
        let code = code_from_random(&mut || values.next().unwrap(), 6);
        assert_eq!(code.reveal(), "042139");
        assert_eq!(values.next(), None);
    }

    /// Numbers without a pattern for tests (splitmix64).
    fn dice(seed: u64) -> impl FnMut() -> u32 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) >> 32) as u32
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn sec_01_every_digit_is_as_likely_in_every_place(seed: u64) {
            let mut random = dice(seed);
            let mut counts = [[0_u32; 10]; 6];
            for _ in 0..2_000 {
                let code = code_from_random(&mut random, 6);
                for (place, digit) in code.reveal().bytes().enumerate() {
                    counts[place][usize::from(digit - b'0')] += 1;
                }
            }
            for place in counts {
                let off = |count: u32| (f64::from(count) - 200.0).powi(2) / 200.0;
                let chi_square: f64 = place.into_iter().map(off).sum();
                // 9 degrees of freedom exceed 60 about once in a billion draws.
                prop_assert!(chi_square < 60.0, "{:?}", place);
            }
        }

        #[test]
        fn sec_01_a_code_has_the_length_asked_for_within_the_bounds(seed: u64, digits: u8) {
            let code = code_from_random(&mut dice(seed), digits);
            prop_assert_eq!(code.reveal().len(), usize::from(digits.clamp(6, 10)));
        }

        #[test]
        fn sec_14_another_purpose_context_code_or_verification_has_another_digest(
            purpose in "[a-z]{1,4}", context in "[a-z|]{0,4}", other_purpose in "[a-z]{1,4}", other_context in "[a-z|]{0,4}",
        ) {
            let code = Code::parse("042137").unwrap();
            let one = digest(&key(), id(), &purpose, &context, &code);
            let other = digest(&key(), id(), &other_purpose, &other_context, &code);
            prop_assert_eq!(matches(&one, &other), (purpose.clone(), context.clone()) == (other_purpose, other_context));
            let other_code = digest(&key(), id(), &purpose, &context, &Code::parse("042138").unwrap());
            prop_assert!(!matches(&one, &other_code));
        }

        #[test]
        fn fields_do_not_run_into_each_other(left in "[ab]{0,3}", right in "[ab]{0,3}", cut in 0_usize..4) {
            let whole = format!("{left}{right}");
            let (start, end) = whole.split_at(cut.min(whole.len()));
            let one = fingerprint(b"key", &[left.as_bytes(), right.as_bytes()]);
            let other = fingerprint(b"key", &[start.as_bytes(), end.as_bytes()]);
            prop_assert_eq!(one == other, start == left);
        }
    }
}
