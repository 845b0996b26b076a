#![allow(clippy::unwrap_used)]

use otter_domain::{Channel, Country, LATENCY_BINS, latency_bin};
use proptest::prelude::*;

use super::*;
use crate::fixture::{T0 as NOW, provider};

const TTL: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);

fn segment(channel: Channel, country: &str) -> Segment {
    Segment { provider: provider("twilio-eu"), channel, country: Country::parse(country).unwrap() }
}

/// A cell of its own, to be borrowed.
struct Owned(Moment, Segment, BTreeMap<Measure, u64>);

/// Outcomes of attempts that are this many seconds old on average.
fn aged(seconds: u64, counts: &[(Measure, u64)]) -> Owned {
    let bucket = NOW - Duration::from_secs(seconds) - BUCKET / 2;
    Owned(bucket, segment(Channel::Sms, "DE"), counts.iter().copied().collect())
}

fn cells(owned: &[Owned]) -> impl Iterator<Item = Cell<'_>> + Clone {
    owned.iter().map(|Owned(bucket, segment, counts)| Cell { bucket: *bucket, segment, counts })
}

fn total(owned: &[Owned], curves: &Curves) -> SegmentRates {
    by(|_| (), cells(owned), curves, HOUR, NOW).remove(&()).unwrap()
}

fn unlearnt() -> Curves {
    Curves::learn([], TTL, NOW)
}

/// What a segment teaches: half of its people type their code within 15 s, the others after 30 s.
fn half_by_15_seconds() -> Owned {
    aged(1000, &[(Measure::Accepted, 100), (Measure::Verified(6), 35), (Measure::Verified(9), 35)])
}

fn near(value: f64, expected: f64, tolerance: f64) -> bool {
    (value - expected).abs() <= tolerance
}

#[test]
fn domain_5_3_young_attempts_count_as_far_as_they_had_their_chance() {
    let owned = [half_by_15_seconds(), aged(20, &[(Measure::Accepted, 40), (Measure::Verified(4), 14)])];
    let rates = total(&owned, &Curves::learn(cells(&owned), TTL, NOW));
    assert!(near(rates.conversion.denominator, 120.0, 1e-9), "F(20 s) is 0.5");
    assert!(near(rates.conversion.value.unwrap(), 0.70, 1e-9), "84 / 140 would be 0.60");
    assert_eq!((rates.conversion.count, rates.conversion.of, rates.mature), (84, 140, 100));
    assert_eq!(rates.conversion.basis, Basis::Own);
}

#[test]
fn domain_5_4_a_sparse_segment_is_drawn_towards_its_parent() {
    assert!(near(back_off(3.0, 4.0, 0.82, KAPPA), 0.808, 0.0005), "raw 0.75");
    assert!(near(back_off(0.0, 0.0, 0.82, 0.0), 0.82, 1e-9));
}

#[test]
fn rte_06_the_interval_is_wilsons() {
    let check = |count: u64, of: u64, low: f64, high: f64| {
        let rate = Rate::of(count, of);
        assert!(near(rate.low, low, 0.0005) && near(rate.high, high, 0.0005), "{rate:?}");
    };
    check(0, 10, 0.0, 0.2775);
    check(5, 10, 0.2366, 0.7634);
    check(10, 10, 0.7225, 1.0);
    check(81, 263, 0.2553, 0.3662);
}

#[test]
fn a_share_of_less_than_one_attempt_is_unknown() {
    let curves = Curves::learn(cells(&[half_by_15_seconds()]), TTL, NOW);
    let rates = total(&[aged(1, &[(Measure::Accepted, 3)])], &curves);
    let conversion = rates.conversion;
    assert_eq!((conversion.value, conversion.low, conversion.high, conversion.of), (None, 0.0, 1.0, 3));
    assert_eq!(rates.acceptance.value, Some(1.0), "acceptance is known at once");
}

#[test]
fn until_a_curve_is_learnt_only_what_is_old_enough_counts_and_is_marked() {
    let old = aged(1000, &[(Measure::Accepted, 30), (Measure::Verified(5), 24)]);
    let young = aged(200, &[(Measure::Accepted, 400), (Measure::Verified(4), 399)]);
    let conversion = total(&[old, young], &unlearnt()).conversion;
    assert_eq!((conversion.count, conversion.of, conversion.basis), (24, 30, Basis::Raw));
    assert_eq!(conversion.value, Some(0.8));
    assert!(conversion.low < 0.65 && conversion.high > 0.89, "{conversion:?}");
    let young = aged(200, &[(Measure::Accepted, 400), (Measure::Verified(4), 399)]);
    let conversion = total(&[young], &unlearnt()).conversion;
    assert_eq!((conversion.value, conversion.basis), (None, Basis::Raw));
    assert_eq!((conversion.low, conversion.high), (0.0, 1.0));
}

