//! The machine below the server loses its power: what was not synced is gone.
//!
//! Proven with a tracer that notes every write and every sync of the append-only file; see `PoweredServer`.

use std::time::Duration;

use otter_store_redis::test_server::{PowerCut, PoweredServer};
use otter_tests::{Going, Judgement};

use super::{BETWEEN_FAULTS, draws, fleet, holds_after_a_loss, tell_losses, trial};

async fn run(
    name: &'static str,
    appendfsync: &str,
    settings: &str,
    scenario: u64,
) -> (Judgement, Vec<PowerCut>) {
    let mut server = PoweredServer::start(appendfsync, Duration::ZERO).unwrap();
    let fleet = fleet(&server.server().url(), settings).await;
    let mut cuts = Vec::new();
    let judgement = trial(name, &fleet, async |mut going: Going| {
        let mut draws = draws(scenario);
        while going.pause(draws.span(BETWEEN_FAULTS)).await {
            cuts.push(server.cut_power().await.unwrap());
            server.start_again().unwrap();
        }
    });
    let judgement = judgement.await;
    assert!(!cuts.is_empty(), "the power was cut");
    (judgement, cuts)
}

fn lost(cuts: &[PowerCut]) -> String {
    let bytes: u64 = cuts.iter().map(|cut| cut.written - cut.kept).sum();
    format!("{} power cuts took {bytes} bytes", cuts.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_takes_nothing_along_that_had_to_be_on_the_disk() {
    let name = "power cut, fsync";
    let (judgement, cuts) = run(name, "always", "durability = \"fsync\"", 21).await;
    tell_losses(name, &judgement, &lost(&cuts));
    judgement.assert_sound();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_power_cut_takes_along_when_it_did_not_have_to_be_on_the_disk_is_all_that_is_lost() {
    let name = "power cut, appendfsync everysec, primary";
    let (judgement, cuts) = run(name, "everysec", "durability = \"primary\"", 22).await;
    tell_losses(name, &judgement, &lost(&cuts));
    judgement.assert_sound_but_for(|kind| !holds_after_a_loss(kind));
}
