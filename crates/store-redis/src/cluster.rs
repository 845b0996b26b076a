//! A cluster: which primary has which partition, and what becomes of that.
//!
//! A surveyor in the background asks the primaries what they own: every few seconds, and at once when a call was sent on,
//! refused or not answered. Calls go where the last survey, or a server that sent a call on, says. `ASK` is never
//! followed: the server that a slot comes to has only some of its keys, and a script that ran there would make others of
//! those that it does not find.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use otter_domain::Partition;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::address::Server;
use crate::connection::Home;
use crate::failure::Failure;
use crate::line::Whereabouts;
use crate::primary::{Blueprint, Primary};
use crate::slots::{SlotMap, owner, primaries, slot_of};
use crate::wake::Channel;

/// How often primaries are asked although nothing has happened.
const PERIOD: Duration = Duration::from_secs(5);

/// The shortest time between two surveys.
const SPACING: Duration = Duration::from_millis(50);

/// The most servers that one survey asks.
const MOST_ASKED: usize = 16;

/// How many requests may wait; more would say the same.
const REQUESTS: usize = 64;

/// What is known of the cluster.
#[derive(Debug, Clone, Default)]
struct View {
    /// By the partition's index; `None` where nobody serves the slot.
    owners: Vec<Option<Server>>,
    primaries: BTreeMap<Server, Arc<Primary>>,
}

impl View {
    fn primary(&self, home: Partition) -> Option<&Arc<Primary>> {
        let owner = self.owners.get(usize::from(home.index()))?.as_ref()?;
        self.primaries.get(owner)
    }
}

/// Why a survey is wanted.
#[derive(Debug)]
enum Request {
    /// Something does not fit.
    Look,
    /// A server says that a partition's slot is there.
    Moved(Partition, Server),
}

/// The primaries of a cluster. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Cluster {
    view: watch::Receiver<Arc<View>>,
    requests: mpsc::Sender<Request>,
    task: JoinHandle<()>,
}

impl Cluster {
    /// Asks the first servers for all others, and examines every primary that can be reached. Those that cannot be are
    /// looked at when they can: one dead server is no reason not to serve the others' partitions.
    pub(crate) async fn open(
        blueprint: Blueprint,
        seeds: Vec<Server>,
        homes: &[Home],
    ) -> Result<Self, Failure> {
        let homes = homes.iter().map(|home| (home.partition, home.channel(), slot_of(&home.tag()))).collect();
        let surveyor = Surveyor { blueprint, seeds, homes };
        let answers = surveyor.ask_seeds(&BTreeSet::new()).await?;
        let view = surveyor.first_view(&answers).await?;
        let (requests, requested) = mpsc::channel(REQUESTS);
        let (sender, view) = watch::channel(Arc::new(view));
        let task = tokio::spawn(surveyor.survey_for_ever(sender, requested));
        Ok(Self { view, requests, task })
    }

    /// The primary that has a partition, once there is one.
    pub(crate) async fn primary(&self, home: Partition) -> Arc<Primary> {
        let mut view = self.view.clone();
        loop {
            if let Some(primary) = view.borrow_and_update().primary(home) {
                return Arc::clone(primary);
            }
            self.look();
            if view.changed().await.is_err() {
                // The surveyor lives as long as this value; without it there is nothing to wait for.
                return std::future::pending().await;
            }
        }
    }

    /// Why a partition cannot be asked, if that is known.
    pub(crate) fn failure(&self, home: Partition) -> Option<Failure> {
        match self.view.borrow().primary(home) {
            Some(primary) => primary.failure(),
            None => Some(Failure::Nobody("no server of the cluster serves the partition's slot")),
        }
    }

    /// Asks for a survey, as something does not fit.
    pub(crate) fn look(&self) {
        // With a full queue one is under way.
        self.requests.try_send(Request::Look).ok();
    }

