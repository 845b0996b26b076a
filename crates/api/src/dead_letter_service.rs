//! `otter.admin.v1.DeadLetterService`.

use std::collections::BTreeMap;
use std::sync::Arc;

use otter_contract::admin::v1::dead_letter_service_server::DeadLetterService;
use otter_contract::admin::v1::{
    self as admin, DropDeadLetterRequest, DropDeadLetterResponse, GetDeadLetterRequest,
    GetDeadLetterResponse, ListDeadLettersRequest, ListDeadLettersResponse, RetryDeadLetterRequest,
    RetryDeadLetterResponse,
};
use otter_contract::v1::ErrorReason;
use otter_delivery::Intake;
use otter_domain::{Moment, Partition, Verification, VerificationId};
use otter_store::{DeadLetter, DeadReason, Error as StoreError, LetterKey, LetterPlace, Stamped};
use tonic::{Request, Response, Status};
use tracing::info;

use crate::convert::timestamp;
use crate::convert::verification::state;
use crate::error::{self, Problem};
use crate::fields::Fields;
use crate::page::{self, Pages};

/// The letters of a page unless asked otherwise.
const PAGE: usize = 50;

/// The most letters of a page.
const LARGEST_PAGE: usize = 200;

/// Answers operators who look after dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetterDesk {
    pub(crate) intake: Arc<Intake>,
}

/// Where a letter is and how it is called there.
type Address = (Partition, LetterKey);

