//! What earlier wrong codes keep back, and how an operator lifts it (SEC-05).

use otter_decision::{challenge, check};
use otter_domain::{
    ChannelClass, CheckScope, FailedChecks, Lift, Moment, Partition, PhoneNumber, ShutClass, Subject,
    TenantId, VerificationId,
};

use super::{Intake, Refusal};
use crate::BooksError;

/// Whose checks are counted together, as callers name them. The number is only hashed.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who calls.
    pub tenant: TenantId,
    /// The number.
    pub number: PhoneNumber,
    /// The account behind it, if the caller names one.
    pub subject: Option<Subject>,
}

impl Intake {
    /// Reads how many wrong codes in a row are counted for a person, at most one counter per class: of today's number and of
    /// its former form the higher one.
    pub async fn failed_checks(&self, person: &Person) -> Result<Vec<FailedChecks>, Refusal> {
        let mut failed = self.books.failed_checks(self.home(&person.number), self.scope(person)).await?;
        for former in self.failed_before(person).await? {
            match failed.iter_mut().find(|counter| counter.class == former.class) {
                Some(counter) if counter.count < former.count => *counter = former,
                Some(_) => {}
                None => failed.push(former),
            }
        }
        Ok(failed)
    }

    /// Has wrong codes of a person forgotten, under the number's former form too, with an event; says what they were. A
    /// repeat finds nothing.
    pub async fn lift_checks(
        &self,
        person: &Person,
        classes: Vec<ChannelClass>,
        author: String,
        reason: String,
    ) -> Result<Vec<FailedChecks>, Refusal> {
        let lift = Lift { scope: self.scope(person), classes, author, reason };
        let former = self.former_scope(person).map(|(home, scope)| (home, Lift { scope, ..lift.clone() }));
        let mut lifted = self.books.lift(self.home(&person.number), lift).await?;
        if let Some((home, lift)) = former {
            lifted.extend(self.books.lift(home, lift).await?);
        }
        Ok(lifted)
    }

    /// The classes that wrong codes under the number's former form keep shut; costs a trip only where there is one (ADR 14).
    pub(super) async fn shut_before(&self, person: &Person, by: Moment) -> Result<Vec<ShutClass>, Refusal> {
        let failed = self.failed_before(person).await?;
        Ok(check::shut(&failed, &ChannelClass::ALL, None, by, self.books.now()))
    }

    async fn failed_before(&self, person: &Person) -> Result<Vec<FailedChecks>, Refusal> {
        let Some((home, scope)) = self.former_scope(person) else { return Ok(Vec::new()) };
        Ok(self.books.failed_checks(home, scope).await?)
    }

    /// Where checks of the person were counted by a release that took the number's former form for somebody else.
    fn former_scope(&self, person: &Person) -> Option<(Partition, CheckScope)> {
        let (recipient, hash) = challenge::former_recipient(&self.keys.install, &person.number)?;
        let home = self.books.store().partitions().of_hash(hash);
        Some((home, CheckScope { recipient, ..self.scope(person) }))
    }

    /// The classes in which a new code for a person could not be checked by then.
    pub(super) async fn shut(&self, person: &Person, by: Moment) -> Result<Vec<ShutClass>, Refusal> {
        let failed = self.failed_checks(person).await?;
        Ok(check::shut(&failed, &ChannelClass::ALL, None, by, self.books.now()))
    }

    /// The same for one more code of a verification.
    pub(super) async fn shut_of(
        &self,
        scope: CheckScope,
        id: VerificationId,
        by: Moment,
    ) -> Result<Vec<ShutClass>, BooksError> {
        let home = id.partition(self.books.store().partitions());
        let home = home.expect("an id that was loaded here has a partition");
        let failed = self.books.failed_checks(home, scope).await?;
        Ok(check::shut(&failed, &ChannelClass::ALL, Some(id), by, self.books.now()))
    }

    fn scope(&self, person: &Person) -> CheckScope {
        let Person { tenant, number, subject } = person;
        CheckScope {
            tenant: tenant.clone(),
            recipient: challenge::recipient_ref(&self.keys.install, number),
            subject: self.subject(tenant, subject.as_ref()),
        }
    }
}

/// Adds what was found shut; what is said anew of a class counts.
pub(super) fn add_shut(known: &mut Vec<ShutClass>, found: Vec<ShutClass>) {
    known.retain(|known| !found.iter().any(|found| found.class == known.class));
    known.extend(found);
}
