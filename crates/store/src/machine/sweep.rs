//! Retention: deletes what has outlived it.

use otter_domain::{Moment, RecipientRef, TenantId};

use super::{Changes, Key, PartitionState};

impl PartitionState {
    /// Deletes what has outlived its retention, at most `max` things of each kind, and says whether there is more.
    pub fn sweep(&mut self, max: usize, now: Moment, changes: &mut Changes) -> bool {
        let mut left = max;
        while left > 0
            && let Some((_, key)) = self.expiries.first().filter(|(moment, _)| *moment <= now).cloned()
        {
            left -= 1;
            self.expiries.pop_first();
            self.expire(key, now, changes);
        }
        let events = self.sweep_events(max, now, changes);
        let evidence = self.sweep_evidence(max, now, changes);
        let letters = self.sweep_letters(max, now, changes);
        left == 0 || events == max || evidence == max || letters == max
    }

    /// Deletes what a key stands for, or looks again when its time was prolonged.
    fn expire(&mut self, key: Key, now: Moment, changes: &mut Changes) {
        match self.expiry(&key) {
            None => {}
            Some(until) if now < until => {
                self.expiries.insert((until, key));
            }
            Some(_) => {
                self.remove(&key, changes);
                changes.touch(key);
            }
        }
    }

    fn expiry(&self, key: &Key) -> Option<Moment> {
        match key {
            Key::Verification(id) => self.verifications.get(id)?.expires_at,
            Key::Request(tenant, recipient, id) => {
                let scope = (tenant.clone(), recipient.clone(), id.clone());
                self.requests.get(&scope).map(|answered| answered.until)
            }
            Key::Sends(tenant, recipient) => {
                self.sends.get(&scope(tenant, recipient)).map(|sends| sends.until)
            }
            Key::Failed(tenant, recipient, subject) => {
                let counters = self.failed.get(&(tenant.clone(), recipient.clone(), subject.clone()))?;
                let last = counters.iter().map(|counter| counter.last_at).max()?;
                Some(last + self.retention.failed_checks)
            }
            Key::Pointer(..)
            | Key::Reference(..)
            | Key::Event(_)
            | Key::Evidence(..)
            | Key::Letter(_)
            | Key::Sequence => None,
        }
    }

    fn remove(&mut self, key: &Key, changes: &mut Changes) {
        match key {
            Key::Verification(id) => self.forget(*id, changes),
            Key::Request(tenant, recipient, id) => {
                self.requests.remove(&(tenant.clone(), recipient.clone(), id.clone()));
            }
            Key::Sends(tenant, recipient) => {
                self.sends.remove(&scope(tenant, recipient));
            }
            Key::Failed(tenant, recipient, subject) => {
                self.failed.remove(&(tenant.clone(), recipient.clone(), subject.clone()));
            }
            Key::Pointer(..)
            | Key::Reference(..)
            | Key::Event(_)
            | Key::Evidence(..)
            | Key::Letter(_)
            | Key::Sequence => {}
        }
    }

    fn sweep_events(&mut self, max: usize, now: Moment, changes: &mut Changes) -> usize {
        let mut swept = 0;
        while swept < max
            && let Some((sequence, event)) = self.events.front()
            && event.at + self.retention.events <= now
        {
            self.forgotten_event = *sequence;
            changes.touch(Key::Event(*sequence));
            changes.touch(Key::Sequence);
            self.events.pop_front();
            swept += 1;
        }
        swept
    }

    fn sweep_letters(&mut self, max: usize, now: Moment, changes: &mut Changes) -> usize {
        let mut swept = 0;
        while swept < max
            && let Some((since, key)) = self.letters_by_age.first().cloned()
            && since + self.retention.dead <= now
        {
            self.discard(&key, now, changes);
            swept += 1;
        }
        swept
    }

    fn sweep_evidence(&mut self, max: usize, now: Moment, changes: &mut Changes) -> usize {
        let mut swept = 0;
        while swept < max
            && let Some(entry) = self.evidence.first_entry()
            && entry.key().0 + self.retention.evidence <= now
        {
            let (place, cell) = entry.remove_entry();
            self.changed_evidence.remove(&(cell.changed_at, place.clone()));
            changes.touch(Key::Evidence(place.0, place.1));
            swept += 1;
        }
        swept
    }
}

fn scope(tenant: &TenantId, recipient: &RecipientRef) -> (TenantId, RecipientRef) {
    (tenant.clone(), recipient.clone())
}
