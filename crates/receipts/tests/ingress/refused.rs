//! Callbacks that are not the vendor's, and requests that are no callbacks.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::client::{request, signed};
use crate::house::House;
use crate::vendor::{PUBLIC, SIGNATURE, sign};

#[tokio::test]
async fn a_forged_callback_changes_nothing() {
    let house = House::open().await;
    let (id, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}");
    let of_another_url = sign(&format!("{PUBLIC}/receipts/acme/x"), b"- delivered");
    let of_another_body = sign(&format!("{PUBLIC}{target}"), b"- read");
    let of_the_inner_url = sign(&format!("http://inside:8080{target}"), b"- delivered");
    for signature in ["", "00", &of_another_url, &of_another_body, &of_the_inner_url] {
        let answer =
            house.exchange(&request("POST", &target, &[(SIGNATURE, signature)], b"- delivered")).await;
        assert_eq!((answer.status, answer.body.as_str()), (403, ""));
    }
    assert_eq!(house.exchange(&request("POST", &target, &[], b"- delivered")).await.status, 403);
    assert_eq!(house.rejected("acme", "signature"), 6.0);
    assert_eq!(house.receipt(id).await, None);
}

#[tokio::test]
async fn who_is_not_there_is_not_found_and_nothing_more_is_said() {
    let house = House::open().await;
    let targets = [
        "/receipts/unknown",
        "/receipts/unknown/token",
        "/receipts/mute/token",
        "/receipts/%ff/token",
        "/receipts/acme/%ff",
        "/receipts/Not%20a%20name",
        "/receipts/acme/a/b",
        "/receipts/",
        "/",
        "/metrics",
    ];
    let first = house.call(targets[0], "- delivered").await;
    assert_eq!((first.status, first.body.as_str()), (404, ""));
    for target in targets {
        assert_eq!(house.call(target, "- delivered").await, first, "{target}");
    }
}

#[tokio::test]
async fn what_is_not_of_the_vendors_form_is_refused() {
    let house = House::open().await;
    let bodies: [&[u8]; 4] = [b"\xff\xfe delivered", b"- arrived", b"delivered", b"\x1f\x8b\x08\x00\x00"];
    for body in bodies {
        assert_eq!(house.exchange(&signed("/receipts/acme/token", body)).await.status, 400);
    }
    assert_eq!(house.rejected("acme", "schema"), 4.0);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let house = House::open().await;
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = house.exchange(&request(method, "/receipts/acme/token", &[], b"")).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST")), "{method}");
    }
    let labels = ["http_request_method=\"_OTHER\"", "http_response_status_code=\"405\""];
    assert_eq!(house.metric("http_server_request_duration_seconds_count", &labels), 6.0);
}

#[tokio::test]
async fn what_is_not_http_is_answered_400_or_not_at_all() {
    let house = House::open().await;
    for bytes in
        [&b"GET /receipts/\xff HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\r\n\r\n", b"POST / \r\n\r\n"]
    {
        assert_eq!(house.exchange(bytes).await.status, 400);
    }
    assert_eq!(house.call("/receipts/acme", "").await.status, 200);
}

#[test]
fn no_request_breaks_the_server() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = runtime.block_on(House::open());
    let mut runner = TestRunner::new(ProptestConfig::with_cases(128));
    let requests = (
        prop::sample::select(vec!["GET", "POST", "PUT"]),
        "(/receipts)?(/acme|/[a-z]{0,9})?(/[!-~]{0,60})?",
        any::<bool>(),
        prop::collection::vec(any::<u8>(), 0..200),
    );
    let run = runner.run(&requests, |(method, path, genuine, body)| {
        let target = format!("/{}", path.trim_start_matches('/'));
        let bytes = if genuine { signed(&target, &body) } else { request(method, &target, &[], &body) };
        let status = runtime.block_on(house.exchange(&bytes)).status;
        prop_assert!([200, 400, 403, 404, 405].contains(&status), "{status}");
        Ok(())
    });
    run.unwrap();
    assert_eq!(runtime.block_on(house.call("/receipts/acme", "")).status, 200);
}
