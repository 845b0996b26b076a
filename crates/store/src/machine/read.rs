//! Reads: nothing here changes the state.

use otter_domain::{Moment, ProviderName, Verification, VerificationId};

use super::PartitionState;
use crate::{Events, EvidenceCell, LaneDepth, Position};

impl PartitionState {
    /// A verification, unless it does not exist (any more).
    pub fn load(&self, id: VerificationId, now: Moment) -> Option<Verification> {
        self.held(id, now).map(|held| held.verification.clone())
    }

    /// Events after a position; see [`crate::Store::events`].
    pub fn events(&self, after: Option<&Position>, max: usize, now: Moment) -> Events {
        let Some(after) = after else {
            return Events::Read { events: Vec::new(), next: position(self.last_event) };
        };
        let kept = self.events.partition_point(|(_, event)| event.at + self.retention.events <= now);
        let forgotten = match kept.checked_sub(1).and_then(|last| self.events.get(last)) {
            Some((sequence, _)) => *sequence,
            None => self.forgotten_event,
        };
        let known = forgotten..=self.last_event;
        let Some(after) = sequence(after).filter(|sequence| known.contains(sequence)) else {
            return Events::TooOld;
        };
        let start = self.events.partition_point(|(sequence, _)| *sequence <= after);
        let found = self.events.range(start..).take(max);
        let events: Vec<_> = found.map(|(sequence, event)| (position(*sequence), event.clone())).collect();
        let next = events.last().map_or_else(|| position(after), |(position, _)| position.clone());
        Events::Read { events, next }
    }

    /// Evidence that changed at or after a moment.
    pub fn evidence(&self, since: Moment, now: Moment) -> Vec<EvidenceCell> {
        let changed = self.changed_evidence.iter().rev().take_while(|(at, _)| *at >= since);
        let cells = changed.filter_map(|(_, place)| Some((place, self.evidence.get(place)?)));
        cells
            .filter(|((bucket, _), _)| now < *bucket + self.retention.evidence)
            .map(|((bucket, segment), cell)| EvidenceCell {
                bucket: *bucket,
                segment: segment.clone(),
                counts: cell.counts.clone(),
            })
            .collect()
    }

    /// How much waits on a lane.
    pub fn lane(&self, lane: &ProviderName) -> LaneDepth {
        self.lanes.get(lane).map_or_else(LaneDepth::default, |pointers| LaneDepth {
            ready: pointers.len() as u64,
            oldest: pointers.front().map(|(_, pointer)| pointer.queued_at),
        })
    }
}

/// Twenty digits, so that positions sort as their numbers do.
fn position(sequence: u64) -> Position {
    Position(format!("{sequence:020}"))
}

fn sequence(position: &Position) -> Option<u64> {
    let is_ours = position.0.len() == 20 && position.0.bytes().all(|byte| byte.is_ascii_digit());
    position.0.parse().ok().filter(|_| is_ours)
}
