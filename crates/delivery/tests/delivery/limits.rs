//! How fast accounts and tenants are used.

use std::time::Duration;

use otter_delivery::Refusal;
use otter_domain::TenantRate;
use tokio::time::{Instant, sleep};

use crate::house::{House, Plan, millis, policy, seconds};
use crate::store::Op;

/// The most sends that began in any second.
fn most_in_a_second(begun: &[Instant]) -> usize {
    let in_second = |first: &Instant| {
        begun.iter().filter(|at| *first <= **at && **at < *first + Duration::from_secs(1)).count()
    };
    begun.iter().map(in_second).max().unwrap_or_default()
}

/// Lets two processes work on a backlog that lasts for several seconds.
async fn backlog(rate: u32, jobs: u32) -> (Vec<Instant>, Duration) {
    let house = House::without_workers(Plan {
        rate: Some(rate),
        concurrency: 50,
        max_queue_wait: seconds(60),
        ..Plan::of(vec![(otter_domain::Channel::Sms, vec!["alpha"])])
    })
    .await;
    let alpha = house.vendor("alpha");
    alpha.answers_by_itself(millis(30), Ok(None));
    for place in 0..jobs {
        house.send_to(place).await;
    }
    let began = Instant::now();
    let _workers = (house.worker("worker-1").await, house.worker("worker-2").await);
    while alpha.count() < jobs as usize {
        sleep(millis(5)).await;
        assert!(began.elapsed() < seconds(50), "only {} of {jobs} sends", alpha.count());
    }
    (alpha.begun.lock().unwrap().clone(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_accounts_rate_is_never_exceeded_by_all_processes_together_and_nearly_used() {
    for (rate, jobs) in [(1, 6), (7, 40), (40, 160)] {
        let (begun, took) = backlog(rate, jobs).await;
        let most = most_in_a_second(&begun);
        assert!(most <= rate as usize, "{most} sends in a second at a rate of {rate}");
        let ideal = f64::from(jobs) / f64::from(rate);
        assert!(took.as_secs_f64() < ideal * 1.25 + 1.0, "{took:?} for {jobs} jobs at a rate of {rate}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_lane_takes_no_tokens_and_its_first_job_does_not_wait() {
    let house = House::without_workers(Plan { rate: Some(1), ..Plan::usual() }).await;
    let workers = [house.worker("worker-1").await, house.worker("worker-2").await];
    sleep(seconds(5)).await;
    assert_eq!(workers.iter().map(|node| node.store.calls(Op::Take)).sum::<usize>(), 0);
    let began = Instant::now();
    house.send().await;
    house.vendor("alpha").next().await.accept();
    assert_eq!(began.elapsed(), seconds(0));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_sends_no_faster_than_its_rate_and_the_other_is_not_affected() {
    let mut shop = policy("shop");
    shop.rate = Some(TenantRate { per_second: 2.0, burst: 3 });
    let (house, _worker) = House::open(Plan { tenant: shop, ..Plan::usual() }).await;
    for place in 0..3 {
        house.send_to(place).await;
    }
    let refused = house.front.intake.send(house.request()).await;
    let Err(Refusal::TenantLimited { retry_after }) = refused else { panic!("{refused:?}") };
    assert!(retry_after > seconds(0) && retry_after <= millis(500), "{retry_after:?}");
    let asked = house.front.store.calls(Op::Take);
    assert!(house.front.intake.send(house.request()).await.is_err());
    assert_eq!(house.front.store.calls(Op::Take), asked, "a limit that is known to be reached costs no trip");
    let bank = otter_delivery::SendRequest { tenant: crate::house::tenant("bank"), ..house.request() };
    house.front.intake.send(bank).await.unwrap();
    sleep(retry_after).await;
    house.send().await;
}

#[tokio::test(start_paused = true)]
async fn a_tenants_rate_counts_resends() {
    let mut shop = policy("shop");
    shop.rate = Some(TenantRate { per_second: 0.01, burst: 1 });
    let (house, _worker) = House::open(Plan { tenant: shop, ..Plan::usual() }).await;
    let id = house.send().await;
    house.vendor("alpha").next().await.accept();
    house.vendor("beta").next().await.accept();
    house.until(id, |it| it.attempts.len() == 2 && crate::journeys::is_accepted(it)).await;
    sleep(seconds(15)).await;
    let refused = house.front.intake.resend(house.resend_request(id, None)).await;
    assert!(matches!(refused, Err(Refusal::TenantLimited { .. })), "{refused:?}");
}
