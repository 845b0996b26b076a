//! A provider that answers too late, by halves, with garbage or not at all, and whose receipts come early, late, twice,
//! reversed, after the end, or lie: all of it at once, over a crowd with providers that are well.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_contract::v1::{
    Attempt, AttemptOrigin, AttemptState, CheckOtpRequest, CheckOutcome, FailureClass, GetOtpRequest,
    ReceiptStatus, SendOtpRequest, Verification, VerificationState,
};
use otter_domain::Moment;
use otter_sandbox_vendor::{Handset, Received};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Client, Draws, Kept, Otter, Stopwatch, World, configuration, login, vendor_with_journal};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::scale;

/// The provider that misbehaves; it obeys numbers.
const SICK: &str = "alpha";

/// How long a step waits in test configurations.
const WAIT: Duration = Duration::from_secs(5);

/// How long the codes of those live who type theirs: long enough for every step of the route.
const TTL: Duration = Duration::from_secs(120);

/// The same for those who do not, so that a run sees their codes expire.
const TTL_OF_LEAVERS: Duration = Duration::from_secs(25);

/// How long a slow person takes to type: the next provider has been asked by then, if one has to be.
const SLOW: Duration = Duration::from_secs(12);

/// To how many in a thousand nothing happens: enough for the breaker to stay closed most of the time.
const WELL: usize = 550;

/// A bound on waiting for what must come; never a wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often what has not come yet is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Where German mobile numbers begin that a person here can have; three digits of their own and five that steer follow.
const NETWORKS: [&str; 18] = [
    "151", "152", "155", "157", "159", "160", "162", "163", "170", "171", "172", "173", "174", "175", "176",
    "177", "178", "179",
];

/// One way of the provider with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// What makes the vendor do it: the last two digits of a number.
    digits: u8,
    what: &'static str,
    /// Whether nobody can know from its answer if there is a message.
    is_unclear: bool,
    arrives: bool,
    /// The strongest receipt; unspecified if none comes.
    reported: ReceiptStatus,
}

const fn way(
    digits: u8,
    what: &'static str,
    is_unclear: bool,
    arrives: bool,
    reported: ReceiptStatus,
) -> Way {
    Way { digits, what, is_unclear, arrives, reported }
}

const NEVER: ReceiptStatus = ReceiptStatus::Unspecified;

const WAYS: [Way; 15] = [
    way(0, "all is well", false, true, ReceiptStatus::Delivered),
    way(6, "never answers, no message", true, false, NEVER),
    way(12, "never answers, but sends", true, true, ReceiptStatus::Delivered),
    way(15, "says that it does not know", true, false, NEVER),
    way(18, "answers after the deadline", true, true, ReceiptStatus::Delivered),
    way(19, "closes in the middle of the body", true, true, NEVER),
    way(20, "answers 200 with garbage", true, true, NEVER),
    way(7, "no receipts", false, true, NEVER),
    way(8, "undelivered", false, false, ReceiptStatus::Undelivered),
    way(9, "receipts after the end", false, true, ReceiptStatus::Delivered),
    way(10, "receipts that lie", false, false, ReceiptStatus::Delivered),
    way(11, "receipts twice and reversed", false, true, ReceiptStatus::Delivered),
    way(13, "expired", false, false, ReceiptStatus::Expired),
    way(14, "read", false, true, ReceiptStatus::Read),
    way(21, "receipts before the answer", false, true, ReceiptStatus::Delivered),
];

/// What a person does with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    Types,
    TypesSlowly,
    Leaves,
}

