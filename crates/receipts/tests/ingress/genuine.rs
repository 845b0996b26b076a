//! Callbacks that the vendor signed.

use futures::future::join_all;
use otter_domain::Phase;
use otter_receipts::Limits;
use otter_store_testkit::fixture::{nth, seconds};

use crate::client::request;
use crate::house::House;
use crate::vendor::{PUBLIC, SIGNATURE, sign};

#[tokio::test]
async fn a_delivery_is_booked_and_answered() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let occurred_at = (house.now() - seconds(2)).as_millis();
    let answer = house.call(&format!("/receipts/acme/{token}"), &format!("- delivered {occurred_at}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(house.receipt(id).await, Some("delivered"));
    assert_eq!(house.receipts("delivered"), 1.0);
    assert_eq!(house.metric("otter_time_to_deliver_seconds_count", &["provider=\"acme\""]), 1.0);
    assert_eq!(house.metric("otter_receipt_lag_seconds_count", &["provider=\"acme\""]), 1.0);
    let route = ["http_route=\"/receipts/{provider}/{token}\"", "http_response_status_code=\"200\""];
    assert_eq!(house.metric("http_server_request_duration_seconds_count", &route), 1.0);
}

#[tokio::test]
async fn the_signature_is_over_the_public_url_as_it_was_called() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}?b=%20x&a=1&a=%2F");
    assert_eq!(house.call(&target, "- delivered").await.status, 200);
    assert_eq!(house.receipt(id).await, Some("delivered"));
}

#[tokio::test]
async fn a_public_url_with_a_path_works_whether_or_not_a_proxy_cuts_it_off() {
    let public_url = format!("{PUBLIC}/otter/in");
    let house = House::open_at(&public_url, Limits::default()).await;
    for front in ["/otter/in", ""] {
        let (id, token) = house.sent().await;
        let below = format!("/receipts/acme/{token}?a=%2F");
        let signature = sign(&format!("{public_url}{below}"), b"- delivered");
        let callback = |target: &str| request("POST", target, &[(SIGNATURE, &signature)], b"- delivered");
        for elsewhere in ["/otter", "/in", "/otter/in/otter/in", "/otter/in/"] {
            assert_eq!(
                house.exchange(&callback(&format!("{elsewhere}{below}"))).await.status,
                404,
                "{elsewhere}"
            );
        }
        let answer = house.exchange(&callback(&format!("{front}{below}"))).await;
        assert_eq!(answer.status, 200, "called with {front:?} in front");
        assert_eq!(house.receipt(id).await, Some("delivered"));
    }
    let of_another_url = sign(&format!("{PUBLIC}/receipts/acme/x"), b"");
    let forged = request("POST", "/otter/in/receipts/acme/x", &[(SIGNATURE, &of_another_url)], b"");
    assert_eq!(house.exchange(&forged).await.status, 403);
    let route = ["http_route=\"/receipts/{provider}/{token}\"", "http_response_status_code=\"200\""];
    assert_eq!(house.metric("http_server_request_duration_seconds_count", &route), 2.0);
}

#[tokio::test]
async fn what_is_genuine_and_not_understood_is_acknowledged_and_counted() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    assert_eq!(house.metric("otter_receipt_odd_total", &["provider=\"acme\""]), 0.0);
    assert_eq!(house.call("/receipts/acme", "odd").await.status, 200);
    let answer = house.call(&format!("/receipts/acme/{token}"), "odd\n- delivered\nodd").await;
    assert_eq!(answer.status, 200);
    assert_eq!(house.receipt(id).await, Some("delivered"));
    assert_eq!(house.metric("otter_receipt_odd_total", &["provider=\"acme\""]), 3.0);
    assert_eq!(house.rejected("acme", "schema"), 0.0);
}

#[tokio::test]
async fn a_repeat_changes_nothing() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}");
    let answers = join_all((0..8).map(|_| house.call(&target, "- delivered"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let booked = house.load(id).await;
    assert_eq!(house.call(&target, "- delivered").await.status, 200);
    assert_eq!(house.load(id).await, booked);
    assert_eq!(house.receipts("delivered"), 9.0, "as they came");
    assert_eq!(house.metric("otter_time_to_deliver_seconds_count", &["provider=\"acme\""]), 1.0);
}

#[tokio::test]
async fn reports_out_of_order_leave_the_strongest() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}");
    for status in ["undelivered", "delivered", "sent"] {
        assert_eq!(house.call(&target, &format!("- {status}")).await.status, 200);
    }
    assert_eq!(house.receipt(id).await, Some("delivered"));
    assert_eq!(house.receipts("sent"), 1.0, "as it came");
}

#[tokio::test]
async fn a_loss_makes_the_next_candidate_go() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    house.call(&format!("/receipts/acme/{token}"), "- undelivered").await;
    let next = house.load(id).await.attempt(nth(2)).cloned().unwrap();
    assert_eq!(next.provider.as_str(), "other");
    assert!(matches!(next.phase, Phase::Queued { .. }));
}

#[tokio::test]
async fn every_report_of_a_batch_is_booked() {
    let house = House::open().await;
    let sent = join_all((0..100).map(|_| house.sent())).await;
    let lines: Vec<_> = sent.iter().map(|(_, token)| format!("{token} sent\n{token} delivered")).collect();
    assert_eq!(house.call("/receipts/acme", &lines.join("\n")).await.status, 200);
    for (id, _) in sent {
        assert_eq!(house.receipt(id).await, Some("delivered"));
    }
}

#[tokio::test]
async fn a_report_on_an_unknown_message_is_taken_so_that_it_is_not_repeated() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let forged: String = token.chars().rev().collect();
    for token in ["x", "AAAA", forged.as_str()] {
        assert_eq!(house.call(&format!("/receipts/acme/{token}"), "- delivered").await.status, 200);
    }
    assert_eq!(house.rejected("acme", "unknown_message"), 3.0);
    assert_eq!(house.receipt(id).await, None);
}

#[tokio::test]
async fn a_provider_cannot_report_on_the_message_of_another() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    assert_eq!(house.call(&format!("/receipts/other/{token}"), "- delivered").await.status, 200);
    assert_eq!(house.rejected("other", "unknown_message"), 1.0);
    assert_eq!(house.receipt(id).await, None);
}

#[tokio::test]
async fn a_handshake_is_answered_as_text() {
    let house = House::open().await;
    let answer = house.exchange(&request("GET", "/receipts/acme?challenge=1158201444", &[], b"")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a_callback_that_reports_nothing_is_taken() {
    let house = House::open().await;
    assert_eq!(house.call("/receipts/acme", "").await.status, 200);
}

#[tokio::test]
async fn a_vendors_clock_that_is_wrong_is_not_measured() {
    let house = House::open().await;
    let (_, token) = house.sent().await;
    assert_eq!(house.call(&format!("/receipts/acme/{token}"), "- delivered 1000").await.status, 200);
    assert_eq!(house.receipts("delivered"), 1.0);
    assert_eq!(house.metric("otter_receipt_lag_seconds_count", &[]), 0.0);
}
