//! Outcomes, counted in buckets.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, Country, Effect, FailureClass, Measure, Moment, Observation, Segment};
use otter_store::{Commit, EvidenceCell, Retention};

use crate::bench::{Bench, Setup};
use crate::fixture::{provider, seconds};
use crate::kit::{Kit, creation};

fn segment(country: &str) -> Segment {
    Segment {
        provider: provider("evidence"),
        channel: Channel::Sms,
        country: Country::parse(country).unwrap(),
    }
}

async fn observe<B: Bench>(kit: &Kit<B>, outcomes: &[(Segment, Moment, Measure)]) {
    let effects = outcomes.iter().cloned().map(|(segment, attempted_at, measure)| {
        Effect::Observe(Observation { segment, attempted_at, measure })
    });
    let item = Commit { effects: effects.collect(), ..creation(&kit.verification(vec![])) };
    kit.commit(item).await;
}

async fn since<B: Bench>(kit: &Kit<B>, moment: Moment) -> Vec<EvidenceCell> {
    let mut cells = kit.store.evidence(kit.home, moment).await.unwrap().value;
    cells.sort_by_key(|cell| (cell.bucket, cell.segment.clone()));
    cells
}

pub async fn outcomes_are_counted_by_bucket_segment_and_measure<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let bucket = EvidenceCell::bucket_of(kit.now);
    let failed = Measure::Failed(FailureClass::Ambiguous);
    let german = [
        (segment("DE"), bucket, Measure::Accepted),
        (segment("DE"), bucket + Duration::from_millis(9_999), Measure::Accepted),
        (segment("DE"), bucket + seconds(1), Measure::Delivered(3)),
        (segment("DE"), bucket + seconds(1), Measure::Delivered(4)),
        (segment("DE"), bucket - Duration::from_millis(1), Measure::Accepted),
    ];
    observe(&kit, &german).await;
    observe(&kit, &[(segment("FR"), bucket, failed), (segment("DE"), bucket, Measure::Accepted)]).await;
    observe(
        &kit,
        &[(segment("FR"), bucket, Measure::Verified(16)), (segment("FR"), bucket, Measure::Undelivered)],
    )
    .await;
    let cell = |country, bucket, counts: &[(Measure, u64)]| EvidenceCell {
        bucket,
        segment: segment(country),
        counts: BTreeMap::from_iter(counts.iter().copied()),
    };
    let delivered = [(Measure::Accepted, 3), (Measure::Delivered(3), 1), (Measure::Delivered(4), 1)];
    let french = [(failed, 1), (Measure::Verified(16), 1), (Measure::Undelivered, 1)];
    assert_eq!(
        since(&kit, Moment::EPOCH).await,
        [
            cell("DE", bucket - seconds(10), &[(Measure::Accepted, 1)]),
            cell("DE", bucket, &delivered),
            cell("FR", bucket, &french),
        ]
    );
}

pub async fn evidence_that_did_not_change_is_left_out<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let bucket = EvidenceCell::bucket_of(kit.now);
    observe(&kit, &[(segment("DE"), bucket, Measure::Accepted), (segment("FR"), bucket, Measure::Accepted)])
        .await;
    kit.bench.pass(Duration::from_millis(20)).await;
    let between = kit.store.now().await.unwrap();
    observe(&kit, &[(segment("DE"), bucket, Measure::Undelivered)]).await;
    let changed = since(&kit, between).await;
    let [cell] = changed.as_slice() else { panic!("one cell changed, not {changed:?}") };
    assert_eq!(cell.segment, segment("DE"));
    assert_eq!(cell.counts.len(), 2, "with its present counts");
    assert_eq!(since(&kit, between + seconds(60)).await, []);
}

pub async fn evidence_is_forgotten_after_its_retention<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    if !kit.bench.moves_clock() {
        return;
    }
    observe(&kit, &[(segment("DE"), kit.now, Measure::Accepted)]).await;
    let retention = Retention::default().evidence;
    kit.bench.pass(retention - seconds(10)).await;
    assert_eq!(since(&kit, Moment::EPOCH).await.len(), 1);
    kit.bench.pass(seconds(10)).await;
    assert_eq!(since(&kit, Moment::EPOCH).await, []);
    observe(&kit, &[(segment("DE"), kit.now, Measure::Undelivered)]).await;
    assert_eq!(since(&kit, Moment::EPOCH).await, [], "an outcome that comes too late is not counted alone");
}
