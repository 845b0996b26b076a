//! Engines that run the state machine in their own memory. They differ only in how a step becomes durable, so that is
//! all that they say; the [`Store`] is the same for all of them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use otter_domain::{
    CheckScope, CheckSubmission, FailedChecks, Lift, Moment, Partition, PartitionCount, ProviderName,
    Verification, VerificationId,
};
use tokio::sync::broadcast;

use crate::{
    Board, BoardEntry, Burial, Changes, CheckAnswer, Claim, Claimed, Commit, CommitVerdict, DeadLetter,
    DeadLetters, Discarded, Earlier, Error, Events, EvidenceCell, Grant, LaneDepth, Lease, LetterKey,
    LetterPlace, MergeVerdict, PartitionState, Position, ReceiptMerge, RequestKey, RequestScope, SharedKey,
    SharedState, Stamped, Store, Wake, dead,
};

/// An engine that runs [`PartitionState`] and [`SharedState`].
///
/// A step is a function of the state and the engine's clock. Its answer must not be given before everything that it
/// changed is as durable as the engine promises; steps of one partition run one after the other.
pub trait MachineEngine: Send + Sync + fmt::Debug + 'static {
    /// How many partitions there are.
    fn count(&self) -> PartitionCount;

    /// Wakes as [`Store::wakes`] does: once what they tell of is durable.
    fn subscribe(&self) -> broadcast::Receiver<Wake>;

    /// Runs a step on one partition, which exists.
    fn step<T: Send + 'static>(
        &self,
        home: Partition,
        step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T + Send + 'static,
    ) -> impl Future<Output = Result<Stamped<T>, Error>> + Send;

    /// Runs a step on what belongs to no partition. The step returns its answer and the key that it changed.
    fn shared_step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut SharedState, Moment) -> (T, Option<SharedKey>) + Send + 'static,
    ) -> impl Future<Output = Result<Stamped<T>, Error>> + Send;
}

#[async_trait]
impl<E: MachineEngine> Store for E {
    fn partitions(&self) -> PartitionCount {
        self.count()
    }

    fn wakes(&self) -> broadcast::Receiver<Wake> {
        self.subscribe()
    }

    async fn now(&self) -> Result<Moment, Error> {
        self.shared_step(|_, _| ((), None)).await.map(|answer| answer.now)
    }

    async fn commit(
        &self,
        home: Partition,
        items: Vec<Commit>,
    ) -> Result<Stamped<Vec<CommitVerdict>>, Error> {
        for item in &items {
            at_home(item.next.id, home)?;
        }
        run(self, home, move |state, now, changes| {
            items.into_iter().map(|item| state.commit(item, now, changes)).collect()
        })
        .await
    }

    async fn answered(
        &self,
        home: Partition,
        scope: RequestScope,
        request: RequestKey,
    ) -> Result<Stamped<Earlier>, Error> {
        run(self, home, move |state, now, _| state.answered(&scope, &request, now)).await
    }

    async fn claim(&self, home: Partition, claim: Claim) -> Result<Stamped<Vec<Claimed>>, Error> {
        run_and_tell(self, home, move |state, now, changes| state.claim(&claim, now, changes)).await
    }

    async fn renew(
        &self,
        home: Partition,
        leases: Vec<Lease>,
        lease: Duration,
    ) -> Result<Stamped<Vec<bool>>, Error> {
        run(self, home, move |state, now, changes| {
            leases.iter().map(|held| state.renew(held, lease, now, changes)).collect()
        })
        .await
    }

    async fn check(
        &self,
        home: Partition,
        items: Vec<CheckSubmission>,
    ) -> Result<Stamped<Vec<CheckAnswer>>, Error> {
        run(self, home, move |state, now, changes| {
            items.iter().map(|item| state.check(item, now, changes)).collect()
        })
        .await
    }

