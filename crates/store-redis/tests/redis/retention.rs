//! Nothing grows for ever: what whole journeys leave behind is gone, or bounded, once its time is over.
//!
//! `OTTER_CHAOS_CODES` says how many journeys; the figures stand in `docs/reliability.md`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::PartitionCount;
use otter_store::{Board, Retention, Store};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Options, RedisStore};
use otter_store_testkit::Journeys;
use redis::aio::MultiplexedConnection;

use crate::common::{connection, options};

/// How many journeys of one partition go together.
const BATCH: usize = 100;

/// How many pending and finished verifications are weighed.
const WEIGHED: usize = 1_600;

/// Short enough to see everything end. Evidence needs a whole bucket of 10 s.
fn kept() -> Retention {
    let seconds = Duration::from_secs;
    Retention {
        ended: seconds(2),
        events: seconds(2),
        requests: seconds(2),
        evidence: seconds(12),
        failed_checks: seconds(3),
        ..Retention::default()
    }
}

/// How long a code lives; its message id is kept so long after its end.
const LIFE: Duration = Duration::from_secs(20);

/// A bound on waiting for the server to expire keys; never a wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many keys of each class there are, and what they take.
type Classes = BTreeMap<String, (usize, usize)>;

fn codes() -> usize {
    let text = std::env::var("OTTER_CHAOS_CODES").ok();
    text.map_or(3_200, |text| text.parse().expect("OTTER_CHAOS_CODES is a number"))
}

async fn classes(connection: &mut MultiplexedConnection) -> Classes {
    let mut classes = Classes::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(1_000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(connection).await.unwrap();
        let mut usages = redis::pipe();
        for key in &keys {
            usages.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0);
        }
        let usages: Vec<Option<usize>> = usages.query_async(connection).await.unwrap();
        for (key, bytes) in keys.iter().zip(usages) {
            // A key that has gone since it was listed is not there.
            let Some(bytes) = bytes else { continue };
            let (count, sum) = classes.entry(class_of(key)).or_default();
            (*count, *sum) = (*count + 1, *sum + bytes);
        }
        cursor = next;
        if cursor == 0 {
            return classes;
        }
    }
}

/// The word after the partition, or after the home of what belongs to none.
fn class_of(key: &str) -> String {
    let rest = key.split_once("}:").map_or(key, |(_, rest)| rest);
    rest.split(':').next().unwrap_or(rest).to_owned()
}

fn bytes_of(classes: &Classes, wanted: &[&str]) -> usize {
    wanted.iter().filter_map(|class| classes.get(*class)).map(|(_, bytes)| bytes).sum()
}

#[allow(clippy::print_stdout, reason = "figures are for whoever runs the suite")]
fn show(title: &str, classes: &Classes) {
    println!("{title}");
    for (class, (count, bytes)) in classes {
        println!("  {class:<12} {count:>9} keys {bytes:>12} bytes");
    }
}

/// Bytes that the server holds.
async fn used(connection: &mut MultiplexedConnection) -> usize {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await.unwrap();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    used.unwrap().parse().unwrap()
}

/// Does the same in every partition at once.
async fn everywhere<F>(store: &Arc<RedisStore>, work: impl Fn(Journeys) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let of = |home| Journeys { store: store.clone(), home, life: LIFE };
    let tasks: Vec<_> = PartitionCount::DEFAULT.all().map(|home| tokio::spawn(work(of(home)))).collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn partitions() -> usize {
    usize::from(PartitionCount::DEFAULT.get())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pending_and_finished_verifications_keep_to_their_budgets() {
    let server = RedisServer::start().unwrap();
    let store = RedisStore::connect(options(&server, "otter")).await.unwrap();
    let mut connection = connection(&server).await;
    let (each, before) = (WEIGHED / partitions(), used(&mut connection).await);
    everywhere(&store, move |journeys| async move { journeys.open(each).await }).await;
    let pending = classes(&mut connection).await;
    show("pending", &pending);
    let grown = used(&mut connection).await - before;
    println!("{} bytes of the server for each pending verification, events and all", grown / WEIGHED);
    let of_one = bytes_of(&pending, &["v", "lane", "timers", "idem"]) / WEIGHED;
    println!("{of_one} bytes of record, pointer, timer and request id for each");
    assert!(of_one <= 1_300, "{of_one} bytes for each pending verification");

    everywhere(&store, move |journeys| async move {
        let sent = journeys.send(each).await;
        journeys.end(&sent).await;
    })
    .await;
    let finished = classes(&mut connection).await;
    show("finished", &finished);
    let of_one = bytes_of(&finished, &["v", "lane", "timers"]) / WEIGHED;
    println!("{of_one} bytes of record for each finished verification, the server's own for a key included");
    assert!(of_one <= 640, "{of_one} bytes for each finished verification");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_of_journeys_that_are_over_but_what_is_bounded() {
    let server = RedisServer::start().unwrap();
    let options = Options { retention: kept(), ..options(&server, "otter") };
    let store = RedisStore::connect(options).await.unwrap();
    let mut connection = connection(&server).await;
    let began = store.now().await.unwrap();
    let rounds = codes().div_ceil(partitions() * BATCH);
    for round in 1..=rounds {
        everywhere(&store, |journeys| async move { journeys.run(BATCH).await }).await;
        store.take(&format!("address-{round}"), 10.0, 10, 1).await.unwrap();
        let life = Some(Duration::from_secs(1));
        store.post(Board::Breakers, &format!("breaker-{round}"), vec![1], life).await.unwrap();
        if round % rounds.div_ceil(4) == 0 || round == rounds {
            let took = store.now().await.unwrap().since(began);
            let (codes, seconds) = (round * partitions() * BATCH, took.as_secs());
            show(&format!("after {codes} codes and {seconds} s"), &classes(&mut connection).await);
            println!("  {} bytes of the server", used(&mut connection).await);
        }
    }
    // What is trimmed is trimmed by the next to come; what expires is deleted by the server in its own time.
    let began = store.now().await.unwrap();
    loop {
        everywhere(&store, |journeys| async move {
            journeys.run(1).await;
            let now = journeys.store.now().await.unwrap();
            journeys.store.evidence(journeys.home, now).await.unwrap();
        })
        .await;
        store.read(Board::Breakers).await.unwrap();
        let left = classes(&mut connection).await;
        let excess = excess(&left);
        if excess.is_empty() {
            show("once all of it is over, with one more journey in each partition every now and then", &left);
            println!("  {} bytes of the server", used(&mut connection).await);
            return;
        }
        let took = store.now().await.unwrap().since(began);
        assert!(took < PATIENCE, "there is too much left of {excess:?}: {left:#?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The classes of which there is more than the latest few journeys need.
fn excess(left: &Classes) -> Vec<&str> {
    let latest = 8 * partitions();
    let most = |class: &str| match class {
        "v" | "idem" | "limit" | "fail" => (latest, latest * 1_500),
        // A message id is known as long as its code could live, and then as long as what has ended.
        "ref" => (40 * partitions(), 40 * partitions() * 300),
        // One cell for each bucket of its life, in each partition.
        "ev" => (3 * partitions(), 3 * partitions() * 1_000),
        "evs" | "forgotten" | "clock" => (partitions(), partitions() * 1_000),
        "events" => (partitions(), partitions() * 16_000),
        "board" | "bucket" => (3, 4_000),
        _ => (0, 0),
    };
    let is_more = |(class, (count, bytes)): &(&String, &(usize, usize))| {
        let (keys, most) = most(class);
        *count > keys || *bytes > most
    };
    left.iter().filter(is_more).map(|(class, _)| class.as_str()).collect()
}
