//! One process, one directory: what is refused at open, and what the clock does over restarts.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::{KeyId, PartitionCount};
use otter_store::{Commit, Error, Keyring, Nonce, Retention, Sealer, Store};
use otter_store_embedded::{EmbeddedStore, Options};
use otter_store_testkit::{ManualClock, fixture};
use tempfile::TempDir;

fn options(directory: &Path, clock: &Arc<ManualClock>) -> Options {
    Options {
        directory: directory.to_owned(),
        partitions: PartitionCount::new(4).unwrap(),
        retention: Retention::default(),
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: clock.clone(),
    }
}

fn unsuitable(options: &Options) -> String {
    match EmbeddedStore::open(options) {
        Err(Error::Unsuitable { why }) => why,
        other => panic!("expected the directory to be refused, got {other:?}"),
    }
}

async fn create(store: &EmbeddedStore) {
    let home = store.partitions().at(0).unwrap();
    let now = store.now().await.unwrap();
    let item = Commit {
        expected: None,
        next: fixture::verification(home, now, vec![]),
        effects: Vec::new(),
        due: None,
        nonce: Nonce(1),
        request: None,
        limits: Vec::new(),
        message_ids: Vec::new(),
    };
    store.commit(home, vec![item]).await.unwrap();
}

#[test]
fn a_directory_in_use_is_refused_by_name_and_free_again_after_a_drop() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    let first = EmbeddedStore::open(&options).unwrap();
    let why = unsuitable(&options);
    assert!(why.contains(directory.path().to_str().unwrap()), "{why}");
    assert!(why.contains("in use by another process"), "{why}");
    drop(first);
    EmbeddedStore::open(&options).unwrap();
}

#[test]
fn a_directory_of_another_installation_is_refused_with_the_reason() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let made_with = options(directory.path(), &clock);
    drop(EmbeddedStore::open(&made_with).unwrap());
    let why = unsuitable(&Options { partitions: PartitionCount::new(300).unwrap(), ..made_with.clone() });
    assert!(why.contains("made with 4 partitions and cannot be opened with 300"), "{why}");
    let why = unsuitable(&Options { install: [2; 32], ..made_with.clone() });
    assert!(why.contains("another install key"), "{why}");
    EmbeddedStore::open(&made_with).unwrap();
}

#[tokio::test]
async fn without_its_sealing_key_a_directory_cannot_be_read() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let made_with = options(directory.path(), &clock);
    let store = EmbeddedStore::open(&made_with).unwrap();
    create(&store).await;
    drop(store);
    let keyring = Keyring::new(KeyId(2), [(KeyId(2), [2; 32])]).unwrap();
    let sealer = Sealer::new(keyring, Arc::new(|| [0; 24]));
    let refused = EmbeddedStore::open(&Options { sealer, ..made_with });
    let Err(Error::Unreadable { why }) = refused else { panic!("opened without its key: {refused:?}") };
    assert!(why.contains("key 1, which is not configured"), "{why}");
}

#[test]
fn a_file_that_is_none_of_ours_is_refused() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    std::fs::write(directory.path().join("otter.redb"), b"not a database").unwrap();
    let refused = EmbeddedStore::open(&options(directory.path(), &clock));
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    std::fs::write(directory.path().join("file"), b"").unwrap();
    let refused = EmbeddedStore::open(&options(&directory.path().join("file"), &clock));
    assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_wall_clock_that_was_set_back_does_not_turn_the_store_back_or_stop_it() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    let store = EmbeddedStore::open(&options).unwrap();
    create(&store).await;
    let written_at = store.now().await.unwrap();
    drop(store);

    let hour = Duration::from_secs(3600);
    clock.set(written_at - hour);
    let store = EmbeddedStore::open(&options).unwrap();
    assert_eq!(store.now().await.unwrap(), written_at);
    clock.pass(Duration::from_secs(1));
    assert_eq!(store.now().await.unwrap(), written_at + Duration::from_secs(1));
    clock.set(written_at - hour * 2);
    let told = store.now().await.unwrap();
    assert_eq!(told, written_at + Duration::from_secs(1), "not even while it is open");
}
