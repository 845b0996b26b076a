//! Commits: a change of one verification with everything that follows from it.

use std::time::Duration;

use otter_domain::{
    Effect, LimitRule, Moment, Phase, ProviderName, State, Verification, VerificationId, Version,
};

use super::{Answered, Changes, Held, Key, PartitionState, Pointer};
use crate::bounds::{OUTLIVED, SENDS_KEPT};
use crate::{Commit, CommitVerdict, Earlier, LetterKey, RequestKey, RequestScope, WakeReason};

impl PartitionState {
    /// Commits one item; see [`crate::Store::commit`].
    pub fn commit(&mut self, item: Commit, now: Moment, changes: &mut Changes) -> CommitVerdict {
        let held = self.held(item.next.id, now);
        let fits = held.map(|held| held.verification.version) == item.expected;
        if !fits && held.is_some_and(|held| held.nonce == item.nonce) {
            return CommitVerdict::Done;
        }
        let earlier = item.request.as_ref().map(|request| self.answered(&scope(&item.next), request, now));
        match earlier {
            None | Some(Earlier::Nothing) => {}
            Some(Earlier::Answer(id)) => return CommitVerdict::Repeated(id),
            Some(Earlier::OtherQuestion) => return CommitVerdict::RequestReused,
        }
        if !fits {
            return CommitVerdict::Conflict;
        }
        if let Some((rule, retry_after)) = self.limit(&item.next, &item.limits, now) {
            return CommitVerdict::Limited { rule, retry_after };
        }
        let shut = self.shut(&item, now);
        if !shut.is_empty() {
            return CommitVerdict::Shut(shut);
        }
        self.apply(item, now, changes);
        CommitVerdict::Done
    }

    /// What was answered under a request's name; see [`crate::Store::answered`].
    pub fn answered(&self, scope: &RequestScope, request: &RequestKey, now: Moment) -> Earlier {
        let RequestScope { tenant, recipient } = scope;
        let name = (tenant.clone(), recipient.clone(), request.id.clone());
        match self.requests.get(&name).filter(|answered| now < answered.until) {
            None => Earlier::Nothing,
            Some(answered) if answered.fingerprint == request.fingerprint => Earlier::Answer(answered.by),
            Some(_) => Earlier::OtherQuestion,
        }
    }

    /// The reached limit that lasts longest, and how long it does.
    fn limit(&self, next: &Verification, limits: &[LimitRule], now: Moment) -> Option<(usize, Duration)> {
        let sends = self.sends.get(&(next.tenant.clone(), next.recipient.clone()))?;
        if now >= sends.until {
            return None;
        }
        let mut longest: Option<(usize, Duration)> = None;
        for (place, rule) in limits.iter().enumerate() {
            // One more is allowed when the `max`-th latest send has left the window.
            let Some(latest) = sends.at.len().checked_sub(rule.max as usize) else { continue };
            let free_at = sends.at.get(latest).map_or(now + rule.window, |sent| *sent + rule.window);
            if now < free_at && longest.is_none_or(|(_, wait)| now.until(free_at) > wait) {
                longest = Some((place, now.until(free_at)));
            }
        }
        longest
    }

    fn apply(&mut self, item: Commit, now: Moment, changes: &mut Changes) {
        let Commit { expected, mut next, effects, mut due, nonce, request, limits, message_ids, at_stake: _ } =
            item;
        let (id, tenant) = (next.id, next.tenant.clone());
        if let Some(held) = self.held(id, now) {
            keep_progress(&mut next, &held.verification);
            due = keep_leases(&mut next, &held.verification, due);
        }
        if next.is_pending() && self.letters.contains_key(&LetterKey::of(id)) {
            self.take_letter(&LetterKey::of(id), changes);
        }
        if let Some(request) = request {
            self.answer(&next, request, now, changes);
        }
        self.count_send(&next, &limits, now, changes);
        self.put(Verification { version: expected.map_or(Version(1), Version::next), ..next }, now, changes);
        if let Some(held) = self.verifications.get_mut(&id) {
            held.nonce = nonce;
            held.references
                .extend(message_ids.iter().map(|(provider, message, _)| (provider.clone(), *message)));
        }
        for (provider, message, attempt) in message_ids {
            changes.touch(Key::Reference(provider.clone(), message));
            self.references.insert((provider, message), (id, attempt));
        }
        self.set_due(id, due);
        self.set_expiry(id, now);
        changes.touch(Key::Verification(id));
        for effect in effects {
            match effect {
                Effect::Dispatch { provider, attempt, job } => {
                    self.enqueue(provider, Pointer { id, attempt, job, queued_at: now }, changes);
                }
                Effect::Observe(observation) => self.observe(observation, now, changes),
                Effect::Publish(kind) => self.publish(id, tenant.clone(), kind, now, changes),
            }
        }
    }

