//! The file does not grow for ever: what is past its retention gives its place to what comes.
//!
//! `OTTER_CHAOS_CODES` says how many journeys; the figures stand in `docs/reliability.md`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use otter_domain::PartitionCount;
use otter_store::{Retention, Store};
use otter_store_embedded::{EmbeddedStore, Options};
use otter_store_testkit::{Journeys, ManualClock, block_on, fixture};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;

/// How many journeys of one partition go together.
const BATCH: usize = 20;

const PARTITIONS: u16 = 4;

/// How long things are kept; a batch takes a second.
const KEPT: Duration = Duration::from_secs(6);

fn codes() -> usize {
    let text = std::env::var("OTTER_CHAOS_CODES").ok();
    text.map_or(2_400, |text| text.parse().expect("OTTER_CHAOS_CODES is a number"))
}

fn options(directory: &Path, clock: &Arc<ManualClock>) -> Options {
    let retention = Retention {
        ended: KEPT,
        events: KEPT,
        requests: KEPT,
        evidence: KEPT * 2,
        failed_checks: KEPT,
        ..Retention::default()
    };
    Options {
        directory: directory.to_owned(),
        partitions: PartitionCount::new(PARTITIONS).unwrap(),
        retention,
        sealer: fixture::sealer(),
        install: [1; 32],
        clock: clock.clone(),
    }
}

async fn round(store: &Arc<EmbeddedStore>, count: usize) {
    let of = |home| Journeys { store: store.clone(), home, life: fixture::seconds(300) };
    let tasks: Vec<_> = store
        .partitions()
        .all()
        .map(|home| {
            let journeys = of(home);
            tokio::spawn(async move { journeys.run(count).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn size(directory: &Path) -> u64 {
    std::fs::metadata(directory.join("otter.redb")).unwrap().len()
}

/// How many rows of each kind a closed store has.
fn rows(directory: &Path) -> BTreeMap<String, usize> {
    let database = redb::Database::open(directory.join("otter.redb")).unwrap();
    let transaction = database.begin_read().unwrap();
    let table: TableDefinition<'_, (u16, &str), &[u8]> = TableDefinition::new("partitions");
    let mut rows = BTreeMap::new();
    for row in transaction.open_table(table).unwrap().iter().unwrap() {
        let (key, _) = row.unwrap();
        let kind = key.value().1.split(':').next().unwrap_or_default().to_owned();
        *rows.entry(kind).or_default() += 1;
    }
    rows
}

#[test]
fn the_file_stops_growing_once_as_much_ends_as_comes() {
    let (directory, clock) = (TempDir::new().unwrap(), ManualClock::new());
    let options = options(directory.path(), &clock);
    let rounds = codes().div_ceil(BATCH * usize::from(PARTITIONS));
    let mut sizes = Vec::new();
    block_on(async {
        let store = Arc::new(EmbeddedStore::open(&options).unwrap());
        for number in 1..=rounds {
            round(&store, BATCH).await;
            clock.pass(Duration::from_secs(1));
            if number % rounds.div_ceil(4) == 0 || number == rounds {
                sizes.push(size(directory.path()));
                println!(
                    "{} codes: {} bytes",
                    number * BATCH * usize::from(PARTITIONS),
                    sizes[sizes.len() - 1]
                );
            }
        }
        // All of it is over, and every further step deletes some.
        clock.pass(Duration::from_secs(3600));
        for _ in 0..40 {
            round(&store, 1).await;
            clock.pass(Duration::from_secs(1));
        }
    });
    println!("stopped: {} bytes", size(directory.path()));
    let left = rows(directory.path());
    println!("rows: {left:?}");
    for (kind, count) in &left {
        assert!(*count <= 20 * usize::from(PARTITIONS) * 4, "{count} rows of {kind} are left");
    }
    drop(EmbeddedStore::open(&options).unwrap());
    println!("opened and stopped again: {} bytes", size(directory.path()));
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    assert!(last <= first * 2, "it grew from {first} to {last} bytes: {sizes:?}");
}
