#![allow(clippy::unwrap_used)]

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use otter_domain::Moment;
use otter_store::{Commit, CommitVerdict, Nonce, Retention, Store};
use otter_store_testkit::{ManualClock, fixture};
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::*;

/// A disk that stops working when it is told to.
#[derive(Debug)]
struct Faulty {
    inner: InMemoryBackend,
    is_broken: Arc<AtomicBool>,
}

impl Faulty {
    fn works(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::SeqCst) { Err(io::Error::other("disk full")) } else { Ok(()) }
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.works()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works()?;
        self.inner.write(offset, data)
    }
}

fn creation(home: Partition, now: Moment) -> Commit {
    Commit {
        expected: None,
        next: fixture::verification(home, now, vec![]),
        effects: Vec::new(),
        due: None,
        nonce: Nonce(fixture::unique()),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
    }
}

#[tokio::test]
async fn after_a_failed_write_nothing_is_answered_any_more() {
    let options = Options {
        directory: "unused".into(),
        partitions: PartitionCount::new(2).unwrap(),
        retention: Retention::default(),
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: ManualClock::new(),
    };
    let is_broken = Arc::new(AtomicBool::new(false));
    let backend = Faulty { inner: InMemoryBackend::new(), is_broken: Arc::clone(&is_broken) };
    let database = redb::Builder::new().create_with_backend(backend).unwrap();
    let (disk, state, mark) = Disk::with_database(database, &options).unwrap();
    let store = EmbeddedStore::start(disk, state, mark, &options).unwrap();
    let home = options.partitions.at(0).unwrap();
    let now = store.now().await.unwrap();

    let first = creation(home, now);
    assert_eq!(store.commit(home, vec![first.clone()]).await.unwrap().value, [CommitVerdict::Done]);
    is_broken.store(true, Ordering::SeqCst);
    let refused = store.commit(home, vec![creation(home, now)]).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable { .. }), "{refused:?}");
    is_broken.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        let refused = store.load(home, vec![first.next.id]).await.unwrap_err();
        let why = std::error::Error::source(&refused).unwrap().to_string();
        assert!(why.contains("disk full") && why.contains("opened again"), "{why}");
    }
}