/// One person, and what became of their code.
#[derive(Debug, Clone)]
struct Visit {
    number: String,
    way: Way,
    habit: Habit,
    id: String,
    /// The message that the code was typed from came from this account.
    typed_from: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sick_provider_is_never_called_failed_when_it_may_have_sent_and_never_asked_again() {
    let kept = Kept::Redis(RedisServer::start().expect("make setup installs redis-server"));
    let vendor = vendor_with_journal().await;
    // Shorter than the wait of its step, longer than a busy machine takes to answer.
    let text = configuration(&kept, &vendor, scale::QUIET).replace("timeout = \"3s\"", "timeout = \"4s\"");
    let otter = Otter::start(&text, &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let world = World { otter, vendor, client, kept };
    let visits = crowd(&world).await;

    let ended =
        until(&world, &visits, "everything ends", |_, read| read.state() != VerificationState::Pending).await;
    let journal = by_number(world.vendor.journal());
    let told = until(&world, &visits, "every receipt comes", |visit, read| {
        let got_through = of(&journal, visit).iter().any(|received| received.account == SICK);
        !got_through || sick(read).is_some_and(|attempt| attempt.receipt() == visit.way.reported)
    })
    .await;
    for (visit, read) in visits.iter().zip(&told) {
        let received = of(&journal, visit);
        messages_are_those_that_were_booked(visit, read, received);
        unclear_is_ambiguous(visit, read);
        the_next_waits_for_its_step(visit, read);
        ends_as_the_person_did(visit, read);
    }
    for (visit, (before, after)) in visits.iter().zip(ended.iter().zip(&told)) {
        assert_eq!(before.state(), after.state(), "a receipt changed how it ended: {visit:?}");
    }
    receipts_in_any_order_come_to_the_same(&visits, &told);
    report(&visits, &told, &journal);
}

/// Lets everybody come, and returns when they have typed what they type.
async fn crowd(world: &World) -> Vec<Visit> {
    let codes = scale::codes().min(NETWORKS.len() * 1000);
    let mut coming = JoinSet::new();
    let mut arrivals = tokio::time::interval(Duration::from_secs(1) / scale::per_second());
    for index in 0..codes {
        let mut draws = Draws::of(scale::seed(), u64::try_from(index).expect("a usize fits"));
        let way = if draws.happens(WELL) { WAYS[0] } else { *draws.one_of(&WAYS) };
        let habit = *draws.one_of(&[Habit::Types, Habit::Types, Habit::TypesSlowly, Habit::Leaves]);
        // Nobody else is asked when the receipts say that the message has come.
        let is_lost = !way.arrives && way.reported == ReceiptStatus::Delivered;
        let habit = if is_lost { Habit::Leaves } else { habit };
        let (network, head) = (NETWORKS[index / 1000], index % 1000);
        let number = format!("+49{network}{head:03}000{:02}", way.digits);
        arrivals.tick().await;
        let handset = world.vendor.handset(&number);
        coming.spawn(visit(world.client.clone(), handset, number, way, habit));
    }
    coming.join_all().await
}

async fn visit(client: Client, mut handset: Handset, number: String, way: Way, habit: Habit) -> Visit {
    let ttl = if habit == Habit::Leaves { TTL_OF_LEAVERS } else { TTL };
    let ttl = Some(ttl.try_into().expect("it is short"));
    let request = SendOtpRequest { ttl, request_id: format!("send-{number}"), ..login(&number, &[]) };
    let id = insist(|| client.send(request.clone())).await.verification_id;
    let mut typed_from = None;
    if habit != Habit::Leaves {
        let message = tokio::time::timeout(TTL, handset.next()).await;
        let Ok(message) = message else { panic!("no message came: {way:?}: {:?}", read(&client, &id).await) };
        if habit == Habit::TypesSlowly {
            tokio::time::sleep(SLOW).await;
        }
        let code = message.code().expect("the message holds a code");
        let request = CheckOtpRequest {
            verification_id: id.clone(),
            code,
            purpose: "login".to_owned(),
            request_id: format!("check-{number}"),
            ..CheckOtpRequest::default()
        };
        let check = || {
            let (mut line, request) = (client.otp.clone(), request.clone());
            async move { line.check_otp(request).await.map(tonic::Response::into_inner) }
        };
        let answer = insist(check).await;
        assert_eq!(answer.outcome(), CheckOutcome::Verified, "{way:?}");
        typed_from = Some(message.account);
    }
    Visit { number, way, habit, id, typed_from }
}

async fn read(client: &Client, id: &str) -> Verification {
    let get = || {
        let (mut line, request) = (client.otp.clone(), GetOtpRequest { verification_id: id.to_owned() });
        async move { line.get_otp(request).await.map(tonic::Response::into_inner) }
    };
    insist(get).await.verification.expect("the answer holds it")
}

fn may_be_repeated(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded)
}

/// Calls until it is answered: on a busy machine a call may be refused for want of time, and is repeated.
async fn insist<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> T {
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(status) if may_be_repeated(status.code()) => tokio::time::sleep(LOOK).await,
            Err(status) => panic!("refused: {status:?}"),
        }
    }
}

