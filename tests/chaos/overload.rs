//! More is asked for than can be sent, and a store that stands still: what cannot be done in time is refused early, with a
//! time to come back; checks, reads and receipts go on; and afterwards everything works without a restart.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use otter_contract::v1::{
    Attempt, AttemptState, Channel, CheckOtpRequest, CheckOutcome, ReceiptStatus, SendOtpRequest,
    Verification,
};
use otter_sandbox_vendor::{Rule, Script, Vendor};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Client, Kept, Otter, Stopwatch, configuration, login, reason, retry_after, vendor};
use prost_types::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tonic::{Code, Status};

use crate::scale;

/// How long the narrow provider takes to answer, and how many it takes at once: 10 messages a second.
const ANSWER: Duration = Duration::from_millis(400);
const AT_ONCE: usize = 4;

/// How long a message may wait for it.
const MAX_QUEUE_WAIT: Duration = Duration::from_secs(5);

/// A bound on waiting for what must come; never a wait.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long the store stands still.
const STALL: Duration = Duration::from_secs(6);

/// A call that takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(10);

/// What callers were answered.
#[derive(Debug, Default)]
struct Answers {
    accepted: Vec<String>,
    refused: HashMap<(Code, String), usize>,
    /// How many calls were open at the same time at most.
    most_open: usize,
}

/// One process over a store, with a purpose for which there is only one narrow provider.
struct Place {
    _otter: Otter,
    client: Client,
    vendor: Vendor,
}

impl Place {
    async fn open(kept: &Kept) -> Self {
        let vendor = vendor().await;
        let rule = Rule { account: Some("beta".to_owned()), latency: ANSWER, ..Rule::default() };
        vendor.follow(Script { rules: vec![rule] });
        let more = format!(
            r#"
            [tenants.shop.purposes.narrow]
            route = "narrow"
            min_useful = "10s"
            [routes.narrow]
            steps = [{{ channel = "sms", providers = ["narrow"], wait = "10s", max_queue_wait = "{}s" }}]
            [providers.narrow]
            kind = "sandbox"
            base_url = "{}"
            account_key = "beta-key"
            signing_key = "beta-signing-key"
            channels = ["sms"]
            concurrency = {AT_ONCE}
            {}"#,
            MAX_QUEUE_WAIT.as_secs(),
            vendor.base_url(),
            scale::QUIET,
        );
        let otter = Otter::start(&configuration(kept, &vendor, &more), &[]).await;
        let client = Client::connect(&otter.grpc_url()).await;
        Self { _otter: otter, client, vendor }
    }

    /// Asks for codes at a steady rate, whatever becomes of those before.
    async fn offer(&self, purpose: &'static str, first: usize, count: usize, per_second: u32) -> Answers {
        let (mut calls, open) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut most_open = 0;
        for place in first..first + count {
            ticks.tick().await;
            let (client, open) = (self.client.clone(), Arc::clone(&open));
            most_open = most_open.max(open.fetch_add(1, Ordering::SeqCst) + 1);
            calls.spawn(async move {
                let request = SendOtpRequest { purpose: purpose.to_owned(), ..login(&number(place), &[]) };
                let answer = tokio::time::timeout(DEADLINE, client.send(request)).await;
                open.fetch_sub(1, Ordering::SeqCst);
                answer.expect("every call is answered")
            });
        }
        let mut answers = Answers { most_open, ..Answers::default() };
        while let Some(answer) = calls.join_next().await {
            match answer.unwrap() {
                Ok(sent) => answers.accepted.push(sent.verification_id),
                Err(status) => *answers.refused.entry(refusal(&status)).or_default() += 1,
            }
        }
        answers
    }

