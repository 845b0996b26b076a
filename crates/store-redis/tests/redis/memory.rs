//! A server whose memory is full.

use otter_store::{Error, Store};
use otter_store_redis::test_server::RedisServer;
use redis::AsyncCommands;

use crate::common::{claim, connection, create, home, store};

#[tokio::test]
async fn nothing_is_taken_off_a_lane_while_what_became_of_it_could_not_be_booked() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value, [], "the script is known to the server");
    let created = create(&store).await;
    let limit = async |bytes: &str| server.ask::<()>(&["CONFIG", "SET", "maxmemory", bytes]).await.unwrap();

    limit("1").await;
    for _ in 0..3 {
        let refused = store.claim(home(1), claim(10)).await;
        assert!(matches!(refused, Err(Error::Unavailable { doing: "claiming", .. })), "{refused:?}");
    }
    let waiting: usize = connection(&server).await.llen("otter:{p01}:lane:twilio-eu").await.unwrap();
    assert_eq!(waiting, 1);
    let found = store.load(home(1), vec![created.id]).await.unwrap().value.remove(0);
    assert_eq!(found.as_ref(), Some(&created), "reading goes on, and nothing has begun");
    assert_eq!(store.claim(home(2), claim(10)).await.unwrap().value, [], "an empty lane is no trouble");

    limit("0").await;
    let claimed = store.claim(home(1), claim(10)).await.unwrap().value;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [created.id]);
}