/// Reads everybody's verification until something holds of each, and returns them as they are then.
async fn until(
    world: &World,
    visits: &[Visit],
    what: &str,
    holds: impl Fn(&Visit, &Verification) -> bool,
) -> Vec<Verification> {
    let began = Stopwatch::start();
    let mut found = Vec::new();
    for visit in visits {
        let mut current = read(&world.client, &visit.id).await;
        while !holds(visit, &current) {
            assert!(began.elapsed() < PATIENCE, "waited in vain: {what}: {visit:?}: {current:?}");
            tokio::time::sleep(LOOK).await;
            current = read(&world.client, &visit.id).await;
        }
        found.push(current);
    }
    found
}

/// The attempt that was handed to the provider that misbehaves; there is none if its breaker was open.
fn sick(read: &Verification) -> Option<&Attempt> {
    let of_sick = read.attempts.iter().find(|attempt| attempt.provider == SICK && attempt.tries > 0);
    of_sick.filter(|attempt| attempt.state() != AttemptState::Unavailable)
}

fn by_number(journal: Vec<Received>) -> BTreeMap<String, Vec<Received>> {
    let mut found: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for received in journal {
        found.entry(received.number.reveal().to_owned()).or_default().push(received);
    }
    found
}

fn of<'a>(journal: &'a BTreeMap<String, Vec<Received>>, visit: &Visit) -> &'a [Received] {
    journal.get(&visit.number).map(Vec::as_slice).unwrap_or_default()
}

/// What the vendor received is exactly what was booked, on every account, and never twice on one. What the breaker held
/// back never came and is booked as unavailable; what ran out of time on a busy machine may not have come, and is booked
/// as ambiguous.
fn messages_are_those_that_were_booked(visit: &Visit, read: &Verification, received: &[Received]) {
    for attempt in &read.attempts {
        let on_account = received.iter().filter(|one| one.account == attempt.provider).count();
        let tries = usize::try_from(attempt.tries).expect("they are few");
        let state = attempt.state();
        let may_be_kept = state == AttemptState::Ambiguous || state == AttemptState::Unavailable;
        assert!(
            on_account == tries || (on_account == 0 && may_be_kept),
            "{visit:?}: {on_account} requests for {attempt:?}"
        );
        assert!(tries <= 1, "asked again: {visit:?}: {attempt:?}");
    }
    let booked = |one: &Received| read.attempts.iter().any(|attempt| attempt.provider == one.account);
    assert!(received.iter().all(booked), "somebody was asked without an attempt: {visit:?}: {read:?}");
    let of_sick: Vec<_> = received.iter().filter(|one| one.account == SICK).collect();
    let messages = of_sick.iter().filter(|one| one.handling.is_a_message()).count();
    let expected = if makes_a_message(visit.way) { of_sick.len() } else { 0 };
    assert_eq!(messages, expected, "{visit:?}");
}

/// Whether the vendor takes a message, whatever becomes of it.
fn makes_a_message(way: Way) -> bool {
    way.arrives || !way.is_unclear
}

fn unclear_is_ambiguous(visit: &Visit, read: &Verification) {
    let Some(attempt) = sick(read) else { return };
    if visit.way.is_unclear {
        assert_eq!(attempt.state(), AttemptState::Ambiguous, "{visit:?}: {attempt:?}");
        assert_eq!(attempt.failure_class(), FailureClass::Ambiguous, "{visit:?}: {attempt:?}");
    } else {
        let is_fine = attempt.state() == AttemptState::Accepted || is_out_of_time(attempt);
        assert!(is_fine, "{visit:?}: {attempt:?}");
    }
}

/// Whether the machine was too busy to hear a provider that is well.
fn is_out_of_time(attempt: &Attempt) -> bool {
    attempt.state() == AttemptState::Ambiguous && attempt.error_class == "timeout"
}

