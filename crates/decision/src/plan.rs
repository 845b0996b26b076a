//! Who is tried for one verification, in which order, and why.
//!
//! A route's providers are filtered one by one, for the first reason in a fixed order (RTE-10), and put in order within
//! their steps. Everybody who could be of use at once is listed: who goes next is decided when its turn comes, by the time
//! and the attempts that are left then (RTE-33). The plan holds everything that its choice can be repeated and explained
//! with (RTE-14).

use std::time::Duration;

use otter_domain::{
    Candidate, Channel, ChoiceReason, Considered, Exclusion, LineType, Plan, ProviderName, Ranking, Route,
    RouteStep, ShutClass, StepProvider,
};

use crate::admission::reaches;
use crate::dice::Dice;

/// What the caller and the number ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The only channels that the caller allows; `None` allows all.
    pub allowed: Option<Vec<Channel>>,
    /// Channels whose steps go first, the most wanted first.
    pub preferred: Vec<Channel>,
    /// The kind of line.
    pub line: LineType,
    /// Whether the message confirms a payment, whose amount and payee not every channel can show (CMP-23).
    pub payment: bool,
    /// The classes of channel in which a code sent now could not be checked within its life (SEC-05).
    pub shut: Vec<ShutClass>,
}

/// What is true of a provider on a channel for this recipient at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// It can do the channel.
    pub supports_channel: bool,
    /// It serves the recipient's country.
    pub supports_country: bool,
    /// There is a text or template for it in a language that will do.
    pub content: bool,
    /// An operator paused it.
    pub paused: bool,
    /// A breaker is open: of its account, of its way over this channel to this country, or of the text on that way.
    pub breaker_open: bool,
    /// A message would wait in its lane for too long (see [`crate::backlog`]).
    pub lane_full: bool,
    /// How well it does: more is better. Only compared, to find the least bad one (RTE-21).
    pub health: f64,
    /// The vendor can take a message back.
    pub revocable: bool,
    /// The vendor recognises a repeat of the same message id.
    pub idempotent: bool,
}

/// The time that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The life of the code from now on.
    pub ttl: Duration,
    /// A code with less time left than this is not handed over (RTE-30).
    pub min_useful: Duration,
}

impl Limits {
    /// Whether a message is of use that goes at once.
    fn is_useful_at_once(&self) -> bool {
        self.ttl > self.min_useful
    }
}

/// Makes the plan of one verification. It may be empty: then nobody can send, or nobody in time ([`is_shed`]), and the
/// caller refuses.
///
/// `facts` answers for one provider in one step. The same arguments always give the same plan: draws are numbers of
/// splitmix64 from `seed`, one for each provider of a weighted step in the order in which steps and places come.
///
/// When all that could send have open breakers, the healthiest of them is tried rather than none (RTE-21); but not while
/// the lane of somebody else who could send is only full.
pub fn choose(
    route: &Route,
    wanted: &Wanted,
    facts: impl Fn(&ProviderName, &RouteStep) -> Facts,
    limits: &Limits,
    seed: u64,
) -> Plan {
    let steps = tried_steps(route, wanted);
    let mut entries = entries(&steps, wanted, facts, limits);
    let mut order = rank(&steps, &mut entries, &mut Dice::new(seed));
    let is_full = |entry: &Entry<'_>| entry.considered.reason == ChoiceReason::Excluded(Exclusion::LaneFull);
    if order.is_empty() && !entries.iter().any(is_full) {
        order.extend(least_bad(&mut entries));
    }
    let candidates = order.into_iter().map(|place| entries[place].candidate()).collect();
    // Stable, so providers of one step stay in their configured order.
    entries.sort_by_key(|entry| entry.considered.step);
    let considered = entries.into_iter().map(|entry| entry.considered).collect();
    Plan { route: route.name.clone(), seed, candidates, considered }
}

/// Whether a plan is empty only because lanes are full: the same request will be served later.
pub fn is_shed(plan: &Plan) -> bool {
    let is_full = |considered: &Considered| considered.reason == ChoiceReason::Excluded(Exclusion::LaneFull);
    plan.candidates.is_empty() && plan.considered.iter().any(is_full)
}

/// The steps with their places in the route, those of preferred channels first, otherwise in the route's order.
fn tried_steps<'a>(route: &'a Route, wanted: &Wanted) -> Vec<(u8, &'a RouteStep)> {
    let mut steps: Vec<_> = (0..=u8::MAX).zip(&route.steps).collect();
    let unwanted = wanted.preferred.len();
    steps.sort_by_key(|(_, step)| {
        wanted.preferred.iter().position(|channel| *channel == step.channel).unwrap_or(unwanted)
    });
    steps
}

/// One provider of one step, what is true of it and what becomes of it.
struct Entry<'a> {
    considered: Considered,
    step: &'a RouteStep,
    weight: u16,
    facts: Facts,
}

