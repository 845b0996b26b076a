//! The engine: each operation is one script call in one partition.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    ChannelClass, CheckScope, CheckSubmission, FailedChecks, Lift, Moment, Partition, PartitionCount,
    ProviderName, Verification, VerificationId,
};
use otter_store::{
    Board, BoardEntry, Burial, CheckAnswer, Claim, Claimed, Commit, CommitVerdict, DeadLetter, DeadLetters,
    DeadReason, Discarded, Earlier, Error, Events, EvidenceCell, Grant, LaneDepth, Lease, LetterKey,
    LetterPlace, MergeVerdict, Position, ReceiptMerge, RequestKey, RequestScope, Retention, Sealer, Stamped,
    Store, Wake, bounds::HIDDEN, dead,
};
use redis::Script;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use tokio::sync::broadcast;
use tracing::warn;

use crate::address::Address;
use crate::answer::{
    BurialOutcome, Cell, CheckOutcome, ClaimedJob, CommitOutcome, Counter, DiscardOutcome, FoundEvents,
    LeaseOutcome, Letter, MergeOutcome, RequestOutcome, counters, letters, refill,
};
use crate::argument::{
    AnsweredArgument, BurialItem, CheckItem, ClaimArgument, CommitItem, CountersArgument, DeadArgument,
    DueArgument, EventsArgument, EvidenceArgument, Items, Keep, LanesArgument, LeaseItem, LetterArgument,
    LiftArgument, LoadArgument, MergeItem, PostArgument, ReadArgument, RenewArgument, TakeArgument, millis,
};
use crate::connection::{Connection, Home};
use crate::layout::Fields;
use crate::scripts::Scripts;
use crate::work::{self, Handed};
use crate::{Durability, Options};

/// The key under which the installation's number of partitions is posted.
const PARTITIONS: &str = "partitions";

/// The entry of the installation's board that holds a keyed hash of the install key.
const INSTALL: &str = "install";

/// Durable state in Redis or Valkey: one server, a primary that sentinels name, or a cluster.
///
/// Cheap to share; to each primary one connection carries all calls of a process, and a second one listens for wakes. A
/// lost connection comes back by itself, to whichever server is the primary then; calls fail with
/// [`Error::Unavailable`] meanwhile. On a cluster the partitions of other primaries go on.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    /// By the partition's index.
    homes: Vec<Home>,
    partitions: PartitionCount,
    retention: Retention,
    keep: Keep,
    sealer: Sealer,
    /// The ids of its keys.
    keys: Vec<u8>,
    durability: Durability,
}