    /// Takes note of why a call was not carried out.
    pub(crate) fn note(&self, home: Partition, primary: &Primary, failure: &Failure) {
        if let Failure::Unconfirmed { .. } = failure {
            // That says nothing about who owns what.
            return;
        }
        let same_host = || primary.line().map(|line| line.server.host);
        let target = failure.moved_to().and_then(|target| {
            let server = Server::parse(&target, 0)?;
            let host = if server.host.is_empty() { same_host()? } else { server.host };
            (server.port != 0).then_some(Server { host, ..server })
        });
        match target {
            Some(server) => drop(self.requests.try_send(Request::Moved(home, server))),
            None => self.look(),
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answers = Vec<(Server, SlotMap)>;

struct Surveyor {
    blueprint: Blueprint,
    seeds: Vec<Server>,
    /// Each partition with its channel and its slot.
    homes: Vec<(Partition, String, u16)>,
}

impl Surveyor {
    async fn survey_for_ever(self, view: watch::Sender<Arc<View>>, mut requests: mpsc::Receiver<Request>) {
        loop {
            let mut hints = BTreeMap::new();
            let mut take = |request| match request {
                Request::Look => {}
                Request::Moved(home, server) => drop(hints.insert(home.index(), server)),
            };
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => take(request),
                    None => return,
                },
                () = sleep(PERIOD) => {}
            }
            while let Ok(request) = requests.try_recv() {
                take(request);
            }
            let before = Arc::clone(&view.borrow());
            if !hints.is_empty() {
                view.send_replace(Arc::new(self.view(&before, &[], &hints)));
            }
            let before = Arc::clone(&view.borrow());
            let answers = self.ask(&before).await;
            if !answers.is_empty() {
                view.send_replace(Arc::new(self.view(&before, &answers, &hints)));
            }
            sleep(SPACING).await;
        }
    }

    /// Asks the primaries that there is a line to, and if few answer the first servers too.
    async fn ask(&self, view: &View) -> Answers {
        let lines = view.primaries.values().filter_map(|primary| primary.line()).take(MOST_ASKED);
        let asked = lines.map(|line| async move {
            let mut connection = line.connection;
            let answer =
                timeout(self.blueprint.access.patience(), slots(&mut connection, &line.server)).await;
            answer.ok()?.ok().map(|map| (line.server, map))
        });
        let mut answers: Answers = join_all(asked).await.into_iter().flatten().collect();
        if answers.len() * 2 <= view.primaries.len() {
            let known = answers.iter().map(|(server, _)| server.clone()).collect();
            answers.extend(self.ask_seeds(&known).await.unwrap_or_default());
        }
        answers
    }

    /// Asks the first servers but for some; fails if none answers.
    async fn ask_seeds(&self, but: &BTreeSet<Server>) -> Result<Answers, Failure> {
        let seeds = self.seeds.iter().filter(|seed| !but.contains(seed)).take(MOST_ASKED);
        let asked = join_all(seeds.map(|seed| async move {
            let answer = async {
                let mut connection = self.blueprint.access.connect_briefly(seed).await?;
                slots(&mut connection, seed).await
            };
            let map = answer.await.map_err(|error| refusal(error).at(seed))?;
            Ok::<_, Failure>((seed.clone(), map))
        }));
        let (mut answers, mut failure) = (Answers::new(), None);
        for answer in asked.await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(refused) => failure = Some(refused),
            }
        }
        if answers.is_empty() {
            return Err(failure.unwrap_or(Failure::Nobody("no server of the cluster answers")));
        }
        Ok(answers)
    }

    /// The view of a process that starts: every primary has been examined, or cannot be reached.
    async fn first_view(&self, answers: &Answers) -> Result<View, Failure> {
        let owners = self.owners(answers, &BTreeMap::new(), &View::default());
        let servers = self.servers(answers, &owners);
        let opened = join_all(servers.into_iter().map(|server| async {
            let whereabouts = Whereabouts::Known(server.clone());
            let channels = self.channels(&owners, &server);
            match self.blueprint.open(whereabouts.clone(), channels.clone()).await {
                Ok(primary) => Ok((server, primary, None)),
                Err(failure) if failure.is_unsuitable() => Err(failure),
                Err(failure) => Ok((server, self.blueprint.start(whereabouts, channels), Some(failure))),
            }
        }));
        let opened = opened.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        if let [(_, _, Some(failure)), ..] = opened.as_slice()
            && opened.iter().all(|(_, _, failure)| failure.is_some())
        {
            return Err(failure.clone());
        }
        let primaries = opened.into_iter().map(|(server, primary, failure)| {
            if let Some(failure) = failure {
                tracing::warn!(%server, error = %failure.reason(), "a server of the store's cluster does not answer");
            }
            (server, Arc::new(primary))
        });
        Ok(View { primaries: primaries.collect(), owners })
    }

    fn view(&self, before: &View, answers: &[(Server, SlotMap)], hints: &BTreeMap<u16, Server>) -> View {
        let owners = self.owners(answers, hints, before);
        let mut servers = self.servers(answers, &owners);
        if answers.is_empty() {
            servers.extend(before.primaries.keys().cloned());
        }
        let primaries = servers.into_iter().map(|server| {
            let channels = self.channels(&owners, &server);
            let primary = match before.primaries.get(&server) {
                Some(primary) => {
                    primary.listen_to(channels);
                    Arc::clone(primary)
                }
                None => {
                    tracing::info!(%server, "a server of the store's cluster is new");
                    Arc::new(self.blueprint.start(Whereabouts::Known(server.clone()), channels))
                }
            };
            (server, primary)
        });
        View { primaries: primaries.collect(), owners }
    }

    fn owners(
        &self,
        answers: &[(Server, SlotMap)],
        hints: &BTreeMap<u16, Server>,
        before: &View,
    ) -> Vec<Option<Server>> {
        let owner = |(home, _, slot): &(Partition, String, u16)| {
            let hint = hints.get(&home.index());
            if answers.is_empty() && hint.is_none() {
                return before.owners.get(usize::from(home.index())).cloned().flatten();
            }
            owner(answers, *slot, hint)
        };
        self.homes.iter().map(owner).collect()
    }

    /// The primaries that there are: those that most name, and those that have a partition.
    fn servers(&self, answers: &[(Server, SlotMap)], owners: &[Option<Server>]) -> BTreeSet<Server> {
        let mut servers = primaries(answers);
        servers.extend(owners.iter().flatten().cloned());
        servers
    }

    fn channels(&self, owners: &[Option<Server>], server: &Server) -> Vec<Channel> {
        let homes = self.homes.iter().zip(owners).filter(|(_, owner)| owner.as_ref() == Some(server));
        homes.map(|((home, channel, _), _)| (*home, channel.clone())).collect()
    }
}

async fn slots(connection: &mut MultiplexedConnection, asked: &Server) -> Result<SlotMap, RedisError> {
    SlotMap::read(redis::cmd("CLUSTER").arg("SLOTS").query_async(connection).await?, asked)
}

/// A server that knows of no cluster will not know later.
fn refusal(error: RedisError) -> Failure {
    if error.detail().is_some_and(|detail| detail.contains("cluster support disabled")) {
        return Failure::Unsuitable("the server is not part of a cluster; use redis:// for it".to_owned());
    }
    error.into()
}
