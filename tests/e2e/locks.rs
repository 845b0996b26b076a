//! Wrong codes in a row: no code is sent that nobody could check, and an operator lifts what keeps it back.

use otter_contract::v1::{Channel, CheckOutcome, ChoiceReason, SendOtpRequest};
use otter_tests::{API_KEY, Client, Kept, Otter, World, binary, configuration, login, vendor};
use serde_json::Value;
use tonic_types::StatusExt as _;

on_both_stores!(sec_05_a_code_that_nobody_could_check_is_not_sent_until_an_operator_lifts_it);

const NUMBER: &str = "+4915112345678";

/// `otter admin locks … NUMBER --tenant shop`, as an operator runs it.
async fn locks(otter: &Otter, word: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new(binary())
        .args(["admin", "locks", word, NUMBER, "--tenant", "shop"])
        .args(arguments)
        .env_clear()
        .env("OTTER_SERVER", otter.grpc_url())
        .env("OTTER_API_KEY", API_KEY)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!said.contains(&NUMBER[1..]), "{said}");
    (output.status.code(), said)
}

fn by_sms() -> SendOtpRequest {
    SendOtpRequest { allowed_channels: vec![Channel::Sms.into()], ..login(NUMBER, &[]) }
}

async fn sec_05_a_code_that_nobody_could_check_is_not_sent_until_an_operator_lifts_it(kept: Kept) {
    let vendor = vendor().await;
    let text = configuration(&kept, &vendor, "")
        .replace("min_useful = \"10s\"", "min_useful = \"10s\"\ncheck_budget = 10");
    let otter = Otter::start(&text, &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let world = World { otter, vendor, client, kept };
    let sent = world.client.send(by_sms()).await.unwrap();
    let mut handset = world.vendor.handset(NUMBER);
    let code = handset.next().await.code().unwrap();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..10 {
        let answer = world.client.check(&sent.verification_id, wrong).await.unwrap();
        assert_eq!(answer.outcome(), CheckOutcome::WrongCode);
    }

    // After the tenth a check waits 960 s, and a code lives 300 s.
    let refused = world.client.send(by_sms()).await.unwrap_err();
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "CHECK_WAITING");
    assert!(details.retry_info().unwrap().retry_delay.unwrap().as_secs() > 900);
    let (code, said) = locks(&world.otter, "show", &["--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((shown["locks"][0]["failures"].as_u64(), &shown["locks"][1]), (Some(10), &Value::Null));
    assert_eq!(shown["locks"][0]["state"], "LOCK_STATE_WAITING");

    // The other class is open, and its code can be checked.
    let sent = world.client.login(NUMBER, &[]).await;
    let plan = sent.plan.as_ref().unwrap();
    assert_eq!(plan.candidates[0].channel(), Channel::Whatsapp);
    assert_eq!(plan.considered[0].reason(), ChoiceReason::ChecksWaiting);
    let code = handset.next().await.code().unwrap();
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified);

    let (code, said) = locks(&world.otter, "lift", &["--class", "pstn", "--reason", "ticket 4711"]).await;
    assert!(code == Some(0) && said.starts_with("forgotten for "), "{said}");
    let sent = world.client.send(by_sms()).await.unwrap();
    let code = handset.next().await.code().unwrap();
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified, "it is sent and checked at once");
    let (code, said) = locks(&world.otter, "lift", &["--reason", "again"]).await;
    assert!(code == Some(3) && said.contains("LOCK_NOT_FOUND"), "{said}");
    assert!(!world.otter.log().contains(&NUMBER[1..]), "the number is not logged");
}
