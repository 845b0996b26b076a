#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;

use otter_domain::PartitionCount;
use proptest::prelude::*;

use super::*;

const START: Moment = Moment::from_millis(1_000_000);

const PATIENCE: Duration = Duration::from_secs(5);

fn at(millis: u64) -> Moment {
    START + Duration::from_millis(millis)
}

fn home(index: usize) -> Partition {
    PartitionCount::new(16).unwrap().all().nth(index).unwrap()
}

fn about(home: Partition) -> Question {
    Question { home, max_queue_wait: PATIENCE, rate: None }
}

/// A lane of one partition in which `waiting` messages are spread over the last `age` milliseconds.
fn depth(waiting: u64, age: u64, now: Moment) -> Vec<Option<Depth>> {
    vec![Some(Depth { ready: waiting, oldest: Some(now - Duration::from_millis(age)) })]
}

/// A lane that is emptied at a speed, and a process that puts messages on it as fast as it may.
struct World {
    lanes: Vec<VecDeque<Moment>>,
    lane: Lane,
    now: Moment,
    refused: u64,
    begun: u64,
    longest_wait: Duration,
}

impl World {
    fn new(partitions: usize) -> Self {
        let lanes = vec![VecDeque::new(); partitions];
        let mut lane = Lane::default();
        lane.read(vec![Some(Depth::default()); partitions], partitions, START);
        Self { lanes, lane, now: START, refused: 0, begun: 0, longest_wait: Duration::ZERO }
    }

    /// A second in which messages come and leave evenly; then everything is read.
    fn second(&mut self, offered: u64, speed: u64) {
        for step in 0..100 {
            self.now = self.now + Duration::from_millis(10);
            let share = |count: u64| count * (step + 1) / 100 - count * step / 100;
            for place in 0..share(offered) {
                let place = (usize::try_from(place + step).unwrap() * 7) % self.lanes.len();
                if self.lane.full(&about(home(place)), self.now).is_some() {
                    self.refused += 1;
                } else {
                    self.lane.begin();
                    self.begun += 1;
                    self.lanes[place].push_back(self.now);
                }
            }
            for _ in 0..share(speed) {
                let oldest = self.lanes.iter_mut().filter(|lane| !lane.is_empty()).min_by_key(|lane| lane[0]);
                if let Some(came) = oldest.and_then(VecDeque::pop_front) {
                    self.longest_wait = self.longest_wait.max(self.now.since(came));
                }
            }
        }
        let read =
            |lane: &VecDeque<Moment>| Some(Depth { ready: lane.len() as u64, oldest: lane.front().copied() });
        self.lane.read(self.lanes.iter().map(read).collect(), self.lanes.len(), self.now);
    }
}

#[test]
fn a_lane_that_keeps_up_takes_everything_however_much_that_is() {
    let mut world = World::new(4);
    for _ in 0..60 {
        world.second(5_000, 6_000);
    }
    assert_eq!(world.refused, 0);
}

#[test]
fn what_more_is_offered_than_sent_is_refused_and_the_rest_does_not_wait_too_long() {
    for (offered, speed) in [(100, 20), (1_000, 50), (400, 300), (60, 50)] {
        let mut world = World::new(8);
        // What came before anything was known has left by then.
        for _ in 0..60 {
            world.second(offered, speed);
        }
        (world.longest_wait, world.begun) = (Duration::ZERO, 0);
        for _ in 0..60 {
            world.second(offered, speed);
        }
        assert!(world.longest_wait <= PATIENCE, "{:?} of {offered}/{speed}", world.longest_wait);
        let share = world.begun as f64 / (60 * speed) as f64;
        assert!((0.85..=1.1).contains(&share), "{share} of what can be sent is taken of {offered}/{speed}");
    }
}

#[test]
fn everything_is_taken_again_within_a_second_of_the_lane_being_empty() {
    let mut world = World::new(8);
    for _ in 0..20 {
        world.second(500, 50);
    }
    assert!(world.refused > 0);
    while world.lanes.iter().any(|lane| !lane.is_empty()) {
        world.second(0, 50);
    }
    world.refused = 0;
    world.second(40, 50);
    assert_eq!(world.refused, 0);
}

#[test]
fn a_lane_that_nobody_works_on_takes_nothing_once_its_oldest_has_waited_too_long() {
    let mut lane = Lane::default();
    for second in 0..10 {
        let now = at(1_000 * second);
        lane.read(depth(1, 1_000 * second, now), 1, now);
        let is_full = lane.full(&about(home(0)), now).is_some();
        assert_eq!(is_full, second > 3, "after {second} s");
    }
}

