//! What the servers for tests can do, so that a scenario on them that fails says something about the engine.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use otter_store_redis::test_server::{
    Authority, ClientCertificate, Cluster, Passage, PoweredServer, Proxy, RedisServer, SentinelGroup, Weather,
};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await
}

async fn ping(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    redis::cmd("PING").query_async(connection).await
}

#[tokio::test]
async fn a_replica_has_what_its_primary_has() {
    let primary = RedisServer::start().unwrap();
    primary.ask::<()>(&["SET", "key", "value"]).await.unwrap();
    let replica = RedisServer::replica_of(&primary, &["--appendonly", "yes"]).await.unwrap();
    assert_eq!(replica.ask::<String>(&["GET", "key"]).await.unwrap(), "value");
}

#[test]
fn a_server_behind_tls_answers_to_those_whom_its_authority_knows() {
    let authority = Authority::new().unwrap();
    let server = RedisServer::start_tls(&authority, ClientCertificate::Required).unwrap();
    let (ca, port) = (authority.ca(), server.port().to_string());
    let identity = authority.client("otter").unwrap();
    let says_pong = |arguments: &[&OsStr]| {
        let output = Command::new("redis-cli").args(["-p", &port]).args(arguments).arg("PING").output();
        String::from_utf8(output.unwrap().stdout).unwrap().contains("PONG")
    };
    let tls = ["--tls".as_ref(), "--cacert".as_ref(), ca.as_os_str()];
    let known =
        ["--cert".as_ref(), identity.certificate.as_os_str(), "--key".as_ref(), identity.key.as_os_str()];
    assert!(says_pong(&[tls.as_slice(), &known].concat()));
    assert!(!says_pong(&tls), "it wants to know who asks");
    assert!(!says_pong(&[]));
}

#[tokio::test]
async fn a_server_with_users_knows_them_and_nobody_else() {
    let users = ["otter on >secret ~otter:* &otter:* +@all", "default off"];
    let server = RedisServer::start_with_users(&users).unwrap();
    assert!(server.ask::<String>(&["PING"]).await.is_err());
    let mut known = connect(&format!("redis://otter:secret@{}", server.address())).await.unwrap();
    redis::cmd("SET").arg("otter:a").arg(1).query_async::<()>(&mut known).await.unwrap();
    assert!(redis::cmd("SET").arg("other").arg(1).query_async::<()>(&mut known).await.is_err());
}

#[tokio::test]
async fn sentinels_put_another_primary_in_force_and_take_the_old_one_back() {
    let mut group = SentinelGroup::start(2).await.unwrap();
    assert_eq!(group.primary().await.unwrap(), 0);
    group.crash_primary().await.unwrap();
    let primary = group.primary_other_than(0).await.unwrap();
    assert_ne!(primary, 0);
    group.nodes()[primary].ask::<()>(&["SET", "key", "value"]).await.unwrap();
    group.node(0).start_again().unwrap();
    group.settled().await.unwrap();
    assert_eq!(group.nodes()[0].ask::<String>(&["GET", "key"]).await.unwrap(), "value");
}

#[tokio::test]
async fn a_cluster_moves_slots_and_promotes_replicas() {
    let mut cluster = Cluster::start().await.unwrap();
    let slot = cluster.slot("otter:{p07}:a").await.unwrap();
    let from = cluster.owner(slot).await.unwrap();
    for key in 0..10 {
        cluster.nodes()[from].ask::<()>(&["SET", &format!("otter:{{p07}}:{key}"), "1"]).await.unwrap();
    }
    let to = (from + 1) % 3;
    let mut moving = cluster.begin_move(slot, to).await.unwrap();
    assert_eq!(moving.move_keys(4).await.unwrap(), 4);
    assert_eq!(cluster.owner(slot).await.unwrap(), from, "it is on its way");
    moving.finish().await.unwrap();
    assert_eq!(cluster.owner_other_than(from, slot).await.unwrap(), to);
    cluster.settled().await.unwrap();
    let count = ["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()];
    assert_eq!(cluster.nodes()[to].ask::<u32>(&count).await.unwrap(), 10);

    cluster.reshard(to, from, 2).await.unwrap();
    cluster.settled().await.unwrap();

    let owner = cluster.owner(slot).await.unwrap();
    let replicas = cluster.replicas(owner).await.unwrap();
    assert_eq!(cluster.crash_owner(slot).await.unwrap(), owner);
    let promoted = cluster.owner_other_than(owner, slot).await.unwrap();
    assert_eq!(replicas, [promoted]);
    assert_eq!(cluster.nodes()[promoted].ask::<u32>(&count).await.unwrap(), 10);
    cluster.node(owner).start_again().unwrap();
    cluster.settled().await.unwrap();
}

#[tokio::test]
async fn a_proxy_holds_swallows_resets_and_strands() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(server.address(), 1).await.unwrap();
    let slow =
        Weather { latency: Duration::from_millis(1), jitter: Duration::from_millis(1), ..Weather::FINE };
    proxy.set(slow);
    let mut connection = connect(&proxy.url()).await.unwrap();
    assert_eq!(ping(&mut connection).await.unwrap(), "PONG");

    proxy.set(Weather { towards_client: Passage::Held, ..slow });
    let mut other = connection.clone();
    let waiting = tokio::spawn(async move { ping(&mut other).await });
    while !server.info("commandstats").await.unwrap().contains("cmdstat_ping:calls=2") {}
    assert!(!waiting.is_finished(), "its answer is held");
    proxy.set(Weather::FINE);
    assert_eq!(waiting.await.unwrap().unwrap(), "PONG");

    proxy.set(Weather { towards_server: Passage::Swallowed, ..Weather::FINE });
    let mut other = connection.clone();
    let waiting = tokio::spawn(async move { ping(&mut other).await });
    proxy.reset();
    assert!(waiting.await.unwrap().is_err(), "a reset ends the wait for what was swallowed");
    assert_eq!(proxy.resets(), 1);

    proxy.set(Weather::FINE);
    let mut stranded = connect(&proxy.url()).await.unwrap();
    proxy.strand();
    let waiting = tokio::spawn(async move { ping(&mut stranded).await });
    let mut connection = connect(&proxy.url()).await.unwrap();
    assert_eq!(ping(&mut connection).await.unwrap(), "PONG", "new connections are not affected");
    assert!(!waiting.is_finished());

    proxy.set(Weather { reset_one_in: Some(4), ..Weather::FINE });
    while ping(&mut connection).await.is_ok() {}
    assert_eq!(proxy.resets(), 2);
}

#[tokio::test]
async fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    let set = async |server: &PoweredServer, key: &str| {
        server.server().ask::<()>(&["SET", key, "1"]).await.unwrap();
    };
    let mut server = PoweredServer::start("always", Duration::ZERO).unwrap();
    set(&server, "a").await;
    let cut = server.cut_power().await.unwrap();
    assert_eq!(cut.written, cut.kept, "what was answered had been synced");
    server.start_again().unwrap();
    set(&server, "b").await;
    let cut = server.cut_power().await.unwrap();
    assert_eq!(cut.written, cut.kept);
    server.start_again().unwrap();
    assert_eq!(server.server().ask::<u32>(&["EXISTS", "a", "b"]).await.unwrap(), 2);

    let mut server = PoweredServer::start("no", Duration::ZERO).unwrap();
    set(&server, "a").await;
    let cut = server.cut_power().await.unwrap();
    assert!(cut.written > 0 && cut.kept == 0, "{cut:?}");
    server.start_again().unwrap();
    assert_eq!(server.server().ask::<u32>(&["EXISTS", "a"]).await.unwrap(), 0);
}
