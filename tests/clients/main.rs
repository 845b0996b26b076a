//! Programs in other languages, made as a newcomer would make them: stubs from `proto/` by official tooling, then a code
//! is sent to a simulated handset by the real binary, typed in and checked. And that what the README shows is what runs
//! here.
#![allow(clippy::unwrap_used)]

mod manual;
mod program;
mod toolchain;

use otter_tests::{API_KEY, Kept, World};

use program::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_python_program_sends_and_checks_a_code() {
    sends_and_checks(toolchain::python()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typescript_program_sends_and_checks_a_code() {
    sends_and_checks(toolchain::typescript()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_go_program_sends_and_checks_a_code() {
    sends_and_checks(toolchain::go()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rust_program_sends_and_checks_a_code() {
    sends_and_checks(toolchain::rust()).await;
}

async fn sends_and_checks(program: Program) {
    let world = World::start(Kept::embedded()).await;
    let person = "+4915111234560";
    let run = program.start(&world, API_KEY, person);
    let end = run.types(|| world.code(person)).await;
    assert_eq!((end.last_line.as_str(), end.status), ("verified", Some(0)), "{}", end.output);
    assert!(end.output.contains("A code is on its way to +49*********60"), "{}", end.output);
    assert!(!end.output.contains(person), "the number is masked: {}", end.output);

    let forgetful = "+4915111234561";
    let run = program.start(&world, API_KEY, forgetful);
    let end = run.types(|| async { another_than(&world.code(forgetful).await) }).await;
    assert_eq!((end.last_line.as_str(), end.status), ("not verified", Some(1)), "{}", end.output);

    let end = program.start(&world, "not-a-key", person).ends().await;
    assert_eq!(end.status, Some(2), "{}", end.output);
}

/// A code that differs in its first digit.
fn another_than(code: &str) -> String {
    let first = if code.starts_with('1') { '2' } else { '1' };
    format!("{first}{}", &code[1..])
}
