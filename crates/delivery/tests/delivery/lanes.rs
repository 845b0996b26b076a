//! Who works on what: lanes that nobody serves, workers that are lost, slots, and pauses.

use otter_domain::{
    AttemptEnd, CheckVerdict, ErrorClass, Failure, FailureClass, Measure, Phase, Verification,
};
use otter_store::Store;
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, attempt, millis, provider, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

fn is_ambiguous(verification: &Verification) -> bool {
    matches!(verification.attempts[0].phase, Phase::Ambiguous { .. })
}

#[tokio::test(start_paused = true)]
async fn a_job_that_nobody_claims_is_withdrawn_and_the_next_provider_goes() {
    let (house, _worker) = House::usual().await;
    house.reload(|setup| setup.providers.get_mut(&provider("alpha")).unwrap().sender = None);
    let id = house.send().await;
    let began = Instant::now();
    house.vendor("beta").next().await.accept();
    assert!(began.elapsed() >= seconds(5) && began.elapsed() < seconds(6), "{:?}", began.elapsed());
    let now = house.until(id, is_accepted).await;
    let how = AttemptEnd::Failed(Failure::new(FailureClass::Unavailable, ErrorClass::Timeout));
    assert!(matches!(now.attempts[0].phase, Phase::Ended { how: it, .. } if it == how));
    house.reload(|setup| {
        let sender = setup.providers[&provider("beta")].sender.clone();
        setup.providers.get_mut(&provider("alpha")).unwrap().sender = sender;
    });
    sleep(seconds(2)).await;
    assert_eq!(house.load(id).await.attempts.len(), 2);
    assert_eq!(house.vendor("beta").count(), 1, "the pointer that was left behind is stale");
}

#[tokio::test(start_paused = true)]
async fn a_paused_providers_lane_is_left_alone_until_it_is_resumed() {
    let (house, worker) = House::usual().await;
    // The plan is made by a process that has not heard of the order yet.
    let now = worker.books.now();
    worker.view.directives.pause(&*worker.store, &provider("alpha"), now).await.unwrap();
    let id = house.send().await;
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    assert_eq!(house.vendor("alpha").count(), 0);
    worker.view.directives.resume(&*worker.store, &provider("alpha")).await.unwrap();
    sleep(seconds(3)).await;
    house.send_to(1).await;
    house.vendor("alpha").next().await.accept();
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_lost_while_it_sends_leaves_an_ambiguous_attempt_and_the_next_goes_after_the_wait() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let (code, began) = (call.code(), Instant::now());
    worker.die();
    house.until(id, is_ambiguous).await;
    assert!(began.elapsed() <= seconds(10), "{:?}", began.elapsed());
    assert_eq!(house.front.metric("otter_queue_reclaimed_total", &["queue=\"alpha\""]), 1.0);
    assert_eq!(house.front.metric("otter_ambiguous_attempts_total", &["provider=\"alpha\""]), 1.0);
    let _other = house.worker("worker-2").await;
    house.vendor("beta").next().await.accept();
    assert!(began.elapsed() >= seconds(30), "{:?}", began.elapsed());
    assert_eq!(house.vendor("alpha").count(), 1);
    let verdict = house.check(id, &code).await;
    assert_eq!(
        verdict,
        CheckVerdict::Verified { by: Some(attempt(1)), repeated: false },
        "it may have arrived"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_provider_did_not_know_is_no_lost_worker() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.fail(FailureClass::Ambiguous);
    house.until(id, is_ambiguous).await;
    assert_eq!(worker.metric("otter_queue_reclaimed_total", &["queue=\"alpha\""]), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_takes_longer_than_its_lease_keeps_it() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    sleep(seconds(19)).await;
    assert!(matches!(house.load(id).await.attempts[0].phase, Phase::Claimed { .. }));
    call.accept();
    let now = house.until(id, is_accepted).await;
    assert_eq!(now.attempts.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_wakes_up_after_its_lease_was_lost_still_books_that_it_was_sent() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    worker.store.disturb(Op::Renew, Fault::Refused, usize::MAX);
    house.until(id, is_ambiguous).await;
    call.accept();
    house.until(id, is_accepted).await;
    let failed = house.counted("alpha", |measure| matches!(measure, Measure::Failed(_))).await;
    let accepted = house.counted("alpha", |measure| *measure == Measure::Accepted).await;
    assert_eq!((failed, accepted), (1, 0), "one outcome is counted per attempt");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_claim_was_not_confirmed_is_ambiguous_and_not_repeated() {
    let (house, worker) = House::usual().await;
    worker.store.disturb(Op::Claim, Fault::AnswerLost, usize::MAX);
    let id = house.send().await;
    house.until(id, is_ambiguous).await;
    worker.store.calm();
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    assert_eq!(house.vendor("alpha").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn free_slots_are_never_exceeded_and_a_backlog_does_not_wait_for_the_poll() {
    let plan = Plan { concurrency: 2, partitions: 1, ..Plan::usual() };
    let house = House::without_workers(plan).await;
    let alpha = house.vendor("alpha");
    alpha.answers_by_itself(millis(10), Ok(None));
    for place in 0..60 {
        house.send_to(place).await;
    }
    let began = Instant::now();
    let _worker = house.worker("worker-1").await;
    while alpha.count() < 60 {
        sleep(millis(1)).await;
        assert!(began.elapsed() < seconds(5), "only {} sends", alpha.count());
    }
    assert!(began.elapsed() < millis(400), "{:?} for 30 rounds of 10 ms", began.elapsed());
    assert_eq!(alpha.most_running.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_partition_keeps_nobody_waiting_behind_it() {
    let plan = Plan { concurrency: 1, partitions: 2, ..Plan::usual() };
    let house = House::without_workers(plan).await;
    house.vendor("alpha").answers_by_itself(millis(100), Ok(None));
    let homes = house.memory.partitions();
    let (mut full, mut other, mut place) = (0, None, 0);
    while full < 20 || other.is_none() {
        let id = house.send_to(place).await;
        place += 1;
        match id.partition(homes).unwrap().index() {
            0 => full += 1,
            _ => other = other.or(Some(id)),
        }
    }
    let began = Instant::now();
    let _worker = house.worker("worker-1").await;
    house.until(other.unwrap(), is_accepted).await;
    assert!(began.elapsed() < millis(500), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn more_slots_after_a_reload_are_used_without_a_restart() {
    let (house, _worker) = House::open(Plan { concurrency: 1, ..Plan::usual() }).await;
    house.send_to(1).await;
    house.send_to(2).await;
    let first = house.vendor("alpha").next().await;
    sleep(seconds(1)).await;
    assert!(house.vendor("alpha").is_idle().await);
    house.reload(|setup| {
        setup.providers.get_mut(&provider("alpha")).unwrap().capabilities.concurrency = 2;
    });
    house.vendor("alpha").next().await.accept();
    first.accept();
}

#[tokio::test(start_paused = true)]
async fn two_workers_never_send_the_same_job() {
    let plan = Plan { partitions: 2, ..Plan::usual() };
    let house = House::without_workers(plan).await;
    house.vendor("alpha").answers_by_itself(millis(20), Ok(None));
    let _workers = (house.worker("worker-1").await, house.worker("worker-2").await);
    let mut ids = Vec::new();
    for place in 0..40 {
        ids.push(house.send_to(place).await);
    }
    for id in ids {
        house.until(id, is_accepted).await;
    }
    assert_eq!(house.vendor("alpha").count(), 40);
}