impl RedisStore {
    /// Connects, and examines every primary before anything is trusted to it.
    ///
    /// Fails with [`Error::Unsuitable`] when the address or the certificates cannot be used, when a server is too old, a
    /// replica or not what the address says, when it could lose what is accepted (unless [`crate::Require::Warn`]) or
    /// does not keep the promise of [`crate::Durability::Fsync`], or when the installation has another number of
    /// partitions or another install key.
    pub async fn connect(options: Options) -> Result<Arc<Self>, Error> {
        let address = Address::parse(&options.url)?;
        if options.prefix.is_empty() || options.prefix.contains(['{', '}', ':']) {
            return Err(Error::Unsuitable {
                why: "the key prefix must be a word without {, } and :".to_owned(),
            });
        }
        let homes: Vec<Home> =
            options.partitions.all().map(|home| Home::new(&options.prefix, home)).collect();
        let connection = Connection::open(&options, &address, &homes).await?;
        let Options { partitions, retention, sealer, install, durability, .. } = options;
        let store = Self {
            connection,
            scripts: Scripts::new(),
            homes,
            partitions,
            retention,
            keep: Keep::from(retention),
            keys: sealer.keys().into_iter().map(|key| key.0).collect(),
            sealer,
            durability,
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
    fn shared(&self) -> &Home {
        &self.homes[0]
    }

    /// The home of a bucket: FNV-1a of its key.
    fn home_of(&self, key: &str) -> &Home {
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        &self.homes[usize::from(self.partitions.of_hash(hash).index())]
    }

    fn home(&self, home: Partition) -> Result<&Home, Error> {
        let why = || format!("partition {home} does not exist, there are {}", self.partitions.get());
        self.homes.get(usize::from(home.index())).ok_or_else(|| Error::Unsuitable { why: why() })
    }

    async fn run<A: DeserializeOwned>(
        &self,
        home: &Home,
        script: &Script,
        argument: &impl Serialize,
        doing: &'static str,
    ) -> Result<Stamped<A>, Error> {
        let confirm = self.scripts.is_confirmed(script);
        let (now, value) = self.connection.run(script, confirm, home, argument, doing).await?;
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
        let answers: Stamped<Vec<A>> = self.run(self.home(home)?, script, argument, doing).await?;
        let value = answers.value.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Stamped { now: answers.now, value })
    }

    /// Dead letters, and how many there are.
    async fn letters(
        &self,
        home: Partition,
        argument: &DeadArgument,
    ) -> Result<(Moment, Vec<DeadLetter>, u64), Error> {
        let found: Stamped<(Vec<Letter>, u64)> =
            self.run(self.home(home)?, &self.scripts.dead, argument, "reading dead letters").await?;
        let (letters_found, total) = found.value;
        Ok((found.now, letters(letters_found), total))
    }

    /// The moment at which there is nothing to claim on a lane, if there is not and the answer is cheaper than a claim.
    ///
    /// A claim that waits for replicas keeps what else has to be confirmed in its partition waiting, and lanes are asked
    /// four times a second whether or not there is anything on them.
    async fn nothing_waits(&self, home: Partition, lane: &ProviderName) -> Result<Option<Moment>, Error> {
        match self.durability {
            Durability::Primary | Durability::Fsync => Ok(None),
            Durability::Replica { .. } => {
                let depths = self.lanes(home, vec![lane.clone()]).await?;
                Ok(depths.value.iter().all(|depth| depth.ready == 0).then_some(depths.now))
            }
        }
    }

    /// Buries what was handed out and cannot be worked on. If that does not work now, its timer brings it again.
    async fn bury_found(&self, home: Partition, poison: Vec<Burial>) {
        if !poison.is_empty()
            && let Err(error) = self.bury(home, poison).await
        {
            warn!(%error, %home, "could not put aside what cannot be read");
        }
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
        self.connection.wakes()
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

    async fn answered(
        &self,
        home: Partition,
        scope: RequestScope,
        request: RequestKey,
    ) -> Result<Stamped<Earlier>, Error> {
        let argument = AnsweredArgument::of(&scope, request);
        let found: Stamped<RequestOutcome> =
            self.run(self.home(home)?, &self.scripts.answered, &argument, "looking for a request").await?;
        Ok(Stamped { now: found.now, value: found.value.earlier()? })
    }

    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error> {
        if let Some(now) = self.nothing_waits(home, &claim.lane).await? {
            return Ok(Stamped { now, value: Vec::new() });
        }
        let argument = ClaimArgument {
            keep: self.keep,
            keys: self.keys.clone(),
            lane: claim.lane.to_string(),
            worker: claim.worker.to_string(),
            lease: millis(claim.lease),
            max: claim.max,
        };
        let answer: Stamped<(Vec<ClaimedJob>, Vec<Letter>)> =
            self.run(self.home(home)?, &self.scripts.claim, &argument, "claiming").await?;
        let (now, (jobs, buried)) = (answer.now, answer.value);
        dead::announce(home, &letters(buried));
        let (mut claimed, mut poison) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            let handed = match work::look(&job.0, &self.sealer, now) {
                Handed::Whole(verification) => match job.of(*verification) {
                    Ok(job) => {
                        claimed.push(job);
                        continue;
                    }
                    Err(error) => work::poison(&job.0, DeadReason::RecordUnreadable, &error),
                },
                handed @ (Handed::Gone | Handed::Poison(_)) => handed,
            };
            if let Handed::Poison(burial) = handed {
                poison.push(burial);
            }
        }
        self.bury_found(home, poison).await;
        Ok(Stamped { now, value: claimed })
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

    async fn failed_checks(
        &self,
        home: Partition,
        scope: CheckScope,
    ) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        let argument = CountersArgument::of(&scope, &ChannelClass::ALL);
        let found: Stamped<Vec<Counter>> =
            self.run(self.home(home)?, &self.scripts.counters, &argument, "reading failed checks").await?;
        Ok(Stamped { now: found.now, value: counters(found.value, &scope)? })
    }

    async fn lift(&self, home: Partition, lift: Lift) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        let scope = lift.scope.clone();
        let argument = LiftArgument::of(lift, self.keep);
        let lifted: Stamped<Vec<Counter>> =
            self.run(self.home(home)?, &self.scripts.lift, &argument, "lifting failed checks").await?;
        Ok(Stamped { now: lifted.now, value: counters(lifted.value, &scope)? })
    }

