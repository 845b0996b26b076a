//! Dead letters of which a part is gone, as only somebody with a hand in the server makes them.

use otter_store::{DeadLetter, Store};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::common::{claim, connection, home, store};

const LANE: &str = "otter:{p01}:lane:twilio-eu";
const LETTERS: &str = "otter:{p01}:letters";
const BURIED: &str = "otter:{p01}:buried";

/// Writes letters of verifications that are not there, one a millisecond.
async fn write(connection: &mut MultiplexedConnection, count: usize) {
    let written: redis::RedisResult<()> = redis::Script::new(
        "local letter = cmsgpack.pack({ w = 'handling_failed', d = '', s = 1 }) \
         for place = 1, tonumber(ARGV[1]) do \
           redis.call('ZADD', KEYS[1], place, string.format('letter-%05d', place)) \
           redis.call('HSET', KEYS[2], string.format('letter-%05d', place), letter) \
         end",
    )
    .key(BURIED)
    .key(LETTERS)
    .arg(count)
    .invoke_async(connection)
    .await;
    written.unwrap();
}

async fn page(store: &RedisStore, max: usize) -> (Vec<String>, u64) {
    let dead = store.dead_letters(home(1), None, max).await.unwrap().value;
    (dead.letters.iter().map(|letter| letter.key.to_string()).collect(), dead.total)
}

#[tokio::test]
async fn room_is_made_among_letters_that_are_gone() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    write(&mut connection, 10_000).await;
    let () = connection.del(LETTERS).await.unwrap();
    let () = connection.rpush(LANE, "no pointer").await.unwrap();
    assert_eq!(store.claim(home(1), claim(1)).await.unwrap().value, []);
    assert_eq!(connection.zcard::<_, usize>(BURIED).await.unwrap(), 10_000, "one went and one came");
    let letters: Vec<DeadLetter> = store.dead_letters(home(1), None, 10).await.unwrap().value.letters;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].detail, "its pointer is damaged");
}

#[tokio::test]
async fn letters_that_are_gone_leave_no_holes_in_a_page_and_are_counted_no_more() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    write(&mut connection, 6).await;
    let () = connection.hdel(LETTERS, &["letter-00001", "letter-00002", "letter-00004"]).await.unwrap();
    let kept = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    assert_eq!(page(&store, 2).await, (kept(&["letter-00003", "letter-00005"]), 3));
    assert_eq!(page(&store, 10).await, (kept(&["letter-00003", "letter-00005", "letter-00006"]), 3));
    let () = connection.del(LETTERS).await.unwrap();
    assert_eq!(page(&store, 2).await, (Vec::new(), 0));
}
