//! What earlier wrong codes keep back, and how an operator lifts it (SEC-05).

use otter_decision::{challenge, check};
use otter_domain::{
    ChannelClass, CheckScope, FailedChecks, Lift, Moment, PhoneNumber, ShutClass, Subject, TenantId,
    VerificationId,
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
    /// Reads how many wrong codes in a row are counted for a person, at most one counter per class.
    pub async fn failed_checks(&self, person: &Person) -> Result<Vec<FailedChecks>, Refusal> {
        Ok(self.books.failed_checks(self.home(&person.number), self.scope(person)).await?)
    }

    /// Has wrong codes of a person forgotten, with an event; says what they were. A repeat finds nothing.
    pub async fn lift_checks(
        &self,
        person: &Person,
        classes: Vec<ChannelClass>,
        author: String,
        reason: String,
    ) -> Result<Vec<FailedChecks>, Refusal> {
        let lift = Lift { scope: self.scope(person), classes, author, reason };
        Ok(self.books.lift(self.home(&person.number), lift).await?)
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
