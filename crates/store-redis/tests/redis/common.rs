//! A server and stores on it.

use std::sync::Arc;

use otter_domain::{
    AttemptNumber, CheckSubmission, Digest, Effect, JobKind, KeyId, Partition, PartitionCount,
    PresentedDigest, ReceiptStatus, RequestId, Secret, Verification,
};
use otter_store::{Claim, Commit, CommitVerdict, Nonce, ReceiptMerge, ReceiptTarget, RequestKey, Store};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Options, RedisStore};
use otter_store_testkit::fixture::{self, provider, queued, seconds, unique, verification, worker};
use redis::AsyncConnectionConfig;

/// What every test's store is made with, but for what the test is about.
pub(crate) fn options(server: &RedisServer, prefix: &str) -> Options {
    let options = Options::new(Secret::new(server.url()), fixture::sealer(), [7; 32]);
    // The machine that runs the tests may be busy with others.
    let response_timeout = seconds(5);
    Options { prefix: prefix.to_owned(), response_timeout, ..options }
}

pub(crate) async fn store(server: &RedisServer, prefix: &str) -> Arc<RedisStore> {
    RedisStore::connect(options(server, prefix)).await.unwrap()
}

pub(crate) fn home(index: u16) -> Partition {
    PartitionCount::DEFAULT.at(index).unwrap()
}

/// A connection beside the store's, to look at what it keeps.
pub(crate) async fn connection(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    // A server that is short of processors answers late, which is no failure of what is asked here.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// A commit that creates a verification with the job of its first attempt, under a request id.
pub(crate) fn creation(next: &Verification) -> Commit {
    let attempt = &next.attempts[0];
    let job =
        Effect::Dispatch { provider: attempt.provider.clone(), attempt: attempt.number, job: JobKind::Send };
    let id = RequestId::parse(&format!("018f2c5a-7b1e-7c3a-9d2e-{:012}", unique())).unwrap();
    Commit {
        expected: None,
        next: next.clone(),
        effects: vec![job],
        due: Some(attempt.queued_at + seconds(5)),
        nonce: Nonce(unique()),
        request: Some(RequestKey { id, fingerprint: [9; 32] }),
        limits: Vec::new(),
        message_ids: Vec::new(),
        at_stake: Vec::new(),
    }
}

pub(crate) async fn create(store: &RedisStore) -> Verification {
    let now = store.now().await.unwrap();
    let verification = verification(home(1), now, vec![queued(1, "twilio-eu", now)]);
    let created = store.commit(home(1), vec![creation(&verification)]).await.unwrap().value;
    assert_eq!(created, [CommitVerdict::Done]);
    verification
}

pub(crate) fn submission(verification: &Verification, code: u8) -> CheckSubmission {
    CheckSubmission {
        id: verification.id,
        tenant: verification.tenant.clone(),
        digests: vec![PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) }],
        request_id: None,
    }
}

pub(crate) fn delivered(verification: &Verification, attempt: AttemptNumber) -> ReceiptMerge {
    ReceiptMerge {
        target: ReceiptTarget::Attempt(verification.id, attempt),
        provider: provider("twilio-eu"),
        status: ReceiptStatus::Delivered,
        because: None,
    }
}

pub(crate) fn claim(max: usize) -> Claim {
    Claim { lane: provider("twilio-eu"), worker: worker("worker-1"), lease: seconds(6), max }
}

pub(crate) fn key(verification: &Verification) -> String {
    format!("otter:{{p01}}:v:{}", verification.id)
}
