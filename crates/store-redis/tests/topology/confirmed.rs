//! What is waited for at `durability = "replica"`, and what is not.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::{
    AttemptNumber, CheckSubmission, CheckVerdict, Digest, KeyId, PresentedDigest, ReceiptStatus, RequestId,
    Verification,
};
use otter_store::{
    CommitVerdict, Earlier, Error, MergeVerdict, ReceiptMerge, ReceiptTarget, RequestKey, RequestScope, Store,
};
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Durability, Options, RedisStore};
use otter_store_testkit::fixture::{provider, queued, seconds, unique, verification};

use crate::common::{claim, create, create_at_last, creation, home, homes, options};

async fn open(primary: &RedisServer, patience: Duration) -> Arc<RedisStore> {
    let durability = Durability::Replica { replicas: 1 };
    let options = Options { durability, response_timeout: patience, ..options(primary.url()) };
    RedisStore::connect(options).await.unwrap()
}

/// A primary, its replica, and a store on them of which a first call was confirmed.
async fn pair() -> (RedisServer, RedisServer, Arc<RedisStore>) {
    let primary = RedisServer::start().unwrap();
    let replica = RedisServer::replica_of(&primary, &["--appendonly", "yes"]).await.unwrap();
    let store = open(&primary, seconds(5)).await;
    // The primary counts a replica only once it has reported itself.
    create_at_last(&store, home(1)).await;
    (primary, replica, store)
}

/// How far what goes to replicas has come.
async fn offset(primary: &RedisServer) -> u64 {
    let info = primary.info("replication").await.unwrap();
    let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
    offset.unwrap().trim_end().parse().unwrap()
}

