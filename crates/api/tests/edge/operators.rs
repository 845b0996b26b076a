//! `ProviderService` and `RateService`.

use std::time::Duration;

use otter_contract::admin::v1::{
    ListProvidersRequest, ListProvidersResponse, ListRatesRequest, ListRatesResponse, PauseProviderRequest,
    ProviderHealth, ProviderState, RateWindow, ResumeProviderRequest, WatchRatesRequest,
};
use otter_contract::v1::{Channel, ChoiceReason, SendOtpRequest};
use tonic::Status;

use crate::house::{CODE, House, by, metadata, reason, to_check, to_send};

async fn list(house: &House, request: ListProvidersRequest) -> Result<ListProvidersResponse, Status> {
    house.providers().list_providers(by("operator", request)).await.map(tonic::Response::into_inner)
}

async fn rates(house: &House, request: ListRatesRequest) -> Result<ListRatesResponse, Status> {
    house.rates().list_rates(by("operator", request)).await.map(tonic::Response::into_inner)
}

fn pause(provider: &str, reason: &str) -> PauseProviderRequest {
    PauseProviderRequest { provider: provider.into(), reason: reason.into() }
}

#[tokio::test]
async fn providers_are_listed_a_page_at_a_time_with_their_lanes() {
    let house = House::open().await;
    house.send("").await;
    let first = list(&house, ListProvidersRequest { page_size: 1, ..Default::default() }).await.unwrap();
    let [alpha] = first.providers.as_slice() else { panic!("one on a page") };
    assert_eq!(
        (alpha.name.as_str(), alpha.kind.as_str(), alpha.state()),
        ("alpha", "twilio", ProviderState::Active)
    );
    assert_eq!(alpha.channels, [i32::from(Channel::Sms)]);
    assert_eq!(alpha.lane.as_ref().unwrap().ready, 1);
    assert_eq!(alpha.health(), ProviderHealth::Healthy);
    let request = ListProvidersRequest { page_size: 1, page_token: first.next_page_token };
    let second = list(&house, request).await.unwrap();
    assert_eq!((second.providers[0].name.as_str(), second.next_page_token.as_str()), ("beta", ""));
    assert_eq!(second.providers[0].health(), ProviderHealth::Idle);
}

#[tokio::test]
async fn a_slow_lane_makes_its_provider_degraded() {
    let house = House::open().await;
    house.send("").await;
    house.wait(Duration::from_secs(6)).await;
    let listed = list(&house, ListProvidersRequest::default()).await.unwrap();
    let alpha = &listed.providers[0];
    assert_eq!(alpha.health(), ProviderHealth::Degraded);
    assert_eq!(alpha.health_reasons, ["The oldest job has waited for 6 s."]);
    assert_eq!(alpha.lane.as_ref().unwrap().oldest_age.unwrap().seconds, 6);
}

#[tokio::test]
async fn a_paused_provider_is_left_out_of_plans_until_it_is_resumed() {
    let house = House::open().await;
    let request = by("operator", pause("alpha", "maintenance until noon"));
    let paused = house.providers().pause_provider(request).await.unwrap().into_inner().provider.unwrap();
    assert_eq!(
        (paused.state(), paused.pause_reason.as_str()),
        (ProviderState::Paused, "maintenance until noon")
    );
    let since = paused.pause_time;
    assert!(since.is_some());
    house.wait(Duration::from_secs(5)).await;
    let request = by("operator", pause("alpha", "still not well"));
    let again = house.providers().pause_provider(request).await.unwrap().into_inner().provider.unwrap();
    assert_eq!((again.pause_reason.as_str(), again.pause_time), ("still not well", since));
    let dry = || SendOtpRequest { dry_run: true, ..to_send() };
    let plan = house.otp().send_otp(by("shop", dry())).await.unwrap().into_inner().plan.unwrap();
    assert_eq!(plan.candidates[0].provider, "beta");
    assert_eq!(plan.considered[0].reason(), ChoiceReason::Paused);
    for _ in 0..2 {
        let request = by("operator", ResumeProviderRequest { provider: "alpha".into() });
        let resumed =
            house.providers().resume_provider(request).await.unwrap().into_inner().provider.unwrap();
        assert_eq!((resumed.state(), resumed.pause_reason.as_str()), (ProviderState::Active, ""));
        assert!(resumed.pause_time.is_none());
    }
    let plan = house.otp().send_otp(by("shop", dry())).await.unwrap().into_inner().plan.unwrap();
    assert_eq!(plan.candidates[0].provider, "alpha");
}

