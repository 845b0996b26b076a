//! One server that is killed and started again, or hangs.

use std::time::Duration;

use otter_store_redis::test_server::{PoweredServer, RedisServer};
use otter_tests::Going;

use super::{BETWEEN_FAULTS, draws, fleet, trial};
use crate::scale;

/// How long a supervisor takes to start the server again.
const DOWN_FOR: std::ops::Range<Duration> = Duration::from_millis(0)..Duration::from_millis(1500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_syncs_always_loses_nothing_when_it_is_killed() {
    let mut server = RedisServer::start().unwrap();
    let fleet = fleet(&server.url(), "").await;
    let judgement = trial("redis killed, appendfsync always", &fleet, async |mut going: Going| {
        let mut draws = draws(1);
        while going.pause(draws.span(BETWEEN_FAULTS)).await {
            server.crash();
            tokio::time::sleep(draws.span(DOWN_FOR)).await;
            server.start_again().unwrap();
        }
    });
    judgement.await.assert_sound();
}

/// While a sync is under way, such a server answers before it writes, so what it answers then is lost with it: see
/// `docs/reliability.md`. At any other moment it has written what it answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_syncs_once_a_second_loses_nothing_when_it_is_killed_between_syncs() {
    let mut server = PoweredServer::start("everysec", Duration::ZERO).unwrap();
    let fleet = fleet(&server.server().url(), "").await;
    let judgement = trial("redis killed, appendfsync everysec", &fleet, async |mut going: Going| {
        let mut draws = draws(2);
        while going.pause(draws.span(BETWEEN_FAULTS)).await {
            tokio::select! {
                moment = server.after_a_sync() => moment.unwrap(),
                // Nobody comes any more, so nothing is written either.
                _ = going.pause(Duration::MAX) => break,
            }
            server.crash();
            tokio::time::sleep(draws.span(DOWN_FOR)).await;
            server.start_again().unwrap();
        }
    });
    judgement.await.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_waited_for_and_no_dead_code_is_sent_afterwards() {
    let server = RedisServer::start().unwrap();
    let fleet = fleet(&server.url(), "").await;
    let pause = Duration::from_secs(if scale::is_full() { 30 } else { 8 });
    let judgement = trial("redis paused", &fleet, async |mut going: Going| {
        while going.pause(Duration::from_secs(3)).await {
            server.freeze().unwrap();
            tokio::time::sleep(pause).await;
            server.thaw().unwrap();
            // As long again to recover.
            going.pause(pause).await;
        }
    });
    judgement.await.assert_sound();
}
