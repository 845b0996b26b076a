//! A primary with replicas, and three sentinels that put another primary in force when it is gone.

use std::collections::BTreeSet;

use super::server::{Kind, RedisServer, lines};
use super::{Error, until};

/// What the group is called by its sentinels.
const GROUP: &str = "otter";

/// How many sentinels there are, and how many of them have to agree that the primary is down.
const SENTINELS: usize = 3;
const QUORUM: &str = "2";

/// How long a primary may be silent, in milliseconds.
const DOWN_AFTER: &str = "800";

/// A failed try to put another primary in force is repeated after twice this, in milliseconds.
const FAILOVER_TIMEOUT: &str = "2000";

/// A group of servers. Dropping it stops them all.
#[derive(Debug)]
pub struct SentinelGroup {
    nodes: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl SentinelGroup {
    /// Starts a primary that refuses to evict and writes an append-only file once a second, its replicas and three
    /// sentinels, and waits until the replicas are in sync and the sentinels know them and each other.
    pub async fn start(replicas: usize) -> Result<Self, Error> {
        Self::start_with(replicas, &[]).await
    }

    /// The same with further settings for primary and replicas, given as `redis-server` takes them on its command line.
    pub async fn start_with(replicas: usize, settings: &[&str]) -> Result<Self, Error> {
        let keeps = ["--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "everysec"];
        let settings = [&keeps[..], settings].concat();
        let mut nodes = vec![RedisServer::start_with(&settings)?];
        for _ in 0..replicas {
            let replica = RedisServer::replica_of(&nodes[0], &settings).await?;
            nodes.push(replica);
        }
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            sentinels.push(sentinel(nodes[0].port())?);
        }
        let group = Self { nodes, sentinels };
        group.settled().await?;
        Ok(group)
    }

    /// The group, as `store.url` takes it.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.sentinels.iter().map(|node| node.address().to_string()).collect();
        format!("redis-sentinel://{}/{GROUP}", addresses.join(","))
    }

    /// Primary and replicas, in the order in which they were started.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// One of them.
    pub fn node(&mut self, place: usize) -> &mut RedisServer {
        &mut self.nodes[place]
    }

    /// The sentinels.
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// One of them.
    pub fn sentinel(&mut self, place: usize) -> &mut RedisServer {
        &mut self.sentinels[place]
    }

    /// The place of the primary that most sentinels name.
    pub async fn primary(&self) -> Result<usize, Error> {
        until("the sentinels to agree on a primary", || self.named()).await
    }

    /// Kills the primary and returns its place.
    pub async fn crash_primary(&mut self) -> Result<usize, Error> {
        let place = self.primary().await?;
        self.nodes[place].crash();
        Ok(place)
    }

    /// Stops the primary where it stands and returns its place.
    pub async fn freeze_primary(&self) -> Result<usize, Error> {
        let place = self.primary().await?;
        self.nodes[place].freeze()?;
        Ok(place)
    }

    /// Waits until another primary than this one is in force, and returns its place.
    pub async fn primary_other_than(&self, gone: usize) -> Result<usize, Error> {
        until("another primary to be in force", || async {
            let place = self.named().await.filter(|place| *place != gone)?;
            self.is_primary(place).await.then_some(place)
        })
        .await
    }

    /// Waits until all nodes run in sync below one primary and all sentinels know everybody.
    pub async fn settled(&self) -> Result<(), Error> {
        until("the group to settle", || async {
            let place = self.named().await?;
            let online = self.nodes[place].replicas_online().await?;
            let known = self.is_known(self.nodes[place].port()).await;
            (self.is_primary(place).await && online == self.nodes.len() - 1 && known).then_some(())
        })
        .await
    }

    async fn is_primary(&self, place: usize) -> bool {
        let info = self.nodes[place].info("replication").await.unwrap_or_default();
        super::field(&info, "role") == Some("master")
    }

    async fn named(&self) -> Option<usize> {
        let mut votes = vec![0; self.nodes.len()];
        for sentinel in &self.sentinels {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", GROUP];
            let Ok((_, port)) = sentinel.ask::<(String, u16)>(&words).await else { continue };
            let place = self.nodes.iter().position(|node| node.port() == port)?;
            votes[place] += 1;
        }
        votes.iter().position(|votes| *votes * 2 > SENTINELS)
    }

    /// Whether every sentinel knows all others and all replicas, and thinks well of them.
    async fn is_known(&self, primary: u16) -> bool {
        let replicas = self.nodes.iter().map(RedisServer::port).filter(|port| *port != primary).collect();
        for sentinel in &self.sentinels {
            let others = self
                .sentinels
                .iter()
                .map(RedisServer::port)
                .filter(|port| *port != sentinel.port())
                .collect();
            if well(sentinel, "REPLICAS").await != replicas || well(sentinel, "SENTINELS").await != others {
                return false;
            }
        }
        true
    }
}

/// The ports of those that a sentinel knows and has nothing to say against.
async fn well(sentinel: &RedisServer, who: &str) -> BTreeSet<u16> {
    type Fields = std::collections::HashMap<String, String>;
    let known: Vec<Fields> = sentinel.ask(&["SENTINEL", who, GROUP]).await.unwrap_or_default();
    known
        .into_iter()
        .filter(|fields| ["slave", "sentinel"].map(Some).contains(&fields.get("flags").map(String::as_str)))
        .filter_map(|fields| fields.get("port")?.parse().ok())
        .collect()
}

fn sentinel(primary: u16) -> Result<RedisServer, Error> {
    let primary = primary.to_string();
    RedisServer::launch(Kind::Sentinel, "redis", &[], |port| {
        let monitor = ["--sentinel", "monitor", GROUP, "127.0.0.1", &primary, QUORUM];
        let down_after = ["--sentinel", "down-after-milliseconds", GROUP, DOWN_AFTER];
        let timeout = ["--sentinel", "failover-timeout", GROUP, FAILOVER_TIMEOUT];
        Ok(lines(&[&["--port", &port.to_string()], &monitor[..], &down_after, &timeout].concat()))
    })
}
