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

/// How often the server ran a command, scripts included.
async fn calls(server: &RedisServer, command: &str) -> u64 {
    let info = server.info("commandstats").await.unwrap();
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
/// confirmed, so each writes something that replicas are asked about.
#[tokio::test]
async fn what_finds_itself_done_before_still_waits_for_replicas() {
    let (_primary, replica, store) = pair().await;
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

    // None of them writes a string but the clock, which is noted once a second anyway; that is not enough for all of these.
    for _ in 0..5 {
        let before = calls(&replica, "set").await;
        assert_eq!(committed().await, CommitVerdict::Done);
        assert!(matches!(merged().await, MergeVerdict::Stale { .. }));
        let again = checked(1, winner).await;
        assert!(matches!(again, CheckVerdict::Verified { repeated: true, .. }), "{again:?}");
        assert!(matches!(checked(1, other).await, CheckVerdict::Ended(_)));
        assert_eq!(ask_for_a_request(&store, &opened).await.unwrap(), Earlier::Nothing);
        assert_eq!(calls(&replica, "set").await, before + 5);
    }
}

#[tokio::test]
async fn a_new_line_asks_for_replicas_with_a_write_of_its_own() {
    let (primary, replica, store) = pair().await;
    let opened = somebody(&store).await;
    let another = open(&primary, seconds(5)).await;
    // From then on the replica has what opening wrote.
    ask_for_a_request(&store, &opened).await.unwrap();
    let written = calls(&replica, "set").await;
    assert_eq!(ask_for_a_request(&another, &opened).await.unwrap(), Earlier::Nothing);
    assert_eq!(calls(&replica, "set").await, written + 2, "one to ask for replicas and one to be confirmed");
    assert_eq!(ask_for_a_request(&another, &opened).await.unwrap(), Earlier::Nothing);
    assert_eq!(calls(&replica, "set").await, written + 3, "a line that was confirmed is asked no more");
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

/// Asks until it is refused for this reason.
async fn until_refused_for(why: &str, store: &RedisStore, of: &Verification) {
    let refused = async {
        loop {
            let answer = format!("{:?}", ask_for_a_request(store, of).await);
            if answer.contains(why) {
                return;
            }
        }
    };
    tokio::time::timeout(seconds(60), refused).await.unwrap_or_else(|_| panic!("nothing says {why:?}"));
}

/// Lets a primary whose replicas are gone become a replica itself, while its connections stay.
async fn is_left_when_it_is_a_replica(serves_stale_data: &str) {
    let (primary, mut replica, _) = pair().await;
    let store = open(&primary, seconds(1)).await;
    let opened = somebody(&store).await;
    ask_for_a_request(&store, &opened).await.unwrap();
    replica.crash();
    // A server that becomes a replica hangs up on those who wait for its own; so nobody does any more.
    until_refused_for("acknowledged: 0", &store, &opened).await;

    primary.ask::<()>(&["CONFIG", "SET", "replica-serve-stale-data", serves_stale_data]).await.unwrap();
    primary.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();
    // What is said of servers that are looked at before they are used.
    until_refused_for("the address must be the primary's", &store, &opened).await;

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
