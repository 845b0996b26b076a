//! What processes keep in memory over a long load: caches fill, and then nothing grows.

use std::time::Duration;

use otter_store_redis::test_server::RedisServer;
use otter_tests::{Fleet, Going, Shape, Trial};

use crate::scale;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What no process needs, whatever it has seen: caches are bounded, and small beside it.
const ENOUGH: u64 = 256 << 20;

const MEBIBYTE: u64 = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_process_does_not_grow_with_what_has_passed_through_it() {
    let store = RedisServer::start().expect("make setup installs redis-server");
    let fleet = Fleet::start(&store.url(), Shape::default(), scale::QUIET).await;
    let trial = Trial { name: "memory", load: scale::load(), patience: scale::patience() };
    let mut readings = Vec::new();
    let judgement = trial.run(&fleet, async |going| readings = watch(&fleet, going).await).await;
    judgement.assert_sound();
    for (place, process) in fleet.processes().iter().enumerate() {
        let own: Vec<u64> = readings.iter().map(|reading| reading[place]).collect();
        tell(&format!("{process:?}"), &own);
        let most = own.iter().max().copied().unwrap_or_default();
        assert!((1..=ENOUGH).contains(&most), "{process:?} took {most} bytes");
        // Over the long run the second half asks for no more than the first had, but for what an allocator rounds up.
        if scale::is_full() {
            let (first, second) = own.split_at(own.len() / 2);
            let (before, after) = (first.iter().max().unwrap(), second.iter().max().unwrap());
            assert!(*after <= before + before / 4, "{process:?} grew from {before} to {after} bytes");
        }
    }
}

/// What every process has in use, once a second as long as people come, and once more.
async fn watch(fleet: &Fleet, mut going: Going) -> Vec<Vec<u64>> {
    let mut readings = Vec::new();
    loop {
        let is_going = going.pause(LOOK).await;
        let mut reading = Vec::new();
        for process in fleet.processes() {
            reading.push(process.memory().await);
        }
        readings.push(reading);
        if !is_going {
            return readings;
        }
    }
}

#[allow(clippy::print_stdout, reason = "a figure is for whoever runs the suite")]
fn tell(process: &str, readings: &[u64]) {
    let quarters = readings.chunks(readings.len().div_ceil(4));
    let most: Vec<_> = quarters.map(|part| part.iter().max().unwrap() / MEBIBYTE).collect();
    println!("  memory of {process}: at most {most:?} MiB in the quarters of the run");
}
