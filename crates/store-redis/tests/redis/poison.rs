//! Records and pointers that cannot be read, as only somebody with a hand in the server makes them.

use otter_domain::{JobKind, Verification};
use otter_store::{DeadLetter, DeadReason, Discarded, LetterKey, Store};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use otter_store_testkit::fixture::provider;
use redis::AsyncCommands;

use crate::common::{claim, connection, create, home, key, store};

const LANE: &str = "otter:{p01}:lane:twilio-eu";

async fn letters(store: &RedisStore) -> Vec<DeadLetter> {
    store.dead_letters(home(1), None, 100).await.unwrap().value.letters
}

async fn letter(store: &RedisStore, verification: &Verification) -> Option<DeadLetter> {
    store.dead_letter(home(1), &LetterKey::of(verification.id)).await.unwrap().value
}

#[tokio::test]
async fn a_pointer_without_a_record_is_buried_and_stops_no_other() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let (lost, sound) = (create(&store).await, create(&store).await);
    let mut connection = connection(&server).await;
    let () = connection.del(key(&lost)).await.unwrap();
    let claimed = store.claim(home(1), claim(10)).await.unwrap().value;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [sound.id]);
    let letter = letter(&store, &lost).await.unwrap();
    assert_eq!((letter.reason, letter.job), (DeadReason::RecordMissing, Some(JobKind::Send)));
    assert_eq!((letter.tenant, letter.provider), (None, Some(provider("twilio-eu"))));

    let lane = format!("{} 1 send 1", lost.id);
    let () = connection.rpush(LANE, lane).await.unwrap();
    assert!(store.revive(home(1), &LetterKey::of(lost.id)).await.unwrap().value);
    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value, []);
    assert_eq!(letters(&store).await, [], "an old one may have ended and been forgotten");
}

#[tokio::test]
async fn a_pointer_that_is_none_is_buried_under_a_name_of_its_own() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    let () = connection.rpush(LANE, "what is this?").await.unwrap();
    let sound = create(&store).await;
    let claimed = store.claim(home(1), claim(10)).await.unwrap().value;
    assert_eq!(claimed.iter().map(|job| job.verification.id).collect::<Vec<_>>(), [sound.id]);
    let [letter] = <[DeadLetter; 1]>::try_from(letters(&store).await).unwrap();
    assert_eq!((letter.verification, letter.reason), (None, DeadReason::RecordUnreadable));
    assert_eq!(letter.detail, "its pointer is damaged");
    let discarded = store.discard(home(1), &letter.key).await.unwrap().value;
    assert_eq!(discarded, Some(Discarded { ended: None }));
    assert_eq!(letters(&store).await, []);
}

#[tokio::test]
async fn a_damaged_seal_is_buried_by_claim_and_by_timer() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let (claimed, due) = (create(&store).await, create(&store).await);
    let mut connection = connection(&server).await;
    for damaged in [&claimed, &due] {
        let mut body: Vec<u8> = connection.hget(key(damaged), "b").await.unwrap();
        *body.last_mut().unwrap() ^= 1;
        let () = connection.hset(key(damaged), "b", body).await.unwrap();
    }
    let () = connection.zadd("otter:{p01}:timers", due.id.to_string(), 1).await.unwrap();
    assert_eq!(store.due(home(1), 10).await.unwrap().value, []);
    assert_eq!(letter(&store, &due).await.unwrap().reason, DeadReason::SealUnopened);
    assert_eq!(store.due(home(1), 10).await.unwrap().value, [], "it is looked at again at its end");

    assert_eq!(store.claim(home(1), claim(10)).await.unwrap().value, []);
    let letter = letter(&store, &claimed).await.unwrap();
    assert_eq!(letter.detail, "its sealed part does not open with key 1");
    let seen = store.load(home(1), vec![claimed.id]).await.unwrap().value.remove(0).unwrap();
    assert_eq!((seen.id, seen.private), (claimed.id, None), "reads show what can be read");
}

#[tokio::test]
async fn a_record_of_a_later_version_is_buried_and_left_as_it_is() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let later = create(&store).await;
    let mut connection = connection(&server).await;
    // A map of one field: f, the format, is 9.
    let () = connection.hset(key(&later), "r", [0x81, 0xa1, b'f', 9].as_slice()).await.unwrap();
    let () = connection.zadd("otter:{p01}:timers", later.id.to_string(), 1).await.unwrap();
    assert_eq!(store.due(home(1), 10).await.unwrap().value, []);
    let found = letter(&store, &later).await.unwrap();
    assert_eq!(found.reason, DeadReason::RecordUnreadable);
    assert_eq!(found.detail, "its format is 9, this process reads up to 1");
    assert!(store.revive(home(1), &found.key).await.unwrap().value);
    assert_eq!(store.due(home(1), 10).await.unwrap().value, []);
    assert!(letter(&store, &later).await.is_some(), "it is buried again");
    assert!(connection.exists::<_, bool>(key(&later)).await.unwrap());
    store.discard(home(1), &found.key).await.unwrap();
    assert!(!connection.exists::<_, bool>(key(&later)).await.unwrap());
    assert_eq!(connection.zcard::<_, usize>("otter:{p01}:timers").await.unwrap(), 0);
}

#[tokio::test]
async fn a_lane_that_nobody_works_on_loses_two_outlived_pointers_for_each_that_comes() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    let now = store.now().await.unwrap().as_millis();
    let pointer =
        |number: u64, age: u64| format!("018f2c5a-7b1e-7001-9d2e-{number:012} 1 send {}", now - age);
    for (number, age) in [(1, 1_000_000), (2, 950_000), (3, 940_000), (4, 930_000), (5, 10_000)] {
        let () = connection.rpush(LANE, pointer(number, age)).await.unwrap();
    }
    let mut depths = Vec::new();
    for _ in 0..4 {
        create(&store).await;
        depths.push(connection.llen::<_, usize>(LANE).await.unwrap());
    }
    // Two go and one comes, until none is left that is older than any code.
    assert_eq!(depths, [4, 3, 4, 5]);
    let first: String = connection.lindex(LANE, 0).await.unwrap();
    assert_eq!(first, pointer(5, 10_000));
}

#[tokio::test]
async fn more_letters_than_there_may_be_push_out_the_oldest() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let mut connection = connection(&server).await;
    // As many as there may be, of verifications that are not there.
    let fill: redis::RedisResult<()> = redis::Script::new(
        "local letter = cmsgpack.pack({ w = 'handling_failed', d = '', s = 1 }) \
         for place = 1, 10000 do \
           redis.call('ZADD', KEYS[1], place, 'letter-' .. place) \
           redis.call('HSET', KEYS[2], 'letter-' .. place, letter) \
         end",
    )
    .key("otter:{p01}:buried")
    .key("otter:{p01}:letters")
    .invoke_async(&mut connection)
    .await;
    fill.unwrap();
    let () = connection.rpush(LANE, "no pointer").await.unwrap();
    store.claim(home(1), claim(1)).await.unwrap();
    let dead = store.dead_letters(home(1), None, 1).await.unwrap().value;
    assert_eq!((dead.total, dead.letters[0].key.as_str()), (10_000, "letter-2"));
}
