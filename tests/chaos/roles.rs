//! Processes of every role die at any moment, one alone or two together, and come back.

use std::time::Duration;

use otter_sandbox_vendor::{Rule, Script};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Draws, Fleet, Going, Process, Role, Shape, Trial};

use crate::scale;

/// How long the killer waits from one blow to the next.
const BETWEEN_BLOWS: std::ops::Range<Duration> = Duration::from_millis(300)..Duration::from_millis(2500);

/// How long a process stays dead.
const DEAD_FOR: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(2500);

/// How long the vendor takes to answer.
const ANSWER: Duration = Duration::from_millis(150);

/// The same where many sends shall be under way at any time.
const SLOW_ANSWER: Duration = Duration::from_millis(500);

/// How long a worker is stopped, and how long everybody runs in between.
const FROZEN_FOR: std::ops::Range<Duration> = Duration::from_secs(9)..Duration::from_secs(11);
const BETWEEN_STOPS: std::ops::Range<Duration> = Duration::from_secs(2)..Duration::from_secs(4);

/// How often in a thousand blows two processes die together.
const TOGETHER: usize = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_is_sent_twice_while_processes_are_killed() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = Fleet::start(&store.url(), Shape::default(), scale::QUIET).await;
    // Slow enough that whoever is killed is in the middle of something.
    fleet.vendor().follow(Script { rules: vec![Rule { latency: ANSWER, ..Rule::default() }] });
    let trial = Trial { name: "roles", load: scale::load(), patience: scale::patience() };
    let judgement = trial.run(&fleet, |going| kill_by_chance(&fleet, going)).await;
    judgement.assert_sound();
    assert!(judgement.figures.kills > 0, "somebody was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_wakes_from_a_long_stop_sends_nothing_that_it_no_longer_holds() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = Fleet::start(&store.url(), Shape::default(), scale::QUIET).await;
    fleet.vendor().follow(Script { rules: vec![Rule { latency: SLOW_ANSWER, ..Rule::default() }] });
    let load = scale::load();
    let trial = Trial { name: "frozen workers", load, patience: scale::patience() };
    let judgement = trial.run(&fleet, |going| freeze_workers_in_turn(&fleet, going)).await;
    judgement.assert_sound();
    assert!(judgement.figures.leases_lost > 0, "the worker held something when it was stopped");
}

/// Stops one worker after the other for longer than its leases last; all run when it returns.
async fn freeze_workers_in_turn(fleet: &Fleet, mut going: Going) {
    let mut draws = Draws::of(scale::seed(), u64::MAX - 1);
    for worker in fleet.of(Role::Worker).into_iter().cycle() {
        if !going.pause(draws.span(BETWEEN_STOPS)).await {
            return;
        }
        worker.freeze().await;
        tokio::time::sleep(draws.span(FROZEN_FOR)).await;
        worker.thaw().await;
    }
}

/// Kills processes as the seed says as long as people come; all are alive when it returns.
async fn kill_by_chance(fleet: &Fleet, mut going: Going) {
    let mut draws = Draws::of(scale::seed(), u64::MAX);
    while going.pause(draws.span(BETWEEN_BLOWS)).await {
        let first = draws.one_of(fleet.processes());
        let second = draws.one_of(fleet.processes());
        let (pause, other_pause) = (draws.span(DEAD_FOR), draws.span(DEAD_FOR));
        if draws.happens(TOGETHER) {
            tokio::join!(die_and_return(first, pause), die_and_return(second, other_pause));
        } else {
            die_and_return(first, pause).await;
        }
    }
}

async fn die_and_return(process: &Process, pause: Duration) {
    process.kill().await;
    tokio::time::sleep(pause).await;
    process.start_again().await;
}
