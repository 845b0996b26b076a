//! Processes of every role die at any moment, one alone or two together, and come back.

use std::time::Duration;

use otter_sandbox_vendor::{Rule, Script};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Draws, Fleet, Going, Process, Shape, Trial};

use crate::scale;

/// How long the killer waits from one blow to the next.
const BETWEEN_BLOWS: std::ops::Range<Duration> = Duration::from_millis(300)..Duration::from_millis(2500);

/// How long a process stays dead.
const DEAD_FOR: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_millis(2500);

/// How long the vendor takes to answer.
const ANSWER: Duration = Duration::from_millis(150);

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
