//! Whether the loops of a process turn, as its liveness probe asks.

use std::collections::BTreeSet;

use otter_domain::Channel;
use otter_store::Store as _;
use tokio::time::sleep;

use crate::house::{House, Plan, seconds};
use crate::store::{Fault, Op};

#[tokio::test(start_paused = true)]
async fn a_store_or_a_provider_that_is_down_does_not_stall_the_loops() {
    let (house, worker) = House::usual().await;
    house.send().await;
    let _never_answered = house.vendor("alpha").next().await;
    for op in [Op::Claim, Op::Commit, Op::Renew, Op::Due] {
        worker.store.disturb(op, Fault::Refused, usize::MAX);
        house.front.store.disturb(op, Fault::Refused, usize::MAX);
    }
    for _ in 0..600 {
        sleep(seconds(1)).await;
        assert_eq!(worker.lifecycle().phases().stalled(), Vec::<&str>::new());
        assert_eq!(house.front.lifecycle().phases().stalled(), Vec::<&str>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_does_not_answer_is_waited_for_once_and_not_by_one_claim_after_the_other() {
    let route = vec![(Channel::Sms, vec!["alpha"])];
    let plan = Plan { partitions: 16, concurrency: 1000, max_queue_wait: seconds(60), ..Plan::of(route) };
    let house = House::without_workers(Plan { rate: Some(100), ..plan }).await;
    let (mut homes, mut place) = (BTreeSet::new(), 0);
    while homes.len() < 16 {
        homes.insert(house.send_to(place).await.partition(house.memory.partitions()));
        place += 1;
    }
    let worker = house.worker("worker-1").await;
    worker.store.disturb(Op::Take, Fault::TimesOut, usize::MAX);
    for _ in 0..30 {
        sleep(seconds(1)).await;
        assert_eq!(worker.lifecycle().phases().stalled(), Vec::<&str>::new());
    }
    assert!(worker.store.calls(Op::Take) <= 30, "{} calls", worker.store.calls(Op::Take));
    worker.store.calm();
    house.vendor("alpha").next().await.accept();
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_is_stuck_in_a_call_that_never_ends_is_named() {
    let (house, worker) = House::usual().await;
    worker.store.disturb(Op::Claim, Fault::Hangs, 1);
    sleep(seconds(20)).await;
    assert_eq!(worker.lifecycle().phases().stalled(), ["lane"]);
    worker.store.calm();
    sleep(seconds(1)).await;
    assert_eq!(worker.lifecycle().phases().stalled(), Vec::<&str>::new());
    house.front.store.disturb(Op::Due, Fault::Hangs, 1);
    sleep(seconds(20)).await;
    assert_eq!(house.front.lifecycle().phases().stalled(), ["timers"]);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_panics_each_time_is_alive_only_as_long_as_it_begins_again() {
    let (_house, worker) = House::usual().await;
    worker.store.disturb(Op::Renew, Fault::Panics, 3);
    sleep(seconds(60)).await;
    assert_eq!(worker.lifecycle().phases().stalled(), Vec::<&str>::new());
}
