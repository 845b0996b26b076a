//! Slots that move from one master to another, step by step or all at once.

use std::process::Command;
use std::time::Duration;

use super::super::{Error, ask, command};
use super::Cluster;

/// How long a step may take; keys travel in it.
const STEP: Duration = Duration::from_secs(30);

/// A slot that is on its way: its owner sends clients elsewhere for keys that it has no more.
#[derive(Debug)]
pub struct SlotMove {
    slot: String,
    source: Party,
    target: Party,
    others: Vec<String>,
}

#[derive(Debug)]
struct Party {
    url: String,
    id: String,
    port: String,
}

impl Cluster {
    /// Puts a slot on its way from its owner to the master at another place. No key has moved then.
    pub async fn begin_move(&self, slot: u16, to: usize) -> Result<SlotMove, Error> {
        let from = self.owner(slot).await?;
        let (source, target) = (self.party(from).await?, self.party(to).await?);
        let mut others = Vec::new();
        for (place, node) in self.nodes.iter().enumerate() {
            if place != from && place != to && node.replicas_online().await.is_some_and(|online| online > 0) {
                others.push(node.url());
            }
        }
        let slot = slot.to_string();
        set_slot(&target.url, &slot, "IMPORTING", &source.id).await?;
        set_slot(&source.url, &slot, "MIGRATING", &target.id).await?;
        Ok(SlotMove { slot, source, target, others })
    }

    /// Has `redis-cli` move a number of slots from one master to another, and returns when it is done.
    pub async fn reshard(&self, from: usize, to: usize, slots: u16) -> Result<(), Error> {
        let (source, target) = (self.party(from).await?, self.party(to).await?);
        let mut tool = Command::new("redis-cli");
        tool.args(["--cluster", "reshard", &self.nodes[to].address().to_string(), "--cluster-yes"]);
        tool.args(["--cluster-from", &source.id, "--cluster-to", &target.id]);
        tool.args(["--cluster-slots", &slots.to_string()]);
        let output =
            tokio::task::spawn_blocking(move || tool.output()).await.map_err(std::io::Error::other)??;
        let text = || String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.success() { Ok(()) } else { Err(Error::Tool(text())) }
    }

    async fn party(&self, place: usize) -> Result<Party, Error> {
        let node = &self.nodes[place];
        let id = node.ask(&["CLUSTER", "MYID"]).await?;
        Ok(Party { url: node.url(), id, port: node.port().to_string() })
    }
}

impl SlotMove {
    /// Moves up to so many keys and returns how many there were.
    pub async fn move_keys(&mut self, at_most: usize) -> Result<usize, Error> {
        let list = ["CLUSTER", "GETKEYSINSLOT", &self.slot, &at_most.to_string()];
        let keys: Vec<Vec<u8>> = ask(&self.source.url, &command(&list), STEP).await?;
        if keys.is_empty() {
            return Ok(0);
        }
        let timeout = STEP.as_millis().to_string();
        let mut migrate = command(&["MIGRATE", "127.0.0.1", &self.target.port, "", "0", &timeout, "KEYS"]);
        migrate.arg(&keys);
        ask::<()>(&self.source.url, &migrate, STEP).await?;
        Ok(keys.len())
    }

    /// Moves what is left and makes the target the owner, known to all masters.
    pub async fn finish(mut self) -> Result<(), Error> {
        const BATCH: usize = 100;
        while self.move_keys(BATCH).await? > 0 {}
        // The target first: if the source went first, both would send clients to each other.
        for url in [&self.target.url, &self.source.url].into_iter().chain(&self.others) {
            set_slot(url, &self.slot, "NODE", &self.target.id).await?;
        }
        Ok(())
    }
}

async fn set_slot(url: &str, slot: &str, state: &str, node: &str) -> Result<(), Error> {
    Ok(ask(url, &command(&["CLUSTER", "SETSLOT", slot, state, node]), STEP).await?)
}