#[tonic::async_trait]
impl DeadLetterService for DeadLetterDesk {
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let size = page::size(&mut fields, request.page_size, PAGE, LARGEST_PAGE);
        fields.verdict()?;
        let pages = Pages::new(&self.intake.keys().install, vec![b"dead letters"]);
        let after = pages.read(&request.page_token)?.and_then(|last| self.place(&last));
        // One more than asked for says whether there is another page.
        let mut found = self.letters(after, size + 1).await?;
        let has_more = found.len() > size;
        found.truncate(size);
        let next = found.last().filter(|_| has_more).map(|(home, letter)| {
            let since = letter.since.as_millis();
            pages.after(&format!("{home}:{since}:{}", letter.key))
        });
        let dead_letters = self.described(found).await?;
        Ok(Response::new(ListDeadLettersResponse { dead_letters, next_page_token: next.unwrap_or_default() }))
    }

    async fn get_dead_letter(
        &self,
        request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<GetDeadLetterResponse>, Status> {
        let (home, key) = self.address(&request.into_inner().id)?;
        let letter = self.letter(home, &key).await?;
        Ok(Response::new(GetDeadLetterResponse { dead_letter: self.one(home, letter).await? }))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Result<Response<RetryDeadLetterResponse>, Status> {
        let (home, key) = self.address(&request.into_inner().id)?;
        let letter = self.letter(home, &key).await?;
        let dead_letter = self.one(home, letter).await?;
        let store = self.intake.books().store();
        let revived = store.revive(home, &key).await.map_err(|error| error::store(&error))?;
        if !revived.value {
            return Err(unknown());
        }
        info!(partition = %home, key = %key, "a dead letter is tried again by an operator");
        Ok(Response::new(RetryDeadLetterResponse { dead_letter }))
    }

    async fn drop_dead_letter(
        &self,
        request: Request<DropDeadLetterRequest>,
    ) -> Result<Response<DropDeadLetterResponse>, Status> {
        let (home, key) = self.address(&request.into_inner().id)?;
        let letter = self.letter(home, &key).await?;
        let books = self.intake.books();
        if !books.discard(home, &key).await.map_err(|error| error::books(&error))? {
            return Err(unknown());
        }
        info!(partition = %home, key = %key, "a dead letter was dropped by an operator");
        Ok(Response::new(DropDeadLetterResponse { dead_letter: self.one(home, letter).await? }))
    }
}

impl DeadLetterDesk {
    /// Up to `most` letters after a place, over all partitions.
    async fn letters(
        &self,
        after: Option<(Partition, LetterPlace)>,
        most: usize,
    ) -> Result<Vec<(Partition, DeadLetter)>, Status> {
        let store = self.intake.books().store();
        let first = after.as_ref().map_or(0, |(home, _)| home.index());
        let mut found = Vec::new();
        for home in store.partitions().all().filter(|home| home.index() >= first) {
            let place = after.as_ref().filter(|(of, _)| *of == home).map(|(_, place)| place.clone());
            let page = store.dead_letters(home, place, most - found.len()).await;
            let page = page.map_err(|error| error::store(&error))?.value;
            found.extend(page.letters.into_iter().map(|letter| (home, letter)));
            if found.len() >= most {
                break;
            }
        }
        Ok(found)
    }

    async fn letter(&self, home: Partition, key: &LetterKey) -> Result<DeadLetter, Status> {
        let found = self.intake.books().store().dead_letter(home, key).await;
        found.map_err(|error| error::store(&error))?.value.ok_or_else(unknown)
    }

    async fn one(&self, home: Partition, letter: DeadLetter) -> Result<Option<admin::DeadLetter>, Status> {
        Ok(self.described(vec![(home, letter)]).await?.pop())
    }

    /// The letters with what their records say now.
    async fn described(
        &self,
        letters: Vec<(Partition, DeadLetter)>,
    ) -> Result<Vec<admin::DeadLetter>, Status> {
        let mut by_home: BTreeMap<Partition, Vec<VerificationId>> = BTreeMap::new();
        for (home, letter) in &letters {
            by_home.entry(*home).or_default().extend(letter.verification);
        }
        let mut known: BTreeMap<VerificationId, Verification> = BTreeMap::new();
        for (home, ids) in by_home {
            let found = self.intake.books().store().load(home, ids).await;
            known.extend(legible(found)?.into_iter().map(|verification| (verification.id, verification)));
        }
        let now = self.intake.books().now();
        let described = letters.into_iter().map(|(home, letter)| {
            let verification = letter.verification.and_then(|id| known.get(&id));
            describe(home, &letter, verification, now)
        });
        Ok(described.collect())
    }

    /// Reads a letter's id.
    fn address(&self, id: &str) -> Result<Address, Status> {
        if id.is_empty() {
            let mut fields = Fields::default();
            fields.bad("id", "is required");
            fields.verdict()?;
        }
        let parts =
            id.split_once(':').and_then(|(home, key)| Some((self.home(home)?, LetterKey::parse(key)?)));
        parts.ok_or_else(unknown)
    }

    /// Reads where a page begins, as it is written in page tokens.
    fn place(&self, last: &str) -> Option<(Partition, LetterPlace)> {
        let mut parts = last.splitn(3, ':');
        let home = self.home(parts.next()?)?;
        let since = Moment::from_millis(parts.next()?.parse().ok()?);
        Some((home, (since, LetterKey::parse(parts.next()?)?)))
    }

    fn home(&self, text: &str) -> Option<Partition> {
        self.intake.books().store().partitions().all().find(|home| home.to_string() == text)
    }
}

/// Records that cannot be read are no reason not to show their letters.
fn legible(
    found: Result<Stamped<Vec<Option<Verification>>>, StoreError>,
) -> Result<Vec<Verification>, Status> {
    match found {
        Ok(found) => Ok(found.value.into_iter().flatten().collect()),
        Err(StoreError::Unreadable { .. }) => Ok(Vec::new()),
        Err(error @ (StoreError::Unavailable { .. } | StoreError::Unsuitable { .. })) => {
            Err(error::store(&error).into())
        }
    }
}

fn describe(
    home: Partition,
    letter: &DeadLetter,
    verification: Option<&Verification>,
    now: Moment,
) -> admin::DeadLetter {
    let text = |value: Option<String>| value.unwrap_or_default();
    admin::DeadLetter {
        id: format!("{home}:{}", letter.key),
        verification_id: text(letter.verification.map(|id| id.to_string())),
        tenant: text(letter.tenant.as_ref().map(ToString::to_string)),
        provider: text(letter.provider.as_ref().map(ToString::to_string)),
        attempt: letter.attempt.map_or(0, |attempt| attempt.get().into()),
        reason: reason(letter.reason).into(),
        detail: letter.detail.clone(),
        buried_time: Some(timestamp(letter.since)),
        state: verification.map(|verification| state(verification.state_at(now))).unwrap_or_default().into(),
        verification_expire_time: verification.map(|verification| timestamp(verification.expires_at)),
    }
}

fn reason(reason: DeadReason) -> admin::DeadLetterReason {
    match reason {
        DeadReason::RecordMissing => admin::DeadLetterReason::RecordMissing,
        DeadReason::RecordUnreadable => admin::DeadLetterReason::RecordUnreadable,
        DeadReason::SealUnopened => admin::DeadLetterReason::SealUnopened,
        DeadReason::HandlingFailed => admin::DeadLetterReason::HandlingFailed,
    }
}

fn unknown() -> Status {
    Problem::new(ErrorReason::DeadLetterNotFound, "there is no dead letter of this id (any more)").into()
}