#[tokio::test]
async fn orders_that_make_no_sense_are_refused() {
    let house = House::open().await;
    let order = async |request| house.providers().pause_provider(by("operator", request)).await.unwrap_err();
    let unknown = order(pause("gamma", "why not")).await;
    assert_eq!(
        (reason(&unknown), metadata(&unknown, "provider")),
        ("PROVIDER_NOT_FOUND".into(), "gamma".into())
    );
    for request in [
        pause("", "a reason"),
        pause("Not A Name", "a reason"),
        pause("alpha", ""),
        pause("alpha", &"x".repeat(201)),
        pause("alpha", "two\nlines"),
        pause("alpha", "the code 918273 did not arrive"),
    ] {
        assert_eq!(reason(&order(request).await), "INVALID_FIELDS");
    }
    let request = by("operator", ResumeProviderRequest { provider: "gamma".into() });
    let status = house.providers().resume_provider(request).await.unwrap_err();
    assert_eq!(reason(&status), "PROVIDER_NOT_FOUND");
}

#[tokio::test]
async fn pages_are_bounded_and_their_tokens_our_own() {
    let house = House::open().await;
    for page_size in [-1, 201] {
        let status =
            list(&house, ListProvidersRequest { page_size, ..Default::default() }).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_FIELDS");
    }
    let made_up = ListProvidersRequest { page_token: "alpha".into(), ..Default::default() };
    assert_eq!(reason(&list(&house, made_up).await.unwrap_err()), "PAGE_TOKEN_INVALID");
    let made_up = ListRatesRequest { page_token: "alpha".into(), ..Default::default() };
    assert_eq!(reason(&rates(&house, made_up).await.unwrap_err()), "PAGE_TOKEN_INVALID");
}

/// One code accepted and verified, one accepted only.
async fn with_traffic() -> House {
    let house = House::open().await;
    let id = house.send("").await;
    house.send("").await;
    house.accept().await;
    house.otp().check_otp(by("shop", to_check(&id, CODE))).await.unwrap();
    house.wait(Duration::from_secs(20)).await;
    house.rates.refresh(house.store.as_ref()).await.unwrap();
    house
}

#[tokio::test]
async fn rates_are_told_per_segment_and_window() {
    let house = with_traffic().await;
    let listed = rates(&house, ListRatesRequest::default()).await.unwrap();
    let windows: Vec<_> = listed.rates.iter().map(|rate| rate.window()).collect();
    assert_eq!(windows, [RateWindow::OneMinute, RateWindow::FiveMinutes, RateWindow::OneHour]);
    for rate in &listed.rates {
        assert_eq!(
            (rate.provider.as_str(), rate.channel(), rate.country.as_str()),
            ("alpha", Channel::Sms, "DE")
        );
        assert_eq!((rate.submitted, rate.accepted, rate.verified), (2, 2, 1));
        assert_eq!(rate.acceptance.as_ref().unwrap().value, 1.0);
    }
    assert!(listed.read_time.is_some());
    assert!(listed.age.is_some_and(|age| age.seconds < 10), "{:?}", listed.age);
}

