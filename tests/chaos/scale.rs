//! How large a run is and what it is drawn from.

/// How many codes a scenario sends: `OTTER_CHAOS_CODES`, or as many as a test run has time for.
pub(crate) fn codes() -> usize {
    number("OTTER_CHAOS_CODES").unwrap_or(600)
}

/// What faults and people are drawn from: `OTTER_CHAOS_SEED`. The same seed draws the same.
pub(crate) fn seed() -> u64 {
    number("OTTER_CHAOS_SEED").unwrap_or(1)
}

fn number<N: std::str::FromStr>(name: &str) -> Option<N> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}
