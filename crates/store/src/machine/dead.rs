//! Dead letters; what they are for is told in [`crate::dead`].

use std::ops::Bound;

use otter_domain::{
    Ending, ExpiryReason, HappeningKind, JobKind, Moment, Phase, ProviderName, Revocation, State,
    VerificationId,
};

use super::{Changes, Key, PartitionState, Pointer};
use crate::bounds::DEAD_LETTERS;
use crate::{Burial, DeadLetter, DeadLetters, DeadReason, Discarded, LetterKey, LetterPlace};

impl PartitionState {
    /// Buries one verification; see [`crate::Store::bury`].
    pub fn bury(&mut self, burial: &Burial, now: Moment, changes: &mut Changes) -> bool {
        let is_there = self.held(burial.id, now).is_some_and(|held| !held.is_over());
        if is_there {
            self.put_aside(burial.id, burial.reason, burial.detail(), now, changes);
        }
        is_there
    }

    /// Dead letters after a place; see [`crate::Store::dead_letters`].
    pub fn dead_letters(&self, after: Option<&LetterPlace>, max: usize) -> DeadLetters {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let found = self.letters_by_age.range::<LetterPlace, _>((after, Bound::Unbounded)).take(max);
        let letters = found.filter_map(|(_, key)| self.letters.get(key)).cloned().collect();
        DeadLetters { letters, total: self.letters.len() as u64 }
    }

    /// One dead letter.
    pub fn dead_letter(&self, key: &LetterKey) -> Option<&DeadLetter> {
        self.letters.get(key)
    }

    /// Puts a buried verification back to work; see [`crate::Store::revive`].
    pub fn revive(&mut self, key: &LetterKey, now: Moment, changes: &mut Changes) -> bool {
        let Some(letter) = self.take_letter(key, changes) else { return false };
        let Some(id) = letter.verification else { return true };
        if self.damaged.contains_key(&id) {
            self.unburied.push(id);
        }
        let Some(held) = self.held_mut(id, now).filter(|held| !held.is_over()) else { return true };
        let verification = &mut held.verification;
        let expires_at = verification.expires_at;
        let is_pending = verification.is_pending();
        let mut due = now;
        let mut job = None;
        if let Some(attempt) = verification.attempts.last_mut().filter(|_| is_pending)
            && let Phase::Queued { withdraw_at } = &mut attempt.phase
        {
            *withdraw_at = now + withdraw_at.since(attempt.queued_at);
            due = (*withdraw_at).min(expires_at);
            let pointer = Pointer { id, attempt: attempt.number, job: JobKind::Send, queued_at: now };
            job = Some((attempt.provider.clone(), pointer));
            // Whoever decided on the instant that it was to be withdrawn at decides again.
            verification.version = verification.version.next();
        }
        self.set_due(id, Some(due));
        changes.touch(Key::Verification(id));
        if let Some((lane, pointer)) = job {
            self.enqueue(lane, pointer, changes);
        }
        true
    }

    /// Takes a letter away for good; see [`crate::Store::discard`].
    pub fn discard(&mut self, key: &LetterKey, now: Moment, changes: &mut Changes) -> Option<Discarded> {
        let letter = self.take_letter(key, changes)?;
        let ended = letter.verification.and_then(|id| {
            if self.damaged.remove(&id).is_some() {
                changes.touch(Key::Verification(id));
            }
            self.erase(id, now, changes)
        });
        Some(Discarded { ended })
    }

    /// Ends a verification if it has not ended, and leaves nothing private of it.
    fn erase(
        &mut self,
        id: VerificationId,
        now: Moment,
        changes: &mut Changes,
    ) -> Option<(Box<otter_domain::Verification>, Ending)> {
        let held = self.held_mut(id, now).filter(|held| !held.is_over())?;
        let verification = &mut held.verification;
        let is_late = now >= verification.expires_at;
        let how = verification.is_pending().then_some(if is_late { Ending::Expired } else { Ending::Failed });
        let because = is_late.then(|| ExpiryReason::of(verification));
        if let Some(how) = how {
            verification.state = State::Ended { how, at: now };
            verification.slots.clear();
        }
        for attempt in &mut verification.attempts {
            if attempt.revocation == Revocation::Wanted {
                attempt.revocation = Revocation::Settled;
            }
        }
        verification.version = verification.version.next();
        verification.private = None;
        held.unopened = None;
        let verification = Box::new(held.verification.clone());
        self.set_due(id, None);
        self.set_expiry(id, now);
        changes.touch(Key::Verification(id));
        let how = how?;
        let tenant = verification.tenant.clone();
        self.publish(id, tenant, HappeningKind::Ended { how, because }, now, changes);
        Some((verification, how))
    }

