//! More than can be sent, and a store that does not answer.

use std::collections::BTreeSet;

use otter_delivery::{Refusal, SendRequest};
use otter_domain::{
    AttemptEnd, Channel, CheckVerdict, ChoiceReason, Exclusion, LimitRule, Phase, PhoneNumber, TenantPolicy,
    VerificationId,
};
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, id_of, millis, policy, provider, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

/// One provider that takes 10 messages a second.
fn slow() -> Plan {
    Plan { concurrency: 4, ..Plan::of(vec![(Channel::Sms, vec!["alpha"])]) }
}

fn number(place: u32) -> PhoneNumber {
    PhoneNumber::parse(&format!("+49151{:08}", 30_000_000 + place)).unwrap()
}

/// What was offered over some seconds, so many a second.
#[derive(Default)]
struct Offered {
    accepted: Vec<VerificationId>,
    refused: usize,
}

async fn offer(house: &House, from: u32, count: u32, per_second: u32) -> Offered {
    let mut offered = Offered::default();
    for place in from..from + count {
        let request = SendRequest { number: number(place), ..house.request() };
        match house.front.intake.send(request).await {
            Ok(sent) => offered.accepted.push(id_of(&sent)),
            Err(Refusal::Overloaded { retry_after }) => {
                assert!((seconds(1)..=seconds(15)).contains(&retry_after), "{retry_after:?}");
                offered.refused += 1;
            }
            Err(other) => panic!("{other:?}"),
        }
        sleep(seconds(1) / per_second).await;
    }
    offered
}

#[tokio::test(start_paused = true)]
async fn what_is_more_than_can_be_sent_is_refused_and_the_rest_is_sent_in_time() {
    let (house, _worker) = House::open(slow()).await;
    house.vendor("alpha").answers_by_itself(millis(400), Ok(None));
    // What came before anything was known is not what this is about.
    offer(&house, 0, 300, 50).await;
    let Offered { accepted, refused } = offer(&house, 300, 1_500, 50).await;
    assert!(refused > 1_000, "{refused}");
    assert!(accepted.len() > 240, "the provider has no rest: {}", accepted.len());
    sleep(seconds(6)).await;
    let mut withdrawn = 0;
    for id in &accepted {
        let attempts = house.load(*id).await.attempts;
        withdrawn += usize::from(matches!(
            attempts[0].phase,
            Phase::Ended { how: AttemptEnd::Withdrawn | AttemptEnd::Failed(_), .. }
        ));
    }
    // Partitions take turns, so that one in fifty may have bad luck with its neighbours.
    assert!(withdrawn * 50 <= accepted.len(), "{withdrawn} of {}", accepted.len());
}

