//! Whether a provider's lane can take one more message in time, or the message is better refused at once.
//!
//! Accepting outruns delivering without bound where nothing holds it back, and what waits in a lane longer than its
//! step's `max_queue_wait` is withdrawn. So a new message is not begun on a lane in which it would wait for longer than
//! [`FULL`] of that. How long it would wait is what lies before it divided by how fast the lane has been emptied lately;
//! the latter is measured while the lane is behind, which is when it matters, and let go step by step once it keeps up.
//! A lane that does not move, and whose oldest message has waited for [`STUCK`] of `max_queue_wait`, takes nothing
//! either: nobody works on it.

use std::collections::BTreeSet;
use std::time::Duration;

use otter_domain::{Moment, Partition};

use crate::dice::Dice;

/// The share of `max_queue_wait` that a new message may have to wait.
pub const FULL: f64 = 0.5;

/// The share of that at which a full lane takes messages again: not the same, so that it does not flap.
const FREE_AGAIN: f64 = 0.75;

/// The share of `max_queue_wait` for which the oldest message of a partition may have waited that does not move.
pub const STUCK: f64 = 0.75;

/// A lane whose oldest message has waited for less keeps up, and how fast it could be emptied is not known.
const BEHIND: Duration = Duration::from_millis(500);

/// A partition whose oldest message has been the same for as long is left out: nobody empties it, so it says nothing about
/// the others.
const LEFT: Duration = Duration::from_secs(5);

/// What was read longer ago tells nothing about now.
const OLD: Duration = Duration::from_secs(5);

/// How often the speed that was measured is doubled once the lane keeps up, before any is allowed.
const DOUBLINGS: u8 = 5;

/// Fewer messages than these are no beginning of a measure.
const FEWEST: f64 = 3.0;

/// The shortest span over which a speed is measured.
const SPAN: Duration = Duration::from_millis(100);

/// When to come back, at the soonest and at the latest, before it is spread.
const COME_BACK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// What was read of a lane in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// How many messages wait.
    pub ready: u64,
    /// Since when the oldest of them does.
    pub oldest: Option<Moment>,
}

/// What one process knows of one lane: what it read last, and what it has put on the lane since.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lane {
    read_at: Moment,
    /// By partition, as far as it could be read; all partitions or the first of them, which stand for the others.
    parts: Vec<Option<Part>>,
    /// How many times more messages there are in all partitions than in those that are read.
    scale: f64,
    /// Messages a second that the lane is taken to be good for.
    speed: Option<f64>,
    /// How many times in a row it has kept up.
    kept_up: u8,
    /// How many were put on it here since it was read.
    begun: u64,
    /// The values of `max_queue_wait` for which it is full.
    full_for: BTreeSet<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    depth: Depth,
    /// When its oldest message was first seen as such.
    since: Moment,
}

/// A question about a message to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Where its recipient is at home.
    pub home: Partition,
    /// How long it may wait.
    pub max_queue_wait: Duration,
    /// How many messages a second the account may send at most, if that is configured.
    pub rate: Option<u32>,
}

impl Lane {
    /// Takes what was read at `now` of the first partitions, `partitions` being how many there are in all.
    pub fn read(&mut self, depths: Vec<Option<Depth>>, partitions: usize, now: Moment) {
        let scale = partitions as f64 / depths.len().max(1) as f64;
        let span = now.since(self.read_at).as_secs_f64();
        let before = self.parts.iter().copied().chain(std::iter::repeat(None));
        let parts = before.zip(depths).map(|(before, depth)| {
            let depth = depth?;
            let same = before.filter(|before| before.depth.oldest == depth.oldest);
            Some(Part { depth, since: same.map_or(now, |before| before.since) })
        });
        let parts: Vec<_> = parts.collect();
        if parts.iter().flatten().any(|part| part.is_behind(now)) {
            let before = self.speed.filter(|_| self.kept_up == 0);
            self.speed = match (self.gone(&parts, now), before) {
                (Some(gone), Some(before)) => Some((gone / span * scale + before) / 2.0),
                (Some(gone), None) => (gone >= FEWEST).then(|| gone / span * scale),
                (None, before) => before,
            };
            self.kept_up = 0;
        } else {
            self.kept_up = self.kept_up.saturating_add(1);
            self.speed = self.speed.filter(|_| self.kept_up <= DOUBLINGS).map(|speed| speed * 2.0);
            self.full_for.clear();
        }
        (self.read_at, self.parts, self.scale, self.begun) = (now, parts, scale, 0);
    }

