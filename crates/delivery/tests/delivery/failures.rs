//! Sends that fail, and who goes next.

use otter_delivery::SendRequest;
use otter_domain::{
    AttemptEnd, Channel, CheckVerdict, Ending, ErrorClass, Failure, FailureClass, Measure, Phase,
    Verification,
};
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, attempt, id_of, millis, provider, seconds};
use crate::journeys::{ending, is_accepted};
use crate::store::{Fault, Op};

fn failed_with(verification: &Verification, number: usize) -> Option<FailureClass> {
    let phase = &verification.attempts[number - 1].phase;
    let Phase::Ended { how: AttemptEnd::Failed(failure), .. } = phase else { return None };
    Some(failure.class)
}

async fn goes_next(class: FailureClass, next: &str) {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let first = call.code();
    let began = Instant::now();
    call.fail(class);
    let call = house.vendor(next).next().await;
    assert_eq!(began.elapsed(), seconds(0), "{class}: at once");
    let second = call.code();
    call.accept();
    let now = house.until(id, is_accepted).await;
    assert_eq!(failed_with(&now, 1), Some(class));
    assert_eq!(now.slots.len(), 1, "{class}: a code that was never handed over is not valid");
    assert_eq!(house.check(id, &first).await, CheckVerdict::Wrong { remaining: 4 });
    let verdict = house.check(id, &second).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(2)), repeated: false });
    assert_eq!(house.counted("alpha", |measure| *measure == Measure::Failed(class)).await, 1);
    let labels = [&*format!("reason=\"{class}\"")];
    let failovers = worker.metric("otter_failovers_total", &labels);
    assert_eq!(failovers, 1.0, "{class}");
}