#[test]
fn a_curve_that_others_taught_is_marked() {
    let curves = Curves::learn(cells(&[half_by_15_seconds()]), TTL, NOW);
    let mut other = aged(100, &[(Measure::Accepted, 40), (Measure::Verified(4), 20)]);
    other.1.provider = provider("newcomer");
    assert_eq!(total(&[other], &curves).conversion.basis, Basis::Borrowed);
}

#[test]
fn rte_04_what_cannot_be_credited_is_in_neither_term_of_conversion() {
    let counts = [
        (Measure::Accepted, 100),
        (Measure::Failed(FailureClass::Rejected), 10),
        (Measure::Uncredited, 60),
        (Measure::Verified(6), 40),
        (Measure::Delivered(2), 90),
    ];
    let rates = total(&[aged(1000, &counts)], &unlearnt());
    assert_eq!((rates.submitted, rates.uncredited, rates.verified), (110, 60, 40));
    assert_eq!((rates.conversion.count, rates.conversion.of, rates.conversion.value), (40, 50, Some(0.8)));
    assert_eq!((rates.delivery.of, rates.delivery.value), (100, Some(0.9)), "receipts name their attempt");
}

#[test]
fn what_was_skipped_is_counted_and_was_not_submitted() {
    let failed = Measure::Failed(FailureClass::Unavailable);
    let rates = total(&[aged(1000, &[(failed, 5), (Measure::Skipped, 95)])], &unlearnt());
    assert_eq!((rates.submitted, rates.skipped), (5, 95));
    assert_eq!((rates.acceptance.of, rates.acceptance.value), (5, Some(0.0)));
}

#[test]
fn every_outcome_is_counted_where_it_belongs() {
    let rates = total(
        &[aged(
            1000,
            &[
                (Measure::Accepted, 80),
                (Measure::Failed(FailureClass::Ambiguous), 10),
                (Measure::Failed(FailureClass::Rejected), 10),
                (Measure::Delivered(2), 40),
                (Measure::Delivered(16), 5),
                (Measure::Undelivered, 7),
                (Measure::Verified(6), 50),
            ],
        )],
        &unlearnt(),
    );
    assert_eq!((rates.submitted, rates.accepted, rates.mature), (100, 80, 90));
    assert_eq!(
        (rates.delivered, rates.undelivered, rates.verified),
        (50, 7, 50),
        "an entered code has arrived"
    );
    assert_eq!(rates.failed[&FailureClass::Rejected], 10);
    assert!(near(rates.acceptance.value.unwrap(), 0.8, 1e-9));
    assert!(near(rates.delivery.value.unwrap(), 50.0 / 90.0, 1e-9));
    assert!(near(rates.conversion.value.unwrap(), 0.5, 1e-9));
}

#[test]
fn a_window_holds_the_buckets_that_began_in_it() {
    let owned = [
        aged(10, &[(Measure::Accepted, 1)]),
        aged(54, &[(Measure::Accepted, 2)]),
        aged(55, &[(Measure::Accepted, 4)]),
    ];
    let accepted = |window: u64| {
        let rates = by(|_| (), cells(&owned), &unlearnt(), Duration::from_secs(window), NOW);
        rates.get(&()).map(|rates| rates.accepted)
    };
    assert_eq!(accepted(60), Some(3));
    assert_eq!(accepted(300), Some(7));
    assert_eq!(accepted(10), None);
}

#[test]
fn segments_are_told_apart_as_asked() {
    let mut other = aged(30, &[(Measure::Accepted, 5)]);
    other.1 = segment(Channel::Rcs, "DE");
    let owned = [aged(30, &[(Measure::Accepted, 1)]), aged(40, &[(Measure::Accepted, 2)]), other];
    let by_channel = by(|segment| segment.channel, cells(&owned), &unlearnt(), HOUR, NOW);
    let counts: Vec<_> = by_channel.iter().map(|(channel, rates)| (*channel, rates.accepted)).collect();
    assert_eq!(counts, [(Channel::Sms, 3), (Channel::Rcs, 5)]);
    assert_eq!(by(Segment::clone, cells(&owned), &unlearnt(), HOUR, NOW).len(), 2);
}

#[test]
fn a_curve_is_its_segments_or_its_countrys_or_its_channels_or_not_known() {
    let mut french = aged(900, &[(Measure::Verified(2), 10)]);
    french.1 = segment(Channel::Sms, "FR");
    let young = aged(10, &[(Measure::Delivered(0), 1_000)]);
    let curves = Curves::learn(cells(&[aged(900, &[(Measure::Verified(4), 60)]), french, young]), TTL, NOW);
    let source = |segment: &Segment| curves.verified(segment).map(Curve::source);
    let german = segment(Channel::Sms, "DE");
    assert_eq!(source(&german), Some(CurveSource::Segment));
    let neighbour = Segment { provider: provider("vonage"), ..german.clone() };
    assert_eq!(source(&neighbour), Some(CurveSource::Country));
    assert_eq!(source(&segment(Channel::Sms, "FR")), Some(CurveSource::Channel));
    assert_eq!(source(&segment(Channel::Voice, "DE")), None);
    assert_eq!(curves.delivered(&german), None, "what is young teaches nothing");
}

