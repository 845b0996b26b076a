//! Stores on addresses, and writers that remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use otter_domain::{Effect, JobKind, Partition, PartitionCount, Secret, Verification, VerificationId};
use otter_store::{Claim, Commit, CommitVerdict, Error, Nonce, Store};
use otter_store_redis::{Options, RedisStore};
use otter_store_testkit::fixture::{self, provider, queued, seconds, unique, verification, worker};

/// What every test's store is made with, but for what the test is about.
pub(crate) fn options(url: impl Into<String>) -> Options {
    let options = Options::new(Secret::new(url.into()), fixture::sealer(), [7; 32]);
    // The machine that runs the tests may be busy with others.
    Options { response_timeout: seconds(5), ..options }
}

pub(crate) async fn refusal(options: Options) -> String {
    match RedisStore::connect(options).await {
        Ok(_) => panic!("a server was taken that should not be"),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn home(index: u16) -> Partition {
    PartitionCount::DEFAULT.at(index).unwrap()
}

pub(crate) fn homes() -> impl Iterator<Item = Partition> {
    PartitionCount::DEFAULT.all()
}

/// A commit that creates a verification with the job of its first attempt.
pub(crate) fn creation(next: &Verification) -> Commit {
    let attempt = &next.attempts[0];
    let job =
        Effect::Dispatch { provider: attempt.provider.clone(), attempt: attempt.number, job: JobKind::Send };
    Commit {
        expected: None,
        next: next.clone(),
        effects: vec![job],
        due: Some(attempt.queued_at + seconds(3600)),
        nonce: Nonce(unique()),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
    }
}

pub(crate) fn claim(max: usize) -> Claim {
    Claim { lane: provider("twilio-eu"), worker: worker("worker-1"), lease: seconds(6), max }
}

/// Creates a verification with a job; its id once that is acknowledged.
pub(crate) async fn create(store: &RedisStore, home: Partition) -> Result<VerificationId, Error> {
    // Not the store's own `now`: that is another partition's clock, whose server may be the dead one.
    let now = store.load(home, Vec::new()).await?.now;
    let opened = verification(home, now, vec![queued(1, "twilio-eu", now)]);
    let verdict = store.commit(home, vec![creation(&opened)]).await?.value.remove(0);
    assert_eq!(verdict, CommitVerdict::Done);
    Ok(opened.id)
}

/// The same, again and again until it works.
pub(crate) async fn create_at_last(store: &RedisStore, home: Partition) -> VerificationId {
    let tries = async {
        loop {
            match create(store, home).await {
                Ok(id) => return id,
                Err(error) => assert!(matches!(error, Error::Unavailable { .. }), "{error:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), tries).await.expect("it works again")
}

/// Asserts that all of these are there.
pub(crate) async fn assert_kept(store: &RedisStore, home: Partition, ids: &[VerificationId]) {
    for some in ids.chunks(256) {
        let found = store.load(home, some.to_vec()).await.unwrap().value;
        let lost = found.iter().filter(|found| found.is_none()).count();
        assert_eq!(lost, 0, "of {} that were acknowledged in {home}", ids.len());
    }
}

/// Tasks that create verifications in one partition each, one after the other, until they are told to stop.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<(Partition, Vec<VerificationId>, usize)>>,
}

impl Writers {
    pub(crate) fn start(store: &Arc<RedisStore>, homes: impl IntoIterator<Item = Partition>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let write = |home| {
            let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), 0);
                while !stop.load(Ordering::Relaxed) {
                    match create(&store, home).await {
                        Ok(id) => acknowledged.push(id),
                        Err(error) => {
                            assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
                            refused += 1;
                        }
                    }
                }
                (home, acknowledged, refused)
            })
        };
        let tasks = homes.into_iter().map(write).collect();
        Self { stop, tasks }
    }

    /// What was acknowledged, and how many tries were refused, by partition.
    pub(crate) async fn stop(self) -> Vec<(Partition, Vec<VerificationId>, usize)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = Vec::new();
        for task in self.tasks {
            written.push(task.await.unwrap());
        }
        written
    }
}
