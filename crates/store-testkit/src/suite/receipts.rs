//! Receipts: early, late, twice, in the wrong order, or from somebody else.

use otter_decision::challenge::message_id;
use otter_domain::{
    Attempt, Ending, ErrorClass, Failure, FailureClass, HappeningKind, Measure, MessageId, Receipt,
    ReceiptStatus, SpeaksOf, Verification,
};
use otter_store::{Commit, CommitVerdict, MergeVerdict, ReceiptMerge, ReceiptTarget};
use proptest::prelude::*;

use super::model::{ReceiptModel, samples};
use crate::bench::{Bench, Setup};
use crate::fixture::{ended, nth, provider, unique};
use crate::kit::{Kit, change, creation, report};

/// The receipt of the attempt after it was advanced.
fn advanced(verdict: MergeVerdict, number: u8) -> Receipt {
    let MergeVerdict::Advanced { verification, attempt } = verdict else { panic!("not news: {verdict:?}") };
    assert_eq!(attempt, nth(number));
    verification.attempt(attempt).unwrap().receipt.unwrap()
}

fn stale(verification: &Verification, number: u8) -> MergeVerdict {
    MergeVerdict::Stale { id: verification.id, attempt: nth(number) }
}

pub async fn rte_01_a_stronger_report_advances_and_a_weaker_or_equal_one_is_stale<B: Bench>(
    open: impl AsyncFn(Setup) -> B,
) {
    let kit = Kit::open(open).await;
    let stored = kit.create(kit.verification(vec![kit.accepted(1, "ranks")])).await;
    let of = |status| report(&stored, 1, &provider("ranks"), status);
    for (place, status) in ReceiptStatus::ALL.into_iter().enumerate() {
        assert_eq!(advanced(kit.merge(of(status)).await, 1).status, status);
        for weaker in &ReceiptStatus::ALL[..=place] {
            assert_eq!(kit.merge(of(*weaker)).await, stale(&stored, 1), "{weaker} after {status}");
        }
    }
}

pub async fn a_report_is_booked_with_evidence_and_event<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let stored = kit.create(kit.verification(vec![kit.accepted(1, "booked")])).await;
    let position = kit.tail().await;
    let because = Some(
        Failure::new(FailureClass::Misconfigured, ErrorClass::Auth)
            .speaking_of(SpeaksOf::Sender)
            .with_code(30_034),
    );
    let lost =
        ReceiptMerge { because, ..report(&stored, 1, &provider("booked"), ReceiptStatus::Undelivered) };
    let answer = kit.store.merge(kit.home, vec![lost.clone(), lost]).await.unwrap();
    let [first, second] = answer.value.as_slice() else { panic!("two verdicts") };
    let receipt = Receipt { status: ReceiptStatus::Undelivered, at: answer.now, because };
    assert_eq!(advanced(first.clone(), 1), receipt);
    assert_eq!(*second, stale(&stored, 1));
    let loaded = kit.load(stored.id).await.unwrap();
    assert_eq!((loaded.attempts[0].receipt, loaded.version), (Some(receipt), stored.version));

    let arrived = report(&stored, 1, &provider("booked"), ReceiptStatus::Delivered);
    advanced(kit.merge(arrived).await, 1);
    let statuses: Vec<_> = kit
        .events_after(&position)
        .await
        .into_iter()
        .map(|event| {
            let HappeningKind::ReceiptMerged { attempt, provider, status, .. } = event.kind else {
                panic!("not a receipt: {event:?}")
            };
            assert_eq!((attempt, provider.as_str(), event.verification), (nth(1), "booked", stored.id));
            status
        })
        .collect();
    assert_eq!(statuses, [ReceiptStatus::Undelivered, ReceiptStatus::Delivered]);
    let counted = kit.counted("booked").await;
    assert!(
        matches!(counted.as_slice(), [(Measure::Delivered(_), 1), (Measure::Undelivered, 1)]),
        "{counted:?}"
    );

    // A reason that says no more than its class and a code stays readable too.
    let plain = kit.create(kit.verification(vec![kit.accepted(1, "plain")])).await;
    let because = Some(Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable).with_code(30_003));
    let lost = ReceiptMerge { because, ..report(&plain, 1, &provider("plain"), ReceiptStatus::Undelivered) };
    kit.store.merge(kit.home, vec![lost]).await.unwrap();
    let told = kit.load(plain.id).await.unwrap().attempts[0].receipt;
    assert_eq!(told.and_then(|receipt| receipt.because), because);
}

pub async fn an_early_report_lands_while_the_send_runs<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let queued = kit.dispatch(kit.verification(vec![kit.queued(1, "early")])).await;
    let delivered = report(&queued, 1, &provider("early"), ReceiptStatus::Delivered);
    assert_eq!(kit.merge(delivered.clone()).await, MergeVerdict::Unknown, "it was not handed over yet");
    let claimed = kit.claim("early", 1).await.remove(0).verification;
    let receipt = advanced(kit.merge(delivered).await, 1);
    let mut outcome = claimed;
    outcome.attempts[0].phase = kit.accepted(1, "early").phase;
    assert_eq!(kit.commit(change(&outcome)).await, CommitVerdict::Done, "the outcome is booked after it");
    assert_eq!(kit.load(queued.id).await.unwrap().attempts[0].receipt, Some(receipt));
}