    async fn failed_checks(
        &self,
        home: Partition,
        scope: CheckScope,
    ) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        run(self, home, move |state, now, _| state.failed_checks(&scope, now)).await
    }

    async fn lift(&self, home: Partition, lift: Lift) -> Result<Stamped<Vec<FailedChecks>>, Error> {
        run(self, home, move |state, now, changes| state.lift(&lift, now, changes)).await
    }

    async fn merge(
        &self,
        home: Partition,
        items: Vec<ReceiptMerge>,
    ) -> Result<Stamped<Vec<MergeVerdict>>, Error> {
        run(self, home, move |state, now, changes| {
            items.iter().map(|item| state.merge(item, now, changes)).collect()
        })
        .await
    }

    async fn due(&self, home: Partition, max: usize) -> Result<Stamped<Vec<Verification>>, Error> {
        run_and_tell(self, home, move |state, now, changes| state.due(max, now, changes)).await
    }

    async fn load(
        &self,
        home: Partition,
        ids: Vec<VerificationId>,
    ) -> Result<Stamped<Vec<Option<Verification>>>, Error> {
        let found = run(self, home, move |state, now, _| {
            let found: Vec<_> = ids.iter().map(|id| state.load(*id, now)).collect();
            let why = if found.iter().all(Option::is_none) {
                ids.iter().find_map(|id| state.why_damaged(*id))
            } else {
                None
            };
            why.map_or(Ok(found), |why| Err(Error::Unreadable { why }))
        });
        let Stamped { now, value } = found.await?;
        Ok(Stamped { now, value: value? })
    }

    async fn events(
        &self,
        home: Partition,
        after: Option<Position>,
        max: usize,
    ) -> Result<Stamped<Events>, Error> {
        run(self, home, move |state, now, _| state.events(after.as_ref(), max, now)).await
    }

    async fn evidence(&self, home: Partition, since: Moment) -> Result<Stamped<Vec<EvidenceCell>>, Error> {
        run(self, home, move |state, now, _| state.evidence(since, now)).await
    }

    async fn lanes(
        &self,
        home: Partition,
        lanes: Vec<ProviderName>,
    ) -> Result<Stamped<Vec<LaneDepth>>, Error> {
        run(self, home, move |state, _, _| lanes.iter().map(|lane| state.lane(lane)).collect()).await
    }

    async fn bury(&self, home: Partition, items: Vec<Burial>) -> Result<Stamped<Vec<bool>>, Error> {
        run_and_tell(self, home, move |state, now, changes| {
            items.iter().map(|item| state.bury(item, now, changes)).collect()
        })
        .await
    }

    async fn dead_letters(
        &self,
        home: Partition,
        after: Option<LetterPlace>,
        max: usize,
    ) -> Result<Stamped<DeadLetters>, Error> {
        run(self, home, move |state, _, _| state.dead_letters(after.as_ref(), max)).await
    }

    async fn dead_letter(
        &self,
        home: Partition,
        key: &LetterKey,
    ) -> Result<Stamped<Option<DeadLetter>>, Error> {
        let key = key.clone();
        run(self, home, move |state, _, _| state.dead_letter(&key).cloned()).await
    }

    async fn revive(&self, home: Partition, key: &LetterKey) -> Result<Stamped<bool>, Error> {
        let key = key.clone();
        run(self, home, move |state, now, changes| state.revive(&key, now, changes)).await
    }

    async fn discard(&self, home: Partition, key: &LetterKey) -> Result<Stamped<Option<Discarded>>, Error> {
        let key = key.clone();
        run(self, home, move |state, now, changes| state.discard(&key, now, changes)).await
    }

    async fn take(&self, key: &str, rate: f64, burst: u32, want: u32) -> Result<Stamped<Grant>, Error> {
        let key = key.to_owned();
        self.shared_step(move |state, now| {
            (state.take(&key, rate, burst, want, now), Some(SharedKey::Bucket(key)))
        })
        .await
    }

    async fn post(
        &self,
        board: Board,
        key: &str,
        value: Vec<u8>,
        life: Option<Duration>,
    ) -> Result<(), Error> {
        let key = key.to_owned();
        self.shared_step(move |state, now| {
            state.post(board, &key, value, life, now);
            ((), Some(SharedKey::Entry(board, key)))
        })
        .await
        .map(|answer| answer.value)
    }

    async fn read(&self, board: Board) -> Result<Stamped<Vec<BoardEntry>>, Error> {
        self.shared_step(move |state, now| (state.read(board, now), None)).await
    }
}

async fn run<E: MachineEngine, T: Send + 'static>(
    engine: &E,
    home: Partition,
    step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T + Send + 'static,
) -> Result<Stamped<T>, Error> {
    if engine.count().at(home.index()).is_none() {
        let why = format!("partition {home} does not exist, there are {}", engine.count().get());
        return Err(Error::Unsuitable { why });
    }
    engine.step(home, step).await
}

/// The same for steps that may bury something, which people are told.
async fn run_and_tell<E: MachineEngine, T: Send + 'static>(
    engine: &E,
    home: Partition,
    step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T + Send + 'static,
) -> Result<Stamped<T>, Error> {
    let answer = run(engine, home, |state, now, changes| {
        let value = step(state, now, changes);
        (value, std::mem::take(&mut changes.buried))
    });
    let Stamped { now, value: (value, buried) } = answer.await?;
    dead::announce(home, &buried);
    Ok(Stamped { now, value })
}

fn at_home(id: VerificationId, home: Partition) -> Result<(), Error> {
    if id.partition_index() == home.index() {
        return Ok(());
    }
    let why = format!("verification {id} does not belong to partition {home}");
    Err(Error::Unsuitable { why })
}
