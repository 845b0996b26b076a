//! Processes that are asked to go: nobody's call fails, and nobody can hold them.
//!
//! The bound on their end is the process's own: the harness only waits longer than it may take.

mod peers;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use otter_contract::v1::AttemptState;
use otter_tests::{Client, Kept, Otter, World, binary, configuration, login, reached_nobody, vendor};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::Status;

/// How many callers have a channel of their own.
const CHANNELS: usize = 50;

const NUMBER: &str = "+4915112345678";

/// A bound on waiting for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The usual configuration with another grace.
fn configured(kept: &Kept, vendor_url: &otter_sandbox_vendor::Vendor, delay: &str, drain: &str) -> String {
    configuration(kept, vendor_url, "")
        .replace("delay = \"0s\"", &format!("delay = \"{delay}\""))
        .replace("drain = \"5s\"", &format!("drain = \"{drain}\""))
}

/// A world with another grace.
async fn world(kept: Kept, delay: &str, drain: &str) -> World {
    let vendor = vendor().await;
    let otter = Otter::start(&configured(&kept, &vendor, delay, drain), &[]).await;
    let client = Client::connect(&otter.grpc_url()).await;
    World { otter, vendor, client, kept }
}

/// What a path of the admin port answers; nothing once nobody listens.
async fn probe(admin: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(admin).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

async fn until_not_ready(admin: SocketAddr) {
    while probe(admin, "/readyz").await == Some(200) {
        tokio::task::yield_now().await;
    }
}

/// Calls again and again on a channel of its own, until its connection is gone and there is no other.
async fn call_until_gone(url: String, id: String, served: Arc<AtomicUsize>) -> Status {
    let client = Client::connect(&url).await;
    loop {
        let request = otter_contract::v1::GetOtpRequest { verification_id: id.clone() };
        match client.otp.clone().get_otp(request).await {
            Ok(_) => served.fetch_add(1, Ordering::Relaxed),
            Err(status) => return status,
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_and_peers_that_hang_do_not_hold_the_process() {
    let mut world = world(Kept::embedded(), "1s", "3s").await;
    let id = world.client.login(NUMBER, &[]).await.verification_id;
    let addresses = world.otter.addresses();
    let (grpc, admin) = (addresses.grpc.unwrap(), addresses.admin);
    let served = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CHANNELS {
        callers.spawn(call_until_gone(world.otter.grpc_url(), id.clone(), Arc::clone(&served)));
    }
    let _hanging = (
        peers::silent(grpc).await,
        peers::stuck_stream(grpc, &id).await,
        peers::half_call(grpc, &id).await,
        peers::silent(addresses.receipts.unwrap()).await,
        peers::half_callback(addresses.receipts.unwrap()).await,
    );
    while served.load(Ordering::Relaxed) < CHANNELS {
        tokio::task::yield_now().await;
    }
    assert_eq!((probe(admin, "/readyz").await, probe(admin, "/livez").await), (Some(200), Some(200)));
    let looked = async {
        until_not_ready(admin).await;
        (probe(admin, "/readyz").await, probe(admin, "/livez").await)
    };
    let (status, while_leaving) = tokio::join!(world.otter.stop(), looked);
    assert_eq!(status, Some(0), "{}", world.otter.log());
    assert_eq!(while_leaving, (Some(503), Some(200)), "it keeps serving, and is alive, while others notice");
    for status in callers.join_all().await {
        assert!(reached_nobody(&status), "a call that had begun failed: {status:?}");
    }
    assert!(world.otter.log().contains("left for others to take over"), "the stuck stream was dropped");
}

#[tokio::test]
async fn a_handshake_that_is_never_finished_does_not_hold_the_process() {
    let (kept, vendor) = (Kept::embedded(), vendor().await);
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, private) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate, key.cert.pem()).unwrap();
    std::fs::write(&private, key.signing_key.serialize_pem()).unwrap();
    let tls =
        format!("[grpc]\ntls.certificate = {{ file = {certificate:?} }}\ntls.key = {{ file = {private:?} }}");
    let text = configured(&kept, &vendor, "0s", "2s").replacen("[grpc]", &tls, 1);
    let mut otter = Otter::start(&text, &[]).await;
    let grpc = otter.addresses().grpc.unwrap();
    let _hanging = (peers::silent(grpc).await, peers::half_handshake(grpc).await);
    assert_eq!(otter.stop().await, Some(0), "{}", otter.log());
}

#[tokio::test]
async fn a_watcher_of_health_that_stays_does_not_hold_the_process() {
    let mut world = world(Kept::embedded(), "0s", "20s").await;
    let watcher = peers::health_watcher(world.otter.addresses().grpc.unwrap()).await;
    assert_eq!(world.otter.stop().await, Some(0), "{}", world.otter.log());
    watcher.await.unwrap();
    assert!(!world.otter.log().contains("left for others"), "{}", world.otter.log());
}

#[tokio::test]
async fn a_second_signal_skips_what_is_left_of_the_grace() {
    let mut world = world(Kept::embedded(), "0s", "10m").await;
    let id = world.client.login(NUMBER, &[]).await.verification_id;
    let addresses = world.otter.addresses();
    let _stuck = peers::stuck_stream(addresses.grpc.unwrap(), &id).await;
    world.otter.signal("TERM");
    until_not_ready(addresses.admin).await;
    assert_eq!(world.otter.stop().await, Some(0), "{}", world.otter.log());
}

#[tokio::test]
async fn a_process_that_waits_for_its_store_at_the_start_stops_when_it_is_told_to() {
    let (kept, vendor) = (Kept::embedded(), vendor().await);
    let store = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", store.local_addr().unwrap());
    let embedded = kept.url();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("otter.toml");
    std::fs::write(&config, configuration(&kept, &vendor, "").replace(&embedded, &url)).unwrap();
    let mut child = tokio::process::Command::from({
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(&config).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    })
    .kill_on_drop(true)
    .spawn()
    .unwrap();
    // It has its handlers and asks the store, which never answers.
    let _connection = tokio::time::timeout(PATIENCE, store.accept()).await.unwrap().unwrap();
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    let status = tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
    // On a slow machine it may have given the store up first, which is an end of its own.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_does_not_hold_the_process() {
    let mut world = world(Kept::redis(), "0s", "2s").await;
    let id = world.client.login(NUMBER, &[]).await.verification_id;
    let Kept::Redis(server) = &world.kept else { panic!("it was started") };
    server.freeze().unwrap();
    let calling = (0..5).map(|_| world.client.send(login(NUMBER, &[])));
    let (status, answers) = tokio::join!(world.otter.stop(), futures::future::join_all(calling));
    assert_eq!(status, Some(0), "{}", world.otter.log());
    assert!(answers.iter().all(Result::is_err), "what is not in the store is not accepted: {answers:?}");
    server.thaw().unwrap();
    let other = Otter::start(&configuration(&world.kept, &world.vendor, ""), &[]).await;
    assert_eq!(Client::connect(&other.grpc_url()).await.get(&id).await.id, id);
}

#[tokio::test]
async fn a_send_in_flight_is_finished_and_booked_before_the_process_ends() {
    let (kept, vendor) = (Kept::redis(), vendor().await);
    let text = configured(&kept, &vendor, "0s", "20s").replace("timeout = \"3s\"", "timeout = \"10s\"");
    let front = Otter::start(&text, &["--role", "api,receipts,scheduler"]).await;
    let mut worker = Otter::start(&text, &["--role", "worker"]).await;
    vendor.follow(slow(Duration::from_secs(2)));
    let client = Client::connect(&front.grpc_url()).await;
    let id = client.login(NUMBER, &[]).await.verification_id;
    client.until(&id, "the send has begun", |it| it.attempts[0].state() == AttemptState::Claimed).await;
    assert_eq!(worker.stop().await, Some(0), "{}", worker.log());
    // Nobody else works, so it was booked by the process that is gone.
    let attempts = client.get(&id).await.attempts;
    assert_eq!((attempts.len(), attempts[0].state()), (1, AttemptState::Accepted), "{attempts:?}");
    assert_eq!(vendor.sends("alpha"), 1);
    assert!(!worker.log().contains("left for others"), "{}", worker.log());
}

/// Every answer of the vendor takes this long.
fn slow(latency: Duration) -> otter_sandbox_vendor::Script {
    let rule = otter_sandbox_vendor::Rule { latency, ..otter_sandbox_vendor::Rule::default() };
    otter_sandbox_vendor::Script { rules: vec![rule] }
}
