//! The wall clock of one process is set forward and back by five minutes while people ask for codes.

use std::process::Command;
use std::time::Duration;

use otter_contract::v1::{AttemptState, CheckOutcome, VerificationState};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{
    BreachKind, Client, Fleet, Going, Kept, Otter, Shape, Trial, Wall, configuration, vendor_with_journal,
};

use crate::scale;

/// How far clocks are set, in seconds.
const STEP: i64 = 300;

/// How long the installation is left alone from one step to the next.
const BETWEEN: Duration = Duration::from_millis(700);

const ROLES: [&str; 4] = ["api", "worker", "scheduler", "receipts"];

const SHAPE: Shape = Shape { api: 1, worker: 1, scheduler: 1, receipts: 1 };

/// Sends one code and types it in.
async fn log_in(client: &Client, vendor: &otter_sandbox_vendor::Vendor, place: usize) -> String {
    let number = format!("+49151{:08}", 10_010_000 + place * 7);
    let mut handset = vendor.handset(&number);
    let id = client.login(&number, &[]).await.verification_id;
    let message =
        tokio::time::timeout(Duration::from_secs(60), handset.next()).await.expect("a message comes");
    let answer = client.check(&id, &message.code().unwrap()).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified);
    id
}

/// What was sent once and verified, in one attempt that nobody doubts.
async fn assert_as_if_nothing_happened(client: &Client, ids: &[String]) {
    for id in ids {
        let verification = client.get(id).await;
        assert_eq!(verification.state(), VerificationState::Verified, "{verification:?}");
        let [attempt] = verification.attempts.as_slice() else { panic!("{verification:?}") };
        assert_eq!((attempt.state(), attempt.tries), (AttemptState::Accepted, 1), "{verification:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_over_redis_does_not_notice_that_its_wall_clock_is_set() {
    let (kept, vendor) = (Kept::redis(), vendor_with_journal().await);
    let text = configuration(&kept, &vendor, scale::QUIET);
    let mut processes = Vec::new();
    for role in ROLES {
        let wall = Wall::right();
        let started = Otter::try_start_under(&wall.launcher(), &text, &["--role", role]).await;
        processes.push((wall, started.unwrap()));
    }
    let client = Client::connect(&processes[0].1.grpc_url()).await;
    let mut ids = Vec::new();
    for (wall, _) in &processes {
        for wrong_by in [STEP, 0, -STEP, 0] {
            wall.set(wrong_by);
            for _ in 0..3 {
                ids.push(log_in(&client, &vendor, ids.len()).await);
            }
        }
    }
    assert_as_if_nothing_happened(&client, &ids).await;
    assert_eq!(vendor.journal().len(), ids.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_over_its_own_directory_does_not_notice_either_and_time_goes_on_when_it_comes_back() {
    let (kept, vendor) = (Kept::embedded(), vendor_with_journal().await);
    let text = configuration(&kept, &vendor, scale::QUIET);
    let wall = Wall::right();
    let mut otter = Otter::try_start_under(&wall.launcher(), &text, &[]).await.unwrap();
    let client = Client::connect(&otter.grpc_url()).await;
    let mut ids = Vec::new();
    for wrong_by in [STEP, 0, -STEP, 0] {
        wall.set(wrong_by);
        for _ in 0..3 {
            ids.push(log_in(&client, &vendor, ids.len()).await);
        }
    }
    let last = client.get(ids.last().unwrap()).await;
    assert_as_if_nothing_happened(&client, &ids).await;
    otter.kill();
    wall.set(-STEP);
    let otter = Otter::try_start_under(&wall.launcher(), &text, &[]).await.unwrap();
    let client = Client::connect(&otter.grpc_url()).await;
    let id = log_in(&client, &vendor, ids.len()).await;
    let after = client.get(&id).await;
    let (created, ended) = (after.create_time.unwrap(), last.end_time.unwrap());
    assert!((created.seconds, created.nanos) >= (ended.seconds, ended.nanos), "time went back: {after:?}");
    assert_as_if_nothing_happened(&client, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_whose_clock_leapt_and_is_set_back_sends_no_dead_code_and_lets_nobody_succeed_twice() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = Fleet::start(&store.url(), SHAPE, scale::QUIET).await;
    let trial = Trial { name: "clock", load: scale::load(), patience: scale::patience() };
    let judgement = trial.run(&fleet, |going| leap_and_set_back(&store, going)).await;
    // What was under way at the leap is five minutes older at once: leases and waits are over, so the next provider goes.
    judgement.assert_sound_but_for(|kind| matches!(kind, BreachKind::ExtraMessage(_)));
    assert!(judgement.figures.verified > 0, "who comes after the leap is served");
}

/// Nobody can set the clock of a server in a test, so the store is told that it was ahead until now and has been set back:
/// time leaps forward, and goes on from there.
async fn leap_and_set_back(store: &RedisServer, mut going: Going) {
    for leaps in 1..=3_u64 {
        going.pause(BETWEEN * 3).await;
        let now = ask(store, &["TIME"]);
        let seconds: u64 = now.lines().next().and_then(|line| line.parse().ok()).expect("it tells its time");
        let noted = format!(
            "{} {}",
            (leaps - 1) * STEP.unsigned_abs() * 1000,
            (seconds + STEP.unsigned_abs()) * 1000
        );
        for partition in 0..16 {
            ask(store, &["SET", &format!("otter:{{p{partition:02}}}:clock"), &noted]);
        }
    }
}

fn ask(store: &RedisServer, command: &[&str]) -> String {
    let port = store.port().to_string();
    let asked = Command::new("redis-cli").args(["-p", &port]).args(command).output();
    String::from_utf8(asked.expect("it comes with redis-server").stdout).expect("it answers in ASCII")
}
