//! Every process of an installation is replaced, one after the other, while people ask for codes.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_sandbox_vendor::{Rule, Script};
use otter_store_redis::test_server::RedisServer;
use otter_tests::{Fleet, Going, Judgement, REACHED_NOBODY, Shape, Trial};

use crate::scale;

/// How long the installation is left alone from one process to the next.
const BETWEEN: Duration = Duration::from_millis(300);

/// How long the vendor takes to answer, so that there is something in flight to finish.
const ANSWER: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_that_is_replaced_piece_by_piece_loses_and_doubles_nothing() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = Fleet::start(&store.url(), Shape::default(), scale::QUIET).await;
    fleet.vendor().follow(Script { rules: vec![Rule { latency: ANSWER, ..Rule::default() }] });
    let trial = Trial { name: "rolling", load: scale::load(), patience: scale::patience() };
    let judgement = trial.run(&fleet, |going| replace_all(&fleet, going)).await;
    judgement.assert_sound();
    // A caller whose connection was asked to go connects again, and may find that nobody listens there for a moment,
    // or has calls in its own queue when the connection ends.
    let mut repeated = fleet.callers().repeated();
    let refused = repeated.remove(REACHED_NOBODY).unwrap_or_default();
    tell(refused, &repeated, &judgement, fleet.blows().len() / 2);
    // With the machine to itself nobody is starved beyond a lease or a grace, so nothing else explains a doubt.
    if scale::is_full() {
        assert_eq!(judgement.figures.leases_lost, 0, "whoever is asked to stop leaves nothing in doubt");
        assert!(repeated.is_empty(), "calls that had begun failed: {repeated:?}");
    }
}

/// Replaces every process again and again as long as people come, and at least once.
async fn replace_all(fleet: &Fleet, mut going: Going) {
    loop {
        for process in fleet.processes() {
            going.pause(BETWEEN).await;
            assert_eq!(process.stop().await, Some(0), "{process:?} ends in time and in order");
            process.start_again().await;
        }
        if going.is_over() {
            return;
        }
    }
}

#[allow(clippy::print_stdout, reason = "a figure is for whoever runs the suite")]
fn tell(refused: usize, repeated: &BTreeMap<String, usize>, judgement: &Judgement, replaced: usize) {
    let lost = judgement.figures.leases_lost;
    println!(
        "  rolling: {replaced} processes replaced; {refused} calls reached nobody and were repeated elsewhere"
    );
    println!("  rolling: calls that were repeated for other reasons: {repeated:?}; leases lost: {lost}");
}
