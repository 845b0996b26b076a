//! What fails again and again is given up, and stops nothing else.

use otter_delivery::Reported;
use otter_domain::{Ending, Partition, ReceiptStatus, State, Verification, VerificationId};
use otter_store::{DeadLetter, DeadReason, LetterKey, Store as _};
use tokio::time::sleep;

use crate::house::{House, Plan, provider, seconds, tenant};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

impl House {
    fn home(&self, id: VerificationId) -> Partition {
        id.partition(self.memory.partitions()).unwrap()
    }

    async fn letter(&self, id: VerificationId) -> Option<DeadLetter> {
        self.memory.dead_letter(self.home(id), &LetterKey::of(id)).await.unwrap().value
    }

    /// A verification that its scheduler has given up.
    async fn given_up(&self) -> VerificationId {
        let id = self.send().await;
        // Nobody works on the lane, so the withdrawal of its job is due first, and five looks at it fail.
        self.front.store.disturb(Op::Commit, Fault::Unreadable, 5);
        while self.letter(id).await.is_none() {
            sleep(seconds(1)).await;
        }
        id
    }
}

fn is_expired(verification: &Verification) -> bool {
    matches!(verification.state, State::Ended { how: Ending::Expired, .. })
}

#[tokio::test(start_paused = true)]
async fn what_fails_five_times_in_a_row_is_put_aside_and_still_ends_in_time() {
    let house = House::without_workers(Plan::usual()).await;
    let id = house.given_up().await;
    assert_eq!(house.front.store.calls(Op::Bury), 1);
    let letter = house.letter(id).await.unwrap();
    assert_eq!(letter.reason, DeadReason::HandlingFailed);
    assert!(letter.detail.starts_with("it failed 5 times in a row when its time had come: "), "{letter:?}");

    let other = house.send().await;
    house.until(other, |verification| verification.attempts.len() > 1).await;
    assert_eq!(house.load(id).await.attempts.len(), 1, "nobody looks at it any more");
    house.until(id, is_expired).await;
    assert!(house.letter(id).await.is_some(), "that it failed is still worth knowing");
}

#[tokio::test(start_paused = true)]
async fn what_was_put_aside_goes_on_when_it_is_revived() {
    let house = House::without_workers(Plan::usual()).await;
    let id = house.given_up().await;
    assert!(house.memory.revive(house.home(id), &LetterKey::of(id)).await.unwrap().value);
    let _worker = house.worker("worker-1").await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_puts_nothing_aside() {
    let house = House::without_workers(Plan::usual()).await;
    let id = house.send().await;
    house.front.store.disturb(Op::Commit, Fault::Refused, usize::MAX);
    sleep(seconds(120)).await;
    assert_eq!(house.front.store.calls(Op::Bury), 0);
    house.front.store.calm();
    house.until(id, |verification| verification.attempts.len() > 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_verification_whose_plan_cannot_be_read_is_not_decided_on_but_can_be_taken_back() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    house.front.store.lose_key();
    assert_eq!(house.load(id).await.private, None);
    let lost = house.report(id, 1, "alpha", ReceiptStatus::Undelivered);
    let booked = house.front.desk.book(&provider("alpha"), &lost).await.unwrap();
    assert!(matches!(booked, Reported::Booked { .. }), "the receipt is not lost");
    let held = house.memory.load(house.home(id), vec![id]).await.unwrap().value.remove(0).unwrap();
    assert!(held.is_pending() && held.private.is_some(), "nothing was decided blindly");
    let cancelled = house.front.intake.cancel(&tenant("shop"), id).await.unwrap();
    assert!(matches!(cancelled.state, State::Ended { how: Ending::Cancelled, .. }));
}
