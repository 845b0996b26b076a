//! What a running process takes over from its files, and what it says of the rest; its log is JSON, line by line.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};

use otter_contract::v1::GetOtpRequest;
use otter_contract::v1::otp_service_client::OtpServiceClient;
use serde_json::Value;
use tempfile::TempDir;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::canned::ID;
use crate::tls::Authority;

const KEY: &str = "6f74746572206465763a2074686520696e7374616c6c206b65792d2d2d2d2d2d";

/// A folder with a configuration and its secrets.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("key", KEY);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the configuration with these lines in `[grpc]` and these settings besides.
    fn configure(&self, grpc: &str, rest: &str) {
        let key = format!("{{ file = {:?} }}", self.path("key"));
        self.write(
            "otter.toml",
            &format!(
                "install.key = {key}\nkeys.pepper = [{{ id = 1, secret = {key} }}]\n\
                 keys.sealing = [{{ id = 1, secret = {key} }}]\nkeys.token = [{{ id = 1, secret = {key} }}]\n\
                 admin.listen = \"127.0.0.1:0\"\nstore.url = \"memory:\"\n{rest}\n\
                 [grpc]\nlisten = \"127.0.0.1:0\"\n{grpc}\n"
            ),
        );
    }

    fn show(&self, authority: &Authority) {
        let (certificate, key) = authority.sign("127.0.0.1");
        self.write("tls.crt", &certificate);
        self.write("tls.key", &key);
    }

    fn tls(&self) -> String {
        let (certificate, key) = (self.path("tls.crt"), self.path("tls.key"));
        format!("tls.certificate = {{ file = {certificate:?} }}\ntls.key = {{ file = {key:?} }}")
    }
}

/// `otter serve` with the role that has a TLS listener.
struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    grpc: String,
    admin: String,
}

impl Process {
    fn start(files: &Files) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_otter"))
            .args(["serve", "--role", "api", "--config"])
            .arg(files.path("otter.toml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut process = Self { child, log, grpc: String::new(), admin: String::new() };
        let ready = process.until("otter is ready").pop().unwrap();
        process.grpc = ready["grpc"].as_str().unwrap().to_owned();
        process.admin = ready["admin"].as_str().unwrap().to_owned();
        process
    }

    /// What it logs up to and with this message.
    fn until(&mut self, message: &str) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let line = self.log.next().unwrap_or_else(|| panic!("it ended after {told:?}")).unwrap();
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?} is not JSON"));
            assert!(!line.contains(KEY) && !line.contains("sesame"), "{line}");
            let is_last = event["message"] == message;
            told.push(event);
            if is_last {
                return told;
            }
        }
    }

    fn hang_up(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", "HUP", &pid]).status().unwrap().success());
    }

    fn metrics(&self) -> String {
        let mut stream = TcpStream::connect(&self.admin).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: otter\r\nConnection: close\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    }

    /// A new connection by whoever trusts nobody but this authority.
    async fn connect(&self, authority: &Authority) -> Result<Channel, tonic::transport::Error> {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem));
        Endpoint::from_shared(format!("https://{}", self.grpc))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect()
            .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the connection carries calls: without a key they are refused, by the service itself.
async fn is_served(connection: &Channel) -> bool {
    let request = GetOtpRequest { verification_id: ID.to_owned() };
    let refused = OtpServiceClient::new(connection.clone()).get_otp(request).await.unwrap_err();
    refused.code() == Code::Unauthenticated
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections() {
    let (first, second, third) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::new();
    files.show(&first);
    files.configure(&files.tls(), "");
    let mut process = Process::start(&files);
    let opened_before = process.connect(&first).await.unwrap();
    assert!(is_served(&opened_before).await);

    files.show(&second);
    process.hang_up();
    process.until("configuration reloaded");
    assert!(is_served(&process.connect(&second).await.unwrap()).await);
    assert!(process.connect(&first).await.is_err(), "the old certificate is not shown any more");
    assert!(is_served(&opened_before).await, "what was open is left alone");

    // Nobody says so, and nothing but the two files changes.
    files.show(&third);
    process.until("new gRPC connections get the renewed certificates");
    process.until("configuration reloaded");
    assert!(is_served(&process.connect(&third).await.unwrap()).await);

    files.write("tls.key", &second.sign("127.0.0.1").1);
    process.until("configuration refused; the one in force stays");
    assert!(is_served(&process.connect(&third).await.unwrap()).await, "half a pair changes nothing");
}

#[test]
fn what_needs_a_restart_is_named_in_log_and_metrics_until_it_is_taken_back() {
    let files = Files::new();
    files.configure("", "");
    let mut process = Process::start(&files);
    let pending = |process: &Process, setting: &str| {
        let begin = format!("otter_config_pending_restart{{setting=\"{setting}\"}} ");
        let page = process.metrics();
        page.lines().find_map(|line| line.strip_prefix(begin.as_str())).map(str::to_owned)
    };
    assert_eq!(pending(&process, "store.url").as_deref(), Some("0"));

    files.write("key", &KEY.replace('d', "e"));
    files.show(&Authority::new());
    files.configure(&files.tls(), "store.retention.events = \"2h\"");
    process.hang_up();
    let expected = BTreeSet::from(
        ["install.key", "keys.pepper", "keys.sealing", "keys.token", "store.retention.events", "grpc.tls"]
            .map(str::to_owned),
    );
    let mut named = BTreeSet::new();
    while named != expected {
        let warned = process.until("a restart is needed for this setting").pop().unwrap();
        assert_eq!(warned["level"], "WARN");
        named.insert(warned["setting"].as_str().unwrap().to_owned());
        assert!(named.is_subset(&expected), "{named:?}");
    }
    assert!(expected.iter().all(|setting| pending(&process, setting).as_deref() == Some("1")));
    assert_eq!(pending(&process, "store.url").as_deref(), Some("0"));

    files.write("key", KEY);
    files.configure("", "");
    process.hang_up();
    while !expected.iter().all(|setting| pending(&process, setting).as_deref() == Some("0")) {
        process.until("configuration reloaded");
    }
}

#[test]
fn levels_of_logs_change_without_a_restart() {
    let files = Files::new();
    files.configure("", "telemetry.log_filter = \"error,otter::serve=info\"");
    let mut process = Process::start(&files);
    files.configure("max_calls = 2000", "telemetry.log_filter = \"error,otter::serve=info\"");
    process.hang_up();
    let told = process.until("a restart is needed for this setting");
    assert!(told.iter().all(|event| event["message"] != "configuration reloaded"), "{told:?}");
    files.configure("", "telemetry.log_filter = \"info\"");
    process.hang_up();
    process.until("configuration reloaded");
    files.configure("", "telemetry.log_filter = \"otter=loud\"");
    process.hang_up();
    process.until("configuration refused; the one in force stays");
}

#[test]
fn what_speaks_against_a_configuration_is_json_where_the_log_is() {
    let files = Files::new();
    files.configure("nonsense = 1", "store.partitions = 0");
    let refused = Command::new(env!("CARGO_BIN_EXE_otter"))
        .args(["serve", "--config"])
        .arg(files.path("otter.toml"))
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8(refused.stderr).unwrap();
    let told: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 2, "{text}");
    assert!(told.iter().all(|event| event["level"] == "ERROR" && event["problem"].is_string()), "{text}");

    files.configure("", "providers.idle = { kind = \"sandbox\", account_key = \"sesame\" }");
    let mut process = Process::start(&files);
    process.hang_up();
    let told = process.until("configuration reloaded");
    let warned = told.iter().any(|event| event["message"] == "the configuration is questionable");
    assert!(warned, "{told:?}");
}