    async fn merge(
        &self,
        home: Partition,
        items: Vec<ReceiptMerge>,
    ) -> Result<Stamped<Vec<MergeVerdict>>, Error> {
        let items = self.items(items.into_iter().map(MergeItem::from));
        let convert = |outcome: MergeOutcome| Ok(outcome.verdict(&self.sealer));
        self.run_each(home, &self.scripts.merge, &items, "merging receipts", convert).await
    }

    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error> {
        let argument = DueArgument { keep: self.keep, keys: self.keys.clone(), max, hide: millis(HIDDEN) };
        let answer: Stamped<(Vec<Fields>, Vec<Letter>)> =
            self.run(self.home(home)?, &self.scripts.due, &argument, "reading what is due").await?;
        let (now, (records, buried)) = (answer.now, answer.value);
        dead::announce(home, &letters(buried));
        let (mut due, mut poison) = (Vec::with_capacity(records.len()), Vec::new());
        for fields in records {
            match work::look(&fields, &self.sealer, now) {
                Handed::Whole(verification) => due.push(*verification),
                Handed::Gone => {}
                Handed::Poison(burial) => poison.push(burial),
            }
        }
        self.bury_found(home, poison).await;
        Ok(Stamped { now, value: due })
    }

    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error> {
        let argument = LoadArgument { ids: ids.iter().map(VerificationId::to_string).collect() };
        let convert = |fields: Fields| Ok(fields.legible(&self.sealer));
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
            self.run(self.home(home)?, &self.scripts.events, &argument, "reading events").await?;
        Ok(Stamped { now: found.now, value: found.value.events() })
    }

    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error> {
        let argument = EvidenceArgument { keep: self.keep, since: since.as_millis() };
        let cells: Stamped<Vec<Cell>> =
            self.run(self.home(home)?, &self.scripts.evidence, &argument, "reading evidence").await?;
        Ok(Stamped { now: cells.now, value: cells.value.into_iter().filter_map(Cell::cell).collect() })
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

    async fn bury(&self, home: Partition, items: Vec<Burial>) -> Result<Stamped<Vec<bool>>, Error> {
        let items = self.items(items.into_iter().map(BurialItem::from));
        let answer: Stamped<(Vec<BurialOutcome>, Vec<Letter>)> =
            self.run(self.home(home)?, &self.scripts.bury, &items, "burying").await?;
        let (outcomes, buried) = answer.value;
        dead::announce(home, &letters(buried));
        Ok(Stamped { now: answer.now, value: outcomes.iter().map(BurialOutcome::is_buried).collect() })
    }

    async fn dead_letters(
        &self,
        home: Partition,
        after: Option<LetterPlace>,
        max: usize,
    ) -> Result<Stamped<DeadLetters>, Error> {
        let (now, letters, total) = self.letters(home, &DeadArgument::after(after, max)).await?;
        Ok(Stamped { now, value: DeadLetters { letters, total } })
    }

    async fn dead_letter(
        &self,
        home: Partition,
        key: &LetterKey,
    ) -> Result<Stamped<Option<DeadLetter>>, Error> {
        let argument = DeadArgument { key: Some(key.to_string()), ..DeadArgument::default() };
        let (now, mut letters, _) = self.letters(home, &argument).await?;
        Ok(Stamped { now, value: letters.pop() })
    }

    async fn revive(&self, home: Partition, key: &LetterKey) -> Result<Stamped<bool>, Error> {
        let argument = LetterArgument::of(key, self.keep);
        self.run(self.home(home)?, &self.scripts.revive, &argument, "reviving a dead letter").await
    }

    async fn discard(&self, home: Partition, key: &LetterKey) -> Result<Stamped<Option<Discarded>>, Error> {
        let argument = LetterArgument::of(key, self.keep);
        let answer: Stamped<DiscardOutcome> =
            self.run(self.home(home)?, &self.scripts.discard, &argument, "discarding a dead letter").await?;
        Ok(Stamped { now: answer.now, value: answer.value.discarded()? })
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
