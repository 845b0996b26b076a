//! The engine: each operation is one script call in one partition.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    CheckSubmission, Moment, Partition, PartitionCount, ProviderName, Verification, VerificationId,
};
use otter_store::{
    Board, BoardEntry, CheckAnswer, Claim, Claimed, Commit, CommitVerdict, Error, Events, EvidenceCell,
    Grant, LaneDepth, Lease, MergeVerdict, Position, ReceiptMerge, Retention, Sealer, Stamped, Store, Wake,
};
use redis::Script;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use tokio::sync::broadcast;

use crate::answer::{
    Cell, CheckOutcome, ClaimedJob, CommitOutcome, FoundEvents, LeaseOutcome, MergeOutcome, refill,
};
use crate::argument::{
    CheckItem, ClaimArgument, CommitItem, DueArgument, EventsArgument, EvidenceArgument, Items, Keep,
    LanesArgument, LeaseItem, LoadArgument, MergeItem, PostArgument, ReadArgument, RenewArgument,
    TakeArgument, millis,
};
use crate::connection::{Connection, client};
use crate::layout::Fields;
use crate::scripts::Scripts;
use crate::wake::Listener;
use crate::{Options, startup};

/// How long a verification whose instant has come is hidden from other schedulers.
const HIDDEN: Duration = Duration::from_secs(5);

/// The key under which the installation's number of partitions is posted.
const PARTITIONS: &str = "partitions";

/// The entry of the installation's board that holds a keyed hash of the install key.
const INSTALL: &str = "install";

/// Durable state in one Redis or Valkey server.
///
/// Cheap to share; one connection carries all calls of a process, a second one listens for wakes. A lost connection
/// comes back by itself; calls fail with [`Error::Unavailable`] meanwhile.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    listener: Listener,
    scripts: Scripts,
    /// Of each partition, by its index.
    prefixes: Vec<String>,
    partitions: PartitionCount,
    retention: Retention,
    keep: Keep,
    sealer: Sealer,
}

impl RedisStore {
    /// Connects, and examines the server before anything is trusted to it.
    ///
    /// Fails with [`Error::Unsuitable`] when the server is too old, a replica or part of a cluster, when it could lose
    /// what is accepted (unless [`crate::Require::Warn`]), or when the installation has
    /// another number of partitions or another install key.
    pub async fn connect(options: Options) -> Result<Arc<Self>, Error> {
        let Options { url, prefix, partitions, retention, response_timeout, require, sealer, install } =
            options;
        if prefix.is_empty() || prefix.contains(['{', '}', ':']) {
            return Err(Error::Unsuitable {
                why: "the key prefix must be a word without {, } and :".to_owned(),
            });
        }
        let client = client(&url)?;
        let connection = Connection::open(client.clone(), response_timeout).await?;
        startup::judge(&connection.info().await?, require)?;
        let prefixes: Vec<String> = partitions.all().map(|home| format!("{prefix}:{{{home}}}:")).collect();
        let channels = partitions.all().zip(prefixes.iter().map(|prefix| format!("{prefix}wake"))).collect();
        let store = Self {
            connection,
            listener: Listener::start(client, channels),
            scripts: Scripts::new(),
            prefixes,
            partitions,
            retention,
            keep: Keep::from(retention),
            sealer,
        };
        let ours = store.partitions.get().to_string();
        let has = |theirs: &str| format!("has {theirs} partitions and the configuration says {ours}");
        store.agree(PARTITIONS, &ours, has).await?;
        let install: String = install.iter().map(|byte| format!("{byte:02x}")).collect();
        store.agree(INSTALL, &install, |_| "was made under another install key".to_owned()).await?;
        Ok(Arc::new(store))
    }

    /// The first process of an installation says what is fixed from then on; all others must say the same.
    async fn agree(&self, key: &str, ours: &str, wrong: impl Fn(&str) -> String) -> Result<(), Error> {
        let entry = self.entry(Board::Installation, key, ours.as_bytes().to_vec(), None, true);
        let theirs: Stamped<ByteBuf> =
            self.run(self.shared(), &self.scripts.post, &entry, "reading the installation").await?;
        if theirs.value == ours.as_bytes() {
            return Ok(());
        }
        let wrong = wrong(&String::from_utf8_lossy(&theirs.value));
        Err(Error::Unsuitable { why: format!("the installation {wrong}; it is fixed at install") })
    }

