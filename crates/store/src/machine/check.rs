//! Checks, by the executable specification itself.

use otter_decision::check::{self, due_after_the_end, judge};
use otter_domain::{
    CheckScope, CheckSubmission, CheckVerdict, FailedChecks, HappeningKind, Lift, Moment, ShutClass,
    Verification,
};

use super::{Changes, FailedScope, Key, PartitionState};
use crate::{CheckAnswer, Commit};

impl PartitionState {
    /// Judges one submission; see [`crate::Store::check`].
    pub fn check(&mut self, submission: &CheckSubmission, now: Moment, changes: &mut Changes) -> CheckAnswer {
        let unknown = CheckAnswer { verdict: CheckVerdict::Unknown, verification: None };
        let Some(scope) = self.held(submission.id, now).map(|held| failed_scope(&held.verification)) else {
            return unknown;
        };
        let mut failed = self.counters(&scope, now);
        let Some(held) = self.held_mut(submission.id, now) else { return unknown };
        let judgement = judge(&mut held.verification, &mut failed, held.winner.as_ref(), submission, now);
        if judgement.verdict == CheckVerdict::Unknown {
            return unknown;
        }
        let verdict = judgement.verdict.clone();
        if judgement.is_counted() {
            if !held.verification.is_pending() {
                held.winner = judgement.winner;
                // The code in it must not outlive this, and nobody here can take it out and leave the number.
                held.unopened = None;
                let due = due_after_the_end(&held.verification, now);
                self.set_due(submission.id, due);
                self.set_expiry(submission.id, now);
            }
            changes.touch(Key::Verification(submission.id));
            let tenant = scope.0.clone();
            self.set_failed_checks(scope, failed, changes);
            if let Some(observation) = judgement.observation {
                self.observe(observation, now, changes);
            }
            for kind in judgement.happening {
                self.publish(submission.id, tenant.clone(), kind, now, changes);
            }
        }
        let verification = self.held(submission.id, now).map(|held| held.verification.clone());
        let verification = verification.map(|verification| Verification { private: None, ..verification });
        CheckAnswer { verdict, verification }
    }

    /// The counters of a scope; see [`crate::Store::failed_checks`].
    pub fn failed_checks(&self, scope: &CheckScope, now: Moment) -> Vec<FailedChecks> {
        let CheckScope { tenant, recipient, subject } = scope.clone();
        let mut counters = self.counters(&(tenant, recipient, subject), now);
        counters.sort_by_key(|counter| counter.class);
        counters
    }

    /// Takes counters away; see [`crate::Store::lift`].
    pub fn lift(&mut self, lift: &Lift, now: Moment, changes: &mut Changes) -> Vec<FailedChecks> {
        let counters = self.failed_checks(&lift.scope, now);
        let (lifted, left): (Vec<_>, Vec<_>) =
            counters.into_iter().partition(|counter| lift.classes.contains(&counter.class));
        if lifted.is_empty() {
            return lifted;
        }
        let CheckScope { tenant, recipient, subject } = lift.scope.clone();
        self.set_failed_checks((tenant.clone(), recipient, subject), left, changes);
        for counter in &lifted {
            let kind = HappeningKind::ChecksLifted {
                class: counter.class,
                failures: counter.count,
                author: lift.author.clone(),
                reason: lift.reason.clone(),
            };
            self.publish(counter.last_in, tenant.clone(), kind, now, changes);
        }
        lifted
    }

    /// The classes in which the codes of a commit could not be checked in time.
    pub(super) fn shut(&self, item: &Commit, now: Moment) -> Vec<ShutClass> {
        if item.at_stake.is_empty() {
            return Vec::new();
        }
        let next = &item.next;
        let counters = self.counters(&failed_scope(next), now);
        check::shut(&counters, &item.at_stake, Some(next.id), next.send_before, now)
    }

    /// The counters that are not past their retention.
    fn counters(&self, scope: &FailedScope, now: Moment) -> Vec<FailedChecks> {
        let counters = self.failed.get(scope).into_iter().flatten();
        counters.filter(|counter| now < counter.last_at + self.retention.failed_checks).cloned().collect()
    }

    fn set_failed_checks(&mut self, scope: FailedScope, failed: Vec<FailedChecks>, changes: &mut Changes) {
        let key = Key::Failed(scope.0.clone(), scope.1.clone(), scope.2.clone());
        let Some(last) = failed.iter().map(|counter| counter.last_at).max() else {
            if self.failed.remove(&scope).is_some() {
                changes.touch(key);
            }
            return;
        };
        let is_new = self.failed.insert(scope, failed).is_none();
        if is_new {
            self.expiries.insert((last + self.retention.failed_checks, key.clone()));
        }
        changes.touch(key);
    }
}

fn failed_scope(verification: &Verification) -> FailedScope {
    (verification.tenant.clone(), verification.recipient.clone(), verification.subject.clone())
}
