//! A sealing key that is missing for a while: what it sealed is put aside, nobody else notices, and an operator decides.

use std::time::Duration;

use otter_contract::v1::{CheckOutcome, VerificationState};
use otter_tests::{API_KEY, Client, Kept, Otter, World, binary, configuration, scrape, vendor};
use serde_json::Value;

on_both_stores!(what_a_missing_key_sealed_is_put_aside_retried_and_dropped);

/// The key of the usual configuration.
const KEY: &str =
    r#"{ id = 1, secret = "6844ec98fcef2f7f59b22a5a3a2d2d0332f16e0d9f97f87954ccd10c3ba5d13d" }"#;

/// The key that follows it.
const NEXT_KEY: &str =
    r#"{ id = 2, secret = "0d2e64ad4df7ab5c4c3a2a6cd0ff3f4ba2bd57e06dbb4ab1ca9ea1d31cb0f5a7" }"#;

/// Whose codes are sealed with the key that goes missing.
const NUMBERS: [&str; 3] = ["+4915111000050", "+4915111000051", "+4915111000052"];

/// A bound on waiting for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// `otter admin dead-letters …`, as an operator runs it.
async fn dead_letters(otter: &Otter, arguments: &[&str]) -> (Option<i32>, String) {
    let output = tokio::process::Command::new(binary())
        .args(["admin", "dead-letters"])
        .args(arguments)
        .env_clear()
        .env("OTTER_SERVER", otter.grpc_url())
        .env("OTTER_API_KEY", API_KEY)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

async fn list(otter: &Otter) -> Vec<Value> {
    let (code, said) = dead_letters(otter, &["list", "--json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let listed: Value = serde_json::from_str(&said).unwrap();
    listed["deadLetters"].as_array().unwrap().clone()
}

/// Waits until something is so, and returns what was looked at then.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited for {what}"))
}

/// Codes that are accepted while nobody works on them.
async fn accepted_and_left(configuration: &str) -> Vec<String> {
    let mut otter = Otter::start(configuration, &["--role", "api"]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let mut ids = Vec::new();
    for number in NUMBERS {
        ids.push(client.login(number, &[]).await.verification_id);
    }
    otter.stop().await;
    ids
}

/// Waits until all three are put aside, and looks at what is told of them.
async fn three_letters(otter: &Otter) -> Vec<Value> {
    let letters =
        until("the letters", async || Some(list(otter).await).filter(|found| found.len() == 3)).await;
    for letter in &letters {
        assert_eq!(letter["reason"], "DEAD_LETTER_REASON_SEAL_UNOPENED");
        assert_eq!(letter["detail"], "it is sealed with key 1, which is not configured");
        assert_eq!(letter["tenant"], "shop");
        assert_eq!(letter["state"], "VERIFICATION_STATE_PENDING");
        let text = letter.to_string();
        assert!(NUMBERS.iter().all(|number| !text.contains(&number[1..])), "{text}");
    }
    letters
}

async fn what_a_missing_key_sealed_is_put_aside_retried_and_dropped(kept: Kept) {
    let vendor = vendor().await;
    let text = configuration(&kept, &vendor, "");
    let sealed_with = |keys: &str| text.replace(KEY, keys);
    assert_ne!(sealed_with(NEXT_KEY), text, "the key is that of the configuration");

    let ids = accepted_and_left(&text).await;

    // The key was rotated the wrong way: the old one is gone.
    let otter = Otter::start(&sealed_with(NEXT_KEY), &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let letters = three_letters(&otter).await;
    let world = World { otter, vendor, client, kept };
    let sent = world.client.login("+4915111000053", &[]).await;
    let code = world.code("+4915111000053").await;
    let answer = world.client.check(&sent.verification_id, &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified, "new codes flow as ever");
    assert_eq!(world.client.get(&ids[0]).await.state(), VerificationState::Pending, "it can still be read");
    let gauge = r#"otter_queue_depth{queue="all",state="dead"} 3"#;
    until("the gauge", async || scrape(&world.otter).await.contains(gauge).then_some(())).await;
    assert!(world.otter.log().contains("put aside as a dead letter"), "it is told loudly");

    // A retry without the key puts it aside again.
    let id_of = |verification: &str| {
        let of = |letter: &&Value| letter["verificationId"] == *verification;
        letters.iter().find(of).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (retried, dropped, left) = (id_of(&ids[0]), id_of(&ids[1]), id_of(&ids[2]));
    let (code, said) = dead_letters(&world.otter, &["retry", &retried]).await;
    assert_eq!(code, Some(0), "{said}");
    three_letters(&world.otter).await;

    // The key is back.
    let World { otter: mut wrong, vendor, kept, .. } = world;
    wrong.stop().await;
    let otter = Otter::start(&sealed_with(&format!("{NEXT_KEY}, {KEY}")), &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    let world = World { otter, vendor, client, kept };
    assert_eq!(list(&world.otter).await.len(), 3, "letters outlive the process");
    let (code, said) = dead_letters(&world.otter, &["retry", &retried]).await;
    assert!(code == Some(0) && said.starts_with("put back to work: "), "{said}");
    let code = world.code(NUMBERS[0]).await;
    let answer = world.client.check(&ids[0], &code).await.unwrap();
    assert_eq!(answer.outcome(), CheckOutcome::Verified, "it goes on where it was");

    let (code, said) = dead_letters(&world.otter, &["drop", &dropped]).await;
    assert!(code == Some(0) && said.starts_with("dropped: "), "{said}");
    assert_eq!(world.client.get(&ids[1]).await.state(), VerificationState::Failed);
    for word in ["show", "retry", "drop"] {
        let (code, said) = dead_letters(&world.otter, &[word, &dropped]).await;
        assert_eq!(code, Some(3), "{said}");
    }
    let (code, said) = dead_letters(&world.otter, &["show", &left]).await;
    assert!(code == Some(0) && said.contains("seal unopened") && said.contains(&ids[2]), "{said}");
    assert_eq!(list(&world.otter).await.len(), 1);
}
