//! A provider that panics with the code in its message, in a process of its own because the hook is process-wide.

use std::env;
use std::process::Command;

use otter_domain::{CheckVerdict, Phase};

use crate::house::{House, attempt};

const MARK: &str = "OTTER_TEST_PANIC_NOW";
const NAME: &str = "panics::sec_10_a_panicking_provider_leaks_nothing_and_ends_ambiguous";

#[test]
fn sec_10_a_panicking_provider_leaks_nothing_and_ends_ambiguous() {
    if env::var_os(MARK).is_some() {
        otter_runtime::hide_panic_payloads();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let code = runtime.unwrap().block_on(panicking());
        // Only the parent reads this, after it has looked for the code in everything before.
        std::fs::write(env::var_os(MARK).unwrap(), code).unwrap();
        return;
    }
    let folder = env::temp_dir().join(format!("otter-panic-{}", std::process::id()));
    let output = Command::new(env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env(MARK, &folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    let code = std::fs::read_to_string(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert_eq!(code.len(), 6);
    assert!(said.contains("panicked"), "{said}");
    assert!(!said.contains(&code), "{said}");
}

async fn panicking() -> String {
    let (house, _worker) = House::usual().await;
    let id = house.send().await;
    let call = house.vendor("alpha").next().await;
    let code = call.code();
    call.panic();
    house.until(id, |it| matches!(it.attempts[0].phase, Phase::Ambiguous { .. })).await;
    let verdict = house.check(id, &code).await;
    assert_eq!(verdict, CheckVerdict::Verified { by: Some(attempt(1)), repeated: false });
    code.reveal().to_owned()
}