    /// Stores the verification, without losing what was written since it was read.
    fn put(&mut self, mut next: Verification, now: Moment, changes: &mut Changes) {
        let id = next.id;
        if self.held(id, now).is_none() {
            self.forget(id, changes);
        }
        match self.verifications.get_mut(&id) {
            Some(held) => {
                if !next.is_pending() || next.private.is_some() {
                    held.unopened = None;
                } else {
                    // Decided without what is private, so that is none of its business.
                    next.private = held.verification.private.take();
                }
                held.verification = next;
            }
            None => {
                let held = Held {
                    verification: next,
                    unopened: None,
                    nonce: crate::Nonce(0),
                    winner: None,
                    due: None,
                    timer: None,
                    expires_at: None,
                    references: Vec::new(),
                };
                self.verifications.insert(id, held);
            }
        }
    }

    fn answer(&mut self, next: &Verification, request: RequestKey, now: Moment, changes: &mut Changes) {
        let until = now + self.retention.requests;
        let name = (next.tenant.clone(), next.recipient.clone(), request.id);
        let key = Key::Request(name.0.clone(), name.1.clone(), name.2.clone());
        self.requests.insert(name, Answered { by: next.id, fingerprint: request.fingerprint, until });
        self.expiries.insert((until, key.clone()));
        changes.touch(key);
    }

    /// Another commit may ask by other rules, so neither its sends nor its windows are cut short.
    fn count_send(&mut self, next: &Verification, limits: &[LimitRule], now: Moment, changes: &mut Changes) {
        let Some(longest) = limits.iter().map(|rule| rule.window).max() else { return };
        let most = limits.iter().map(|rule| rule.max as usize).fold(SENDS_KEPT, usize::max);
        let key = Key::Sends(next.tenant.clone(), next.recipient.clone());
        let sends = self.sends.entry((next.tenant.clone(), next.recipient.clone())).or_default();
        if now >= sends.until {
            sends.at.clear();
        }
        let is_new = sends.until == Moment::EPOCH;
        sends.at.push_back(now);
        let surplus = sends.at.len().saturating_sub(most);
        sends.at.drain(..surplus);
        sends.until = sends.until.max(now + longest);
        if is_new {
            self.expiries.insert((sends.until, key.clone()));
        }
        changes.touch(key);
    }

    pub(super) fn enqueue(&mut self, lane: ProviderName, pointer: Pointer, changes: &mut Changes) {
        self.last_pointer += 1;
        changes.touch(Key::Pointer(lane.clone(), self.last_pointer));
        changes.wake(WakeReason::Lane(lane.clone()));
        let pointers = self.lanes.entry(lane.clone()).or_default();
        let outlived = pointer.queued_at - OUTLIVED;
        for _ in 0..2 {
            let Some((old, _)) = pointers.front().filter(|(_, head)| head.queued_at < outlived) else {
                break;
            };
            changes.touch(Key::Pointer(lane.clone(), *old));
            pointers.pop_front();
        }
        pointers.push_back((self.last_pointer, pointer));
    }

    /// Removes a verification with everything that belongs to it alone.
    pub(super) fn forget(&mut self, id: VerificationId, changes: &mut Changes) {
        self.set_timer(id, None);
        let Some(held) = self.verifications.remove(&id) else { return };
        changes.touch(Key::Verification(id));
        for (provider, message) in held.references {
            changes.touch(Key::Reference(provider.clone(), message));
            self.references.remove(&(provider, message));
        }
    }
}

fn scope(next: &Verification) -> RequestScope {
    RequestScope { tenant: next.tenant.clone(), recipient: next.recipient.clone() }
}

/// Checks and receipts that were booked without a new version, after the commit was decided.
fn keep_progress(next: &mut Verification, stored: &Verification) {
    next.checks = next.checks.max(stored.checks);
    for (next, stored) in next.attempts.iter_mut().zip(&stored.attempts) {
        let rank = |receipt: &otter_domain::Receipt| receipt.status.rank();
        if stored.receipt.as_ref().map(rank) >= next.receipt.as_ref().map(rank) {
            next.receipt = stored.receipt;
        }
    }
}

/// Leases that were renewed after the commit was decided. Returns the next instant, which moves along if it was the old
/// lease's.
fn keep_leases(next: &mut Verification, stored: &Verification, due: Option<Moment>) -> Option<Moment> {
    let last = match next.state {
        State::Pending => next.expires_at,
        State::Ended { .. } => Moment::from_millis(u64::MAX),
    };
    let mut due = due;
    for (next, stored) in next.attempts.iter_mut().zip(&stored.attempts) {
        if let (Phase::Claimed { by, lease_until }, Phase::Claimed { by: holder, lease_until: renewed }) =
            (&mut next.phase, &stored.phase)
            && by == holder
            && *lease_until < *renewed
        {
            if due == Some((*lease_until).min(last)) {
                due = Some((*renewed).min(last));
            }
            *lease_until = *renewed;
        }
    }
    due
}
