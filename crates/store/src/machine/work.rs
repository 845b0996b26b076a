//! Work: claims, leases and timers.

use std::time::Duration;

use otter_domain::{JobKind, Moment, Phase, ProviderName, Revocation, State, Verification, VerificationId};

use super::{Changes, Key, PartitionState, Pointer};
use crate::bounds::{HIDDEN, STALE_PER_CLAIM};
use crate::{Claim, Claimed, DeadReason, Lease, WakeReason};

impl PartitionState {
    /// Takes jobs off a lane and begins them; see [`crate::Store::claim`].
    pub fn claim(&mut self, claim: &Claim, now: Moment, changes: &mut Changes) -> Vec<Claimed> {
        let mut begun = Vec::new();
        let mut stale = 0;
        while begun.len() < claim.max && stale < STALE_PER_CLAIM {
            let lane = self.lanes.get_mut(&claim.lane);
            let Some((sequence, pointer)) = lane.and_then(|pointers| pointers.pop_front()) else { break };
            changes.touch(Key::Pointer(claim.lane.clone(), sequence));
            match self.begin(pointer, claim, now, changes) {
                Some(claimed) => begun.push(claimed),
                None => stale += 1,
            }
        }
        if stale == STALE_PER_CLAIM {
            changes.wake(WakeReason::Lane(claim.lane.clone()));
        }
        begun
    }

    fn begin(
        &mut self,
        pointer: Pointer,
        claim: &Claim,
        now: Moment,
        changes: &mut Changes,
    ) -> Option<Claimed> {
        let Pointer { id, attempt: number, job, queued_at } = pointer;
        if let Some(why) = self.why_damaged(id) {
            self.bury_pointer(&claim.lane, &pointer, DeadReason::RecordUnreadable, why, now, changes);
            return None;
        }
        let Some(held) = self.held_mut(id, now) else {
            // One that could have ended and been forgotten since is stale.
            if now < queued_at + self.retention.ended {
                let why = "its record is not in the store".to_owned();
                self.bury_pointer(&claim.lane, &pointer, DeadReason::RecordMissing, why, now, changes);
            }
            return None;
        };
        let is_wanted = match job {
            JobKind::Send => may_send(&held.verification, &claim.lane, now),
            JobKind::Revoke => held.verification.attempt(number).is_some_and(|attempt| {
                attempt.revocation == Revocation::Wanted && attempt.provider == claim.lane
            }),
        };
        let is_current = held.verification.attempts.last().is_some_and(|attempt| attempt.number == number);
        if !is_wanted || (job == JobKind::Send && !is_current) {
            return None;
        }
        if let Some(why) = held.unopened.as_ref().map(|unopened| unopened.why.clone()) {
            self.bury_pointer(&claim.lane, &pointer, DeadReason::SealUnopened, why, now, changes);
            return None;
        }
        let verification = match job {
            JobKind::Send => self.lease(id, claim, now, changes)?,
            JobKind::Revoke => held.verification.clone(),
        };
        Some(Claimed { verification, attempt: number, job })
    }

    /// Begins the current attempt.
    fn lease(
        &mut self,
        id: VerificationId,
        claim: &Claim,
        now: Moment,
        changes: &mut Changes,
    ) -> Option<Verification> {
        let lease_until = now + claim.lease;
        let verification = &mut self.held_mut(id, now)?.verification;
        let attempt = verification.attempts.last_mut()?;
        attempt.phase = Phase::Claimed { by: claim.worker.clone(), lease_until };
        attempt.claimed_at = attempt.claimed_at.or(Some(now));
        attempt.tries = attempt.tries.saturating_add(1);
        verification.version = verification.version.next();
        let verification = verification.clone();
        self.set_due(id, Some(lease_until.min(verification.expires_at)));
        changes.touch(Key::Verification(id));
        Some(verification)
    }

    /// Extends a lease that is still held; see [`crate::Store::renew`].
    pub fn renew(&mut self, held_lease: &Lease, lease: Duration, now: Moment, changes: &mut Changes) -> bool {
        let Some(held) = self.held_mut(held_lease.id, now) else { return false };
        let due = held.due;
        // The end of a pending verification is written down in time, whatever is under way (DESIGN, promise 2).
        let last = match held.verification.state {
            State::Pending => held.verification.expires_at,
            State::Ended { .. } => Moment::from_millis(u64::MAX),
        };
        let Some(attempt) = held.verification.attempts.get_mut(held_lease.attempt.index()) else {
            return false;
        };
        let Phase::Claimed { by, lease_until } = &mut attempt.phase else { return false };
        if *by != held_lease.worker || now >= *lease_until {
            return false;
        }
        let is_timer = due == Some((*lease_until).min(last));
        *lease_until = now + lease;
        if is_timer {
            self.set_due(held_lease.id, Some((now + lease).min(last)));
        }
        changes.touch(Key::Verification(held_lease.id));
        true
    }

    /// Returns verifications whose instant has come and hides them; see [`crate::Store::due`]. Hiding is not written
    /// down: after a restart they are due at once.
    pub fn due(&mut self, max: usize, now: Moment, changes: &mut Changes) -> Vec<Verification> {
        self.bury_damaged(max, now, changes);
        let ready = self.timers.iter().take_while(|(moment, _)| *moment <= now).take(max);
        let ids: Vec<VerificationId> = ready.map(|(_, id)| *id).collect();
        ids.into_iter().filter_map(|id| self.hand_out(id, now, changes)).collect()
    }

    fn hand_out(&mut self, id: VerificationId, now: Moment, changes: &mut Changes) -> Option<Verification> {
        let held = self.verifications.get(&id)?;
        let is_expired = held.verification.is_pending() && now >= held.verification.expires_at;
        match held.unopened.as_ref().filter(|_| !is_expired).map(|unopened| unopened.why.clone()) {
            Some(why) => {
                self.put_aside(id, DeadReason::SealUnopened, why, now, changes);
                None
            }
            None => {
                let verification = held.verification.clone();
                self.set_timer(id, Some(now + HIDDEN));
                Some(verification)
            }
        }
    }
}

fn may_send(verification: &Verification, lane: &ProviderName, now: Moment) -> bool {
    let is_open = match verification.state_at(now) {
        State::Pending => now < verification.send_before,
        State::Ended { .. } => false,
    };
    let is_queued = verification.current().is_some_and(|attempt| match attempt.phase {
        Phase::Queued { .. } => attempt.provider == *lane,
        Phase::Claimed { .. }
        | Phase::Retrying { .. }
        | Phase::Accepted { .. }
        | Phase::Ambiguous { .. }
        | Phase::Ended { .. } => false,
    });
    is_open && is_queued
}
