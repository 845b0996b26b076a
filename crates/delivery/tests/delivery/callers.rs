//! What callers may repeat and what they are refused.

use otter_decision::lifecycle::ResendRefusal;
use otter_delivery::{Refusal, SendRequest, Sent};
use otter_domain::{Channel, CheckVerdict, CodePolicy, LimitRule, Origin, PhoneNumber, RequestId};
use tokio::time::sleep;

use crate::house::{House, Plan, id_of, policy, provider, seconds};
use crate::journeys::is_accepted;
use crate::store::{Fault, Op};

fn named(request: SendRequest, name: &str) -> SendRequest {
    SendRequest { request_id: Some(RequestId::parse(name).unwrap()), ..request }
}

#[tokio::test(start_paused = true)]
async fn a_resend_lets_the_next_candidate_go_and_its_repeat_sends_nothing_more() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let early = house.front.intake.resend(house.resend_request(id, None)).await;
    assert!(matches!(early, Err(Refusal::Resend(ResendRefusal::TooEarly { .. }))), "SEC-19: {early:?}");
    // The wait of the step is as long as the cooldown: a delivered message keeps the next candidate from going by itself.
    let report = house.report(id, 1, "alpha", otter_domain::ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    sleep(seconds(31)).await;
    let resent = house.front.intake.resend(house.resend_request(id, Some("again-1"))).await.unwrap();
    assert_eq!(resent.verification.attempts.len(), 2);
    assert_eq!(resent.verification.attempts[1].origin, Origin::Resend);
    let repeated = house.front.intake.resend(house.resend_request(id, Some("again-1"))).await.unwrap();
    assert_eq!(repeated.verification.attempts.len(), 2, "promise 7");
    let live = house.front.intake.resend(house.resend_request(id, Some("again-2"))).await;
    assert!(matches!(live, Err(Refusal::Resend(ResendRefusal::Live { .. }))), "{live:?}");
    house.vendor("beta").next().await.accept();
    house.until(id, is_accepted).await;
    let repeated = house.front.intake.resend(house.resend_request(id, Some("again-1"))).await.unwrap();
    assert_eq!(repeated.verification.attempts.len(), 2);
    assert_eq!(house.vendor("gamma").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_resend_whose_answer_was_lost_is_not_refused_because_it_was_done() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", otter_domain::ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    sleep(seconds(31)).await;
    house.front.store.disturb(Op::Commit, Fault::AnswerLost, 1);
    house.front.store.disturb(Op::Commit, Fault::Hangs, 1);
    let (intake, request) = (house.front.intake.clone(), house.resend_request(id, None));
    let resending = tokio::spawn(async move { intake.resend(request).await });
    // Before the commit is asked for again, the message is sent and its outcome booked.
    house.vendor("beta").next().await.accept();
    house.until(id, |it| it.attempts.len() == 2 && is_accepted(it)).await;
    house.front.store.calm();
    let resent = resending.await.unwrap().unwrap();
    assert_eq!(resent.verification.attempts.len(), 2);
    assert_eq!(house.vendor("gamma").count(), 0);
}

#[tokio::test(start_paused = true)]
async fn of_two_named_resends_at_the_same_moment_one_is_refused_even_if_both_carry_the_same_code() {
    let mut plan = Plan::usual();
    plan.tenant.purposes.values_mut().for_each(|login| login.lifecycle.codes = CodePolicy::Same);
    let (house, _worker) = House::open(plan).await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.until(id, is_accepted).await;
    let report = house.report(id, 1, "alpha", otter_domain::ReceiptStatus::Delivered);
    house.front.desk.book(&provider("alpha"), &report).await.unwrap();
    sleep(seconds(31)).await;
    let intake = &house.front.intake;
    let one = intake.resend(house.resend_request(id, Some("again-1")));
    let other = intake.resend(house.resend_request(id, Some("again-2")));
    let (one, other) = tokio::join!(one, other);
    assert_eq!(one.unwrap().verification.attempts.len(), 2);
    let is_live = matches!(other, Err(Refusal::Resend(ResendRefusal::Live { .. })));
    assert!(is_live, "promise 7: its repeat would send another message: {other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_as_before_although_nobody_could_send_it_now() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha"])])).await;
    let first = house.front.intake.send(named(house.request(), "request-1")).await.unwrap();
    house.vendor("alpha").next().await.accept();
    let now = house.front.books.now();
    house.front.view.directives.pause(&*house.front.store, &provider("alpha"), now).await.unwrap();
    let again = house.front.intake.send(named(house.request(), "request-1")).await.unwrap();
    assert!(again.repeated);
    assert_eq!(id_of(&again), id_of(&first));
    let other = house.front.intake.send(named(house.request(), "request-2")).await;
    assert!(matches!(other, Err(Refusal::NoRoute(_))), "{other:?}");
    let reused = SendRequest { preferred: vec![Channel::Sms], ..named(house.request(), "request-1") };
    assert!(matches!(house.front.intake.send(reused).await, Err(Refusal::RequestReused)));
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_the_same_answer_after_the_end_and_under_another_policy() {
    let (house, _worker) = House::usual().await;
    let send = async || house.front.intake.send(named(house.request(), "request-1")).await.unwrap();
    let first = send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    call.accept();
    house.until(id_of(&first), is_accepted).await;
    house.reload(|setup| {
        let shop = setup.tenants.values_mut().next().unwrap();
        shop.purposes.values_mut().for_each(|login| login.lifecycle.resend.cooldowns = vec![seconds(99)]);
        setup.routes.values_mut().for_each(|route| route.steps.truncate(1));
    });
    assert!(matches!(house.check(id_of(&first), &code).await, CheckVerdict::Verified { .. }));
    let again = send().await;
    assert!(again.repeated && again.verification.as_ref().unwrap().private.is_none());
    let told = |sent: &Sent| {
        let Sent { plan, expires_at, resend_allowed_at, restricted, masked, .. } = sent.clone();
        (id_of(sent), plan, expires_at, resend_allowed_at, restricted, masked)
    };
    assert_eq!(told(&again), told(&first));
    assert_eq!(first.resend_allowed_at, Some(first.verification.unwrap().created_at + seconds(30)));
}