/// How often the server ran a command, scripts included.
async fn calls(primary: &RedisServer, command: &str) -> u64 {
    let info = primary.info("commandstats").await.unwrap();
    let name = format!("cmdstat_{command}:calls=");
    let calls = info.lines().find_map(|line| line.strip_prefix(&name)?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

/// Asks for a request that nobody made.
async fn ask_for_a_request(store: &RedisStore, of: &Verification) -> Result<Earlier, Error> {
    let scope = RequestScope { tenant: of.tenant.clone(), recipient: of.recipient.clone() };
    let id = RequestId::parse(&format!("018f2c5a-7b1e-7c3a-9d2e-{:012}", unique())).unwrap();
    let request = RequestKey { id, fingerprint: [9; 32] };
    Ok(store.answered(home(1), scope, request).await?.value)
}

async fn somebody(store: &RedisStore) -> Verification {
    let now = store.load(home(1), Vec::new()).await.unwrap().now;
    verification(home(1), now, vec![queued(1, "twilio-eu", now)])
}

fn submission(of: &Verification, code: u8, request: &str) -> CheckSubmission {
    CheckSubmission {
        id: of.id,
        tenant: of.tenant.clone(),
        digests: vec![PresentedDigest { key: KeyId(1), digest: Digest([code; 32]) }],
        request_id: Some(RequestId::parse(request).unwrap()),
    }
}

/// Calls that find everything done and have nothing to write. What they find may have been written by a call that was not
/// confirmed, so each moves what replicas are asked about.
#[tokio::test]
async fn what_finds_itself_done_before_still_waits_for_replicas() {
    let (primary, _replica, store) = pair().await;
    let opened = somebody(&store).await;
    let commit = creation(&opened);
    let winner = "018f2c5a-7b1e-7c3a-9d2e-000000000001";
    let other = "018f2c5a-7b1e-7c3a-9d2e-000000000002";
    let receipt = ReceiptMerge {
        target: ReceiptTarget::Attempt(opened.id, AttemptNumber::FIRST),
        provider: provider("twilio-eu"),
        status: ReceiptStatus::Delivered,
        because: None,
    };
    let checked = async |code, request| {
        let submissions = vec![submission(&opened, code, request)];
        store.check(home(1), submissions).await.unwrap().value.remove(0).verdict
    };
    let merged = async || store.merge(home(1), vec![receipt.clone()]).await.unwrap().value.remove(0);
    let committed = async || store.commit(home(1), vec![commit.clone()]).await.unwrap().value.remove(0);
    assert_eq!(committed().await, CommitVerdict::Done);
    let jobs = store.claim(home(1), claim(10)).await.unwrap().value;
    assert_eq!(jobs.len(), 2);
    assert!(matches!(merged().await, MergeVerdict::Advanced { .. }));
    let first = checked(1, winner).await;
    assert!(matches!(first, CheckVerdict::Verified { repeated: false, .. }), "{first:?}");

    // The clock, which is noted once a second anyway, is not enough for all of these.
    for _ in 0..5 {
        let before = offset(&primary).await;
        assert_eq!(committed().await, CommitVerdict::Done);
        let after_commit = offset(&primary).await;
        assert!(matches!(merged().await, MergeVerdict::Stale { .. }));
        let after_merge = offset(&primary).await;
        let again = checked(1, winner).await;
        assert!(matches!(again, CheckVerdict::Verified { repeated: true, .. }), "{again:?}");
        let after_repeat = offset(&primary).await;
        assert!(matches!(checked(1, other).await, CheckVerdict::Ended(_)));
        let after_check = offset(&primary).await;
        assert_eq!(ask_for_a_request(&store, &opened).await.unwrap(), Earlier::Nothing);
        let offsets = [before, after_commit, after_merge, after_repeat, after_check, offset(&primary).await];
        assert!(offsets.is_sorted_by(|one, next| one < next), "{offsets:?}");
    }
}

#[tokio::test]
async fn a_new_line_asks_for_replicas_with_a_write_of_its_own() {
    let (primary, _replica, store) = pair().await;
    let opened = somebody(&store).await;
    let another = open(&primary, seconds(5)).await;
    let written = calls(&primary, "set").await;
    assert_eq!(ask_for_a_request(&another, &opened).await.unwrap(), Earlier::Nothing);
    assert_eq!(calls(&primary, "set").await, written + 2, "one to ask for replicas and one to be confirmed");
    assert_eq!(ask_for_a_request(&another, &opened).await.unwrap(), Earlier::Nothing);
    assert_eq!(calls(&primary, "set").await, written + 3, "a line that was confirmed is asked no more");
}

#[tokio::test]
async fn lanes_with_nothing_on_them_are_looked_at_without_waiting_for_replicas() {
    let (primary, _replica, store) = pair().await;
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value.len(), 1);
    let waited = calls(&primary, "wait").await;
    for _ in 0..3 {
        for home in homes() {
            assert_eq!(store.claim(home, claim(10)).await.unwrap().value, []);
        }
    }
    assert_eq!(calls(&primary, "wait").await, waited);
    create(&store, home(1)).await.unwrap();
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value.len(), 1);
}

/// Lets a primary whose replicas are gone become a replica itself, while its connections stay.
async fn is_left_when_it_is_a_replica(serves_stale_data: &str) {
    let (primary, mut replica, _) = pair().await;
    let store = open(&primary, seconds(1)).await;
    let opened = somebody(&store).await;
    create_at_last(&store, home(1)).await;
    replica.crash();
    let unconfirmed = ask_for_a_request(&store, &opened).await;
    assert!(matches!(unconfirmed, Err(Error::Unavailable { .. })), "{unconfirmed:?}");

    primary.ask::<()>(&["CONFIG", "SET", "replica-serve-stale-data", serves_stale_data]).await.unwrap();
    primary.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();
    let left = async {
        loop {
            let refused = format!("{:?}", ask_for_a_request(&store, &opened).await.unwrap_err());
            // What is said of servers that are looked at before they are used.
            if refused.contains("the address must be the primary's") {
                return;
            }
        }
    };
    tokio::time::timeout(seconds(60), left).await.expect("its line is replaced, and so it is looked at");

    primary.ask::<()>(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    replica.start_again().unwrap();
    create_at_last(&store, home(1)).await;
}

#[tokio::test]
async fn a_primary_that_became_a_replica_without_replicas_is_left() {
    is_left_when_it_is_a_replica("yes").await;
}

#[tokio::test]
async fn a_primary_that_became_a_replica_and_says_nothing_is_left() {
    is_left_when_it_is_a_replica("no").await;
}
