//! A crowd that asks for codes at a steady rate.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::fleet::Fleet;
use crate::people::{Habit, Person, person};
use crate::visit::{Told, Visit};

/// How many people come, how fast, and how long their codes live.
#[derive(Debug, Clone)]
pub struct Load {
    /// How many ask for a code, each with a number of their own.
    pub codes: usize,
    /// How many come in a second.
    pub per_second: u32,
    /// What people and their habits are drawn from.
    pub seed: u64,
    /// How long a code lives; at least 25 s with test configurations.
    pub ttl: Duration,
    /// The same for people who never type theirs, so that a run sees their codes expire.
    pub ttl_of_leavers: Duration,
    /// How long a person waits for a message before they give up; at most as long as its code lives.
    pub patience: Duration,
}

impl Load {
    /// A crowd whose codes live long enough for every step of the route.
    pub fn new(codes: usize, per_second: u32, seed: u64) -> Self {
        let (ttl, ttl_of_leavers) = (Duration::from_secs(90), Duration::from_secs(25));
        Self { codes, per_second, seed, ttl, ttl_of_leavers, patience: ttl }
    }

    /// Lets everybody come at their time, whatever became of those before, and returns what each was told.
    pub async fn run(&self, fleet: &Fleet) -> Vec<Told> {
        let mut visits = JoinSet::new();
        // Late ticks come all at once, so that the rate holds on a machine that was busy.
        let mut arrivals = tokio::time::interval(Duration::from_secs(1) / self.per_second);
        for index in 0..self.codes {
            arrivals.tick().await;
            visits.spawn(self.visit(fleet, person(self.seed, index)));
        }
        visits.join_all().await
    }

    fn visit(&self, fleet: &Fleet, person: Person) -> impl Future<Output = Told> + use<> {
        let is_leaver = person.habit == Habit::Leaves;
        let ttl = if is_leaver { self.ttl_of_leavers } else { self.ttl };
        let handset = fleet.vendor().handset(&person.number);
        let (callers, clock) = (fleet.callers(), fleet.clock());
        let patience = self.patience.min(ttl);
        let visit = Visit { person, callers, clock, handset, ttl, patience, told: Told::default() };
        visit.go()
    }
}
