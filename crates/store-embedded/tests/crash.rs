//! `kill -9` at any moment loses nothing that was acknowledged.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use otter_domain::{Effect, JobKind, PartitionCount, ProviderName, VerificationId};
use otter_store::{Claim, Commit, CommitVerdict, Nonce, RequestKey, Retention, Store};
use otter_store_embedded::{EmbeddedStore, Options};
use otter_store_testkit::{ManualClock, fixture};
use tempfile::TempDir;

/// Names the directory for the process that is going to be killed.
const DIRECTORY: &str = "OTTER_TEST_CRASH_DIRECTORY";

/// Makes the ids of the round differ from those of the rounds before.
const ROUND: &str = "OTTER_TEST_CRASH_ROUND";

const LANE: &str = "crash";

fn open(directory: &Path) -> EmbeddedStore {
    let options = Options {
        directory: directory.to_owned(),
        partitions: PartitionCount::new(4).unwrap(),
        retention: Retention::default(),
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: ManualClock::new(),
    };
    EmbeddedStore::open(&options).unwrap()
}

/// A verification with its job and a request id made of its own id.
fn creation(store: &EmbeddedStore, number: u64, now: otter_domain::Moment) -> Commit {
    let home = store.partitions().of_hash(number);
    let next = fixture::verification(home, now, vec![fixture::queued(1, LANE, now)]);
    let next =
        otter_domain::Verification { id: VerificationId::new(now, home, number.to_be_bytes()), ..next };
    let provider = ProviderName::parse(LANE).unwrap();
    let id = otter_domain::RequestId::parse(&next.id.to_string()).unwrap();
    Commit {
        expected: None,
        effects: vec![Effect::Dispatch { provider, attempt: fixture::nth(1), job: JobKind::Send }],
        due: Some(now),
        nonce: Nonce(number),
        request: Some(RequestKey { id, fingerprint: [0; 32] }),
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
        next,
    }
}

#[test]
#[ignore = "the process that is killed; started by the test below"]
fn child_that_commits_until_it_is_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    otter_store_testkit::block_on(async move {
        let store = Arc::new(open(Path::new(&directory)));
        let now = store.now().await.unwrap();
        let tasks: Vec<_> = (0..8_u64)
            .map(|task| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for count in 0.. {
                        let item = creation(&store, round << 40 | task << 32 | count, now);
                        let (id, home) = (item.next.id, item.next.id.partition(store.partitions()).unwrap());
                        let verdicts = store.commit(home, vec![item]).await.unwrap().value;
                        assert_eq!(verdicts, [CommitVerdict::Done]);
                        let mut out = std::io::stdout().lock();
                        writeln!(out, "acknowledged {id}").unwrap();
                        out.flush().unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// Starts the child, kills it after that many acknowledgements, and returns all that it gave.
fn acknowledged_until_killed(directory: &Path, round: u64, after: usize) -> Vec<VerificationId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_commits_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap_or_default();
        let Some((_, id)) = line.split_once("acknowledged ") else { continue };
        // The last line may be cut in the middle: then it was not acknowledged to anybody.
        acknowledged.extend(VerificationId::parse(id).ok());
        if acknowledged.len() == after {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= after, "the child died on its own after {}", acknowledged.len());
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let directory = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for (round, after) in (1..).zip([1, 40, 250]) {
        acknowledged.extend(acknowledged_until_killed(directory.path(), round, after));
        otter_store_testkit::block_on(async {
            let store = open(directory.path());
            for id in &acknowledged {
                let home = id.partition(store.partitions()).unwrap();
                let loaded = store.load(home, vec![*id]).await.unwrap().value.remove(0);
                assert!(loaded.is_some_and(|verification| verification.private.is_some()), "{id} is lost");
            }
        });
    }
    otter_store_testkit::block_on(every_job_is_there(open(directory.path()), acknowledged));
}

async fn every_job_is_there(store: EmbeddedStore, acknowledged: Vec<VerificationId>) {
    let mut claimed = std::collections::BTreeSet::new();
    for home in store.partitions().all() {
        let lane = ProviderName::parse(LANE).unwrap();
        let lease = std::time::Duration::from_secs(6);
        let claim = Claim { lane, worker: fixture::worker("survivor"), lease, max: usize::MAX };
        let jobs = store.claim(home, claim).await.unwrap().value;
        claimed.extend(jobs.into_iter().map(|job| job.verification.id));
    }
    let lost = acknowledged.iter().filter(|id| !claimed.contains(id)).count();
    assert_eq!(lost, 0, "jobs of acknowledged verifications");
}
