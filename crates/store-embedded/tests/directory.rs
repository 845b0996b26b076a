//! One process, one directory: what is refused at open, and what the clock does over restarts.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::PartitionCount;
use otter_store::{Commit, Error, Nonce, Retention, Store};
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
        at_stake: Vec::new(),
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
    let owner = format!("in use by process {}", std::process::id());
    assert!(why.contains(&owner) && why.contains("stop the other one"), "{why}");
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

#[test]
fn a_file_that_is_none_of_ours_is_refused_and_left_alone() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let path = directory.path().join("otter.redb");
    let contents = b"somebody's letters".repeat(1_000);
    std::fs::write(&path, &contents).unwrap();
    let why = unsuitable(&options(directory.path(), &clock));
    assert!(why.contains("no store of Otter's") && why.contains("name another directory"), "{why}");
    assert_eq!(std::fs::read(&path).unwrap(), contents);

    std::fs::remove_file(&path).unwrap();
    let table: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("somebody's");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert("letters", 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let why = unsuitable(&options(directory.path(), &clock));
    assert!(why.contains("a database, but no store of Otter's"), "{why}");
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_never_begun_anew() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    let store = EmbeddedStore::open(&options).unwrap();
    create(&store).await;
    drop(store);
    let path = directory.path().join("otter.redb");
    let whole = std::fs::read(&path).unwrap();
    let half = whole.len() / 2;
    let zeros = vec![0; whole.len()];
    let damaged: [(&str, &[u8]); 4] = [
        ("empty", &[]),
        ("cut in the middle", &whole[..half]),
        ("cut short", &whole[..100]),
        ("zeros", &zeros),
    ];
    for (how, bytes) in damaged {
        std::fs::write(&path, bytes).unwrap();
        let why = unsuitable(&options);
        assert!(why.contains("is damaged") && why.contains("bring back a copy"), "{how}: {why}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{how}: left alone");
    }
    std::fs::write(&path, &whole).unwrap();
    EmbeddedStore::open(&options).unwrap();
}

#[test]
fn a_first_creation_that_was_cut_off_is_begun_again() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let unfinished = directory.path().join("otter.redb.new");
    for left in [&b""[..], &b"redb"[..], &[0; 4096]] {
        std::fs::write(&unfinished, left).unwrap();
        drop(EmbeddedStore::open(&options(directory.path(), &clock)).unwrap());
        assert!(!unfinished.exists());
        std::fs::remove_file(directory.path().join("otter.redb")).unwrap();
    }
}

#[test]
fn a_file_of_a_later_version_is_refused_by_its_number() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    drop(EmbeddedStore::open(&options).unwrap());
    let about: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("about");
    let database = redb::Database::open(directory.path().join("otter.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(about).unwrap().insert("format", [9].as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let why = unsuitable(&options);
    assert!(why.contains("has layout 9, this process reads layout 1"), "{why}");
}

#[test]
fn a_directory_that_is_missing_is_made_and_one_that_cannot_be_is_refused() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    drop(EmbeddedStore::open(&options(&directory.path().join("a/b/c"), &clock)).unwrap());
    std::fs::write(directory.path().join("file"), b"").unwrap();
    for path in ["file", "file/below"] {
        let why = unsuitable(&options(&directory.path().join(path), &clock));
        assert!(why.contains("is not a directory"), "{why}");
    }
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

#[tokio::test]
async fn the_clock_of_an_idle_store_is_written_down_too() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    let store = EmbeddedStore::open(&options).unwrap();
    let opened_at = store.now().await.unwrap();
    clock.pass(Duration::from_secs(3600));
    let told = store.now().await.unwrap();
    drop(store);
    clock.set(opened_at);
    assert_eq!(EmbeddedStore::open(&options).unwrap().now().await.unwrap(), told);
}