#[test]
fn maturity_is_the_99th_percentile_within_the_life_of_a_code() {
    let learn = |bins: &[(usize, u64)]| {
        let mut counts = [0; LATENCY_BINS.len() + 1];
        for (bin, count) in bins {
            counts[*bin] = *count;
        }
        Curve::learn(&counts, CurveSource::Channel, TTL)
    };
    assert_eq!(learn(&[(4, 49)]), None, "too few");
    let quick = learn(&[(0, 98), (4, 2)]).unwrap();
    assert_eq!(quick.maturity(), Duration::from_millis(6_500), "half way from 5 s to 8 s");
    assert_eq!(learn(&[(0, 50), (16, 50)]).unwrap().maturity(), TTL);
}

/// The time that the given share of people has typed its code by: between 4 s and 104 s, evenly.
fn typed_after(share: f64) -> Duration {
    Duration::from_secs_f64(4.0 + 100.0 * share)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn domain_5_3_a_learnt_curve_finds_the_true_rate_among_young_attempts(
        converting in 200_u64..1_000, age in 15_u64..100,
    ) {
        let history = |measures: &mut BTreeMap<Measure, u64>, seconds: u64| {
            for person in 0..converting {
                let took = typed_after(person as f64 / converting as f64);
                if took <= Duration::from_secs(seconds) {
                    *measures.entry(Measure::Verified(latency_bin(took))).or_default() += 1;
                }
            }
        };
        let mut old = aged(2_000, &[(Measure::Accepted, 1_000)]);
        history(&mut old.2, 300);
        let mut young = aged(age, &[(Measure::Accepted, 1_000)]);
        history(&mut young.2, age);
        let curves = Curves::learn(cells(&[old]), TTL, NOW);
        let found = total(&[young], &curves).conversion.value.unwrap();
        let truth = converting as f64 / 1_000.0;
        prop_assert!(near(found, truth, 0.06 * truth), "{found} instead of {truth}");
    }

    #[test]
    fn a_curve_starts_at_nothing_never_falls_and_ends_at_everything(
        bins in proptest::collection::vec(0_u64..100, LATENCY_BINS.len() + 1), ttl in 30_u64..=600,
    ) {
        let ttl = Duration::from_secs(ttl);
        let counts = std::array::from_fn(|bin| bins[bin]);
        let learnt = Curve::learn(&counts, CurveSource::Country, ttl);
        if let Some(curve) = learnt {
            prop_assert_eq!(curve.share_by(Duration::ZERO), 0.0);
            let shares: Vec<f64> = (0..=700).map(|age| curve.share_by(Duration::from_secs(age))).collect();
            prop_assert!(shares.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", curve);
            prop_assert!(curve.maturity() <= ttl);
            prop_assert_eq!(curve.share_by(curve.maturity()), 1.0);
            for youngest in (0..=700).step_by(7).map(Duration::from_secs) {
                let chance = curve.chance(youngest, youngest + BUCKET);
                prop_assert!(chance.least <= chance.likely && chance.likely <= chance.most, "{:?}", chance);
                let (early, late) = (curve.share_by(youngest), curve.share_by(youngest + BUCKET));
                prop_assert!(early - 1e-9 <= chance.likely && chance.likely <= late + 1e-9, "{:?}", chance);
            }
        }
    }

    #[test]
    fn a_rate_lies_within_its_interval_and_correcting_only_raises_it(
        ages in proptest::collection::vec((0_u64..700, 0_u64..50, 0_u64..50), 1..8),
    ) {
        let owned: Vec<Owned> = ages
            .iter()
            .map(|(age, accepted, verified)| {
                let verified = verified.min(accepted);
                aged(*age, &[(Measure::Accepted, *accepted), (Measure::Verified(3), *verified)])
            })
            .collect();
        let rates = total(&owned, &Curves::learn(cells(&[half_by_15_seconds()]), TTL, NOW));
        for rate in [rates.acceptance, rates.delivery, rates.conversion] {
            prop_assert!(rate.denominator <= rate.of as f64 + 1e-9);
            prop_assert!((0.0..=1.0).contains(&rate.low) && (0.0..=1.0).contains(&rate.high));
            if let Some(value) = rate.value {
                prop_assert!(rate.low <= value && value <= rate.high);
                prop_assert!(value + 1e-9 >= rate.count as f64 / rate.of as f64);
            }
        }
    }

    #[test]
    fn domain_5_4_backing_off_stays_between_the_segment_and_its_parent(
        attempts in 1_u32..1_000, share in 0.0_f64..1.0, parent in 0.0_f64..1.0,
    ) {
        let attempts = f64::from(attempts);
        let rate = back_off(attempts * share, attempts, parent, KAPPA);
        prop_assert!(rate >= share.min(parent) - 1e-9 && rate <= share.max(parent) + 1e-9);
    }
}
