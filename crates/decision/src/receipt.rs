//! The merge of a receipt: the executable specification of the one atomic step that every store takes.
//!
//! Receipts come early, late, twice, never, or lie. An attempt keeps the strongest report and never goes back (RTE-01);
//! that holds for ended verifications too, whose state no receipt changes.

use otter_domain::{
    Attempt, AttemptNumber, HappeningKind, Measure, Moment, Observation, ProviderName, Receipt,
    ReceiptStatus, Segment, Verification, latency_bin,
};

/// What a receipt changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// Nothing: the verification has no such attempt, or it never left, or another provider carries it.
    Unknown,
    /// Nothing: as much or more was known before.
    Stale,
    /// The attempt's receipt.
    Advanced {
        /// The outcome to be counted, when the receipt is the first to say that the message arrived or that it will not.
        observation: Option<Observation>,
        /// What is to be told.
        happening: HappeningKind,
    },
}

/// Merges a report of `provider` on one attempt; `receipt.at` is the present moment on the store's clock.
///
/// The version stays: a receipt is no conflict for what was decided before it came, and no commit lowers one. A
/// repeated report changes nothing. A message that was reported lost and arrives after all is counted as both.
pub fn merge(
    verification: &mut Verification,
    attempt: AttemptNumber,
    provider: &ProviderName,
    receipt: Receipt,
) -> Merge {
    let country = verification.country;
    let Some(attempt) = verification.attempts.get_mut(attempt.index()) else { return Merge::Unknown };
    let Some(claimed_at) = attempt.claimed_at.filter(|_| attempt.provider == *provider) else {
        return Merge::Unknown;
    };
    if attempt.receipt.is_some_and(|known| known.status.rank() >= receipt.status.rank()) {
        return Merge::Stale;
    }
    let observation = news(attempt, &receipt, claimed_at).map(|measure| Observation {
        segment: Segment { provider: provider.clone(), channel: attempt.channel, country },
        attempted_at: claimed_at,
        measure,
    });
    attempt.receipt = Some(receipt);
    let happening = HappeningKind::ReceiptMerged {
        attempt: attempt.number,
        provider: provider.clone(),
        channel: attempt.channel,
        status: receipt.status,
    };
    Merge::Advanced { observation, happening }
}

/// What a receipt is the first to say: that the message arrived, or that it will not.
fn news(attempt: &Attempt, receipt: &Receipt, claimed_at: Moment) -> Option<Measure> {
    let known = attempt.receipt.map(|known| known.status);
    let first_positive = receipt.status.is_positive() && !known.is_some_and(ReceiptStatus::is_positive);
    let first_negative = receipt.status.is_negative() && !known.is_some_and(ReceiptStatus::is_negative);
    if first_positive {
        Some(Measure::Delivered(latency_bin(receipt.at.since(claimed_at))))
    } else {
        first_negative.then_some(Measure::Undelivered)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{Ending, ErrorClass, Failure, FailureClass, State};
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{T0, after, attempt, provider, verification};

    fn report(status: ReceiptStatus, seconds: u64) -> Receipt {
        Receipt { status, at: after(seconds), because: None }
    }

    fn advanced(merge: Merge) -> Option<Measure> {
        match merge {
            Merge::Advanced { observation, .. } => observation.map(|observation| observation.measure),
            Merge::Unknown | Merge::Stale => {
                panic!("expected the receipt to advance the attempt, got {merge:?}")
            }
        }
    }

    #[test]
    fn rte_01_a_delivery_after_a_failure_wins_and_a_failure_after_a_delivery_changes_nothing() {
        let mut state = verification(vec![attempt(1, "twilio-eu")]);
        let number = AttemptNumber::FIRST;
        let because = Some(Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable));
        let lost = Receipt { because, ..report(ReceiptStatus::Undelivered, 3) };
        assert_eq!(
            advanced(merge(&mut state, number, &provider("twilio-eu"), lost)),
            Some(Measure::Undelivered)
        );
        assert_eq!(state.attempts[0].receipt, Some(lost));
        let arrived = report(ReceiptStatus::Delivered, 4);
        let measure = advanced(merge(&mut state, number, &provider("twilio-eu"), arrived));
        assert_eq!(measure, Some(Measure::Delivered(3)), "4 s after the claim");
        assert_eq!(merge(&mut state, number, &provider("twilio-eu"), lost), Merge::Stale);
        assert_eq!(state.attempts[0].receipt, Some(arrived));
    }

    #[test]
    fn an_early_receipt_lands_before_the_send_was_booked() {
        let mut state = verification(vec![attempt(1, "twilio-eu")]);
        state.attempts[0].phase = crate::fixture::claimed();
        let merged =
            merge(&mut state, AttemptNumber::FIRST, &provider("twilio-eu"), report(ReceiptStatus::Sent, 0));
        assert_eq!(advanced(merged), None, "being sent on is no outcome");
        assert!(state.attempts[0].receipt.is_some());
    }

    #[test]
    fn a_receipt_for_what_was_never_handed_over_is_unknown() {
        let mut state = verification(vec![attempt(1, "twilio-eu")]);
        let delivered = report(ReceiptStatus::Delivered, 1);
        let second = AttemptNumber::new(2).unwrap();
        assert_eq!(merge(&mut state, second, &provider("twilio-eu"), delivered), Merge::Unknown);
        assert_eq!(merge(&mut state, AttemptNumber::FIRST, &provider("other"), delivered), Merge::Unknown);
        state.attempts[0].claimed_at = None;
        assert_eq!(
            merge(&mut state, AttemptNumber::FIRST, &provider("twilio-eu"), delivered),
            Merge::Unknown
        );
    }

    #[test]
    fn a_late_receipt_is_recorded_without_waking_an_ended_verification() {
        let mut state = verification(vec![attempt(1, "twilio-eu")]);
        state.state = State::Ended { how: Ending::Expired, at: T0 };
        let late =
            merge(&mut state, AttemptNumber::FIRST, &provider("twilio-eu"), report(ReceiptStatus::Read, 900));
        assert_eq!(advanced(late), Some(Measure::Delivered(16)));
        assert_eq!(state.state, State::Ended { how: Ending::Expired, at: T0 });
    }

    proptest! {
        #[test]
        fn rte_01_receipts_in_any_order_and_number_leave_the_strongest_and_count_each_outcome_once(
            ranks in proptest::collection::vec(1_u8..=5, 0..12),
        ) {
            let mut state = verification(vec![attempt(1, "twilio-eu")]);
            let mut counted = Vec::new();
            for (second, rank) in ranks.iter().enumerate() {
                let before = state.clone();
                let receipt = report(ReceiptStatus::of_rank(*rank).unwrap(), second as u64);
                match merge(&mut state, AttemptNumber::FIRST, &provider("twilio-eu"), receipt) {
                    Merge::Advanced { observation, .. } => {
                        prop_assert_eq!(state.version, before.version);
                        counted.extend(observation.map(|observation| observation.measure));
                    }
                    Merge::Stale => prop_assert_eq!(&state, &before),
                    Merge::Unknown => prop_assert!(false, "the attempt is known"),
                }
            }
            let strongest = state.attempts[0].receipt.map(|receipt| receipt.status.rank());
            prop_assert_eq!(strongest, ranks.iter().max().copied());
            let arrived = counted.iter().filter(|measure| matches!(measure, Measure::Delivered(_))).count();
            let lost = counted.iter().filter(|measure| **measure == Measure::Undelivered).count();
            prop_assert!(arrived <= 1 && lost <= 1);
            prop_assert_eq!(arrived == 1, ranks.iter().any(|rank| *rank >= 4));
        }
    }
}
