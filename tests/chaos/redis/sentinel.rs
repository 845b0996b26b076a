//! A primary with two replicas below sentinels, and another primary when it is gone.

use std::time::Duration;

use otter_store_redis::test_server::SentinelGroup;
use otter_tests::{Going, Judgement};

use super::{BETWEEN_FAULTS, draws, fleet, holds_after_a_loss, tell_losses, trial};

const REPLICAS: usize = 2;

/// All replicas have what is answered.
const REPLICA: &str = "durability = \"replica\"\nreplicas = 2";

/// How the primary goes.
#[derive(Clone, Copy)]
enum Blow {
    Killed,
    Frozen,
}

/// Takes the primary away again and again; everybody is back when it returns. Counts.
async fn fail_over(group: &mut SentinelGroup, blow: Blow, scenario: u64, mut going: Going) -> usize {
    let (mut draws, mut failovers) = (draws(scenario), 0);
    while going.pause(draws.span(BETWEEN_FAULTS)).await {
        let gone = match blow {
            Blow::Killed => group.crash_primary().await.unwrap(),
            Blow::Frozen => group.freeze_primary().await.unwrap(),
        };
        group.primary_other_than(gone).await.unwrap();
        going.pause(draws.span(Duration::ZERO..Duration::from_secs(1))).await;
        match blow {
            Blow::Killed => group.node(gone).start_again().unwrap(),
            Blow::Frozen => group.nodes()[gone].thaw().unwrap(),
        }
        group.settled().await.unwrap();
        failovers += 1;
    }
    failovers
}

async fn run(name: &'static str, settings: &str, blow: Blow, scenario: u64) -> (Judgement, usize) {
    let mut group = SentinelGroup::start(REPLICAS).await.unwrap();
    let fleet = fleet(&group.url(), settings).await;
    let mut failovers = 0;
    let judgement = trial(name, &fleet, async |going| {
        failovers = fail_over(&mut group, blow, scenario, going).await;
    });
    let judgement = judgement.await;
    assert!(failovers > 0, "a primary was replaced");
    (judgement, failovers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_primary_takes_nothing_along_that_its_replicas_had_to_have() {
    let (judgement, _) = run("sentinel, primary killed, replica", REPLICA, Blow::Killed, 11).await;
    judgement.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_cut_off_takes_nothing_along_that_its_replicas_had_to_have() {
    let (judgement, _) = run("sentinel, primary cut off, replica", REPLICA, Blow::Frozen, 12).await;
    judgement.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_primary_takes_along_when_nobody_had_to_have_it_is_all_that_is_lost() {
    let name = "sentinel, primary killed, primary";
    let (judgement, failovers) = run(name, "durability = \"primary\"", Blow::Killed, 13).await;
    tell_losses(name, &judgement, &format!("in {failovers} failovers"));
    judgement.assert_sound_but_for(|kind| !holds_after_a_loss(kind));
}
