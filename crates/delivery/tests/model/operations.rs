//! What happens in a run besides what vendors do: a list that a seed determines and of which any part can be left out.

use std::time::Duration;

use crate::chance::Chance;

/// How many people there are.
pub(crate) const PEOPLE: usize = 3;

/// How many operations a run has.
pub(crate) const LENGTH: usize = 40;

/// Which verification is meant: so many before the last one that callers know.
type Back = usize;

/// The caller's name for a call; few, so that they are used again.
pub(crate) type Name = Option<u8>;

/// What a code is asked for with: a repeat under the same name with other words is another question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Usual,
    ShortLived,
    OnlySms,
}

/// What somebody types in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A code that a vendor took: so many before the last one.
    Taken(usize),
    Wrong,
}

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Send {
        person: usize,
        name: Name,
        body: Body,
    },
    Resend {
        of: Back,
        name: Name,
    },
    Check {
        of: Back,
        typed: Typed,
        name: Name,
        times: usize,
    },
    Cancel {
        of: Back,
    },
    Report {
        of: Back,
        verified: bool,
    },
    Look {
        of: Back,
    },
    Wait(Duration),
    /// A process is gone in the midst of everything, and another one comes after a while.
    Crash {
        process: usize,
        back_after: Duration,
    },
    /// A process stands still and then goes on as if nothing had been.
    Pause {
        process: usize,
        time: Duration,
    },
    /// A process does not reach the store.
    Cut {
        process: usize,
        time: Duration,
    },
    /// The store is slow, refuses, and loses answers.
    Storm {
        time: Duration,
    },
}

/// The operations of a seed.
pub(crate) fn draw(chance: &Chance) -> Vec<Operation> {
    (0..LENGTH).map(|_| one(chance)).collect()
}

fn one(chance: &Chance) -> Operation {
    let of = chance.weighted(&[(6, 0), (2, 1), (1, 2), (1, 3)]);
    let process = chance.below(2);
    match chance.below(100) {
        0..16 => Operation::Send { person: chance.below(PEOPLE), name: name(chance), body: body(chance) },
        16..26 => Operation::Resend { of, name: name(chance) },
        26..48 => Operation::Check {
            of,
            typed: typed(chance),
            name: name(chance),
            times: chance.weighted(&[(7, 1), (2, 2), (1, 3)]),
        },
        48..51 => Operation::Cancel { of },
        51..53 => Operation::Report { of, verified: chance.percent(50) },
        53..58 => Operation::Look { of },
        58..84 => Operation::Wait(wait(chance)),
        84..89 => Operation::Crash { process, back_after: chance.millis(0, 9_000) },
        89..93 => Operation::Pause { process, time: pause(chance) },
        93..96 => Operation::Cut { process, time: chance.millis(200, 12_000) },
        _ => Operation::Storm { time: chance.millis(200, 15_000) },
    }
}

fn name(chance: &Chance) -> Name {
    chance.percent(45).then(|| chance.weighted(&[(2, 0), (1, 1), (1, 2)]))
}

fn body(chance: &Chance) -> Body {
    chance.weighted(&[(5, Body::Usual), (3, Body::ShortLived), (1, Body::OnlySms)])
}

fn typed(chance: &Chance) -> Typed {
    chance.weighted(&[(4, Typed::Taken(0)), (2, Typed::Taken(1)), (1, Typed::Taken(2)), (5, Typed::Wrong)])
}

/// Longer than a lease as often as not.
fn pause(chance: &Chance) -> Duration {
    if chance.percent(50) { chance.millis(200, 6_000) } else { chance.millis(6_000, 14_000) }
}

/// Short ones between calls that race, long ones for timers, leases and deadlines.
fn wait(chance: &Chance) -> Duration {
    match chance.below(100) {
        0..45 => chance.millis(0, 200),
        45..80 => chance.millis(200, 4_000),
        80..97 => chance.millis(4_000, 9_000),
        _ => chance.millis(9_000, 60_000),
    }
}
