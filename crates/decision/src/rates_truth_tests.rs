//! What is shown is true or marked: simulated people whose truth is known, seen at many moments.

use std::collections::BTreeMap;
use std::time::Duration;

use otter_domain::{Channel, Country, Measure, Moment, Segment, latency_bin};

use super::{BUCKET, Basis, Cell, Curves, Rate, by};
use crate::dice::Dice;
use crate::fixture::{T0, provider};

const LIFE: Duration = Duration::from_secs(300);
const HOUR: Duration = Duration::from_secs(3600);
const WINDOWS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), HOUR];

/// How many attempts are made in each 10 s.
const PACE: u64 = 30;

/// When people ask for codes within 10 s.
#[derive(Debug, Clone, Copy)]
enum Arrivals {
    Steady,
    AllAtOnce { millis: u64 },
}

/// How long people take who type their code.
#[derive(Debug, Clone, Copy)]
enum Delays {
    Always {
        millis: u64,
    },
    Between {
        millis: (u64, u64),
    },
    /// Most are quick, one in five has to fetch the phone.
    TwoKinds {
        quick: u64,
        slow: u64,
    },
}

impl Delays {
    fn draw(self, dice: &mut Dice) -> Duration {
        Duration::from_millis(match self {
            Self::Always { millis } => millis,
            Self::Between { millis: (least, most) } => least + dice.below(most - least),
            Self::TwoKinds { quick, .. } if dice.below(5) > 0 => quick / 2 + dice.below(quick),
            Self::TwoKinds { slow, .. } => slow / 2 + dice.below(slow),
        })
    }
}

/// One person who asked for a code: when, and when it was typed, if it was.
struct Person {
    asked: Moment,
    typed: Option<Moment>,
}

fn people(truth: u64, delays: Delays, arrivals: Arrivals, seed: u64) -> Vec<Person> {
    let mut dice = Dice::new(seed);
    let tens = 1200 / BUCKET.as_secs();
    let asked = (0..tens * PACE).map(|place| {
        let ten = T0 + BUCKET * u32::try_from(place / PACE).expect("it is small");
        ten + Duration::from_millis(match arrivals {
            Arrivals::Steady => place % PACE * 10_000 / PACE,
            Arrivals::AllAtOnce { millis } => millis,
        })
    });
    asked
        .map(|asked| {
            let takes = delays.draw(&mut dice);
            Person { asked, typed: (dice.below(100) < truth).then(|| asked + takes) }
        })
        .collect()
}

fn segment() -> Segment {
    let country = Country::parse("DE").expect("it is one");
    Segment { provider: provider("alpha"), channel: Channel::Sms, country }
}

/// The cells of what has happened by `now`.
fn counted(people: &[Person], now: Moment) -> BTreeMap<Moment, BTreeMap<Measure, u64>> {
    let mut cells: BTreeMap<Moment, BTreeMap<Measure, u64>> = BTreeMap::new();
    for Person { asked, typed } in people.iter().filter(|person| person.asked <= now) {
        let bucket = T0 + BUCKET * u32::try_from(asked.since(T0).as_secs() / BUCKET.as_secs()).unwrap_or(0);
        let counts = cells.entry(bucket).or_default();
        *counts.entry(Measure::Accepted).or_default() += 1;
        if let Some(typed) = typed.filter(|typed| *typed <= now) {
            *counts.entry(Measure::Verified(latency_bin(typed.since(*asked)))).or_default() += 1;
        }
    }
    cells
}

/// The conversion of each window.
fn conversions<const N: usize>(people: &[Person], windows: [Duration; N], now: Moment) -> [Rate; N] {
    let (counted, segment) = (counted(people, now), segment());
    let cells = || counted.iter().map(|(bucket, counts)| Cell { bucket: *bucket, segment: &segment, counts });
    let curves = Curves::learn(cells(), LIFE, now);
    let rates = |window| by(|_| (), cells(), &curves, window, now).remove(&()).expect("somebody asked");
    windows.map(|window| rates(window).conversion)
}

const ARRIVALS: [Arrivals; 3] =
    [Arrivals::Steady, Arrivals::AllAtOnce { millis: 0 }, Arrivals::AllAtOnce { millis: 9_999 }];

const DELAYS: [Delays; 6] = [
    Delays::Always { millis: 1_200 },
    Delays::Always { millis: 10_500 },
    Delays::Always { millis: 29_900 },
    Delays::Between { millis: (4_000, 20_000) },
    Delays::Between { millis: (4_000, 250_000) },
    Delays::TwoKinds { quick: 8_000, slow: 120_000 },
];

#[test]
fn a_conversion_that_is_shown_is_marked_or_its_interval_holds_the_truth() {
    let (mut shown, mut missed) = (0, Vec::new());
    for (place, truth) in [5, 30, 50, 80, 95, 100].into_iter().enumerate() {
        for delays in DELAYS {
            for arrivals in ARRIVALS {
                let people = people(truth, delays, arrivals, place as u64);
                for seconds in [61, 125, 299, 322, 371, 456, 603, 807, 1199] {
                    let now = T0 + Duration::from_secs(seconds);
                    for (window, rate) in WINDOWS.into_iter().zip(conversions(&people, WINDOWS, now)) {
                        if rate.basis != Basis::Own || rate.value.is_none() {
                            continue;
                        }
                        shown += 1;
                        let truth = truth as f64 / 100.0;
                        // Rounding of the ends is not a miss.
                        if !(rate.low - 1e-9..=rate.high + 1e-9).contains(&truth) {
                            missed.push((truth, delays, arrivals, seconds, window, rate));
                        }
                    }
                }
            }
        }
    }
    assert!(shown > 1000, "{shown} is too little to tell");
    // They are intervals of 95 %.
    assert!(missed.len() * 20 <= shown, "{} of {shown}: {missed:#?}", missed.len());
}

#[test]
fn the_first_minutes_of_a_new_segment_are_marked_and_claim_nothing() {
    let people = people(80, Delays::TwoKinds { quick: 8_000, slow: 120_000 }, Arrivals::Steady, 7);
    for seconds in (11..300).step_by(7) {
        for rate in conversions(&people, WINDOWS, T0 + Duration::from_secs(seconds)) {
            assert_eq!((rate.basis, rate.value), (Basis::Raw, None), "{seconds} s");
            assert_eq!((rate.low, rate.high), (0.0, 1.0), "{seconds} s");
        }
    }
}

#[test]
fn what_is_old_enough_is_shown_raw_before_there_is_a_curve() {
    // Too few of them are verified to teach how fast they are.
    let people = people(20, Delays::Always { millis: 10_000 }, Arrivals::Steady, 3);
    let [seen] = conversions(&people, [HOUR], T0 + Duration::from_secs(345));
    assert_eq!((seen.basis, seen.of), (Basis::Raw, 4 * PACE));
    let value = seen.value.expect("some are old enough");
    assert!((0.12..=0.28).contains(&value) && seen.low <= 0.2 && 0.2 <= seen.high, "{seen:?}");
}

#[test]
fn an_hour_of_steady_traffic_is_known_well() {
    let people = people(80, Delays::TwoKinds { quick: 8_000, slow: 60_000 }, Arrivals::Steady, 11);
    let [rate] = conversions(&people, [HOUR], T0 + Duration::from_secs(1199));
    assert!(rate.low <= 0.8 && 0.8 <= rate.high && rate.high - rate.low < 0.06, "{rate:?}");
}
