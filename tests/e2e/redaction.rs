//! Nobody reads a code or a number who should not: at TRACE, with a vendor that echoes both.

use base64::Engine;
use otter_contract::v1::AttemptState;
use otter_provider_testkit::{Answer, ScriptedVendor};
use otter_tests::{Client, Kept, Otter, World, configuration, login};

on_both_stores!(a_whole_journey_at_trace_tells_neither_code_nor_number, an_echoing_vendor_is_not_quoted);

const NUMBER: &str = "+4915155501234";
const CODE: &str = "918273";

/// Every form in which a code or a number could leak.
fn forms() -> Vec<Vec<u8>> {
    let spaced = |text: &str| text.chars().map(String::from).collect::<Vec<_>>().join(" ");
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let digits = &NUMBER[1..];
    let texts = [
        CODE.to_owned(),
        spaced(CODE),
        base64(CODE),
        digits.to_owned(),
        format!("%2B{digits}"),
        base64(NUMBER),
        base64(digits),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

fn assert_silent(what: &str, bytes: &[u8]) {
    for form in forms() {
        let found = bytes.windows(form.len()).any(|window| window == form);
        assert!(!found, "{what} holds {:?}", String::from_utf8_lossy(&form));
    }
}

async fn a_whole_journey_at_trace_tells_neither_code_nor_number(kept: Kept) {
    let world = World::with(kept, "[telemetry]\nlog_filter = \"trace\"\n", &[]).await;
    let mut request = login(NUMBER, &[]);
    request.code = CODE.to_owned();
    // Callers put numbers into their names for calls and accounts.
    request.request_id = format!("login-{}", &NUMBER[1..]);
    request.subject = format!("user-{}", &NUMBER[1..]);
    let sent = world.client.send(request).await.unwrap();
    assert_eq!(world.code(NUMBER).await, CODE);
    world.client.check(&sent.verification_id, "000000").await.unwrap();
    assert_silent("the store in the middle of a journey", &world.kept.dump());
    world.client.check(&sent.verification_id, CODE).await.unwrap();
    let verification = world.client.get(&sent.verification_id).await;
    assert_silent("an answer", format!("{verification:?}").as_bytes());
    assert_silent("the metrics", otter_tests::scrape(&world.otter).await.as_bytes());
    assert_silent("the store", &world.kept.dump());
    let log = world.otter.log();
    assert!(log.contains("attempt accepted"), "the log is on: {log}");
    assert_silent("the log", log.as_bytes());
}

async fn an_echoing_vendor_is_not_quoted(kept: Kept) {
    let vendor = otter_tests::vendor().await;
    let echoing = ScriptedVendor::start().await;
    let body = format!(
        "{{\"code\":21211,\"message\":\"The 'To' number {NUMBER} with {CODE} is wrong\",\"status\":400}}"
    );
    echoing.then(Answer::json(400, body));
    let more = format!(
        "[telemetry]\nlog_filter = \"trace\"\n\
         [tenants.shop.purposes.signup]\nroute = \"echoing\"\n\
         [routes.echoing]\nsteps = [{{ channel = \"sms\", providers = [\"echo\"] }}]\n\
         [providers.echo]\nkind = \"twilio\"\nbase_url = \"{}\"\n\
         account_sid = \"AC00000000000000000000000000000000\"\n\
         api_key_sid = \"SK00000000000000000000000000000000\"\napi_key_secret = \"secret\"\nfrom = \"+15005550006\"\n",
        echoing.base_url()
    );
    let otter = Otter::start(&configuration(&kept, &vendor, &more), &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let mut request = login(NUMBER, &[]);
    request.purpose = "signup".to_owned();
    request.code = CODE.to_owned();
    let sent = client.send(request).await.unwrap();
    let failed = client
        .until(&sent.verification_id, "the failure", |v| v.attempts[0].state() == AttemptState::Unroutable)
        .await;
    assert_eq!(failed.attempts[0].vendor_code, Some(21211));
    assert_silent("an answer", format!("{failed:?}").as_bytes());
    assert_silent("the metrics", otter_tests::scrape(&otter).await.as_bytes());
    assert_silent("the store", &kept.dump());
    assert_silent("the log", otter.log().as_bytes());
}