    fn entry<'a>(
        &self,
        board: Board,
        key: &'a str,
        value: Vec<u8>,
        life: Option<Duration>,
        once: bool,
    ) -> PostArgument<'a> {
        PostArgument { board: board.as_str(), key, value: ByteBuf::from(value), life: life.map(millis), once }
    }

    /// The home of boards.
    fn shared(&self) -> &str {
        &self.prefixes[0]
    }

    /// The home of a bucket: FNV-1a of its key.
    fn home_of(&self, key: &str) -> &str {
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        &self.prefixes[usize::from(self.partitions.of_hash(hash).index())]
    }

    fn prefix(&self, home: Partition) -> Result<&str, Error> {
        let why = || format!("partition {home} does not exist, there are {}", self.partitions.get());
        let prefix = self.prefixes.get(usize::from(home.index()));
        prefix.map(String::as_str).ok_or_else(|| Error::Unsuitable { why: why() })
    }

    async fn run<A: DeserializeOwned>(
        &self,
        prefix: &str,
        script: &Script,
        argument: &impl Serialize,
        doing: &'static str,
    ) -> Result<Stamped<A>, Error> {
        let (now, value) = self.connection.run(script, prefix, argument, doing).await?;
        Ok(Stamped { now: Moment::from_millis(now), value })
    }

    /// The same for a batch whose answers become something else one by one.
    async fn run_each<A: DeserializeOwned, T>(
        &self,
        home: Partition,
        script: &Script,
        argument: &impl Serialize,
        doing: &'static str,
        convert: impl Fn(A) -> Result<T, Error>,
    ) -> Result<Stamped<Vec<T>>, Error> {
        let answers: Stamped<Vec<A>> = self.run(self.prefix(home)?, script, argument, doing).await?;
        let value = answers.value.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Stamped { now: answers.now, value })
    }

    fn items<T>(&self, items: impl IntoIterator<Item = T>) -> Items<T> {
        Items { keep: self.keep, items: items.into_iter().collect() }
    }
}

