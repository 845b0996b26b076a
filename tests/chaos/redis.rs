//! Redis dies, hangs, fails over, loses its power, moves its slots, or is badly connected while people ask for codes.

mod cluster;
mod network;
mod power;
mod sentinel;
mod standalone;

use std::time::Duration;

use otter_tests::{BreachKind, Draws, Fleet, Going, Judgement, Shape, Trial};

use crate::scale;

/// Enough to have somebody to race with, few enough to leave room for the servers.
const SHAPE: Shape = Shape { api: 2, worker: 2, scheduler: 1, receipts: 1 };

/// How long people are left alone from one fault to the next.
const BETWEEN_FAULTS: std::ops::Range<Duration> = Duration::from_millis(1000)..Duration::from_millis(3000);

/// Every process of an installation over a store, with further settings of the section `store`.
async fn fleet(url: &str, settings: &str) -> Fleet {
    Fleet::start_over(url, settings, SHAPE, scale::QUIET).await
}

/// The usual crowd, while something happens to the store.
async fn trial<F: Future<Output = ()>>(
    name: &'static str,
    fleet: &Fleet,
    faults: impl FnOnce(Going) -> F,
) -> Judgement {
    Trial { name, load: scale::load(), patience: scale::patience() }.run(fleet, faults).await
}

/// What faults are drawn from; each scenario has its own.
fn draws(scenario: u64) -> Draws {
    Draws::of(scale::seed(), u64::MAX - scenario)
}

/// Whether a promise still holds for verifications of which the store has lost a part that it had answered: a code that was
/// checked, cancelled or sent is as if that had never been, so it may be all of this again (DESIGN section 6). Dead codes
/// are not sent, and nobody stumbles over what is missing.
fn holds_after_a_loss(kind: &BreachKind) -> bool {
    matches!(kind, BreachKind::DeadCode(_) | BreachKind::Defect(_))
}

/// Tells what a run has cost where a loss is allowed.
#[allow(clippy::print_stdout, reason = "a figure is for whoever runs the suite")]
fn tell_losses(name: &str, judgement: &Judgement, more: &str) {
    let mut hit: Vec<_> = judgement.breaches.iter().map(|breach| breach.id.as_str()).collect();
    hit.sort_unstable();
    hit.dedup();
    let (lost, accepted) = (judgement.figures.lost, judgement.figures.accepted);
    let twice = judgement.breaches.iter().filter(|breach| breach.kind == BreachKind::SecondSuccess).count();
    println!(
        "  {name}: {lost} of {accepted} accepted verifications lost, {} touched, {twice} of them verified twice; {more}",
        hit.len()
    );
}