#[tokio::test(start_paused = true)]
async fn a_send_whose_answer_was_lost_is_accepted_once() {
    let (house, _worker) = House::usual().await;
    house.front.store.disturb(Op::Commit, Fault::AnswerLost, 1);
    let sent = house.front.intake.send(house.request()).await.unwrap();
    let call = house.vendor("alpha").next().await;
    assert_eq!(call.dispatch.verification, id_of(&sent));
    call.accept();
    sleep(seconds(1)).await;
    assert_eq!(house.vendor("alpha").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_the_store_never_took_is_refused_and_its_repeat_is_safe() {
    let (house, _worker) = House::usual().await;
    house.front.store.disturb(Op::Commit, Fault::AnswerLost, 3);
    let lost = house.front.intake.send(named(house.request(), "request-1")).await;
    assert!(matches!(lost, Err(Refusal::Books(_))), "{lost:?}");
    let again = house.front.intake.send(named(house.request(), "request-1")).await.unwrap();
    assert!(again.repeated);
    house.vendor("alpha").next().await.accept();
    sleep(seconds(1)).await;
    assert_eq!(house.vendor("alpha").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_while_a_code_is_accepted_can_ask_again() {
    let (house, _worker) = House::usual().await;
    house.front.store.disturb(Op::Commit, Fault::Hangs, 1);
    let request = named(house.request(), "request-1");
    let gone = tokio::time::timeout(seconds(1), house.front.intake.send(request.clone())).await;
    assert!(gone.is_err());
    house.front.store.calm();
    let again = house.front.intake.send(request).await.unwrap();
    let call = house.vendor("alpha").next().await;
    assert_eq!(call.dispatch.verification, id_of(&again));
    call.accept();
    sleep(seconds(1)).await;
    assert_eq!(house.vendor("alpha").count(), 1, "one message, whoever waited for the answer");
}

#[tokio::test(start_paused = true)]
async fn sec_17_a_recipients_limit_counts_sends_and_resends() {
    let mut shop = policy("shop");
    shop.recipient_limits = vec![LimitRule { max: 2, window: seconds(600) }];
    let (house, _worker) = House::open(Plan { tenant: shop, ..Plan::usual() }).await;
    house.send().await;
    house.send().await;
    let third = house.front.intake.send(house.request()).await;
    assert!(matches!(third, Err(Refusal::RecipientLimited { .. })), "{third:?}");
    let other = SendRequest { number: PhoneNumber::parse("+4915112345679").unwrap(), ..house.request() };
    house.front.intake.send(other).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sec_17_one_person_has_one_limit_in_every_form_of_the_number() {
    let mut shop = policy("shop");
    shop.recipient_limits = vec![LimitRule { max: 2, window: seconds(600) }];
    let (house, _worker) = House::open(Plan { tenant: shop, ..Plan::usual() }).await;
    let to = |text| SendRequest { number: PhoneNumber::parse(text).unwrap(), ..house.request() };
    for (one, other, third) in [
        ("+54 11 6907 1234", "+54 9 11 6907 1234", "+54 11 15 6907 1234"),
        ("+52 1 55 1234 5678", "+52 55 1234 5678", "+52 044 55 1234 5678"),
        ("+55 11 8123 4567", "+55 11 98123 4567", "0055 11 98123 4567"),
    ] {
        house.front.intake.send(to(one)).await.unwrap();
        house.front.intake.send(to(other)).await.unwrap();
        let refused = house.front.intake.send(to(third)).await;
        assert!(matches!(refused, Err(Refusal::RecipientLimited { .. })), "{third}: {refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_explains_and_sends_nothing() {
    let (house, _worker) = House::usual().await;
    let request = SendRequest { dry_run: true, ..house.request() };
    let explained = house.front.intake.send(request).await.unwrap();
    assert!(explained.verification.is_none());
    assert_eq!(explained.plan.unwrap().candidates.len(), 3);
    sleep(seconds(1)).await;
    assert_eq!(house.vendor("alpha").count(), 0);
}
