//! Users who may not do what is needed.

use otter_store::Store;
use otter_store_redis::test_server::RedisServer;
use otter_store_redis::{Durability, Options, RedisStore};

use crate::common::{assert_kept, claim, create, home, options, refusal};
use crate::told::Told;

const EVERYTHING: &str = "otter on >secret ~otter:* &otter:* +@all";

fn server(user: &str) -> RedisServer {
    RedisServer::start_with_users(&[user]).unwrap()
}

fn options_of(server: &RedisServer) -> Options {
    options(format!("redis://otter:secret@{}", server.address()))
}

#[tokio::test]
async fn a_user_who_may_not_publish_wakes_is_refused_at_the_start() {
    let without_channels = server("otter on >secret ~otter:* +@all");
    let refused = refusal(options_of(&without_channels)).await;
    assert!(refused.contains("may not publish") && refused.contains("+publish and &otter:*"), "{refused}");
    let without_command = server(&format!("{EVERYTHING} -publish"));
    assert!(refusal(options_of(&without_command)).await.contains("may not publish"));
}

#[tokio::test]
async fn a_user_who_lacks_commands_of_scripts_is_refused_with_their_names() {
    let check = async |lacking: &str, wanted: &str| {
        let server = server(&format!("{EVERYTHING} {lacking}"));
        let refused = refusal(options_of(&server)).await;
        let address = server.address();
        let expected = format!(
            "the store cannot be used: {address}: \
             the user may not run commands that are needed; allow it {wanted} on ~otter:*"
        );
        assert_eq!(refused, expected);
        for key in server.ask::<Vec<String>>(&["KEYS", "*"]).await.unwrap() {
            assert_ne!(server.ask::<i64>(&["PTTL", &key]).await.unwrap(), -1, "{key} stays");
        }
    };
    check("-rpush", "+rpush").await;
    check("-set -hincrby -time", "+set +hincrby +time").await;
    check("-del -pexpireat", "+del +pexpireat").await;
    check("-del -set -rpush", "+del +set").await;
    let without_scripts = server(&format!("{EVERYTHING} -evalsha"));
    assert!(refusal(options_of(&without_scripts)).await.contains("+evalsha +script|load on ~otter:*"));
}

#[tokio::test]
async fn a_user_who_may_not_wait_for_replicas_is_refused_where_they_are_waited_for() {
    let server = server(&format!("{EVERYTHING} -wait"));
    let refused = refusal(Options { durability: Durability::Replica { replicas: 1 }, ..options_of(&server) });
    let refused = refused.await;
    assert!(refused.contains("may not wait") && refused.contains("+wait"), "{refused}");
    RedisStore::connect(options_of(&server)).await.unwrap();
}

#[tokio::test]
async fn what_was_committed_is_answered_although_its_wake_is_refused() {
    let server = server(EVERYTHING);
    let store = RedisStore::connect(options_of(&server)).await.unwrap();
    server.ask::<()>(&["ACL", "SETUSER", "otter", "resetchannels"]).await.unwrap();
    let id = create(&store, home(1)).await.unwrap();
    assert_kept(&store, home(1), &[id]).await;
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value.len(), 1, "whoever looks finds its job");
}

#[tokio::test]
async fn a_user_who_may_not_subscribe_is_warned_of_once() {
    let told = Told::start();
    let server = server(&format!("{EVERYTHING} -subscribe"));
    let store = RedisStore::connect(options_of(&server)).await.unwrap();
    told.until(&["WARN", "wakes are refused"]).await;
    create(&store, home(1)).await.unwrap();
    server.ask::<()>(&["CLIENT", "KILL", "TYPE", "normal"]).await.unwrap();
    told.until(&["the store answers again"]).await;
    create(&store, home(1)).await.unwrap();
    // With as many channels as partitions, and after listening anew.
    assert_eq!(told.count(&["wakes are refused"]), 1);
}