#[tokio::test(start_paused = true)]
async fn checks_go_on_while_sends_are_refused_and_everything_is_taken_again_soon_after() {
    let (house, _worker) = House::open(slow()).await;
    let alpha = house.vendor("alpha");
    let id = house.send().await;
    let call = alpha.next().await;
    let code = call.code();
    call.accept();
    house.until(id, is_accepted).await;
    alpha.answers_by_itself(millis(400), Ok(None));
    let offered = offer(&house, 0, 300, 50).await;
    assert!(offered.refused > 100);
    assert!(matches!(house.check(id, &code).await, CheckVerdict::Verified { .. }));
    // 2.5 s of waiting messages, and a second until that is known.
    sleep(seconds(6)).await;
    let offered = offer(&house, 1_000, 20, 5).await;
    assert_eq!(offered.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_lane_is_passed_over_while_somebody_else_has_room_and_the_plan_says_so() {
    let plan = Plan { concurrency: 4, ..Plan::usual() };
    let (house, _worker) = House::open(plan).await;
    house.vendor("alpha").answers_by_itself(millis(400), Ok(None));
    house.vendor("beta").answers_by_itself(millis(1), Ok(None));
    let Offered { refused, accepted } = offer(&house, 0, 500, 50).await;
    assert_eq!((refused, accepted.len()), (0, 500));
    assert!(house.vendor("beta").count() > 250, "{}", house.vendor("beta").count());
    let request = SendRequest { number: number(9_999), dry_run: true, ..house.request() };
    let mut reasons = BTreeSet::new();
    for _ in 0..40 {
        let plan = house.front.intake.send(request.clone()).await.unwrap().plan.unwrap();
        let alpha = plan.considered.iter().find(|one| one.provider == provider("alpha")).unwrap();
        reasons.insert(alpha.reason == ChoiceReason::Excluded(Exclusion::LaneFull));
        offer(&house, 10_000, 1, 50).await;
    }
    assert!(reasons.contains(&true));
}

#[tokio::test(start_paused = true)]
async fn nobody_begins_a_message_on_a_lane_that_nobody_works_on() {
    let house = House::without_workers(Plan { partitions: 1, ..slow() }).await;
    let before = offer(&house, 0, 20, 10).await;
    assert_eq!(before.refused, 0, "nobody can know yet");
    sleep(seconds(4)).await;
    assert_eq!(offer(&house, 100, 20, 10).await.accepted.len(), 0);
    house.vendor("alpha").answers_by_itself(millis(400), Ok(None));
    let _worker = house.worker("worker-1").await;
    sleep(seconds(3)).await;
    assert_eq!(offer(&house, 200, 20, 5).await.refused, 0, "stale pointers are dropped at once");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_other_reasons_takes_no_room_from_others() {
    let rule = LimitRule { max: 1, window: seconds(600) };
    let tenant = TenantPolicy { recipient_limits: vec![rule], ..policy("shop") };
    let (house, _worker) = House::open(Plan { tenant, ..slow() }).await;
    house.vendor("alpha").answers_by_itself(millis(400), Ok(None));
    house.send().await;
    // Not more than can be sent, and somebody who asks for the same number again and again.
    let mut refused = 0;
    for place in 0..80 {
        for _ in 0..20 {
            let limited = house.front.intake.send(house.request()).await;
            assert!(matches!(limited, Err(Refusal::RecipientLimited { .. })), "{limited:?}");
        }
        refused += offer(&house, place, 1, 8).await.refused;
    }
    assert_eq!(refused, 0);
}

#[tokio::test(start_paused = true)]
async fn a_resend_waits_for_room_as_well() {
    let (house, _worker) = House::open(slow()).await;
    let alpha = house.vendor("alpha");
    let id = house.send().await;
    alpha.next().await.accept();
    house.until(id, is_accepted).await;
    sleep(seconds(31)).await;
    alpha.answers_by_itself(millis(400), Ok(None));
    offer(&house, 0, 300, 50).await;
    let refused = house.front.intake.resend(house.resend_request(id, None)).await;
    assert!(matches!(refused, Err(Refusal::Overloaded { .. })), "{refused:?}");
    sleep(seconds(6)).await;
    house.front.intake.resend(house.resend_request(id, None)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_store_that_does_not_answer_longer_than_it_takes_to_notice() {
    let (house, _worker) = House::open(Plan { partitions: 1, ..slow() }).await;
    house.vendor("alpha").answers_by_itself(millis(10), Ok(None));
    house.front.store.disturb(Op::Commit, Fault::Hangs, usize::MAX);
    let intake = house.front.intake.clone();
    let request = house.request();
    let first = tokio::spawn(async move { intake.send(request).await });
    sleep(millis(1_100)).await;
    let began = Instant::now();
    for place in 0..100 {
        let request = SendRequest { number: number(place), ..house.request() };
        let refused = house.front.intake.send(request).await;
        let Err(Refusal::StoreStalled { retry_after }) = refused else { panic!("{refused:?}") };
        assert!((millis(1_000)..=millis(1_500)).contains(&retry_after), "{retry_after:?}");
    }
    assert_eq!(began.elapsed(), seconds(0));
    house.front.store.calm();
    assert!(first.await.unwrap().is_ok(), "what waited is done");
    assert_eq!(offer(&house, 200, 10, 10).await.refused, 0);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_long_ago_refuses_nobody() {
    let (house, _worker) = House::open(Plan { partitions: 1, ..slow() }).await;
    house.vendor("alpha").answers_by_itself(millis(10), Ok(None));
    house.front.store.disturb(Op::Commit, Fault::TimesOut, usize::MAX);
    assert!(house.front.intake.send(house.request()).await.is_err(), "nobody answers");
    house.front.store.calm();
    sleep(seconds(60)).await;
    // The first call since is under way, and whoever comes meanwhile waits for it.
    house.front.store.disturb(Op::Commit, Fault::Hangs, 1);
    let send = |place| {
        let (intake, request) =
            (house.front.intake.clone(), SendRequest { number: number(place), ..house.request() });
        tokio::spawn(async move { intake.send(request).await })
    };
    let first = send(1);
    sleep(millis(100)).await;
    let second = send(2);
    sleep(millis(100)).await;
    house.front.store.calm();
    assert!(first.await.unwrap().is_ok());
    let second = second.await.unwrap();
    assert!(second.is_ok(), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn one_partition_that_does_not_answer_claims_holds_up_nobody_else() {
    let (house, worker) = House::open(Plan { partitions: 4, ..slow() }).await;
    house.vendor("alpha").answers_by_itself(millis(10), Ok(None));
    sleep(seconds(1)).await;
    worker.store.disturb(Op::Claim, Fault::Hangs, 1);
    sleep(seconds(1)).await;
    let mut ids = Vec::new();
    for place in 0..16 {
        ids.push(house.send_to(place).await);
    }
    sleep(seconds(1)).await;
    let mut waiting = BTreeSet::new();
    for id in &ids {
        let verification = house.load(*id).await;
        if !is_accepted(&verification) {
            waiting.insert(id.partition_index());
        }
    }
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    worker.store.calm();
    for id in ids {
        house.until(id, is_accepted).await;
    }
}