pub async fn what_this_provider_never_got_is_unknown<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let stored = kit.create(kit.verification(vec![kit.accepted(1, "known"), kit.queued(2, "known")])).await;
    let absent = kit.verification(vec![kit.accepted(1, "known")]);
    let delivered = ReceiptStatus::Delivered;
    let forged = [
        report(&stored, 1, &provider("forger"), delivered),
        report(&stored, 2, &provider("known"), delivered),
        report(&stored, 3, &provider("known"), delivered),
        report(&stored, 255, &provider("known"), delivered),
        report(&absent, 1, &provider("known"), delivered),
    ];
    let position = kit.tail().await;
    for report in forged {
        assert_eq!(kit.merge(report).await, MergeVerdict::Unknown);
    }
    assert_eq!(kit.load(stored.id).await, Some(stored));
    assert_eq!(kit.events_after(&position).await, []);
}

pub async fn a_report_finds_its_attempt_by_the_message_id<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let stored = kit.verification(vec![kit.accepted(1, "rbm"), kit.accepted(2, "rbm")]);
    let message = |number| message_id(&[3; 32], stored.id, nth(number), kit.home);
    let item = Commit { message_ids: vec![(provider("rbm"), message(1), nth(1))], ..creation(&stored) };
    kit.commit(item).await;
    let item = Commit { message_ids: vec![(provider("rbm"), message(2), nth(2))], ..change(&stored) };
    kit.commit(item).await;
    let by = |message: MessageId, name: &str| ReceiptMerge {
        target: ReceiptTarget::Message(message),
        ..report(&stored, 1, &provider(name), ReceiptStatus::Delivered)
    };
    advanced(kit.merge(by(message(1), "rbm")).await, 1);
    assert_eq!(kit.merge(by(message(1), "rbm")).await, stale(&stored, 1), "it says whose it was");
    advanced(kit.merge(by(message(2), "rbm")).await, 2);
    assert_eq!(kit.merge(by(message(1), "twilio-eu")).await, MergeVerdict::Unknown);
    assert_eq!(kit.merge(by(message(3), "rbm")).await, MergeVerdict::Unknown);
}

pub async fn a_late_report_is_recorded_and_does_not_reopen<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    let stored = kit.create(kit.verification(vec![kit.accepted(1, "after-end")])).await;
    let over = ended(stored.clone(), Ending::Expired, kit.now);
    kit.commit(change(&over)).await;
    let receipt =
        advanced(kit.merge(report(&stored, 1, &provider("after-end"), ReceiptStatus::Read)).await, 1);
    let loaded = kit.load(stored.id).await.unwrap();
    assert_eq!((loaded.state, loaded.attempts[0].receipt), (over.state, Some(receipt)));
    assert_eq!(kit.due(10).await, []);
}

/// What happens in a random script: a report on one of three attempts by one of two providers.
type Step = (u8, bool, u8, bool);

fn scripts() -> impl Strategy<Value = Vec<Step>> {
    let step = (1_u8..=4, proptest::bool::weighted(0.8), 1_u8..=5, any::<bool>());
    proptest::collection::vec(step, 1..20)
}

pub async fn any_sequence_of_reports_is_merged_as_specified<B: Bench>(open: impl AsyncFn(Setup) -> B) {
    let kit = Kit::open(open).await;
    for (case, steps) in samples(&scripts(), 48).into_iter().enumerate() {
        let name = format!("model-{}", unique());
        let other = Attempt { claimed_at: None, ..kit.accepted(3, &name) };
        let attempts = vec![kit.accepted(1, &name), kit.accepted(2, "somebody"), other];
        let verification = kit.create(kit.verification(attempts)).await;
        let mut model = ReceiptModel { verification, counted: Vec::new() };
        for (number, is_right, rank, says_why) in steps {
            let name = if is_right { name.as_str() } else { "somebody" };
            let status = ReceiptStatus::of_rank(rank).unwrap();
            let because = says_why.then(|| Failure::new(FailureClass::Rejected, ErrorClass::Blocked));
            let item =
                ReceiptMerge { because, ..report(&model.verification, number, &provider(name), status) };
            let answer = kit.store.merge(kit.home, vec![item.clone()]).await.unwrap();
            let expected = model.merge(nth(number), &item, answer.now);
            assert_eq!(answer.value, [expected], "case {case}, attempt {number}, {status}");
        }
        let Verification { id, .. } = model.verification;
        assert_eq!(kit.load(id).await, Some(model.verification), "case {case}");
        let booked: u64 = kit.counted(&name).await.iter().map(|(_, count)| count).sum();
        let somebodys = model.counted.len() as u64 - booked;
        assert!(somebodys <= 2, "case {case}: {booked} of {:?} were booked", model.counted);
    }
}
