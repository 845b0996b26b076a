//! The whole of delivery against a small reference: random operations and faults on two processes, on paused time. A
//! seed determines everything, so a failure is replayed with `OTTER_MODEL_SEED=seed OTTER_MODEL_SEEDS=1`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod acts;
mod calls;
mod chance;
mod gate;
mod judge;
mod model;
mod operations;
mod process;
mod run;
mod town;
mod vendor;
mod verdict;
mod way;
mod weather;

use run::{run, shrunk};
use way::Broken;

/// How many seeds are run unless `OTTER_MODEL_SEEDS` says otherwise, by all tests together.
const SEEDS: u64 = 2_000;

/// How many tests share them, so that they run beside each other.
const SHARES: u64 = 4;

fn setting(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// What has to come up in so many runs, or they prove little.
const COMES_UP: [&str; 29] = [
    "is gone",
    "stands still",
    "is cut from",
    "a storm begins",
    "does not take",
    "is to be taken back",
    "denies what it reported on",
    "answered: Unknown",
    "repeated: false }",
    "repeated: true }",
    "Verified { by: Some(AttemptNumber(2)), repeated: true }",
    "answered: NameReused",
    "answered: Limited",
    "answered: Resent",
    "NotNow(Live",
    "NotNow(TooEarly",
    "NotNow(Ended",
    "Checked(Wrong",
    "Checked(Ended(Verified",
    "Checked(Waiting",
    "Reported(Unknown)",
    "Reported(Stale",
    "AttemptRetrying",
    "AttemptAmbiguous",
    "how: Withdrawn",
    "how: Expired",
    "how: Failed",
    "how: Exhausted",
    "origin: Failover",
];

/// From so many runs on.
const ENOUGH: u64 = 500;

/// Runs the seeds of one share.
fn share(of: u64) {
    let (first, count) = (setting("OTTER_MODEL_SEED", 1), setting("OTTER_MODEL_SEEDS", SEEDS));
    let mut missing = COMES_UP.to_vec();
    for seed in (first..first + count).filter(|seed| seed % SHARES == of) {
        match run(seed, Broken::Nothing, |_| true) {
            Ok(history) => missing.retain(|what| !history.iter().any(|line| line.contains(what))),
            Err(failure) => panic!("{}", shrunk(seed, Broken::Nothing, failure)),
        }
    }
    assert!(count / SHARES < ENOUGH || missing.is_empty(), "this never came up: {missing:?}");
}

#[test]
fn every_promise_holds_in_the_first_quarter_of_runs() {
    share(0);
}

#[test]
fn every_promise_holds_in_the_second_quarter_of_runs() {
    share(1);
}

#[test]
fn every_promise_holds_in_the_third_quarter_of_runs() {
    share(2);
}

#[test]
fn every_promise_holds_in_the_last_quarter_of_runs() {
    share(3);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 1..=10 {
        let history = || run(seed, Broken::Nothing, |_| true).unwrap_or_else(|failure| failure.history);
        let (one, other) = (history(), history());
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

#[test]
fn whatever_is_broken_is_noticed() {
    for broken in Broken::ALL {
        let noticed =
            (1..=1_000).find_map(|seed| run(seed, broken, |_| true).err().map(|failure| (seed, failure.why)));
        let (seed, why) = noticed.unwrap_or_else(|| panic!("nobody noticed {broken:?}"));
        println!("{broken:?}: seed {seed}: {}", why.lines().next().unwrap_or_default());
    }
}
