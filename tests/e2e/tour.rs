//! Dev mode as a newcomer runs it, without a terminal and without staying up.

use std::process::Output;
use std::time::Duration;

use otter_store_redis::test_server::RedisServer;
use tokio::process::Command;

/// A bound on the tour, which shows about a minute of traffic.
const PATIENCE: Duration = Duration::from_secs(240);

async fn tour(arguments: &[&str]) -> Output {
    let nowhere = "127.0.0.1:0";
    let mut command = Command::new(otter_tests::binary());
    command.args(["dev", "--exit", "--grpc", nowhere, "--admin", nowhere]).args(arguments).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output())
        .await
        .expect("the tour ends")
        .expect("the binary is built")
}

fn assert_shown(output: &Output) {
    let said = String::from_utf8(output.stdout.clone()).expect("the tour is text");
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    for part in [
        "over sms",
        "over whatsapp",
        "over rcs",
        "over voice",
        "goes down",
        "queued as failover",
        "DELIVERED",
        "SKIPPED",
        "attempts on north-sms failed",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours where there is no terminal");
}

#[tokio::test]
async fn the_tour_shows_everything_on_a_directory() {
    assert_shown(&tour(&[]).await);
}

#[tokio::test]
async fn the_tour_shows_everything_on_redis() {
    let server = RedisServer::start().expect("make setup installs redis-server");
    assert_shown(&tour(&["--redis", &server.url()]).await);
}