#[async_trait]
impl Store for RedisStore {
    fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.listener.subscribe()
    }

    async fn now(&self) -> Result<Moment, Error> {
        let answer: Stamped<bool> =
            self.run(self.shared(), &self.scripts.now, &(), "reading the clock").await?;
        Ok(answer.now)
    }

    async fn commit(
        &self,
        home: Partition,
        items: Vec<Commit>,
    ) -> Result<Stamped<Vec<CommitVerdict>>, Error> {
        if let Some(stray) =
            items.iter().map(|item| item.next.id).find(|id| id.partition_index() != home.index())
        {
            let why = format!("verification {stray} does not belong to partition {home}");
            return Err(Error::Unsuitable { why });
        }
        let items =
            self.items(items.into_iter().map(|item| CommitItem::of(item, &self.sealer, &self.retention)));
        self.run_each(home, &self.scripts.commit, &items, "committing", CommitOutcome::verdict).await
    }

    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error> {
        let argument = ClaimArgument {
            lane: claim.lane.to_string(),
            worker: claim.worker.to_string(),
            lease: millis(claim.lease),
            max: claim.max,
        };
        let claimed = self.run_each(home, &self.scripts.claim, &argument, "claiming", |job: ClaimedJob| {
            Ok(readable(job.claimed(&self.sealer), "a job was claimed whose record cannot be read"))
        });
        Ok(claimed.await?.present())
    }

    async fn renew(
        &self,
        home: Partition,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Stamped<Vec<bool>>, Error> {
        let items = leases.into_iter().map(LeaseItem::from).collect();
        let argument = RenewArgument { lease: millis(lease), items };
        let convert = |outcome: LeaseOutcome| Ok(outcome.held());
        self.run_each(home, &self.scripts.renew, &argument, "renewing leases", convert).await
    }

    async fn check(
        &self,
        home: Partition,
        items: Vec<CheckSubmission>,
    ) -> Result<Stamped<Vec<CheckAnswer>>, Error> {
        let items = self.items(items.into_iter().map(CheckItem::from));
        self.run_each(home, &self.scripts.check, &items, "checking codes", CheckOutcome::answer).await
    }

    async fn merge(
        &self,
        home: Partition,
        items: Vec<ReceiptMerge>,
    ) -> Result<Stamped<Vec<MergeVerdict>>, Error> {
        let items = self.items(items.into_iter().map(MergeItem::from));
        let convert = |outcome: MergeOutcome| outcome.verdict(&self.sealer);
        self.run_each(home, &self.scripts.merge, &items, "merging receipts", convert).await
    }

    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error> {
        let argument = DueArgument { max, hide: millis(HIDDEN) };
        let due =
            self.run_each(home, &self.scripts.due, &argument, "reading what is due", |fields: Fields| {
                Ok(readable(fields.verification(&self.sealer), "a verification is due that cannot be read")
                    .flatten())
            });
        Ok(due.await?.present())
    }

    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error> {
        let argument = LoadArgument { ids: ids.iter().map(VerificationId::to_string).collect() };
        let convert = |fields: Fields| Ok(fields.verification(&self.sealer));
        let found: Stamped<Vec<Result<Option<Verification>, Error>>> =
            self.run_each(home, &self.scripts.load, &argument, "loading", convert).await?;
        Ok(Stamped { now: found.now, value: legible(found.value)? })
    }

    async fn events(
        &self,
        home: Partition,
        after: Option<Position>,
        max: usize,
    ) -> Result<Stamped<Events>, Error> {
        let argument = EventsArgument { keep: self.keep, after: after.map(|position| position.0), max };
        let found: Stamped<FoundEvents> =
            self.run(self.prefix(home)?, &self.scripts.events, &argument, "reading events").await?;
        Ok(Stamped { now: found.now, value: found.value.events() })
    }

    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error> {
        let argument = EvidenceArgument { keep: self.keep, since: since.as_millis() };
        self.run_each(home, &self.scripts.evidence, &argument, "reading evidence", Cell::cell).await
    }

    async fn lanes(
        &self,
        home: Partition,
        lanes: Vec<ProviderName>,
    ) -> Result<Stamped<Vec<LaneDepth>>, Error> {
        let argument = LanesArgument { lanes: lanes.iter().map(ProviderName::to_string).collect() };
        let convert = |(ready, oldest): (u64, u64)| {
            Ok(LaneDepth { ready, oldest: (ready > 0).then_some(Moment::from_millis(oldest)) })
        };
        self.run_each(home, &self.scripts.lanes, &argument, "reading lanes", convert).await
    }

    async fn take(&self, key: &str, rate: f64, burst: u32, want: u32) -> Result<Stamped<Grant>, Error> {
        let argument = TakeArgument { key, rate, burst, want };
        let taken: Stamped<(u32, i64)> =
            self.run(self.home_of(key), &self.scripts.take, &argument, "taking tokens").await?;
        let (granted, wait) = taken.value;
        Ok(Stamped { now: taken.now, value: Grant { granted, retry_after: refill(wait) } })
    }

    async fn post(
        &self,
        board: Board,
        key: &str,
        value: Vec<u8>,
        life: Option<Duration>,
    ) -> Result<(), Error> {
        let entry = self.entry(board, key, value, life, false);
        let _: Stamped<ByteBuf> = self.run(self.shared(), &self.scripts.post, &entry, "posting").await?;
        Ok(())
    }

    async fn read(&self, board: Board) -> Result<Stamped<Vec<BoardEntry>>, Error> {
        let argument = ReadArgument { board: board.as_str() };
        let posted: Stamped<Vec<(String, ByteBuf)>> =
            self.run(self.shared(), &self.scripts.read, &argument, "reading a board").await?;
        let mut entries: Vec<_> = posted
            .value
            .into_iter()
            .map(|(key, value)| BoardEntry { key, value: value.into_vec() })
            .collect();
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Stamped { now: posted.now, value: entries })
    }
}

/// A record that cannot be read is told to people and left out, so that it does not keep others from being worked on.
fn readable<T>(record: Result<T, Error>, message: &'static str) -> Option<T> {
    record.inspect_err(|error| tracing::error!(%error, "{message}")).ok()
}

/// The records that can be read; the others read as absent. Only when there are no others is the error the answer.
fn legible(records: Vec<Result<Option<Verification>, Error>>) -> Result<Vec<Option<Verification>>, Error> {
    if records.iter().all(Result::is_err) {
        return records.into_iter().collect();
    }
    let message = "a verification was asked for that cannot be read";
    Ok(records.into_iter().map(|record| readable(record, message).flatten()).collect())
}

trait Present<T> {
    fn present(self) -> Stamped<Vec<T>>;
}

impl<T> Present<T> for Stamped<Vec<Option<T>>> {
    /// Without those that are not there.
    fn present(self) -> Stamped<Vec<T>> {
        Stamped { now: self.now, value: self.value.into_iter().flatten().collect() }
    }
}
