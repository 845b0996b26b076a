#![allow(clippy::unwrap_used)]

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use otter_domain::{Clock, Moment, Secret};
use otter_provider_testkit::{Answer, ScriptedVendor};
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt as _;

use super::*;
use crate::Mishap;

const NUMBER: &str = "+4915112345678";

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Moment {
        Moment::from_millis(1_700_000_000_000)
    }
}

fn desk() -> Arc<Desk> {
    let account = |name: &str| Account::new(name, Secret::new(format!("{name}-key")), Secret::new("signing"));
    Arc::new(Desk::new(vec![account("north"), account("south").ignoring_numbers()], 1, Arc::new(FixedClock)))
}

async fn call(desk: &Arc<Desk>, method: Method, path: &str, account: &str, body: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(AUTHORIZATION, format!("Bearer {account}-key"))
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = router(Arc::clone(desk)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn message(to: &str) -> Value {
    json!({
        "to": to, "channel": "sms", "text": "042137 is your code", "validity_seconds": 120,
        "client_reference": "token",
    })
}

async fn send(desk: &Arc<Desk>, account: &str, message: &Value) -> (u16, Value) {
    call(desk, Method::POST, "/v1/messages", account, &message.to_string()).await
}

/// What comes out of something that takes this long, to the millisecond.
async fn takes<T>(span: Duration, action: impl Future<Output = T>) -> T {
    let mut action = std::pin::pin!(action);
    assert!(timeout(span - Duration::from_millis(1), &mut action).await.is_err(), "it was done too early");
    timeout(Duration::from_millis(2), action).await.expect("it took too long")
}

#[tokio::test(start_paused = true)]
async fn a_message_reaches_the_handset_and_anybody_who_looks() {
    let desk = desk();
    let (status, answer) = send(&desk, "north", &message(NUMBER)).await;
    assert_eq!((status, &answer["status"]), (202, &json!("accepted")));
    let arrived = desk.look(NUMBER).next().await;
    assert_eq!(arrived.code().as_deref(), Some("042137"));
    assert_eq!((arrived.account.as_str(), Some(arrived.id.as_str())), ("north", answer["id"].as_str()));

    let (_, inbox) = call(&desk, Method::GET, "/v1/handsets/+4915112345678/messages", "", "").await;
    assert_eq!(inbox["messages"][0]["code"], "042137");
    assert_eq!(inbox["messages"][0]["sequence"], 1);
    let path = "/v1/handsets/4915112345678/messages?after=1&wait_seconds=5";
    let (_, inbox) = takes(Duration::from_secs(5), call(&desk, Method::GET, path, "", "")).await;
    assert_eq!(inbox, json!({ "messages": [] }));
}

#[tokio::test(start_paused = true)]
async fn steered_numbers_are_refused_as_documented_on_accounts_that_obey_them() {
    let desk = desk();
    for (number, status, error) in [
        ("+4915123000001", 422, 1001),
        ("+4915123000002", 422, 1102),
        ("+4915123000003", 429, 1201),
        ("+4915123000004", 503, 1401),
        ("+4915123000005", 401, 1301),
        ("+4915123000015", 500, 1501),
        ("+4915123000016", 422, 1002),
        ("+4915123000017", 402, 1302),
    ] {
        let (given, answer) = send(&desk, "north", &message(number)).await;
        assert_eq!((given, &answer["error"]["number"]), (status, &json!(error)), "{number}");
        assert_eq!(send(&desk, "south", &message(number)).await.0, 202, "{number}");
    }
    assert_eq!((desk.count("north"), desk.count("south")), (8, 8));
}

#[tokio::test(start_paused = true)]
async fn a_silent_request_is_held_and_given_back_at_the_end() {
    let desk = desk();
    assert_eq!(takes(MAX_SILENCE, send(&desk, "north", &message("+4915123000006"))).await.0, 500);
    assert_eq!(desk.look("+4915123000006").messages(), []);

    let silent = message("+4915123000012");
    let waiting = send(&desk, "north", &silent);
    let closing = async {
        desk.look("+4915123000012").next().await;
        desk.close();
    };
    assert_eq!(tokio::join!(waiting, closing).0.0, 500);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_with_the_same_message_id_is_one_message() {
    let desk = desk();
    let mut repeated = message(NUMBER);
    repeated["message_id"] = json!("7b0c2f4e-0000-8007-8000-000000000001");
    let (first, second) = (send(&desk, "north", &repeated).await, send(&desk, "north", &repeated).await);
    assert_eq!(first, second);
    assert_ne!(send(&desk, "south", &repeated).await.1["id"], first.1["id"], "another account's");
    let mut handset = desk.look(NUMBER);
    assert_eq!(
        (handset.next().await.account, handset.next().await.account),
        ("north".into(), "south".into())
    );
    assert_eq!(handset.messages().len(), 2);
    assert_eq!(desk.count("north"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_on_its_way_can_be_revoked_and_one_that_arrived_cannot() {
    let desk = desk();
    desk.follow(Script::parse(br#"{"rules":[{"account":"north","arrival":"10s"}]}"#).unwrap());
    let revoke = async |account: &str, id: &Value| {
        let path = format!("/v1/messages/{}", id.as_str().unwrap());
        call(&desk, Method::DELETE, &path, account, "").await.0
    };
    let slow = send(&desk, "north", &message(NUMBER)).await.1;
    assert_eq!(revoke("south", &slow["id"]).await, 404, "somebody else's message");
    assert_eq!(revoke("north", &slow["id"]).await, 200);
    assert_eq!(revoke("north", &slow["id"]).await, 200, "a second time");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(desk.look(NUMBER).messages(), []);

    let quick = send(&desk, "south", &message(NUMBER)).await.1;
    desk.look(NUMBER).next().await;
    assert_eq!(revoke("south", &quick["id"]).await, 409);
    assert_eq!(revoke("south", &json!("sbx-99999999")).await, 404);
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_until_it_is_ended_and_spares_the_other_account() {
    let desk = desk();
    desk.break_down("north", None, Mishap::Unavailable);
    assert_eq!(send(&desk, "north", &message(NUMBER)).await.0, 503);
    assert_eq!(send(&desk, "south", &message(NUMBER)).await.0, 202);
    desk.recover("north");
    assert_eq!(send(&desk, "north", &message(NUMBER)).await.0, 202);

    let script = r#"{"rules":[{"account":"north","latency":"250ms","windows":[{"from":3,"until":3,"outage":"throttle"}]}]}"#;
    assert_eq!(call(&desk, Method::PUT, "/v1/script", "", script).await.0, 204);
    assert_eq!(takes(Duration::from_millis(250), send(&desk, "north", &message(NUMBER))).await.0, 429);
    assert_eq!(send(&desk, "north", &message(NUMBER)).await.0, 202);
    assert_eq!(call(&desk, Method::PUT, "/v1/script", "", "{}").await.0, 400);
}

#[tokio::test(start_paused = true)]
async fn strangers_and_nonsense_are_refused() {
    let desk = desk();
    assert_eq!(send(&desk, "east", &message(NUMBER)).await.0, 401);
    assert_eq!(call(&desk, Method::POST, "/v1/messages", "north", "{").await.0, 400);
    assert_eq!(send(&desk, "north", &message("12345")).await.0, 422);
    let huge = "x".repeat(MAX_REQUEST + 1);
    assert_eq!(call(&desk, Method::POST, "/v1/messages", "north", &huge).await.0, 413);
    assert_eq!(desk.count("north"), 0);
}

#[tokio::test]
async fn receipts_are_signed_repeated_until_taken_and_tell_what_happened() {
    let customer = ScriptedVendor::start().await;
    customer.then(Answer::new(503));
    for _ in 0..2 {
        customer.then(Answer::new(200));
    }
    let desk = desk();
    let mut reported = message("+4915123000008");
    reported["callback_url"] = json!(format!("{}/receipts/north/token", customer.base_url()));
    let id = send(&desk, "north", &reported).await.1["id"].clone();
    customer.until_received(1).await;
    tokio::time::pause();
    customer.until_received(3).await;

    let receipts = customer.received();
    let bodies: Vec<Value> =
        receipts.iter().map(|receipt| serde_json::from_slice(&receipt.body).unwrap()).collect();
    let told: Vec<_> = bodies.iter().map(|body| body["status"].as_str().unwrap()).collect();
    assert_eq!(told, ["sent", "sent", "undelivered"]);
    assert_eq!(bodies[2]["error"]["number"], 1102);
    for (receipt, body) in receipts.iter().zip(&bodies) {
        assert_eq!((&body["id"], &body["client_reference"]), (&id, &json!("token")));
        assert_eq!(receipt.target, "/receipts/north/token");
        assert_eq!(receipt.header("x-sandbox-timestamp"), Some("1700000000000"));
        assert_eq!(receipt.header("x-sandbox-signature").map(str::len), Some(64));
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_tells_messages_from_repeats_and_refusals() {
    use crate::Handling::{DroppedInSilence, Refused, Repeated, Taken, TakenInSilence};

    let account = Account::new("north", Secret::new("north-key"), Secret::new("signing"));
    let desk = Arc::new(Desk::new(vec![account], 1, Arc::new(FixedClock)).with_journal());
    let mut named = message(NUMBER);
    named["message_id"] = json!("018f2c5a-7b1e-8c3a-9d2e-4f5a6b7c8d9e");
    let requests = [named.clone(), named, message("+4915123000004"), message("+4915123000012")];
    for request in requests.into_iter().chain([message("+4915123000006")]) {
        // Silence has no end that matters here.
        let _ = timeout(Duration::from_secs(1), send(&desk, "north", &request)).await;
    }
    let journal = desk.journal.read();
    let handlings: Vec<_> = journal.iter().map(|received| received.handling).collect();
    assert_eq!(handlings, [Taken, Repeated, Refused, TakenInSilence, DroppedInSilence]);
    assert_eq!((journal[0].number.reveal(), journal[0].at), (NUMBER, FixedClock.now()));
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_can_use_hide_a_message_that_arrives() {
    let desk = desk();
    let (status, answer) = send(&desk, "north", &message("+4915123000020")).await;
    assert_eq!((status, answer), (200, Value::Null));
    assert!(desk.look("+4915123000020").next().await.code().is_some());

    let request = Request::builder()
        .method(Method::POST)
        .uri("/v1/messages")
        .header(AUTHORIZATION, "Bearer north-key")
        .body(Body::from(message("+4915123000019").to_string()))
        .unwrap();
    let response = router(Arc::clone(&desk)).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
    assert!(desk.look("+4915123000019").next().await.code().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_comes_after_its_message() {
    let desk = desk();
    let message = message("+4915123000018");
    let (answer, arrived) = tokio::join!(
        takes(Duration::from_secs(15), send(&desk, "north", &message)),
        timeout(Duration::from_secs(1), async { desk.look("+4915123000018").next().await }),
    );
    assert_eq!(answer.0, 202);
    assert!(arrived.unwrap().code().is_some());
}
