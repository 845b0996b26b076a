//! A server that is well, and a network before it that is not.

use std::time::Duration;

use otter_store_redis::test_server::{Passage, Proxy, RedisServer, Weather};
use otter_tests::{Draws, Going};

use super::{draws, fleet, trial};
use crate::scale;

/// A network with a little latency that now and then resets a connection.
const ROUGH: Weather = Weather {
    latency: Duration::from_millis(2),
    jitter: Duration::from_millis(8),
    reset_one_in: Some(2000),
    ..Weather::FINE
};

/// How long trouble lasts, and how long it is only rough in between.
const TROUBLE: std::ops::Range<Duration> = Duration::from_millis(500)..Duration::from_millis(2000);
const ONLY_ROUGH: std::ops::Range<Duration> = Duration::from_millis(2000)..Duration::from_millis(4000);

/// What else happens to connections, one after the other.
#[derive(Clone, Copy)]
enum Trouble {
    AllReset,
    AllStranded,
    /// Answers are lost and requests are not: what was done is not known.
    AnswersSwallowed,
    /// Requests come late, when nobody waits for them any more.
    RequestsHeld,
    /// Nothing arrives.
    Cut,
}

const TROUBLES: [Trouble; 5] =
    [Trouble::AllReset, Trouble::AllStranded, Trouble::AnswersSwallowed, Trouble::RequestsHeld, Trouble::Cut];

async fn befall(proxy: &Proxy, trouble: Trouble, draws: &mut Draws) {
    let weather = match trouble {
        Trouble::AllReset => return proxy.reset(),
        Trouble::AllStranded => return proxy.strand(),
        Trouble::AnswersSwallowed => Weather { towards_client: Passage::Swallowed, ..ROUGH },
        Trouble::RequestsHeld => Weather { towards_server: Passage::Held, ..ROUGH },
        Trouble::Cut => {
            Weather { towards_server: Passage::Swallowed, towards_client: Passage::Swallowed, ..ROUGH }
        }
    };
    proxy.set(weather);
    tokio::time::sleep(draws.span(TROUBLE)).await;
    proxy.set(ROUGH);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_requests_and_lost_answers_are_told_apart_and_nothing_is_done_twice() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(server.address(), scale::seed()).await.unwrap();
    let fleet = fleet(&proxy.url(), "").await;
    let judgement = trial("network", &fleet, async |mut going: Going| {
        let mut draws = draws(31);
        proxy.set(ROUGH);
        let mut troubles = TROUBLES.iter().cycle();
        while going.pause(draws.span(ONLY_ROUGH)).await {
            let trouble = troubles.next().expect("a cycle has no end");
            befall(&proxy, *trouble, &mut draws).await;
        }
        proxy.set(Weather::FINE);
    });
    judgement.await.assert_sound();
    assert!(proxy.resets() > 0, "connections were reset");
}
