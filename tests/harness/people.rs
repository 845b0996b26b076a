//! Who asks for codes, and what they do with them. Drawn from a seed.

use crate::draws::Draws;

/// How many in a thousand have a number that steers the vendor.
const STEERED: usize = 80;

/// What steered numbers make the vendor do, by their last two digits: one for each way in which a send or its receipts
/// can go wrong, short of an account that is misconfigured, which would end the traffic of all others.
const STEERINGS: [u8; 10] = [2, 3, 4, 6, 7, 8, 9, 11, 12, 15];

/// Where German mobile numbers begin that are steered; eight more digits follow.
const NETWORKS: [&str; 18] = [
    "151", "152", "155", "157", "159", "160", "162", "163", "170", "171", "172", "173", "174", "175", "176",
    "177", "178", "179",
];

/// One person with a phone of their own.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Their place among all, from 0.
    pub(crate) index: usize,
    pub(crate) number: String,
    /// Whether the number steers the vendor.
    pub(crate) is_steered: bool,
    pub(crate) habit: Habit,
    /// Draws for what is left to chance later.
    pub(crate) draws: Draws,
}

/// What a person does with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Types it.
    Types,
    /// Types it, and the application submits it twice at the same moment.
    TypesTwiceAtOnce(Names),
    /// Types it, and the application asks again as if it had not heard the answer.
    Repeats,
    /// Types so many wrong codes first.
    Fumbles(usize),
    /// Types wrong codes until there is nothing left to try.
    Guesses,
    /// Changes their mind, then types it all the same.
    Cancels,
    /// Asks for another and types that.
    Resends,
    /// Never types anything.
    Leaves,
}

/// Under which names the same code is submitted twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Both under the same.
    One,
    /// Each under its own.
    Two,
    /// Without.
    None,
}

/// The person at a place, always the same for the same seed.
pub(crate) fn person(seed: u64, index: usize) -> Person {
    let mut draws = Draws::of(seed, u64::try_from(index).expect("a usize fits"));
    let is_steered = draws.happens(STEERED);
    let habit = habit(&mut draws);
    let number = if is_steered { steered(index) } else { ordinary(index) };
    Person { index, number, is_steered, habit, draws }
}

fn habit(draws: &mut Draws) -> Habit {
    match draws.below(100) {
        0..48 => Habit::Types,
        48..60 => Habit::TypesTwiceAtOnce(*draws.one_of(&[Names::One, Names::Two, Names::None])),
        60..66 => Habit::Repeats,
        66..74 => Habit::Fumbles(1 + draws.below(2)),
        74..77 => Habit::Guesses,
        77..83 => Habit::Cancels,
        83..89 => Habit::Resends,
        _ => Habit::Leaves,
    }
}

/// A number of its own for each place; its last five digits steer nothing.
fn ordinary(index: usize) -> String {
    let (head, tail) = (100 + index / 90_000, 10_000 + index % 90_000);
    assert!(head < 1000, "there are not so many people");
    format!("+49151{head}{tail}")
}

/// The same for a number that steers. There are fewer of them, so places that share one have different steerings.
fn steered(index: usize) -> String {
    let places = NETWORKS.len() * 1000;
    let (round, place) = (index / places, index % places);
    assert!(round < STEERINGS.len(), "there are not so many people");
    let (network, head) = (NETWORKS[place / 1000], place % 1000);
    format!("+49{network}{head:03}000{:02}", STEERINGS[(index + round) % STEERINGS.len()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use otter_domain::PhoneNumber;
    use otter_sandbox_vendor::Steering;

    use super::*;

    #[test]
    fn everybody_has_a_number_of_their_own_that_steers_only_if_it_shall() {
        let people: Vec<_> = (0..40_000).map(|index| person(1, index)).collect();
        let numbers: BTreeSet<_> = people.iter().map(|person| &person.number).collect();
        assert_eq!(numbers.len(), people.len());
        for person in people {
            assert!(PhoneNumber::parse(&person.number).is_ok(), "{}", person.number);
            assert_eq!(Steering::of(&person.number) != Steering::Ordinary, person.is_steered, "{person:?}");
        }
    }
}