impl Entry<'_> {
    fn is_chosen(&self) -> bool {
        !matches!(self.considered.reason, ChoiceReason::Excluded(_))
    }

    fn candidate(&self) -> Candidate {
        Candidate {
            provider: self.considered.provider.clone(),
            channel: self.considered.channel,
            step: self.considered.step,
            succeed_on: self.step.succeed_on,
            wait: self.step.wait,
            max_queue_wait: self.step.max_queue_wait,
            revocable: self.facts.revocable,
            idempotent: self.facts.idempotent,
        }
    }
}

/// Everyone in the route in the order of the steps, excluded or at their configured places.
fn entries<'a>(
    steps: &[(u8, &'a RouteStep)],
    wanted: &Wanted,
    facts: impl Fn(&ProviderName, &RouteStep) -> Facts,
    limits: &Limits,
) -> Vec<Entry<'a>> {
    let providers = steps.iter().flat_map(|(index, step)| {
        (1..=u8::MAX).zip(&step.providers).map(move |(place, provider)| (*index, *step, place, provider))
    });
    let entry = |(index, step, place, provider): (u8, &'a RouteStep, u8, &StepProvider)| {
        let facts = facts(&provider.name, step);
        let reason = match exclusion(step.channel, wanted, &facts, limits) {
            Some(exclusion) => ChoiceReason::Excluded(exclusion),
            None => ChoiceReason::Priority { place },
        };
        let considered =
            Considered { provider: provider.name.clone(), channel: step.channel, step: index, reason };
        Entry { considered, step, weight: provider.weight.max(1), facts }
    };
    providers.map(entry).collect()
}

/// The first reason against a provider (RTE-10): what will not change before what may.
fn exclusion(channel: Channel, wanted: &Wanted, facts: &Facts, limits: &Limits) -> Option<Exclusion> {
    let allowed = wanted.allowed.as_ref().is_none_or(|allowed| allowed.contains(&channel));
    // A WhatsApp authentication template is a fixed text that shows neither amount nor payee (CMP-23).
    let shows_payment = match channel {
        Channel::WhatsApp => false,
        Channel::Sms | Channel::Rcs | Channel::Voice => true,
    };
    let shut = wanted.shut.iter().find(|shut| shut.class == channel.class());
    let against = [
        (!allowed, Exclusion::ChannelNotAllowed),
        (!facts.supports_channel, Exclusion::ChannelUnsupported),
        (!facts.supports_country, Exclusion::CountryUnsupported),
        (!reaches(channel, wanted.line), Exclusion::LineUnsuitable),
        (!facts.content || wanted.payment && !shows_payment, Exclusion::NoContent),
        (shut.is_some_and(|shut| shut.retry_after.is_none()), Exclusion::ChecksLocked),
        (shut.is_some(), Exclusion::ChecksWaiting),
        (!limits.is_useful_at_once(), Exclusion::NoTime),
        (facts.paused, Exclusion::Paused),
        // Before the breaker: an open one may be tried when nobody else could go, a full lane may not.
        (facts.lane_full, Exclusion::LaneFull),
        (facts.breaker_open, Exclusion::BreakerOpen),
    ];
    against.into_iter().find_map(|(holds, exclusion)| holds.then_some(exclusion))
}

/// The places of the chosen entries in the order in which they are tried.
fn rank(steps: &[(u8, &RouteStep)], entries: &mut [Entry<'_>], dice: &mut Dice) -> Vec<usize> {
    let mut order = Vec::new();
    for (index, step) in steps {
        let of_step =
            |place: &usize| entries[*place].considered.step == *index && entries[*place].is_chosen();
        let chosen: Vec<usize> = (0..entries.len()).filter(of_step).collect();
        match step.ranking {
            Ranking::Priority => order.extend(chosen),
            Ranking::Weighted => order.extend(draw(chosen, entries, dice)),
        }
    }
    order
}

/// Draws all of them by weight, without putting back.
fn draw(mut left: Vec<usize>, entries: &mut [Entry<'_>], dice: &mut Dice) -> Vec<usize> {
    let mut drawn = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let total = left.iter().map(|place| u32::from(entries[*place].weight)).sum();
        let mut ticket = dice.below(u64::from(total));
        let holds_ticket = |place: &usize| {
            let weight = u64::from(entries[*place].weight);
            let holds = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            holds
        };
        let winner = left.remove(left.iter().position(holds_ticket).unwrap_or(0));
        let after = u8::try_from(drawn.len()).unwrap_or(u8::MAX);
        let entry = &mut entries[winner];
        entry.considered.reason = ChoiceReason::Drawn { weight: entry.weight, total, after };
        drawn.push(winner);
    }
    drawn
}

/// The healthiest of those against whom nothing speaks but their open breaker; the one that goes first among equals.
fn least_bad(entries: &mut [Entry<'_>]) -> Option<usize> {
    let only_open =
        |entry: &Entry<'_>| entry.considered.reason == ChoiceReason::Excluded(Exclusion::BreakerOpen);
    let (place, entry) = entries
        .iter_mut()
        .enumerate()
        .rev()
        .filter(|(_, entry)| only_open(entry))
        .max_by(|(_, one), (_, other)| one.facts.health.total_cmp(&other.facts.health))?;
    entry.considered.reason = ChoiceReason::LeastBad { ranking: entry.step.ranking };
    Some(place)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