    /// Checks the same right code again and again under the same name until it is over; every answer must be the same.
    async fn check_until(&self, over: watch::Receiver<bool>) -> usize {
        let number = number(0);
        let mut handset = self.vendor.handset(&number);
        let id = self.client.login(&number, &[Channel::Sms]).await.verification_id;
        let message = tokio::time::timeout(PATIENCE, handset.next()).await.expect("the message comes");
        let request = CheckOtpRequest {
            verification_id: id.clone(),
            code: message.code().expect("it holds a code"),
            purpose: "login".to_owned(),
            request_id: "check".to_owned(),
            ..CheckOtpRequest::default()
        };
        let mut answered = 0;
        while !*over.borrow() {
            let answer =
                self.client.otp.clone().check_otp(request.clone()).await.expect("checks are answered");
            assert_eq!(answer.into_inner().outcome(), CheckOutcome::Verified);
            assert_eq!(self.client.get(&id).await.id, id, "reads are answered");
            answered += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answered
    }

    /// Waits until everything is accepted again that is asked for, one at a time.
    async fn recover(&self, purpose: &'static str, first: usize) -> Duration {
        let began = Stopwatch::start();
        let (mut place, mut in_a_row) = (first, 0);
        while in_a_row < 10 {
            assert!(began.elapsed() < PATIENCE, "it does not recover");
            let answers = self.offer(purpose, place, 1, 5).await;
            in_a_row = if answers.accepted.is_empty() { 0 } else { in_a_row + 1 };
            place += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        began.elapsed()
    }
}

/// What a refusal says; those of overload say when to come back, within reason and not all at once.
fn refusal(status: &Status) -> (Code, String) {
    let wait = retry_after(status).unwrap_or_else(|| panic!("it says when to come back: {status:?}"));
    assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(15), "{wait:?}");
    (status.code(), reason(status))
}

fn number(place: usize) -> String {
    format!("+49151{}{}", 200 + place / 90_000, 10_000 + place % 90_000)
}

fn waited(attempt: &Attempt) -> Duration {
    let millis = |time: &Timestamp| time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    let (Some(queued), Some(claimed)) = (&attempt.queue_time, &attempt.claim_time) else {
        return Duration::ZERO;
    };
    Duration::from_millis(u64::try_from(millis(claimed) - millis(queued)).unwrap_or(0))
}

fn is_sent(verification: &Verification) -> bool {
    verification.attempts[0].state() == AttemptState::Accepted
}

#[allow(clippy::print_stdout, reason = "a report is for whoever runs the suite")]
fn tell(what: &str) {
    println!("{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_sent_in_time_is_refused_while_checks_and_receipts_go_on() {
    let kept = Kept::redis();
    let place = Place::open(&kept).await;
    let (over, is_over) = watch::channel(false);
    let offered = async {
        let answers = place.offer("narrow", 1, scale::codes(), scale::per_second()).await;
        over.send_replace(true);
        answers
    };
    let (answers, checks) = tokio::join!(offered, place.check_until(is_over));
    let recovered = place.recover("narrow", 500_000).await;

    let overloaded = (Code::ResourceExhausted, "OVERLOADED".to_owned());
    let refused = answers.refused.get(&overloaded).copied().unwrap_or_default();
    assert_eq!(answers.refused.values().sum::<usize>(), refused, "{:?}", answers.refused);
    assert_eq!(answers.accepted.len() + refused, scale::codes());
    assert!(refused > scale::codes() / 4, "only {refused} were refused");
    assert!(checks > 10, "only {checks} checks were answered");
    let (mut sent, mut given_up, mut waits) = (0, 0, Vec::new());
    for id in &answers.accepted {
        let settled = |it: &Verification| {
            let is_reported = it.attempts[0].receipt() == ReceiptStatus::Delivered;
            !is_sent(it) && it.attempts[0].outcome_time.is_some() || is_sent(it) && is_reported
        };
        let verification = place.client.until(id, "its receipt", settled).await;
        waits.push(waited(&verification.attempts[0]));
        if is_sent(&verification) { sent += 1 } else { given_up += 1 }
    }
    waits.sort();
    assert!(waits.last().is_some_and(|longest| *longest <= MAX_QUEUE_WAIT + Duration::from_secs(1)));
    tell(&format!(
        "overload: offered {} at {}/s, accepted {}, refused {refused}, sent and reported {sent}, given up {given_up}, \
         waited p50 {:?} p99 {:?} max {:?}, checks answered {checks}, open calls at most {}, recovered {recovered:?}",
        scale::codes(),
        scale::per_second(),
        answers.accepted.len(),
        waits[waits.len() / 2],
        waits[waits.len() * 99 / 100],
        waits[waits.len() - 1],
        answers.most_open,
    ));
    // Until anything is known about a lane, whatever comes is taken: two seconds of it at most.
    let unknown = usize::try_from(scale::per_second()).unwrap() * 3;
    assert!(given_up <= unknown + answers.accepted.len() / 10, "{given_up} were given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_a_store_that_stands_still_and_it_is_used_again_at_once() {
    let server = RedisServer::start().expect("make setup installs redis-server");
    let pid = Kept::Redis(server);
    let place = Place::open(&pid).await;
    let before = place.offer("login", 1, 20, 50).await;
    assert_eq!(before.accepted.len(), 20, "{:?}", before.refused);
    let Kept::Redis(server) = &pid else { unreachable!("it was made above") };
    server.freeze().unwrap();
    let began = Stopwatch::start();
    let count = usize::try_from(scale::per_second()).unwrap() * usize::try_from(STALL.as_secs()).unwrap();
    let during = place.offer("login", 1_000, count, scale::per_second()).await;
    server.thaw().unwrap();
    let stood = began.elapsed();
    let recovered = place.recover("login", 500_000).await;
    let kinds: Vec<_> = during.refused.keys().map(|(code, reason)| (*code, reason.as_str())).collect();
    assert_eq!(kinds, [(Code::Unavailable, "STORE_UNAVAILABLE")], "{:?}", during.refused);
    let refused: usize = during.refused.values().sum();
    assert_eq!(during.accepted.len(), 0, "nothing is accepted that is not durable");
    for id in before.accepted {
        place
            .client
            .until(&id, "it to be sent", |it| it.attempts.iter().any(|one| one.claim_time.is_some()))
            .await;
    }
    tell(&format!(
        "stall: {count} asked for while the store stood still for {stood:?}, refused {refused}, open calls at most {}, \
         recovered {recovered:?}",
        during.most_open,
    ));
}
