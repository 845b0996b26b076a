//! Three masters with a replica each, and slots that move between them.

mod movement;
mod view;

use futures::future::join_all;

use self::view::View;
use super::server::{Kind, RedisServer, free_port, lines};
use super::{Error, field, until};

pub use self::movement::SlotMove;

const MASTERS: usize = 3;

/// How many slots every cluster has.
const SLOTS: usize = 16384;

/// How long a node may be silent before others call it failed, in milliseconds.
const NODE_TIMEOUT: &str = "1500";

/// A cluster. Dropping it stops all its nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<RedisServer>,
}

impl Cluster {
    /// Starts six nodes that refuse to evict and write an append-only file once a second, three of them replicas of the
    /// others, and waits until they agree on that. A slot without an owner leaves the others in use.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(&[]).await
    }

    /// The same with further settings, given as `redis-server` takes them on its command line.
    pub async fn start_with(settings: &[&str]) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        for _ in 0..2 * MASTERS {
            nodes.push(node(settings)?);
        }
        let cluster = Self { nodes };
        cluster.share_slots().await?;
        cluster.introduce().await?;
        cluster.appoint_replicas().await?;
        cluster.settled().await?;
        Ok(cluster)
    }

    /// The cluster, as `store.url` takes it.
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis-cluster://{}", addresses.join(","))
    }

    /// The nodes: masters first, each one's replica three places later, as long as nothing has failed.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// One of them.
    pub fn node(&mut self, place: usize) -> &mut RedisServer {
        &mut self.nodes[place]
    }

    /// The slot of a key, which is that of its hash tag if it has one.
    pub async fn slot(&self, key: &str) -> Result<u16, Error> {
        until("a node to name a slot", || async {
            let answers =
                join_all(self.nodes.iter().map(|node| node.ask(&["CLUSTER", "KEYSLOT", key]))).await;
            answers.into_iter().find_map(Result::ok)
        })
        .await
    }

    /// The place of the node that owns a slot, once all that answer agree.
    pub async fn owner(&self, slot: u16) -> Result<usize, Error> {
        until("the nodes to agree on an owner", || self.named(slot)).await
    }

    /// The same once it is another node than this one, and has taken over.
    pub async fn owner_other_than(&self, gone: usize, slot: u16) -> Result<usize, Error> {
        until("another node to own a slot", || async {
            let place = self.named(slot).await.filter(|place| *place != gone)?;
            let info = self.nodes[place].ask::<String>(&["CLUSTER", "INFO"]).await.ok()?;
            (field(&info, "cluster_state") == Some("ok")).then_some(place)
        })
        .await
    }

    /// The places of the replicas of a node.
    pub async fn replicas(&self, of: usize) -> Result<Vec<usize>, Error> {
        until("the nodes to agree on replicas", || async {
            let view = self.views().await.into_iter().next()?;
            let master = view.at(self.nodes[of].port())?;
            let ports = view.members.iter().filter(|member| member.master.as_ref() == Some(&master.id));
            let replicas: Vec<usize> = ports.filter_map(|member| self.place(member.port)).collect();
            // Every master has one, but a view may be older than the last change.
            (!replicas.is_empty()).then_some(replicas)
        })
        .await
    }

    /// Kills the owner of a slot and returns its place.
    pub async fn crash_owner(&mut self, slot: u16) -> Result<usize, Error> {
        let place = self.owner(slot).await?;
        self.nodes[place].crash();
        Ok(place)
    }

    /// Waits until all nodes run, agree on everything, own all slots, and all replicas are in sync.
    pub async fn settled(&self) -> Result<(), Error> {
        until("the cluster to settle", || async { self.is_settled().await.then_some(()) }).await
    }

    async fn is_settled(&self) -> bool {
        let views = self.views().await;
        if views.len() < self.nodes.len() || !views.iter().all(|view| view.is_well(self.nodes.len())) {
            return false;
        }
        if !views.iter().all(|view| view.owners() == views[0].owners()) {
            return false;
        }
        let links = join_all(self.nodes.iter().map(|node| async {
            let replication = node.info("replication").await.unwrap_or_default();
            let cluster: String = node.ask(&["CLUSTER", "INFO"]).await.unwrap_or_default();
            let is_replica = field(&replication, "role") == Some("slave");
            let is_in_sync = field(&replication, "master_link_status") == Some("up");
            field(&cluster, "cluster_state") == Some("ok") && is_replica == is_in_sync
        }));
        links.await.into_iter().all(|is_well| is_well)
    }

    async fn share_slots(&self) -> Result<(), Error> {
        for (place, master) in self.nodes[..MASTERS].iter().enumerate() {
            let (first, end) = (SLOTS * place / MASTERS, SLOTS * (place + 1) / MASTERS);
            master.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]).await?;
            let range = [first, end - 1].map(|slot| slot.to_string());
            master.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]).await?;
        }
        Ok(())
    }

    async fn introduce(&self) -> Result<(), Error> {
        for node in &self.nodes[1..] {
            let bus: Vec<String> = node.ask(&["CONFIG", "GET", "cluster-port"]).await?;
            let (port, bus) = (node.port().to_string(), bus.last().cloned().unwrap_or_default());
            self.nodes[0].ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await?;
        }
        until("all nodes to know each other", || async {
            let views = self.views().await;
            let know_all = views.iter().filter(|view| view.is_well(self.nodes.len())).count();
            (know_all == self.nodes.len()).then_some(())
        })
        .await
    }

    async fn appoint_replicas(&self) -> Result<(), Error> {
        for (place, replica) in self.nodes[MASTERS..].iter().enumerate() {
            let master: String = self.nodes[place].ask(&["CLUSTER", "MYID"]).await?;
            replica.ask::<()>(&["CLUSTER", "REPLICATE", &master]).await?;
        }
        until("each master to have its replica", || async {
            let online = join_all(self.nodes[..MASTERS].iter().map(RedisServer::replicas_online)).await;
            online.iter().all(|online| *online == Some(1)).then_some(())
        })
        .await
    }

    /// What each node that answers thinks of all.
    async fn views(&self) -> Vec<View> {
        let answers = join_all(self.nodes.iter().map(|node| node.ask::<String>(&["CLUSTER", "NODES"]))).await;
        answers.into_iter().filter_map(|answer| answer.ok().map(|text| View::parse(&text))).collect()
    }

    async fn named(&self, slot: u16) -> Option<usize> {
        let owners: Vec<_> = self.views().await.iter().map(|view| view.owner(slot)).collect();
        let first = *owners.first()?;
        if owners.iter().any(|owner| *owner != first) {
            return None;
        }
        self.place(first?)
    }

    fn place(&self, port: u16) -> Option<usize> {
        self.nodes.iter().position(|node| node.port() == port)
    }
}

fn node(settings: &[&str]) -> Result<RedisServer, Error> {
    RedisServer::launch(Kind::Server, "redis", &[], |port| {
        let (port, bus) = (port.to_string(), free_port()?.to_string());
        let keeps = ["--maxmemory-policy", "noeviction", "--appendonly", "yes", "--appendfsync", "everysec"];
        let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT];
        // Whoever was cut off for long may still follow its master: in a test nothing else is left to.
        let cluster = [
            &cluster[..],
            &["--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0"],
        ]
        .concat();
        let own = ["--port", &port, "--cluster-port", &bus];
        Ok(lines(&[&own[..], &keeps, &cluster, settings].concat()))
    })
}