/// Nobody else is asked before the step's wait is over, unless a receipt says that the message will not come.
fn the_next_waits_for_its_step(visit: &Visit, read: &Verification) {
    let Some(attempt) = sick(read) else { return };
    let Some(next) = read.attempts.iter().find(|next| next.number == attempt.number + 1) else { return };
    assert_eq!(next.origin(), AttemptOrigin::Failover, "{visit:?}");
    let is_negative = matches!(visit.way.reported, ReceiptStatus::Undelivered | ReceiptStatus::Expired);
    let (claimed, queued) = (moment(attempt.claim_time), moment(next.queue_time));
    assert!(is_negative || queued >= claimed + WAIT, "{visit:?}: the next came too early: {read:?}");
}

fn ends_as_the_person_did(visit: &Visit, read: &Verification) {
    let expected = match visit.habit {
        Habit::Leaves => VerificationState::Expired,
        Habit::Types | Habit::TypesSlowly => VerificationState::Verified,
    };
    assert_eq!(read.state(), expected, "{visit:?}: {read:?}");
    let by: Vec<_> = read.attempts.iter().filter(|attempt| attempt.verified).collect();
    let by: Vec<_> = by.iter().map(|attempt| attempt.provider.as_str()).collect();
    assert_eq!(by, visit.typed_from.iter().map(String::as_str).collect::<Vec<_>>(), "{visit:?}");
}

/// Early, late, twice, reversed or in order: it reads the same in the end.
fn receipts_in_any_order_come_to_the_same(visits: &[Visit], told: &[Verification]) {
    let orders = [
        "all is well",
        "receipts twice and reversed",
        "receipts before the answer",
        "receipts after the end",
    ];
    let of_an_order = visits.iter().zip(told).filter(|(visit, _)| orders.contains(&visit.way.what));
    for (visit, read) in of_an_order {
        let Some(attempt) = sick(read).filter(|attempt| !is_out_of_time(attempt)) else { continue };
        let state = (attempt.state(), attempt.receipt(), attempt.tries);
        assert_eq!(state, (AttemptState::Accepted, ReceiptStatus::Delivered, 1), "{visit:?}");
    }
}

fn moment(time: Option<prost_types::Timestamp>) -> Moment {
    let time = time.expect("the attempt got so far");
    let millis = time.seconds * 1000 + i64::from(time.nanos) / 1_000_000;
    Moment::from_millis(u64::try_from(millis).expect("it is after 1970"))
}

#[allow(clippy::print_stdout, reason = "a report is for whoever runs the suite")]
fn report(visits: &[Visit], told: &[Verification], journal: &BTreeMap<String, Vec<Received>>) {
    println!(
        "\n{:<34}{:>7}{:>9}{:>9}{:>11}{:>10}{:>10}{:>9}",
        "the provider", "codes", "requests", "messages", "ambiguous", "failovers", "verified", "expired"
    );
    for way in WAYS {
        let of: Vec<_> = visits.iter().zip(told).filter(|(visit, _)| visit.way == way).collect();
        let received = || of.iter().filter_map(|(visit, _)| journal.get(&visit.number)).flatten();
        let requests = received().filter(|one| one.account == SICK).count();
        let messages = received().filter(|one| one.account == SICK && one.handling.is_a_message()).count();
        let attempts = || of.iter().flat_map(|(_, read)| &read.attempts);
        let ambiguous = attempts().filter(|attempt| attempt.state() == AttemptState::Ambiguous).count();
        let failovers = attempts().filter(|attempt| attempt.origin() == AttemptOrigin::Failover).count();
        let ended = |state| of.iter().filter(|(_, read)| read.state() == state).count();
        let (verified, expired) = (ended(VerificationState::Verified), ended(VerificationState::Expired));
        assert_eq!(verified + expired, of.len(), "the states do not add up");
        let what = way.what;
        println!(
            "{what:<34}{:>7}{requests:>9}{messages:>9}{ambiguous:>11}{failovers:>10}{verified:>10}{expired:>9}",
            of.len()
        );
    }
}
