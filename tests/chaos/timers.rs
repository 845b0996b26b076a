//! Thousands of waits at once: each ends at its time, once, whoever is there to end it.
//!
//! How late they end is a figure for the manual; a test run asserts counts and order.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, GetOtpRequest, SendOtpRequest, Verification, VerificationState,
};
use otter_domain::Moment;
use otter_sandbox_vendor::{Rule, Script};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Client, Fleet, Role, Shape, Stopwatch, login};
use prost_types::Timestamp;
use tokio::task::JoinSet;

use crate::scale;

/// How long codes live: five candidates wait 5 s each, and no wait has to shrink (RTE-33).
const TTL: Duration = Duration::from_secs(90);

/// How many ask at once.
const CALLERS: usize = 32;

/// A bound on waiting for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

const LOOK: Duration = Duration::from_millis(250);

/// How many codes wait at once; in a short run as many as leave room for other tests on the same machine.
fn codes() -> usize {
    if scale::is_full() { scale::codes() } else { 200 }
}

/// How long each step of the route waits.
const WAIT: Duration = Duration::from_secs(5);

/// How many candidates the route has.
const CANDIDATES: usize = 5;

const SHAPE: Shape = Shape { api: 2, worker: 2, scheduler: 2, receipts: 1 };

/// An installation whose vendor takes everything and reports nothing, so that every step waits to its end.
async fn silent_fleet(store: &RedisServer) -> Fleet {
    let fleet = Fleet::start(&store.url(), SHAPE, scale::QUIET).await;
    let rule = Rule { unreported: 1.0, ..Rule::default() };
    fleet.vendor().follow(Script { rules: vec![rule] });
    fleet
}

/// Sends as fast as it goes; every one of them waits afterwards.
async fn send(fleet: &Fleet, codes: usize) -> Vec<String> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let urls = fleet.callers().urls().to_vec();
        callers.spawn(async move {
            let client = Client::connect(&urls[caller % urls.len()]).await;
            let mut ids = Vec::new();
            for place in (caller..codes).step_by(CALLERS) {
                let number = format!("+49151{:08}", 10_010_001 + place * 3);
                let ttl = Some(TTL.try_into().unwrap());
                let request_id = format!("timers-{place}");
                let request = SendOtpRequest { ttl, request_id, ..login(&number, &[]) };
                ids.push(accepted(&client, &request).await);
            }
            ids
        });
    }
    callers.join_all().await.concat()
}

/// Asks until there is room: a busy machine may have none at first.
async fn accepted(client: &Client, request: &SendOtpRequest) -> String {
    let began = Stopwatch::start();
    loop {
        match client.send(request.clone()).await {
            Ok(answer) => return answer.verification_id,
            Err(status) => assert!(began.elapsed() < PATIENCE, "nobody accepts: {status:?}"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Everything once every candidate has had its turn, or its time is over.
async fn finals(fleet: &Fleet, ids: Vec<String>) -> Vec<Verification> {
    let client = Client::connect(&fleet.callers().urls()[0]).await;
    let (began, mut finals) = (Stopwatch::start(), Vec::new());
    for id in ids {
        loop {
            let request = GetOtpRequest { verification_id: id.clone() };
            let found = client.otp.clone().get_otp(request).await;
            let found = found.ok().and_then(|answer| answer.into_inner().verification);
            if let Some(found) = found.filter(has_had_all_turns) {
                finals.push(found);
                break;
            }
            assert!(began.elapsed() < PATIENCE, "{id} waits for ever");
            tokio::time::sleep(LOOK).await;
        }
    }
    finals
}

fn has_had_all_turns(verification: &Verification) -> bool {
    let last_was_sent = verification.attempts.last().is_some_and(|attempt| attempt.outcome_time.is_some());
    verification.state() != VerificationState::Pending
        || (verification.attempts.len() == CANDIDATES && last_was_sent)
}

/// How late each wait ended that was waited to its end: from then to the moment at which the next candidate stood on its
/// lane. None may end early.
fn lateness(finals: &[Verification]) -> Vec<Duration> {
    let pairs = finals.iter().flat_map(|verification| verification.attempts.windows(2));
    let mut late: Vec<_> = pairs
        .filter(|pair| pair[0].state() == AttemptState::Accepted)
        .map(|pair| {
            let (ended, next) = (end_of_wait(&pair[0]), moment(pair[1].queue_time.unwrap()));
            assert!(next >= ended, "a wait ended before its time: {pair:#?}");
            next.since(ended)
        })
        .collect();
    late.sort_unstable();
    late
}

/// The end of the wait for an attempt, counted from its claim as the step says.
fn end_of_wait(attempt: &Attempt) -> Moment {
    moment(attempt.claim_time.unwrap()) + WAIT
}

fn moment(time: Timestamp) -> Moment {
    let millis = time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    Moment::from_millis(u64::try_from(millis).unwrap())
}

/// Each candidate had its turn at most once, in the order of the route, and the vendor took no message of any twice.
fn assert_each_once(fleet: &Fleet, finals: &[Verification]) {
    let mut messages: BTreeMap<(String, String), usize> = BTreeMap::new();
    for received in fleet.vendor().journal().into_iter().filter(|it| it.handling.is_a_message()) {
        *messages.entry((received.number.reveal().to_owned(), received.account)).or_default() += 1;
    }
    assert!(messages.values().all(|count| *count == 1), "a wait ended twice: {messages:?}");
    for verification in finals {
        // A plan passes over whose lane is full.
        let mut route = ["alpha", "beta", "chat", "rich", "call"].into_iter();
        let is_in_order = verification.attempts.iter().all(|it| route.any(|name| name == it.provider));
        assert!(is_in_order, "{verification:#?}");
        let later = verification.attempts.iter().skip(1);
        assert!(
            later.map(Attempt::origin).all(|origin| origin == AttemptOrigin::Failover),
            "{verification:#?}"
        );
    }
}

#[allow(clippy::print_stdout, reason = "a figure is for whoever runs the suite")]
fn tell(name: &str, late: &[Duration]) {
    let at = |in_a_thousand: usize| late[(late.len() * in_a_thousand / 1000).min(late.len() - 1)].as_millis();
    println!(
        "  {name}: {} waits ended; late by p50 {} ms, p99 {} ms, p99.9 {} ms, at most {} ms",
        late.len(),
        at(500),
        at(990),
        at(999),
        at(1000),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_end_at_their_time_and_once_with_two_schedulers() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = silent_fleet(&store).await;
    let ids = send(&fleet, codes()).await;
    let finals = finals(&fleet, ids).await;
    let late = lateness(&finals);
    assert_each_once(&fleet, &finals);
    assert!(!late.is_empty(), "waits came to their end");
    tell("timers", &late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_survive_the_death_of_all_schedulers() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = silent_fleet(&store).await;
    let ids = send(&fleet, codes() / 2).await;
    for scheduler in fleet.of(Role::Scheduler) {
        scheduler.kill().await;
    }
    // Some waits end while nobody is there to see it.
    let sends = fleet.vendor().journal().len();
    tokio::time::sleep(Duration::from_secs(6)).await;
    for scheduler in fleet.of(Role::Scheduler) {
        scheduler.start_again().await;
    }
    let finals = finals(&fleet, ids).await;
    let late = lateness(&finals);
    assert_each_once(&fleet, &finals);
    assert!(fleet.vendor().journal().len() > sends, "they went on");
    assert!(!late.is_empty(), "waits came to their end");
    tell("timers over a death", &late);
}
