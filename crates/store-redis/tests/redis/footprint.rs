//! What the engine costs its server: trips, and bytes (budget 9 of the performance page).

use otter_domain::{
    AttemptNumber, Channel, ChannelClass, CheckVerdict, Effect, HappeningKind, Measure, Observation, Phase,
    Segment,
};
use otter_store::{Commit, CommitVerdict, Store, bounds};
use otter_store_redis::RedisStore;
use otter_store_redis::test_server::RedisServer;
use otter_store_testkit::fixture::{
    accepted, planned, provider, queued, seconds, typical_plan, verification,
};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use crate::common::{claim, connection, create, creation, delivered, home, key, store, submission};

/// The commands of one journey: what a caller, a worker, a vendor and a person do about one code.
#[tokio::test]
async fn a_whole_journey_is_five_trips() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    create(&store).await;
    store.claim(home(1), claim(1)).await.unwrap();
    let now = store.now().await.unwrap();
    let mut connection = connection(&server).await;
    warm_up(&store).await;
    let before = script_calls(&mut connection).await;

    let opened = verification(home(1), now, vec![queued(1, "twilio-eu", now)]);
    let begun = Commit { at_stake: ChannelClass::ALL.to_vec(), ..creation(&opened) };
    assert_eq!(store.commit(home(1), vec![begun]).await.unwrap().value, [CommitVerdict::Done]);
    let mut job = store.claim(home(1), claim(1)).await.unwrap().value.remove(0).verification;
    job.attempts[0].phase = Phase::Accepted { at: now, wait_until: now + seconds(30) };
    let segment = Segment { provider: provider("twilio-eu"), channel: Channel::Sms, country: job.country };
    let observation = Observation { segment, attempted_at: now, measure: Measure::Accepted };
    let accepted = HappeningKind::AttemptAccepted {
        attempt: AttemptNumber::FIRST,
        provider: provider("twilio-eu"),
        channel: Channel::Sms,
    };
    let outcome = Commit {
        expected: Some(job.version),
        effects: vec![Effect::Observe(observation), Effect::Publish(accepted)],
        request: None,
        ..creation(&job)
    };
    assert_eq!(store.commit(home(1), vec![outcome]).await.unwrap().value, [CommitVerdict::Done]);
    store.merge(home(1), vec![delivered(&job, AttemptNumber::FIRST)]).await.unwrap();
    let checked = store.check(home(1), vec![submission(&job, 1)]).await.unwrap().value.remove(0);
    let by = Some(AttemptNumber::FIRST);
    assert_eq!(checked.verdict, CheckVerdict::Verified { by, repeated: false });

    assert_eq!(script_calls(&mut connection).await - before, 5);
}

/// Lets the server learn the scripts, so that only the journey's own calls are counted.
async fn warm_up(store: &RedisStore) {
    let nobody = verification(home(1), store.now().await.unwrap(), vec![]);
    store.merge(home(1), vec![delivered(&nobody, AttemptNumber::FIRST)]).await.unwrap();
    store.check(home(1), vec![submission(&nobody, 1)]).await.unwrap();
}

async fn script_calls(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query_async(connection).await.unwrap();
    let calls = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    calls.and_then(|rest| rest.split(',').next()).unwrap().parse().unwrap()
}

/// Budget 9 of PERFORMANCE: record, pointer, timer and request id of one pending verification.
#[tokio::test]
async fn a_pending_verification_takes_little_memory() {
    const COUNT: usize = 500;
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let now = store.now().await.unwrap();
    let commits = (0..COUNT).map(|_| {
        let opened = verification(home(1), now, vec![queued(1, "twilio-eu", now)]);
        creation(&planned(opened, typical_plan()))
    });
    store.commit(home(1), commits.collect()).await.unwrap();
    let mut connection = connection(&server).await;
    let mut bytes = 0;
    for key in connection.keys::<_, Vec<String>>("otter:{p01}:*").await.unwrap() {
        let usage = redis::cmd("MEMORY").arg(&["USAGE", &key, "SAMPLES", "0"]).clone();
        bytes += usage.query_async::<usize>(&mut connection).await.unwrap();
    }
    let each = bytes / COUNT;
    println!("{each} bytes for each pending verification");
    assert!(each <= 1300, "{each} bytes");
}

#[tokio::test]
async fn an_ended_verification_is_small_and_goes_by_itself() {
    let server = RedisServer::start().unwrap();
    let store = store(&server, "otter").await;
    let now = store.now().await.unwrap();
    let opened = verification(home(1), now, vec![accepted(1, "twilio-eu", now)]);
    let opened = planned(opened, typical_plan());
    store.commit(home(1), vec![creation(&opened)]).await.unwrap();
    let mut connection = connection(&server).await;
    assert_eq!(connection.ttl::<_, i64>(key(&opened)).await.unwrap(), -1, "what is pending stays");
    store.check(home(1), vec![submission(&opened, 1)]).await.unwrap();
    let fields: Vec<(String, Vec<u8>)> = connection.hgetall(key(&opened)).await.unwrap();
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    println!("{bytes} bytes of content for an ended verification");
    assert!(bytes <= bounds::FINISHED, "{bytes} bytes");
    assert!(fields.iter().all(|(name, _)| name == "r"), "neither number nor code is left");
    let life: i64 = connection.ttl(key(&opened)).await.unwrap();
    assert!((86_390..=86_400).contains(&life), "{life} s");
}
