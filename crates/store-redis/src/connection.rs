//! Calls to the servers: scripts that travel to the primary of their partition, each with a bounded patience.

use std::sync::Arc;
use std::time::Duration;

use otter_domain::Partition;
use otter_store::{Error, Wake};
use redis::Script;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

use crate::Options;
use crate::address::{Access, Address, Server, Shape};
use crate::call::Call;
use crate::cluster::Cluster;
use crate::failure::{Failure, unavailable};
use crate::line::Whereabouts;
use crate::pack::pack;
use crate::primary::{Blueprint, Primary};
use crate::sentinel::Sentinels;
use crate::startup::Member;
use crate::wake::{BACKLOG, Channel, Subscription};

/// The first pause before a call that was refused for a reason that passes is made again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(160);

/// What the names of channels end with.
const CHANNEL: &str = "wake";

/// A partition as the servers know it.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) partition: Partition,
    /// What all of its keys begin with: `<prefix>:{pNN}:`.
    pub(crate) prefix: String,
}

impl Home {
    pub(crate) fn new(prefix: &str, partition: Partition) -> Self {
        Self { partition, prefix: format!("{prefix}:{{{partition}}}:") }
    }

    /// What decides on its slot.
    pub(crate) fn tag(&self) -> String {
        self.partition.to_string()
    }

    /// Where scripts publish what there is to look at.
    pub(crate) fn channel(&self) -> String {
        format!("{}{CHANNEL}", self.prefix)
    }

    /// The prefix of the partition that a channel is of.
    pub(crate) fn prefix_of(channel: &str) -> &str {
        channel.strip_suffix(CHANNEL).unwrap_or(channel)
    }
}

/// The lines of a process to the servers of its store.
#[derive(Debug)]
pub(crate) struct Connection {
    topology: Topology,
    patience: Duration,
    subscription: Subscription,
    wakes: broadcast::Sender<Wake>,
}

#[derive(Debug)]
enum Topology {
    One(Arc<Primary>),
    Cluster(Cluster),
}

impl Connection {
    /// Connects, and examines every primary before anything is trusted to it. Every call from now on takes at most the
    /// options' patience, waiting for a lost line included.
    pub(crate) async fn open(options: &Options, address: &Address, homes: &[Home]) -> Result<Self, Error> {
        let access = Access::to_data(address, options)?;
        let (wakes, _) = broadcast::channel(BACKLOG);
        let member = address.member();
        let blueprint = Blueprint::new(options, access.clone(), member, wakes.clone());
        let opened = match &address.shape {
            Shape::Alone => one(&blueprint, known(&address.servers[0]), homes).await,
            Shape::Sentinel { service } => {
                let access = access.to_sentinels(options);
                let sentinels = Sentinels::new(service.clone(), &address.servers, access);
                one(&blueprint, Whereabouts::Sentinels(sentinels), homes).await
            }
            Shape::Cluster => {
                let cluster = Cluster::open(blueprint, address.servers.clone(), homes).await;
                cluster.map(Topology::Cluster)
            }
        };
        let topology = opened.map_err(Failure::opening)?;
        let subscription = Subscription::of(member);
        Ok(Self { topology, patience: options.response_timeout, subscription, wakes })
    }

    /// News of all partitions.
    pub(crate) fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }

    /// Runs a script in one partition and reads its answer. With `confirm`, what it wrote is as durable as was asked for
    /// when there is an answer.
    pub(crate) async fn run<A: DeserializeOwned>(
        &self,
        script: &Script,
        confirm: bool,
        home: &Home,
        argument: &impl Serialize,
        doing: &'static str,
    ) -> Result<A, Error> {
        let argument = pack(argument).map_err(unavailable(doing))?;
        let publish = self.subscription.publish();
        let call = Call { script, confirm, prefix: &home.prefix, argument, publish };
        let mut refused = None;
        let carried = timeout(self.patience, self.carry(home.partition, &call, &mut refused)).await;
        let answer = carried.unwrap_or_else(|_| Err(self.why_late(home.partition, refused)));
        rmp_serde::from_slice(&answer.map_err(unavailable(doing))?).map_err(unavailable(doing))
    }

    /// Makes a call until it is carried out or refused for good. `refused` is why it was refused last.
    async fn carry(
        &self,
        home: Partition,
        call: &Call<'_>,
        refused: &mut Option<Failure>,
    ) -> Result<Vec<u8>, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let primary = self.topology.primary(home).await;
            let failure = match primary.run(home, call).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            self.topology.note(home, &primary, &failure);
            if !failure.passes() {
                return Err(failure);
            }
            *refused = Some(failure);
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Why there was no answer in time.
    fn why_late(&self, home: Partition, refused: Option<Failure>) -> Failure {
        let failure = match &self.topology {
            Topology::One(primary) => primary.failure(),
            Topology::Cluster(cluster) => {
                cluster.look();
                cluster.failure(home)
            }
        };
        refused.or(failure).unwrap_or(Failure::Silence)
    }
}

impl Topology {
    async fn primary(&self, home: Partition) -> Arc<Primary> {
        match self {
            Self::One(primary) => Arc::clone(primary),
            Self::Cluster(cluster) => cluster.primary(home).await,
        }
    }

    fn note(&self, home: Partition, primary: &Primary, failure: &Failure) {
        match self {
            // Its line has taken note itself.
            Self::One(_) => {}
            Self::Cluster(cluster) => cluster.note(home, primary, failure),
        }
    }
}

impl Address {
    /// What the primaries are.
    pub(crate) fn member(&self) -> Member {
        match self.shape {
            Shape::Alone | Shape::Sentinel { .. } => Member::Alone,
            Shape::Cluster => Member::Cluster,
        }
    }
}

fn known(server: &Server) -> Whereabouts {
    Whereabouts::Known(server.clone())
}

/// The one primary that has all partitions.
async fn one(blueprint: &Blueprint, whereabouts: Whereabouts, homes: &[Home]) -> Result<Topology, Failure> {
    let channels: Vec<Channel> = homes.iter().map(|home| (home.partition, home.channel())).collect();
    let primary = blueprint.open(whereabouts, channels).await?;
    Ok(Topology::One(Arc::new(primary)))
}