#[test]
fn a_partition_that_nobody_empties_does_not_close_the_others() {
    let mut lane = Lane::default();
    for second in 0..120 {
        let now = at(1_000 * second);
        let stuck = Some(Depth { ready: 40, oldest: Some(START) });
        lane.read(vec![stuck, Some(Depth::default())], 2, now);
        lane.begin();
        if second >= 5 {
            assert_eq!(lane.full(&about(home(1)), now), None, "after {second} s");
            assert!(lane.full(&about(home(0)), now).is_some(), "after {second} s");
        }
    }
}

#[test]
fn a_full_lane_is_not_free_again_at_once() {
    let mut lane = Lane::default();
    lane.read(depth(100, 1_000, START), 1, START);
    // Half of them have left: 50 a second, and 100 wait for 2 s.
    let now = at(1_000);
    lane.read(depth(100, 1_500, now), 1, now);
    assert_eq!(lane.full(&about(home(0)), now), None);
    for _ in 0..26 {
        lane.begin();
    }
    let wait = lane.full(&about(home(0)), now).unwrap();
    assert!(wait > Duration::from_millis(600) && wait < Duration::from_millis(700), "{wait:?}");
    assert!(lane.full(&about(home(0)), at(1_500)).is_some(), "2 s are below 2.5 s but not by enough");
    assert_eq!(lane.full(&about(home(0)), at(1_700)), None);
}

#[test]
fn who_may_wait_longer_is_refused_later() {
    let mut lane = Lane::default();
    lane.read(depth(100, 1_000, START), 1, START);
    let now = at(1_000);
    lane.read(depth(150, 1_500, now), 1, now);
    let patient = Question { max_queue_wait: Duration::from_secs(20), ..about(home(0)) };
    assert!(lane.full(&about(home(0)), now).is_some());
    assert_eq!(lane.full(&patient, now), None);
}

#[test]
fn a_configured_rate_stands_in_for_a_speed_that_is_not_known() {
    let mut lane = Lane::default();
    lane.read(vec![Some(Depth::default())], 1, START);
    let limited = Question { rate: Some(10), ..about(home(0)) };
    for _ in 0..25 {
        assert_eq!(lane.full(&limited, START), None);
        lane.begin();
    }
    lane.begin();
    assert!(lane.full(&limited, START).is_some());
    assert_eq!(lane.full(&about(home(0)), START), None, "without one nothing is known");
}

#[test]
fn what_was_read_long_ago_refuses_nobody() {
    let mut lane = Lane::default();
    assert_eq!(lane.full(&about(home(0)), START), None);
    let stuck = vec![Some(Depth { ready: 10, oldest: Some(START) })];
    lane.read(stuck.clone(), 1, at(9_000));
    lane.read(stuck, 1, at(10_000));
    assert!(lane.full(&about(home(0)), at(10_000)).is_some());
    assert_eq!(lane.full(&about(home(0)), at(15_001)), None);
}

#[test]
fn a_few_partitions_stand_for_many() {
    let mut lane = Lane::default();
    lane.read(depth(10, 1_000, START), 100, START);
    let now = at(1_000);
    // Half of ten have left, in one of a hundred partitions: 500 a second, and 3000 wait.
    lane.read(depth(30, 1_500, now), 100, now);
    assert!(lane.full(&about(home(3)), now).is_some());
}

proptest! {
    #[test]
    fn whoever_is_refused_comes_back_later_and_not_all_together(after in 0_u64..100_000, seed in any::<u64>()) {
        let after = Duration::from_millis(after);
        let wait = come_back(after, seed);
        prop_assert!(wait >= after.min(Duration::from_secs(10)).max(Duration::from_secs(1)));
        prop_assert!(wait <= Duration::from_secs(15));
        prop_assert_eq!(wait, come_back(after, seed));
    }

    #[test]
    fn no_reading_breaks_it(
        readings in proptest::collection::vec(
            (0_u64..20_000, proptest::collection::vec(proptest::option::of((0_u64..5, 0_u64..100_000)), 0..4), 0_u64..50),
            1..20,
        ),
        rate in proptest::option::of(0_u32..100),
    ) {
        let (mut lane, mut now) = (Lane::default(), at(1_000_000));
        for (gap, depths, begun) in readings {
            now = now + Duration::from_millis(gap);
            let depth = |(ready, age)| Depth { ready, oldest: Some(now - Duration::from_millis(age)) };
            lane.read(depths.into_iter().map(|read| read.map(depth)).collect(), 16, now);
            (0..begun).for_each(|_| lane.begin());
            for index in 0..16 {
                let _ = lane.full(&Question { home: home(index), max_queue_wait: PATIENCE, rate }, now);
            }
            prop_assert!(lane.speed.is_none_or(|speed| speed.is_finite() && speed >= 0.0));
        }
    }
}
