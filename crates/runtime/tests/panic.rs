//! A panic in a process of its own, because the hook is process-wide.
#![allow(clippy::unwrap_used)]

use std::env;
use std::process::Command;

const MARK: &str = "OTTER_TEST_PANIC_NOW";

#[test]
fn a_panic_says_where_and_not_what() {
    if env::var_os(MARK).is_some() {
        otter_runtime::hide_panic_payloads();
        panic!("the code is {}", "918273");
    }
    let output = Command::new(env::current_exe().unwrap())
        .args(["a_panic_says_where_and_not_what", "--exact", "--nocapture"])
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(!output.status.success());
    assert!(!said.contains("918273"), "{said}");
    assert!(said.contains("panic.rs:"), "{said}");
}