#[tokio::test(start_paused = true)]
async fn what_one_provider_rejects_goes_to_another_at_once() {
    goes_next(FailureClass::Rejected, "beta").await;
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_on_a_channel_is_tried_on_another_at_once() {
    goes_next(FailureClass::Unroutable, "gamma").await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_throttles_without_a_time_is_left_at_once() {
    goes_next(FailureClass::Throttled, "beta").await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_know_our_account_is_left_at_once() {
    goes_next(FailureClass::Misconfigured, "beta").await;
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_provider_is_tried_once_more_with_the_same_code_and_then_left() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let (code, message, began) = (call.code(), call.dispatch.message_id, Instant::now());
    call.fail(FailureClass::Unavailable);
    let call = house.vendor("alpha").next().await;
    assert!(began.elapsed() <= seconds(1) + millis(100), "{:?}", began.elapsed());
    assert_eq!((call.code(), call.dispatch.message_id), (code, message));
    assert_eq!(call.dispatch.attempt, attempt(1));
    call.fail(FailureClass::Unavailable);
    house.vendor("beta").next().await.accept();
    let now = house.until(id, is_accepted).await;
    assert_eq!((now.attempts.len(), failed_with(&now, 1)), (2, Some(FailureClass::Unavailable)));
    let failed = house.counted("alpha", |measure| matches!(measure, Measure::Failed(_))).await;
    assert_eq!(failed, 1, "a retry is the same attempt");
}

fn throttled(retry_after: u64) -> Failure {
    Failure::new(FailureClass::Throttled, ErrorClass::RateLimited)
        .with_retry_after(Some(seconds(retry_after)))
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_throttled_account_while_another_is_free() {
    for retry_after in [1, 29, 40] {
        let (house, worker) = House::usual().await;
        let id = house.send().await;
        house.vendor("alpha").next().await.answer(Err(throttled(retry_after)));
        let began = Instant::now();
        house.vendor("beta").next().await.accept();
        assert_eq!(began.elapsed(), seconds(0), "{retry_after}");
        house.until(id, is_accepted).await;
        // What comes meanwhile does not wait either, and the account is not asked.
        let others = [house.send_to(1).await, house.send_to(2).await];
        for other in others {
            house.vendor("beta").next().await.accept();
            assert!(began.elapsed() < seconds(1), "{retry_after}: {:?}", began.elapsed());
            let now = house.until(other, is_accepted).await;
            assert_eq!((now.attempts[0].tries, failed_with(&now, 1)), (0, Some(FailureClass::Throttled)));
        }
        assert_eq!(house.vendor("alpha").count(), 1, "{retry_after}");
        let labels = ["provider=\"alpha\"", "outcome=\"skipped_busy\""];
        assert_eq!(worker.metric("otter_delivery_attempts_total", &labels), 2.0);
        let failed = house.counted("alpha", |measure| matches!(measure, Measure::Failed(_))).await;
        assert_eq!(failed, 1, "what was not tried says nothing about the provider");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_account_is_asked_again_when_everybody_else_has_refused() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha", "beta"])])).await;
    let id = house.send().await;
    house.vendor("alpha").next().await.answer(Err(throttled(3)));
    let began = Instant::now();
    house.vendor("beta").next().await.fail(FailureClass::Rejected);
    let call = house.vendor("alpha").next().await;
    assert!(began.elapsed() >= seconds(3) && began.elapsed() < seconds(4), "{:?}", began.elapsed());
    let code = call.code();
    call.accept();
    let now = house.until(id, is_accepted).await;
    assert_eq!(now.attempts.len(), 3);
    let verdict = house.check(id, &code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(3)), repeated: false });
}

#[tokio::test(start_paused = true)]
async fn who_fails_over_does_not_wait_on_the_lane_of_a_paused_account() {
    let (house, worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let now = worker.books.now();
    worker.view.directives.pause(&*worker.store, &provider("beta"), now).await.unwrap();
    call.fail(FailureClass::Rejected);
    let began = Instant::now();
    house.vendor("gamma").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0));
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_short_code_goes_to_the_second_account_when_the_first_is_down() {
    let (house, _worker) = House::usual().await;
    let request = SendRequest { ttl: Some(seconds(119)), ..house.request() };
    let id = id_of(&house.front.intake.send(request).await.unwrap());
    house.vendor("alpha").next().await.fail(FailureClass::Unavailable);
    let began = Instant::now();
    house.vendor("alpha").next().await.fail(FailureClass::Unavailable);
    house.vendor("beta").next().await.accept();
    assert!(began.elapsed() <= seconds(1) + millis(100), "{:?}", began.elapsed());
    house.until(id, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn the_shortest_code_reaches_everybody_in_time_although_nobody_reports() {
    let (house, _worker) = House::usual().await;
    let request = SendRequest { ttl: Some(seconds(60)), ..house.request() };
    let id = id_of(&house.front.intake.send(request).await.unwrap());
    let began = Instant::now();
    for name in ["alpha", "beta", "gamma"] {
        house.vendor(name).next().await.accept();
    }
    assert!(began.elapsed() < seconds(15), "{:?}", began.elapsed());
    house.until(id, |it| it.attempts.len() == 3).await;
}

#[tokio::test(start_paused = true)]
async fn an_only_account_is_asked_again_when_it_said() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha"])])).await;
    house.send().await;
    house.vendor("alpha").next().await.answer(Err(throttled(3)));
    let began = Instant::now();
    let call = house.vendor("alpha").next().await;
    assert!(began.elapsed() >= seconds(3) && began.elapsed() < seconds(4), "{:?}", began.elapsed());
    call.accept();
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_send_waits_for_its_step_and_is_never_repeated_there() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let (code, began) = (call.code(), Instant::now());
    call.fail(FailureClass::Ambiguous);
    let call = house.vendor("beta").next().await;
    assert!(began.elapsed() >= seconds(30) && began.elapsed() < seconds(31), "{:?}", began.elapsed());
    call.accept();
    house.until(id, is_accepted).await;
    assert_eq!(house.vendor("alpha").count(), 1, "promise 6");
    let verdict = house.check(id, &code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(1)), repeated: false });
    let ambiguous = Measure::Failed(FailureClass::Ambiguous);
    assert_eq!(house.counted("alpha", |measure| *measure == ambiguous).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_ambiguous_once_its_own_deadline_is_long_over() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    drop(house.vendor("alpha").next().await);
    let now = house.until(id, |it| matches!(it.attempts[0].phase, Phase::Ambiguous { .. })).await;
    assert!(matches!(now.attempts[0].phase, Phase::Ambiguous { error: ErrorClass::Timeout, .. }));
}

#[tokio::test(start_paused = true)]
async fn when_everybody_refuses_it_has_failed() {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    for name in ["alpha", "beta", "gamma"] {
        house.vendor(name).next().await.fail(FailureClass::Rejected);
    }
    let ended = house.until(id, |it| !it.is_pending()).await;
    assert_eq!(ending(&ended), Some(Ending::Failed));
    assert_eq!(ended.private, None);
}

#[tokio::test(start_paused = true)]
async fn a_lane_slows_down_when_its_provider_says_that_we_are_too_fast() {
    let only = Plan::of(vec![(Channel::Sms, vec!["alpha"])]);
    let (house, _worker) = House::open(Plan { concurrency: 1, ..only }).await;
    house.send_to(1).await;
    house.send_to(2).await;
    house.vendor("alpha").next().await.answer(Err(throttled(2)));
    let began = Instant::now();
    for _ in 0..2 {
        house.vendor("alpha").next().await.accept();
        assert!(began.elapsed() >= seconds(2) && began.elapsed() < seconds(3), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_to_a_busy_lane_still_has_its_second_try() {
    let (house, _worker) = House::open(Plan::of(vec![(Channel::Sms, vec!["alpha"])])).await;
    house.send_to(1).await;
    house.vendor("alpha").next().await.answer(Err(throttled(2)));
    let second = house.send_to(2).await;
    for _ in 0..2 {
        house.vendor("alpha").next().await.answer(Err(throttled(2)));
    }
    house.vendor("alpha").next().await.accept();
    house.until(second, is_accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_send_never_starts_past_send_before_and_nobody_is_blamed() {
    let plan = Plan { max_queue_wait: seconds(60), ..Plan::of(vec![(Channel::Sms, vec!["alpha"])]) };
    let house = House::without_workers(Plan { partitions: 1, ..plan }).await;
    let request = SendRequest { ttl: Some(seconds(60)), ..house.request() };
    let id = id_of(&house.front.intake.send(request).await.unwrap());
    sleep(seconds(12)).await;
    let node = house.worker("worker-1").await;
    // The job is claimed in time, and the worker learns of it when the code is too old.
    node.store.disturb(Op::Claim, Fault::AnswerHangs, usize::MAX);
    sleep(seconds(4)).await;
    assert!(matches!(house.load(id).await.attempts[0].phase, Phase::Claimed { .. }));
    node.store.calm();
    let withdrawn = AttemptEnd::Withdrawn;
    house.until(id, |it| matches!(it.attempts[0].phase, Phase::Ended { how, .. } if how == withdrawn)).await;
    assert_eq!(house.vendor("alpha").count(), 0, "promise 3");
    assert_eq!(house.counted("alpha", |_| true).await, 0);
    let ended = house.until(id, |it| !it.is_pending()).await;
    assert_eq!(ending(&ended), Some(Ending::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_stood_on_its_lane_past_send_before_is_never_claimed() {
    let plan = Plan { max_queue_wait: seconds(60), ..Plan::of(vec![(Channel::Sms, vec!["alpha"])]) };
    let house = House::without_workers(plan).await;
    let request = SendRequest { ttl: Some(seconds(60)), ..house.request() };
    let id = id_of(&house.front.intake.send(request).await.unwrap());
    sleep(millis(15_000)).await;
    let _worker = house.worker("worker-1").await;
    house.until(id, |it| !it.is_pending()).await;
    assert_eq!(house.vendor("alpha").count(), 0, "promise 3");
}