    /// A message is put on the lane by this process.
    pub fn begin(&mut self) {
        self.begun = self.begun.saturating_add(1);
    }

    /// It was not put there after all: others must not be refused because of it.
    pub fn undo(&mut self) {
        self.begun = self.begun.saturating_sub(1);
    }

    /// `None` if a message can wait here; otherwise when to ask again. A lane of which nothing is known takes messages.
    pub fn full(&mut self, question: &Question, now: Moment) -> Option<Duration> {
        if self.parts.is_empty() || now.since(self.read_at) > OLD {
            return None;
        }
        let Question { home, max_queue_wait, rate } = *question;
        let place = usize::from(home.index()) % self.parts.len();
        let standing = self.parts[place].filter(|part| part.since < self.read_at);
        let oldest = standing.and_then(|part| part.depth.oldest);
        if oldest.is_some_and(|oldest| self.read_at.since(oldest) > max_queue_wait.mul_f64(STUCK)) {
            return Some(COME_BACK.0);
        }
        let wait = self.wait(rate, now);
        let limit = max_queue_wait.mul_f64(FULL);
        if wait > limit {
            self.full_for.insert(max_queue_wait);
        } else if wait < limit.mul_f64(FREE_AGAIN) {
            self.full_for.remove(&max_queue_wait);
        }
        self.full_for.contains(&max_queue_wait).then(|| wait.saturating_sub(limit.mul_f64(FREE_AGAIN)))
    }

    /// How long a message that comes now would wait, as far as that is known.
    fn wait(&self, rate: Option<u32>, now: Moment) -> Duration {
        let speed = self.speed.filter(|speed| *speed > 0.0).or(rate.map(f64::from));
        let Some(speed) = speed else { return Duration::ZERO };
        let left = now.since(self.read_at).as_secs_f64() * speed;
        let before = waiting(&self.parts, self.read_at) * self.scale + self.begun as f64 - left;
        // Not a number is zero here, and more than a century is as good as never.
        Duration::try_from_secs_f64((before / speed).clamp(0.0, 1e9)).unwrap_or(Duration::ZERO)
    }

    /// How many messages have left the partitions that are read, since they were read before.
    fn gone(&self, parts: &[Option<Part>], now: Moment) -> Option<f64> {
        let span = now.since(self.read_at);
        if self.parts.len() != parts.len() || span < SPAN || span > OLD {
            return None;
        }
        let (before, after) = (waiting(&self.parts, now), waiting(parts, now));
        let begun = self.begun as f64 / self.scale;
        if before == 0.0 && begun < after {
            // Others put messages on it, nobody knows how many.
            return None;
        }
        let pairs = self.parts.iter().zip(parts);
        let gone = pairs.filter_map(|(before, after)| {
            Some(self.gone_from(&before.as_ref()?.depth, &after.as_ref()?.depth))
        });
        // At least what came from here, less what is left of it.
        Some(gone.sum::<f64>().max(before + begun - after))
    }

    /// How many of the messages that waited before have left one partition. They are taken for evenly old.
    fn gone_from(&self, before: &Depth, after: &Depth) -> f64 {
        let (all, Some(oldest_before)) = (before.ready as f64, before.oldest) else { return 0.0 };
        match after.oldest {
            Some(oldest) if oldest <= self.read_at => {
                let ages = self.read_at.since(oldest_before).as_secs_f64();
                let share = oldest.since(oldest_before).as_secs_f64() / ages;
                if share.is_finite() { all * share.min(1.0) } else { 0.0 }
            }
            Some(_) | None => all,
        }
    }
}

impl Part {
    fn is_behind(&self, now: Moment) -> bool {
        self.depth.oldest.is_some_and(|oldest| now.since(oldest) >= BEHIND) && !self.is_left(now)
    }

    fn is_left(&self, now: Moment) -> bool {
        self.depth.oldest.is_some() && now.since(self.since) >= LEFT
    }
}

/// How many messages wait that somebody works on.
fn waiting(parts: &[Option<Part>], now: Moment) -> f64 {
    let alive = parts.iter().flatten().filter(|part| !part.is_left(now));
    alive.map(|part| part.depth.ready as f64).sum()
}

/// When a refused caller is to come back: sensible bounds, and spread by up to a half so that not all come together.
pub fn come_back(after: Duration, seed: u64) -> Duration {
    let after = after.clamp(COME_BACK.0, COME_BACK.1);
    let half = u64::try_from(after.as_millis() / 2).unwrap_or(u64::MAX);
    after + Duration::from_millis(Dice::new(seed).below(half + 1))
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
