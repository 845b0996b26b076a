//! `DeadLetterService`.

use std::time::Duration;

use otter_contract::admin::v1::{
    DeadLetter, DeadLetterReason, DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest,
    ListDeadLettersResponse, RetryDeadLetterRequest,
};
use otter_contract::v1::{GetOtpRequest, VerificationState};
use otter_domain::{PartitionCount, VerificationId};
use otter_store::{Burial, DeadReason, Store as _};
use tonic::{Code, Status};

use crate::house::{CODE, House, by, reason};

impl House {
    /// Sends a code and buries its verification; returns the verification's id.
    async fn bury(&self) -> String {
        let id = self.send("").await;
        let parsed = VerificationId::parse(&id).unwrap();
        let home = parsed.partition(PartitionCount::new(4).unwrap()).unwrap();
        let detail = "it failed 5 times".to_owned();
        let burial = Burial { id: parsed, reason: DeadReason::HandlingFailed, detail };
        assert_eq!(self.store.bury(home, vec![burial]).await.unwrap().value, [true]);
        id
    }

    async fn list(&self, page_size: i32, page_token: &str) -> Result<ListDeadLettersResponse, Status> {
        let request = ListDeadLettersRequest { page_size, page_token: page_token.into() };
        let listed = self.dead_letters().list_dead_letters(by("operator", request)).await;
        listed.map(tonic::Response::into_inner)
    }

    async fn get(&self, id: &str) -> Result<DeadLetter, Status> {
        let request = by("operator", GetDeadLetterRequest { id: id.into() });
        let answer = self.dead_letters().get_dead_letter(request).await?;
        Ok(answer.into_inner().dead_letter.unwrap())
    }

    async fn retry(&self, id: &str) -> Result<DeadLetter, Status> {
        let request = by("operator", RetryDeadLetterRequest { id: id.into() });
        let answer = self.dead_letters().retry_dead_letter(request).await?;
        Ok(answer.into_inner().dead_letter.unwrap())
    }

    async fn discard(&self, id: &str) -> Result<DeadLetter, Status> {
        let request = by("operator", DropDeadLetterRequest { id: id.into() });
        let answer = self.dead_letters().drop_dead_letter(request).await?;
        Ok(answer.into_inner().dead_letter.unwrap())
    }

    async fn state(&self, id: &str) -> VerificationState {
        let request = by("shop", GetOtpRequest { verification_id: id.into() });
        self.otp().get_otp(request).await.unwrap().into_inner().verification.unwrap().state()
    }
}

fn is_unknown(refused: &Status) -> bool {
    refused.code() == Code::NotFound && reason(refused) == "DEAD_LETTER_NOT_FOUND"
}

#[tokio::test]
async fn a_dead_letter_says_what_died_why_and_how_it_stands() {
    let house = House::open().await;
    let id = house.bury().await;
    let listed = house.list(0, "").await.unwrap();
    let [letter] = listed.dead_letters.as_slice() else { panic!("one letter: {listed:?}") };
    assert_eq!((letter.verification_id.as_str(), letter.tenant.as_str()), (id.as_str(), "shop"));
    assert_eq!((letter.provider.as_str(), letter.attempt), ("alpha", 1));
    assert_eq!(
        (letter.reason(), letter.detail.as_str()),
        (DeadLetterReason::HandlingFailed, "it failed 5 times")
    );
    assert_eq!(letter.state(), VerificationState::Pending);
    assert_eq!(house.get(&letter.id).await.unwrap(), *letter);
    assert!(!format!("{listed:?}").contains(CODE));

    house.wait(Duration::from_secs(3600)).await;
    assert_eq!(
        house.get(&letter.id).await.unwrap().state(),
        VerificationState::Expired,
        "it reads as expired"
    );
}

#[tokio::test]
async fn dead_letters_are_listed_a_page_at_a_time() {
    let house = House::open().await;
    let mut buried = Vec::new();
    for _ in 0..5 {
        buried.push(house.bury().await);
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = house.list(2, &token).await.unwrap();
        assert!(page.dead_letters.len() <= 2);
        found.extend(page.dead_letters.into_iter().map(|letter| letter.verification_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    found.sort();
    buried.sort();
    assert_eq!(found, buried);
    assert_eq!(reason(&house.list(201, "").await.unwrap_err()), "INVALID_FIELDS");
    assert_eq!(reason(&house.list(2, "nonsense").await.unwrap_err()), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn a_retried_letter_is_gone_and_its_verification_goes_on() {
    let house = House::open().await;
    let id = house.bury().await;
    let letter = house.list(0, "").await.unwrap().dead_letters.remove(0);
    assert_eq!(house.retry(&letter.id).await.unwrap(), letter);
    assert_eq!(house.state(&id).await, VerificationState::Pending);
    assert!(house.list(0, "").await.unwrap().dead_letters.is_empty());
    assert!(is_unknown(&house.retry(&letter.id).await.unwrap_err()));
    assert!(is_unknown(&house.discard(&letter.id).await.unwrap_err()), "somebody retried it");
}

#[tokio::test]
async fn a_dropped_letter_ends_its_verification() {
    let house = House::open().await;
    let id = house.bury().await;
    let letter = house.list(0, "").await.unwrap().dead_letters.remove(0);
    let dropped = house.discard(&letter.id).await.unwrap();
    assert_eq!(dropped.state(), VerificationState::Failed);
    assert_eq!(house.state(&id).await, VerificationState::Failed);
    assert!(is_unknown(&house.discard(&letter.id).await.unwrap_err()));
    assert!(is_unknown(&house.get(&letter.id).await.unwrap_err()));
}

#[tokio::test]
async fn what_is_no_letter_is_refused_and_needs_the_admin_scope() {
    let house = House::open().await;
    for id in ["x", "p00:", "p99:x", "p00:NO", ":", "p00:018f2c5a-7b1e-7000-9d2e-4f5a6b7c8d9e"] {
        assert!(is_unknown(&house.get(id).await.unwrap_err()), "{id}");
    }
    assert_eq!(reason(&house.get("").await.unwrap_err()), "INVALID_FIELDS");
    let request = by("shop", ListDeadLettersRequest::default());
    let refused = house.dead_letters().list_dead_letters(request).await.unwrap_err();
    assert_eq!(reason(&refused), "SCOPE_MISSING");
}
