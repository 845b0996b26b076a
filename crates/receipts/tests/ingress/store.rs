//! A store that can be taken away.

use otter_domain::{Moment, Partition, PartitionCount};
use otter_store::{
    Changes, Error, MachineEngine, MemoryStore, PartitionState, SharedKey, SharedState, Stamped, Wake,
};
use tokio::sync::{broadcast, watch};

/// How the store answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Answers,
    Fails,
    Hangs,
}

/// The reference in a mood. What hangs goes on once the mood changes.
#[derive(Debug)]
pub(crate) struct MoodyStore {
    pub(crate) inner: MemoryStore,
    pub(crate) mood: watch::Sender<Mood>,
    /// How many calls hang.
    pub(crate) hanging: watch::Sender<usize>,
}

impl MoodyStore {
    pub(crate) fn new(inner: MemoryStore) -> Self {
        Self { inner, mood: watch::Sender::new(Mood::Answers), hanging: watch::Sender::new(0) }
    }

    async fn ask(&self) -> Result<(), Error> {
        let mut mood = self.mood.subscribe();
        if *mood.borrow() == Mood::Hangs {
            self.hanging.send_modify(|calls| *calls += 1);
            mood.wait_for(|mood| *mood != Mood::Hangs).await.unwrap();
            self.hanging.send_modify(|calls| *calls -= 1);
        }
        match *mood.borrow() {
            Mood::Answers => Ok(()),
            Mood::Fails | Mood::Hangs => Err(Error::Unavailable { doing: "being in a mood", source: None }),
        }
    }
}

impl MachineEngine for MoodyStore {
    fn count(&self) -> PartitionCount {
        self.inner.count()
    }

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.inner.subscribe()
    }

    async fn step<T: Send + 'static>(
        &self,
        home: Partition,
        step: impl FnOnce(&mut PartitionState, Moment, &mut Changes) -> T + Send + 'static,
    ) -> Result<Stamped<T>, Error> {
        self.ask().await?;
        self.inner.step(home, step).await
    }

    async fn shared_step<T: Send + 'static>(
        &self,
        step: impl FnOnce(&mut SharedState, Moment) -> (T, Option<SharedKey>) + Send + 'static,
    ) -> Result<Stamped<T>, Error> {
        self.ask().await?;
        self.inner.shared_step(step).await
    }
}
