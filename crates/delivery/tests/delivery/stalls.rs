//! Ten minutes in which somebody stands still: no dead code is handed over afterwards, and every verification ends with
//! its reason.

use std::time::Duration;

use otter_domain::{
    Channel, Ending, ExpiryReason, FailureClass, HappeningKind, State, Verification, VerificationId,
};
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, millis, seconds};
use crate::node::Node;
use crate::store::{Fault, Op};

/// Twice the life of a code.
const STALL: Duration = seconds_of(600);

/// A code with less time left is not handed over any more: its life less `min_useful`.
const SEND_WITHIN: Duration = seconds_of(300 - 45);

const CODES: u32 = 20;

const fn seconds_of(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Lets every call of a process to the store wait until the store is back.
fn stall(node: &Node, fault: Fault) {
    for op in [Op::Commit, Op::Claim, Op::Renew, Op::Check, Op::Merge, Op::Due, Op::Load, Op::Lanes, Op::Take]
    {
        node.store.disturb(op, fault, usize::MAX);
    }
}

async fn send_all(house: &House) -> Vec<VerificationId> {
    let mut ids = Vec::new();
    for place in 0..CODES {
        ids.push(house.send_to(place).await);
    }
    ids
}

/// Why it expired, as it was told; it has to have expired, once and for everybody.
async fn why_expired(house: &House, id: VerificationId) -> ExpiryReason {
    let verification = house.load(id).await;
    assert!(matches!(verification.state, State::Ended { how: Ending::Expired, .. }), "{verification:#?}");
    let told: Vec<_> = house.told(id).await.into_iter().filter_map(ended).collect();
    let [(Ending::Expired, Some(why))] = told.as_slice() else { panic!("it was told as {told:?}") };
    assert_eq!(*why, ExpiryReason::of(&verification), "what is told and what is read agree");
    *why
}

fn ended(kind: HappeningKind) -> Option<(Ending, Option<ExpiryReason>)> {
    match kind {
        HappeningKind::Ended { how, because } => Some((how, because)),
        HappeningKind::Opened
        | HappeningKind::AttemptQueued { .. }
        | HappeningKind::AttemptRetrying { .. }
        | HappeningKind::AttemptAccepted { .. }
        | HappeningKind::AttemptAmbiguous { .. }
        | HappeningKind::AttemptEnded { .. }
        | HappeningKind::ReceiptMerged { .. }
        | HappeningKind::CheckFailed { .. }
        | HappeningKind::ChecksLifted { .. } => None,
    }
}

fn sends(house: &House) -> Vec<Instant> {
    house.vendors.values().flat_map(|vendor| vendor.begun.lock().unwrap().clone()).collect()
}

fn is_over(verification: &Verification) -> bool {
    !verification.is_pending()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stalls_for_everybody_hands_over_nothing_dead_afterwards() {
    for begins_after in [0, 50, 150, 250, 1_000, 5_500, 31_000] {
        let (house, worker) = House::open(Plan { concurrency: 4, ..Plan::usual() }).await;
        house.vendor("alpha").answers_by_itself(millis(200), Ok(None));
        house.vendor("beta").answers_by_itself(millis(200), Ok(None));
        let ids = send_all(&house).await;
        sleep(millis(begins_after)).await;
        stall(&worker, Fault::Hangs);
        stall(&house.front, Fault::Hangs);
        let began = Instant::now();
        sleep(STALL).await;
        worker.store.calm();
        house.front.store.calm();
        for id in ids {
            house.until(id, is_over).await;
            let why = why_expired(&house, id).await;
            assert_ne!(why, ExpiryReason::NotEntered, "nothing was reported to have arrived");
        }
        sleep(seconds(60)).await;
        let late = sends(&house).into_iter().filter(|at| *at > began + SEND_WITHIN).count();
        assert_eq!(late, 0, "stalled after {begins_after} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_everybody_for_as_long_hands_over_nothing_dead_afterwards() {
    let (house, worker) = House::open(Plan { concurrency: 4, ..Plan::usual() }).await;
    house.vendor("alpha").answers_by_itself(millis(200), Ok(None));
    let ids = send_all(&house).await;
    sleep(millis(250)).await;
    stall(&worker, Fault::Refused);
    stall(&house.front, Fault::Refused);
    sleep(STALL).await;
    let before = sends(&house).len();
    worker.store.calm();
    house.front.store.calm();
    for id in ids {
        house.until(id, is_over).await;
        why_expired(&house, id).await;
    }
    sleep(seconds(60)).await;
    assert_eq!(sends(&house).len(), before);
}

/// A worker that claims whatever waits, and falls asleep before it learns what that was.
async fn sleeper(house: &House) -> Node {
    let worker = house.worker("sleeper").await;
    worker.store.disturb(Op::Claim, Fault::AnswerHangs, usize::MAX);
    worker
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_wakes_up_with_claims_does_not_send_them() {
    let plan = Plan { partitions: 1, concurrency: 128, ..Plan::usual() };
    let house = House::without_workers(plan).await;
    let ids = send_all(&house).await;
    let worker = sleeper(&house).await;
    sleep(STALL).await;
    worker.store.calm();
    sleep(seconds(60)).await;
    for id in ids {
        assert_eq!(why_expired(&house, id).await, ExpiryReason::MaybeSent, "nobody could know better");
    }
    assert_eq!(sends(&house), []);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_wakes_up_while_the_code_lives_does_not_send_what_it_no_longer_holds() {
    let plan = Plan { partitions: 1, ..Plan::of(vec![(Channel::Sms, vec!["alpha"])]) };
    let house = House::without_workers(plan).await;
    let id = house.send().await;
    let worker = sleeper(&house).await;
    sleep(seconds(20)).await;
    worker.store.calm();
    house.until(id, is_over).await;
    assert_eq!(why_expired(&house, id).await, ExpiryReason::MaybeSent);
    assert_eq!(sends(&house), [], "its lease was lost, so the attempt is ambiguous and stays so");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_in_lanes_that_nobody_works_on() {
    let house = House::without_workers(Plan::usual()).await;
    let ids = send_all(&house).await;
    sleep(STALL).await;
    let _worker = house.worker("worker-1").await;
    sleep(seconds(60)).await;
    assert_eq!(sends(&house), []);
    for id in ids {
        // The timers were alive: each candidate's lane was given its time, and then nobody was left.
        let verification = house.load(id).await;
        let State::Ended { how: Ending::Failed, at } = verification.state else {
            panic!("{verification:#?}")
        };
        assert!(at.since(verification.created_at) <= seconds(16), "{verification:#?}");
        assert!(house.told(id).await.into_iter().filter_map(ended).eq([(Ending::Failed, None)]));
    }
}

#[tokio::test(start_paused = true)]
async fn lanes_and_timers_that_nobody_works_on_end_in_expiry() {
    let house = House::without_workers(Plan::usual()).await;
    house.front.store.disturb(Op::Due, Fault::Refused, usize::MAX);
    let ids = send_all(&house).await;
    sleep(STALL).await;
    let _worker = house.worker("worker-1").await;
    house.front.store.calm();
    for id in ids {
        house.until(id, is_over).await;
        assert_eq!(why_expired(&house, id).await, ExpiryReason::NotSent);
    }
    sleep(seconds(60)).await;
    assert_eq!(sends(&house), []);
}

#[tokio::test(start_paused = true)]
async fn providers_that_hang_are_given_up_and_get_no_dead_code() {
    let (house, _worker) = House::usual().await;
    for vendor in house.vendors.values() {
        vendor.answers_by_itself(STALL, Ok(None));
    }
    let began = Instant::now();
    let ids = send_all(&house).await;
    sleep(STALL + seconds(60)).await;
    for id in &ids {
        assert_eq!(why_expired(&house, *id).await, ExpiryReason::MaybeSent);
    }
    let sends = sends(&house);
    assert!(sends.len() <= 3 * ids.len(), "each provider is asked once for each");
    assert!(sends.iter().all(|at| *at < began + SEND_WITHIN));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_for_as_long_gets_no_dead_code_when_it_is_back() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha"])])).await;
    let down = otter_domain::Failure::new(FailureClass::Unavailable, otter_domain::ErrorClass::Network);
    house.vendor("alpha").answers_by_itself(millis(10), Err(down));
    let ids = send_all(&house).await;
    sleep(STALL).await;
    let before = sends(&house).len();
    house.vendor("alpha").answers_by_itself(millis(10), Ok(None));
    sleep(seconds(60)).await;
    assert_eq!(sends(&house).len(), before);
    for id in ids {
        let told: Vec<_> = house.told(id).await.into_iter().filter_map(ended).collect();
        assert_eq!(told, [(Ending::Failed, None)], "it is told at once, not after its time");
    }
}
