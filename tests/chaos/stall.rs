//! Everybody who works stands still until all codes are dead, and wakes up: no dead code is handed over.
//!
//! The ten minutes of a real stall pass on virtual time in the suite of `delivery`; here codes live for as short a time as
//! settings allow, and the processes are real.

use std::time::Duration;

use otter_contract::v1::{
    ExpiryReason, GetOtpRequest, SendOtpRequest, Verification, VerificationState, event,
};
use otter_domain::{Clock as _, Moment};
use otter_sandbox_vendor::Mishap;
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Client, Fleet, Listener, Role, Shape, Stopwatch, login};
use tokio::task::JoinSet;

use crate::scale;

/// How long a code lives: `min_useful` of test configurations and 15 s.
const TTL: Duration = Duration::from_secs(25);

/// A code with less time left is not handed over (`min_useful` of test configurations).
const MIN_USEFUL: Duration = Duration::from_secs(10);

/// How long the last bytes of a request may take on a busy machine.
const TRAVEL: Duration = Duration::from_secs(4);

/// A bound on waiting for what must come.
const PATIENCE: Duration = Duration::from_secs(120);

const LOOK: Duration = Duration::from_millis(200);

const SHAPE: Shape = Shape { api: 1, worker: 2, scheduler: 1, receipts: 1 };

/// How many codes are sent before the stall.
fn codes() -> usize {
    scale::codes().min(2_000) / 4
}

struct Stalled {
    store: RedisServer,
    fleet: Fleet,
    client: Client,
}

impl Stalled {
    async fn begin() -> Self {
        let store = RedisServer::start().expect("make setup installs redis-server");
        let fleet = Fleet::start(&store.url(), SHAPE, scale::QUIET).await;
        let client = Client::connect(&fleet.callers().urls()[0]).await;
        Self { store, fleet, client }
    }

    /// Asks for codes, all at once; says which were accepted.
    async fn send(&self) -> Vec<String> {
        let mut calls = JoinSet::new();
        for place in 0..codes() {
            let client = self.client.clone();
            let number = format!("+49151{:08}", 10_010_000 + place * 7);
            let request = SendOtpRequest { ttl: Some(TTL.try_into().unwrap()), ..login(&number, &[]) };
            calls.spawn(async move { client.send(request).await });
        }
        let answers = calls.join_all().await;
        let ids: Vec<_> =
            answers.into_iter().filter_map(|answer| Some(answer.ok()?.verification_id)).collect();
        assert!(!ids.is_empty(), "somebody's code was accepted");
        ids
    }

    /// Waits until no code lives any more.
    async fn until_all_are_dead(&self) {
        tokio::time::sleep(TTL + Duration::from_secs(1)).await;
    }

    /// Every verification, once all have ended.
    async fn finals(&self, ids: &[String]) -> Vec<Verification> {
        let began = Stopwatch::start();
        let mut finals = Vec::new();
        for id in ids {
            loop {
                let request = GetOtpRequest { verification_id: id.clone() };
                let found = self.client.otp.clone().get_otp(request).await;
                if let Some(found) = found.ok().and_then(|answer| answer.into_inner().verification)
                    && found.state() != VerificationState::Pending
                {
                    finals.push(found);
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{id} does not end");
                tokio::time::sleep(LOOK).await;
            }
        }
        finals
    }

    /// Asserts that the vendor received nothing that was dead, and nothing after this moment.
    fn assert_nothing_dead(&self, asked_by: Moment, nothing_after: Moment) {
        let latest = (asked_by + TTL - MIN_USEFUL + TRAVEL).min(nothing_after);
        let late = self.fleet.vendor().journal().into_iter().filter(|received| received.at > latest);
        assert_eq!(late.count(), 0, "requests with dead codes");
    }
}

/// Each ended, and says why.
fn assert_ended_with_reason(finals: &[Verification]) {
    for verification in finals {
        let is_told = match verification.state() {
            VerificationState::Expired => verification.expiry_reason() != ExpiryReason::Unspecified,
            // Every candidate's lane was given its time while the timers were alive: its attempts say so.
            VerificationState::Failed => {
                verification.attempts.iter().all(|attempt| !attempt.error_class.is_empty())
            }
            VerificationState::Unspecified
            | VerificationState::Pending
            | VerificationState::Verified
            | VerificationState::Exhausted
            | VerificationState::Cancelled => false,
        };
        assert!(is_told, "{verification:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_and_timers_that_stand_still_hand_over_nothing_dead_when_they_wake_up() {
    let stalled = Stalled::begin().await;
    let listener = Listener::start(stalled.fleet.callers()).await;
    let asleep = [stalled.fleet.of(Role::Worker), stalled.fleet.of(Role::Scheduler)].concat();
    for process in &asleep {
        process.freeze().await;
    }
    let ids = stalled.send().await;
    let asked_by = stalled.fleet.clock().now();
    stalled.until_all_are_dead().await;
    assert!(stalled.fleet.vendor().journal().is_empty(), "nobody was awake to send");
    for process in &asleep {
        process.thaw().await;
    }
    let finals = stalled.finals(&ids).await;
    listener.hear_the_end_of(&ids).await;
    for verification in &finals {
        assert_eq!(verification.state(), VerificationState::Expired);
        assert_eq!(verification.expiry_reason(), ExpiryReason::NotSent);
    }
    let stories = listener.stories();
    let ends = stories.values().flatten().filter_map(|event| match &event.kind {
        Some(event::Kind::VerificationEnded(ended)) => Some(ended.expiry_reason()),
        Some(_) | None => None,
    });
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends, vec![ExpiryReason::NotSent; ids.len()]);
    stalled.assert_nothing_dead(asked_by, asked_by);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_stands_still_hands_over_nothing_dead_when_it_wakes_up() {
    let stalled = Stalled::begin().await;
    let ids = stalled.send().await;
    // In the middle of the work: some are sent, some are claimed, some wait.
    stalled.store.freeze().unwrap();
    let asked_by = stalled.fleet.clock().now();
    stalled.until_all_are_dead().await;
    stalled.store.thaw().unwrap();
    assert_ended_with_reason(&stalled.finals(&ids).await);
    stalled.assert_nothing_dead(asked_by, asked_by + TTL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn providers_that_never_answer_get_no_dead_code_when_they_are_back() {
    let stalled = Stalled::begin().await;
    for account in ["alpha", "beta", "chat", "rich", "call"] {
        stalled.fleet.vendor().break_down(account, None, Mishap::Silence);
    }
    let ids = stalled.send().await;
    let asked_by = stalled.fleet.clock().now();
    stalled.until_all_are_dead().await;
    for account in ["alpha", "beta", "chat", "rich", "call"] {
        stalled.fleet.vendor().recover(account);
    }
    assert_ended_with_reason(&stalled.finals(&ids).await);
    stalled.assert_nothing_dead(asked_by, asked_by + TTL);
}