#[tokio::test]
async fn what_has_no_traffic_any_more_keeps_its_row_with_its_last_moment() {
    let house = with_traffic().await;
    house.wait(Duration::from_secs(400)).await;
    house.rates.refresh(house.store.as_ref()).await.unwrap();
    let listed = rates(&house, ListRatesRequest::default()).await.unwrap();
    let told: Vec<_> = listed.rates.iter().map(|rate| (rate.window(), rate.submitted)).collect();
    assert_eq!(told, [(RateWindow::OneMinute, 0), (RateWindow::FiveMinutes, 0), (RateWindow::OneHour, 2)]);
    let last = |rate: &otter_contract::admin::v1::Rate| rate.last_attempt_time.unwrap().seconds;
    let read_at = listed.read_time.unwrap().seconds;
    assert!(listed.rates.iter().all(|rate| (400..440).contains(&(read_at - last(rate)))));
}

#[tokio::test]
async fn rates_of_a_store_that_is_not_read_are_those_of_then_and_say_so() {
    let house = with_traffic().await;
    let before = rates(&house, ListRatesRequest::default()).await.unwrap();
    house.wait(Duration::from_secs(90)).await;
    let old = rates(&house, ListRatesRequest::default()).await.unwrap();
    assert!(old.age.is_some_and(|age| age.seconds >= 90), "{:?}", old.age);
    assert_eq!(old.rates, before.rates, "nothing is known of the time since");
    let request = by("operator", WatchRatesRequest::default());
    let mut stream = house.rates().watch_rates(request).await.unwrap().into_inner();
    let told = stream.message().await.unwrap().unwrap();
    assert_eq!((told.read_time, told.rates), (old.read_time, old.rates));
    assert!(told.age.is_some_and(|age| age.seconds >= 90), "{:?}", told.age);
}

#[tokio::test]
async fn rates_are_filtered_and_paged() {
    let house = with_traffic().await;
    let none = ListRatesRequest { provider: "beta".into(), ..Default::default() };
    assert!(rates(&house, none).await.unwrap().rates.is_empty());
    let one = ListRatesRequest {
        window: RateWindow::FiveMinutes.into(),
        channel: Channel::Sms.into(),
        country: "de".into(),
        ..Default::default()
    };
    assert_eq!(rates(&house, one).await.unwrap().rates.len(), 1);
    let nowhere = ListRatesRequest { country: "ZZ".into(), ..Default::default() };
    assert!(rates(&house, nowhere).await.unwrap().rates.is_empty());
    let first = ListRatesRequest { page_size: 2, ..Default::default() };
    let page = rates(&house, first.clone()).await.unwrap();
    let next = ListRatesRequest { page_token: page.next_page_token, ..first };
    let rest = rates(&house, next.clone()).await.unwrap();
    assert_eq!((page.rates.len(), rest.rates.len(), rest.next_page_token.as_str()), (2, 1, ""));
    let other = ListRatesRequest { provider: "alpha".into(), ..next };
    assert_eq!(reason(&rates(&house, other).await.unwrap_err()), "PAGE_TOKEN_INVALID");
    for bad in [
        ListRatesRequest { window: 9, ..Default::default() },
        ListRatesRequest { channel: 9, ..Default::default() },
        ListRatesRequest { country: "Germany".into(), ..Default::default() },
        ListRatesRequest { country: "UK".into(), ..Default::default() },
        ListRatesRequest { provider: "No Name".into(), ..Default::default() },
        ListRatesRequest { page_size: 1001, ..Default::default() },
    ] {
        assert_eq!(reason(&rates(&house, bad).await.unwrap_err()), "INVALID_FIELDS");
    }
}

#[tokio::test]
async fn rates_are_told_at_once_and_only_as_often_as_allowed() {
    let house = with_traffic().await;
    let request = by("operator", WatchRatesRequest::default());
    let mut stream = house.rates().watch_rates(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().rates.len(), 3);
    for seconds in [0, 61, -1] {
        let interval = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = by("operator", WatchRatesRequest { interval, ..Default::default() });
        let status = house.rates().watch_rates(request).await.unwrap_err();
        assert_eq!(reason(&status), "INVALID_FIELDS");
    }
}