    /// Buries a verification that is there. Until its end nobody looks at it; then it ends as expired.
    pub(super) fn put_aside(
        &mut self,
        id: VerificationId,
        reason: DeadReason,
        detail: String,
        now: Moment,
        changes: &mut Changes,
    ) {
        let letter = DeadLetter { reason, detail, ..self.letter_of(id, now) };
        let end = self.verifications.get(&id).and_then(|held| {
            let ends_later = held.verification.is_pending() && now < held.verification.expires_at;
            ends_later.then_some(held.verification.expires_at)
        });
        self.set_due(id, end);
        changes.touch(Key::Verification(id));
        self.write_letter(letter, now, changes);
    }

    /// Buries what a pointer leads to. The timer stays: who can read the record goes on without this job.
    pub(super) fn bury_pointer(
        &mut self,
        lane: &ProviderName,
        pointer: &Pointer,
        reason: DeadReason,
        detail: String,
        now: Moment,
        changes: &mut Changes,
    ) {
        let letter = DeadLetter {
            provider: Some(lane.clone()),
            attempt: Some(pointer.attempt),
            job: Some(pointer.job),
            reason,
            detail,
            ..self.letter_of(pointer.id, now)
        };
        self.write_letter(letter, now, changes);
    }

    /// Buries records that were damaged when they were read at the start, or that an operator wants to be looked at again;
    /// nothing else leads to them.
    pub(super) fn bury_damaged(&mut self, max: usize, now: Moment, changes: &mut Changes) {
        for _ in 0..max {
            let Some(id) = self.unburied.pop() else { return };
            let is_known = self.letters.contains_key(&LetterKey::of(id));
            if let Some(detail) = self.why_damaged(id).filter(|_| !is_known) {
                let reason = DeadReason::RecordUnreadable;
                let letter = DeadLetter { reason, detail, ..self.letter_of(id, now) };
                self.write_letter(letter, now, changes);
            }
        }
    }

    /// Why the record of a verification cannot be read, if there is one that cannot.
    pub fn why_damaged(&self, id: VerificationId) -> Option<String> {
        self.damaged.get(&id).map(|damaged| damaged.why.clone())
    }

    /// A letter about a verification, with what is known of it.
    fn letter_of(&self, id: VerificationId, now: Moment) -> DeadLetter {
        let verification = self.held(id, now).map(|held| &held.verification);
        let current = verification.and_then(|verification| verification.current());
        DeadLetter {
            key: LetterKey::of(id),
            verification: Some(id),
            tenant: verification.map(|verification| verification.tenant.clone()),
            provider: current.map(|attempt| attempt.provider.clone()),
            attempt: current.map(|attempt| attempt.number),
            job: None,
            reason: DeadReason::RecordMissing,
            detail: String::new(),
            since: now,
        }
    }

    fn write_letter(&mut self, letter: DeadLetter, now: Moment, changes: &mut Changes) {
        let key = letter.key.clone();
        let letter = match self.letters.get(&key) {
            Some(before) => DeadLetter { since: before.since, ..letter },
            None => {
                self.make_room(now, changes);
                self.letters_by_age.insert((letter.since, key.clone()));
                letter
            }
        };
        changes.touch(Key::Letter(key.clone()));
        changes.buried.push(letter.clone());
        self.letters.insert(key, letter);
    }

    fn make_room(&mut self, now: Moment, changes: &mut Changes) {
        while self.letters.len() >= DEAD_LETTERS
            && let Some((_, oldest)) = self.letters_by_age.first().cloned()
        {
            self.discard(&oldest, now, changes);
        }
    }

    /// Removes a letter, and nothing else.
    pub(super) fn take_letter(&mut self, key: &LetterKey, changes: &mut Changes) -> Option<DeadLetter> {
        let letter = self.letters.remove(key)?;
        self.letters_by_age.remove(&(letter.since, key.clone()));
        changes.touch(Key::Letter(key.clone()));
        Some(letter)
    }
}
