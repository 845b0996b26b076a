//! When timers fire, in which order, and how often.

use std::sync::Arc;

use otter_delivery::Scheduler;
use otter_domain::{Channel, HappeningKind, Origin, VerificationId};
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, millis, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

/// The wait of the step of a house.
const WAIT: u64 = 30;

/// Two providers for SMS that take everything at once; nobody reports.
async fn house(partitions: u16) -> (House, crate::node::Node) {
    let plan = Plan { partitions, concurrency: 256, ..Plan::of(vec![(Channel::Sms, vec!["alpha", "beta"])]) };
    let (house, worker) = House::open(plan).await;
    house.vendor("alpha").answers_by_itself(millis(0), Ok(None));
    (house, worker)
}

/// Sends codes at intervals of a few milliseconds; says when each was claimed.
async fn send(house: &House, count: u32) -> Vec<(VerificationId, Instant)> {
    let mut sent = Vec::new();
    for place in 0..count {
        let id = house.send_to(place).await;
        house.until(id, is_accepted).await;
        sent.push((id, Instant::now()));
        sleep(millis(7)).await;
    }
    sent
}

async fn failovers(house: &House, id: VerificationId) -> usize {
    let is_failover =
        |kind: &HappeningKind| matches!(kind, HappeningKind::AttemptQueued { origin: Origin::Failover, .. });
    house.told(id).await.iter().filter(|kind| is_failover(kind)).count()
}

#[tokio::test(start_paused = true)]
async fn timers_fire_in_the_order_of_their_instants_and_within_a_tenth_of_a_second() {
    let (house, _worker) = house(4).await;
    let sent = send(&house, 60).await;
    let mut fired = Vec::new();
    for _ in &sent {
        let call = house.vendor("beta").next().await;
        let (id, at) = (call.dispatch.verification, call.at);
        call.accept();
        let (_, accepted) = sent.iter().find(|(of, _)| *of == id).unwrap();
        let late = (at - *accepted).saturating_sub(seconds(WAIT));
        assert!(late <= millis(100), "{late:?}");
        fired.push(id);
    }
    let asked: Vec<VerificationId> = sent.iter().map(|(id, _)| *id).collect();
    for home in 0..4 {
        let of_home = |ids: &[VerificationId]| -> Vec<VerificationId> {
            ids.iter().copied().filter(|id| id.partition_index() == home).collect()
        };
        assert_eq!(of_home(&fired), of_home(&asked));
    }
    assert_eq!(house.front.metric("otter_timer_lag_seconds_bucket", &["le=\"0.1\""]), 60.0);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_timers_of_one_moment_fire_at_once() {
    let plan = Plan { partitions: 1, ..Plan::of(vec![(Channel::Sms, vec!["alpha", "beta"])]) };
    let house = House::without_workers(plan).await;
    let mut ids = Vec::new();
    for place in 0..1_000 {
        ids.push(house.send_to(place).await);
    }
    // Nobody claims them: all are withdrawn after 5 s.
    sleep(millis(5_100)).await;
    let mut withdrawn = 0;
    for id in ids {
        withdrawn += failovers(&house, id).await;
    }
    assert_eq!(withdrawn, 1_000);
}

#[tokio::test(start_paused = true)]
async fn two_schedulers_let_each_timer_take_effect_once() {
    let (house, other) = house(2).await;
    let scheduler = Scheduler::new(
        Arc::clone(&other.books),
        Arc::clone(&house.setup),
        house.keys(),
        Arc::clone(&other.view),
    );
    let second = tokio::spawn(scheduler.run(other.lifecycle().phases()));
    house.vendor("beta").answers_by_itself(millis(0), Ok(None));
    let sent = send(&house, 40).await;
    sleep(seconds(WAIT + 2)).await;
    for (id, _) in sent {
        assert_eq!(failovers(&house, id).await, 1);
    }
    assert_eq!(house.vendor("beta").count(), 40);
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn timers_of_a_scheduler_that_died_are_fired_by_the_next() {
    let (house, other) = house(2).await;
    let sent = send(&house, 20).await;
    house.vendor("beta").answers_by_itself(millis(0), Ok(None));
    // It takes what is due and is gone before it can commit anything.
    house.front.store.disturb(Op::Commit, Fault::Hangs, usize::MAX);
    sleep(seconds(WAIT + 1)).await;
    assert_eq!(house.vendor("beta").count(), 0);
    let scheduler = Scheduler::new(
        Arc::clone(&other.books),
        Arc::clone(&house.setup),
        house.keys(),
        Arc::clone(&other.view),
    );
    let second = tokio::spawn(scheduler.run(other.lifecycle().phases()));
    sleep(seconds(6)).await;
    for (id, _) in sent {
        assert_eq!(failovers(&house, id).await, 1);
    }
    second.abort();
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_long_holds_up_nothing_else() {
    let plan =
        Plan { partitions: 1, concurrency: 256, ..Plan::of(vec![(Channel::Sms, vec!["alpha", "beta"])]) };
    let (house, _worker) = House::open(plan).await;
    house.vendor("alpha").answers_by_itself(millis(0), Ok(None));
    house.vendor("beta").answers_by_itself(millis(0), Ok(None));
    let sent = send(&house, 10).await;
    // The first look to read its verification again never gets it: somebody else was faster, and the answer is lost.
    house.front.store.disturb(Op::Commit, Fault::AnswerLost, 1);
    house.front.store.disturb(Op::Load, Fault::Hangs, 1);
    sleep(seconds(WAIT + 1)).await;
    let mut done = 0;
    for (id, _) in sent {
        done += failovers(&house, id).await;
    }
    assert!(done >= 9, "{done}");
    house.front.store.calm();
}
