//! Listening to what happens.

use otter_delivery::{Feed, FeedError, Item, SendRequest, Subscription};
use otter_domain::HappeningKind;
use otter_runtime::Lifecycle;
use otter_store::{Position, Retention};
use std::sync::Arc;
use tokio::time::{sleep, timeout};

use crate::house::{House, Plan, millis, seconds, tenant};
use crate::store::{Fault, Op};

async fn next(listening: &mut Subscription) -> Vec<Item> {
    timeout(seconds(5), listening.next()).await.expect("something happened").unwrap()
}

/// Reads until nothing more comes.
async fn all(listening: &mut Subscription) -> Vec<Item> {
    let mut items = Vec::new();
    while let Ok(more) = timeout(seconds(1), listening.next()).await {
        items.extend(more.unwrap());
    }
    items
}

fn opened(items: &[Item]) -> usize {
    items.iter().filter(|item| item.happening.kind == HappeningKind::Opened).count()
}

async fn send_as(house: &House, name: &str) {
    let request = SendRequest { tenant: tenant(name), ..house.request() };
    house.front.intake.send(request).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_listeners_hear_the_same_in_the_same_order() {
    let house = House::without_workers(Plan::usual()).await;
    sleep(millis(10)).await;
    let mut one = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    let mut other = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    for place in 0..20 {
        house.send_to(place).await;
    }
    let (one, other) = (all(&mut one).await, all(&mut other).await);
    assert_eq!(opened(&one), 20);
    let places = |items: &[Item]| {
        items.iter().map(|item| (item.home, item.position.clone())).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(places(&one), places(&other));
    assert_eq!(places(&one).len(), one.len(), "nothing comes twice");
    for item in &one {
        let same = |it: &&Item| it.happening.verification == item.happening.verification;
        let own: Vec<_> = one.iter().filter(same).map(|it| &it.position).collect();
        assert!(own.is_sorted(), "order holds per verification");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tenant_hears_nothing_of_another() {
    let house = House::without_workers(Plan::usual()).await;
    let mut shop = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    let mut bank = house.front.feed.subscribe(tenant("bank"), None).await.unwrap();
    send_as(&house, "bank").await;
    send_as(&house, "shop").await;
    for (name, listening) in [("shop", &mut shop), ("bank", &mut bank)] {
        let items = all(listening).await;
        assert_eq!(opened(&items), 1);
        assert!(items.iter().all(|item| item.happening.tenant == tenant(name)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_listener_goes_on_where_it_stopped() {
    let house = House::without_workers(Plan::usual()).await;
    let mut listening = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    house.send_to(1).await;
    let heard = all(&mut listening).await;
    let positions = listening.positions().to_vec();
    drop(listening);
    house.send_to(2).await;
    sleep(seconds(1)).await;
    let mut again = house.front.feed.subscribe(tenant("shop"), Some(positions)).await.unwrap();
    let more = next(&mut again).await;
    assert_eq!(opened(&more), 1);
    assert!(
        more.iter().all(|item| heard
            .iter()
            .all(|before| before.position != item.position || before.home != item.home))
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_from_far_back_hears_everything_page_by_page_without_news() {
    let house = House::without_workers(Plan { partitions: 1, ..Plan::usual() }).await;
    let start = house.front.feed.subscribe(tenant("shop"), None).await.unwrap().positions().to_vec();
    // More than the feed keeps and than one page holds, and the last of them are another tenant's.
    for place in 0..1200 {
        house.send_to(place).await;
    }
    for _ in 0..300 {
        send_as(&house, "bank").await;
    }
    sleep(seconds(1)).await;
    let mut listening = house.front.feed.subscribe(tenant("shop"), Some(start.clone())).await.unwrap();
    assert_eq!(opened(&all(&mut listening).await), 1200);
    let mut bank = house.front.feed.subscribe(tenant("bank"), Some(start)).await.unwrap();
    assert_eq!(opened(&all(&mut bank).await), 300, "pages without events of its own do not stop it");
}

#[tokio::test(start_paused = true)]
async fn what_happens_between_subscribing_and_the_first_reading_is_heard() {
    let house = House::without_workers(Plan { partitions: 1, ..Plan::usual() }).await;
    let feed = Feed::new(Arc::clone(&house.front.books));
    let mut listening = feed.subscribe(tenant("shop"), None).await.unwrap();
    assert!(timeout(millis(10), listening.next()).await.is_err());
    let waiting = tokio::spawn(async move { next(&mut listening).await });
    sleep(millis(10)).await;
    house.send_to(1).await;
    let lifecycle = Lifecycle::default();
    let running = tokio::spawn(Arc::clone(&feed).run(lifecycle.phases()));
    assert_eq!(opened(&waiting.await.unwrap()), 1);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn a_position_that_is_not_kept_any_more_is_refused_and_never_a_gap() {
    let retention = Retention { events: seconds(60), ..Retention::default() };
    let (house, _worker) = House::open(Plan { retention, ..Plan::usual() }).await;
    house.vendor("alpha").answers_by_itself(millis(10), Ok(None));
    let mut listening = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    house.send_to(1).await;
    assert!(!all(&mut listening).await.is_empty());
    let start = vec![Position("0".repeat(20)); 4];
    sleep(seconds(61)).await;
    for place in 0..40 {
        house.send_to(place).await;
    }
    let mut late = house.front.feed.subscribe(tenant("shop"), Some(start)).await.unwrap();
    assert!(matches!(late.next().await, Err(FeedError::TooOld)));
    let wrong = house.front.feed.subscribe(tenant("shop"), Some(Vec::new())).await;
    assert!(matches!(wrong, Err(FeedError::TooOld)));
    assert!(!all(&mut listening).await.is_empty(), "who kept up goes on");
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_gives_up_waiting_in_the_middle_loses_nothing() {
    let house = House::without_workers(Plan::usual()).await;
    let start = house.front.feed.subscribe(tenant("shop"), None).await.unwrap().positions().to_vec();
    for place in 0..20 {
        house.send_to(place).await;
    }
    // Without a running feed all partitions are read from the store, and one of them does not answer at first.
    let lonely = Feed::new(Arc::clone(&house.front.books));
    for answers in 0..4 {
        let mut listening = lonely.subscribe(tenant("shop"), Some(start.clone())).await.unwrap();
        let mut items = Vec::new();
        house.front.store.disturb(Op::Events, Fault::Nothing, answers);
        house.front.store.disturb(Op::Events, Fault::Hangs, 1);
        while let Ok(more) = timeout(millis(20), listening.next()).await {
            items.extend(more.unwrap());
        }
        house.front.store.calm();
        items.extend(all(&mut listening).await);
        assert_eq!(opened(&items), 20, "after {answers} answers");
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_survive_a_store_that_is_away_for_a_while() {
    let house = House::without_workers(Plan::usual()).await;
    sleep(millis(10)).await;
    let mut listening = house.front.feed.subscribe(tenant("shop"), None).await.unwrap();
    house.front.store.disturb(Op::Events, Fault::Refused, usize::MAX);
    sleep(seconds(20)).await;
    house.front.store.calm();
    house.send_to(1).await;
    let heard = timeout(seconds(10), listening.next()).await.expect("it goes on").unwrap();
    assert_eq!(opened(&heard), 1);
}
