//! How large a run is and what it is drawn from.

use std::time::Duration;

use otter_tests::Load;

/// What is put at the end of every configuration: processes that only tell what a person should look at.
pub(crate) const QUIET: &str = "[telemetry]\nlog_filter = \"warn\"\n";

/// How many codes a scenario sends: `OTTER_CHAOS_CODES`, or as many as a test run has time for.
pub(crate) fn codes() -> usize {
    number("OTTER_CHAOS_CODES").unwrap_or(600)
}

/// Whether this is the long run, and not one among other tests.
pub(crate) fn is_full() -> bool {
    codes() >= 5000
}

/// How many people come in a second: `OTTER_CHAOS_RATE`, or as many as leave room for other tests on the same machine.
pub(crate) fn per_second() -> u32 {
    number("OTTER_CHAOS_RATE").unwrap_or(if is_full() { 100 } else { 60 })
}

/// What faults and people are drawn from: `OTTER_CHAOS_SEED`. The same seed draws the same.
pub(crate) fn seed() -> u64 {
    number("OTTER_CHAOS_SEED").unwrap_or(1)
}

/// The crowd of this size. In the long run everybody waits for as long as their code lives.
pub(crate) fn load() -> Load {
    let load = Load::new(codes(), per_second(), seed());
    if is_full() { load } else { Load { patience: Duration::from_secs(12), ..load } }
}

/// How long a run waits at its end for verifications to end; in a short one some are pending then, and counted so.
pub(crate) fn patience() -> Duration {
    Duration::from_secs(if is_full() { 120 } else { 5 })
}

fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}
