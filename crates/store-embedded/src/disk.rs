//! The file: tables, what is checked at open, and the one transaction that each batch of steps is.
//!
//! | table | key | value |
//! |---|---|---|
//! | `about` | `format`, `partitions`, `install`, `clock` | what the file is; the moment of the last write |
//! | `partitions` | partition, [`otter_store::Key::name`] | the state machines' values, sealed |
//! | `shared` | [`otter_store::SharedKey::name`] | token buckets and boards |
//!
//! Transactions are committed in two phases: the pages are on disk before the header points to them. That costs a second
//! sync, and it is what makes a damaged file an error: in one phase a page of the last transaction that does not read as
//! it was written is taken for a torn write, and the transaction, acknowledged or not, is dropped in silence. (One bit is
//! beyond it: the header's, which says which of its two sound states is the latest.) It also makes a failed sync
//! harmless: what was not synced is not pointed to, and is written anew.

use otter_domain::{Moment, Partition};
use otter_store::{Error, Sealer};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction,
};

use crate::Options;
use crate::writer::State;

const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const PARTITIONS: TableDefinition<'_, (u16, &str), &[u8]> = TableDefinition::new("partitions");
const SHARED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("shared");

/// The layout of the tables; values have their own format byte.
const FORMAT: u8 = 1;

/// The open file, locked for this process.
#[derive(Debug)]
pub(crate) struct Disk {
    database: Database,
    sealer: Sealer,
}

/// One thing to be written; without a value it is deleted.
pub(crate) enum Entry {
    Partition(Partition, String, Option<Vec<u8>>),
    Shared(String, Option<Vec<u8>>),
}

/// Makes the tables of an empty file and writes down what it is for.
pub(crate) fn initialize(database: &Database, options: &Options) -> Result<(), Error> {
    let doing = "making its file";
    let made = begin(database).map_err(redb::Error::from).and_then(|transaction| {
        {
            transaction.open_table(PARTITIONS)?;
            transaction.open_table(SHARED)?;
            let mut about = transaction.open_table(ABOUT)?;
            for (name, value) in configured(options) {
                about.insert(name, value.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    });
    made.map_err(|source| unavailable(doing, source))
}

/// How much of a file its tables need.
pub(crate) fn stored_bytes(database: &Database) -> Result<u64, Error> {
    let measured = database.begin_write().map_err(redb::Error::from).and_then(|transaction| {
        let stored = transaction.stats()?.stored_bytes();
        transaction.abort()?;
        Ok(stored)
    });
    measured.map_err(|source| unavailable("measuring its file", source))
}

fn begin(database: &Database) -> Result<WriteTransaction, redb::TransactionError> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

fn configured(options: &Options) -> [(&'static str, Vec<u8>); 3] {
    [
        ("format", vec![FORMAT]),
        ("partitions", options.partitions.get().to_be_bytes().to_vec()),
        ("install", options.install.to_vec()),
    ]
}

impl Disk {
    /// A file that was made for this installation.
    pub(crate) fn of(database: Database, options: &Options) -> Result<Self, Error> {
        let doing = "reading what it was made for";
        let transaction = database.begin_read().map_err(|source| unavailable(doing, source))?;
        let about = match transaction.open_table(ABOUT) {
            Ok(about) => about,
            Err(TableError::Storage(error)) => return Err(unavailable(doing, error)),
            Err(_) => return Err(not_ours(options)),
        };
        for (name, value) in configured(options) {
            let stored = about.get(name).map_err(|source| unavailable(doing, source))?;
            let stored = stored.ok_or_else(|| not_ours(options))?;
            if stored.value() != value {
                return Err(made_for_other(options, name, stored.value(), &value));
            }
        }
        drop(about);
        drop(transaction);
        Ok(Self { database, sealer: options.sealer.clone() })
    }

    /// Reads everything: the state, and the moment of the last write.
    pub(crate) fn load(&self, options: &Options) -> Result<(State, Moment), Error> {
        let doing = "loading its state";
        let transaction = self.database.begin_read().map_err(|source| unavailable(doing, source))?;
        let mut state = State::new(options.partitions, options.retention);
        let rows = transaction.open_table(PARTITIONS).map_err(|source| unavailable(doing, source))?;
        for row in rows.iter().map_err(|source| unavailable(doing, source))? {
            let (key, value) = row.map_err(|source| unavailable(doing, source))?;
            let (home, name) = key.value();
            let partition = state.partitions.get_mut(usize::from(home)).ok_or_else(|| Error::Unreadable {
                why: format!("it belongs to partition {home}, of {}", options.partitions.get()),
            })?;
            let restored = partition.restore(name, value.value(), &self.sealer);
            restored.map_err(|error| in_file(error, options, name))?;
        }
        let rows = transaction.open_table(SHARED).map_err(|source| unavailable(doing, source))?;
        for row in rows.iter().map_err(|source| unavailable(doing, source))? {
            let (key, value) = row.map_err(|source| unavailable(doing, source))?;
            let restored = state.shared.restore(key.value(), value.value());
            restored.map_err(|error| in_file(error, options, key.value()))?;
        }
        Ok((state, clock_mark(&transaction)?))
    }

    /// Writes a batch in one transaction; it is on disk when this returns. After an error the file holds either all of
    /// it or nothing.
    pub(crate) fn write(&self, entries: &[Entry], now: Moment) -> Result<(), redb::Error> {
        let transaction = begin(&self.database)?;
        fill(&transaction, entries, now)?;
        transaction.commit()?;
        Ok(())
    }

    pub(crate) fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

fn fill(transaction: &WriteTransaction, entries: &[Entry], now: Moment) -> Result<(), redb::Error> {
    let mut partitions = transaction.open_table(PARTITIONS)?;
    let mut shared = transaction.open_table(SHARED)?;
    for entry in entries {
        match entry {
            Entry::Partition(home, name, Some(value)) => {
                partitions.insert((home.index(), name.as_str()), value.as_slice())?;
            }
            Entry::Partition(home, name, None) => {
                partitions.remove((home.index(), name.as_str()))?;
            }
            Entry::Shared(name, Some(value)) => {
                shared.insert(name.as_str(), value.as_slice())?;
            }
            Entry::Shared(name, None) => {
                shared.remove(name.as_str())?;
            }
        }
    }
    transaction.open_table(ABOUT)?.insert("clock", now.as_millis().to_be_bytes().as_slice())?;
    Ok(())
}

fn clock_mark(transaction: &ReadTransaction) -> Result<Moment, Error> {
    let doing = "reading its clock";
    let about = transaction.open_table(ABOUT).map_err(|source| unavailable(doing, source))?;
    let Some(mark) = about.get("clock").map_err(|source| unavailable(doing, source))? else {
        return Ok(Moment::EPOCH);
    };
    let bytes = mark.value().try_into();
    let millis = bytes.map_err(|_| Error::Unreadable { why: "its clock is damaged".to_owned() })?;
    Ok(Moment::from_millis(u64::from_be_bytes(millis)))
}

fn not_ours(options: &Options) -> Error {
    let why = format!(
        "the file in {} is a database, but no store of Otter's: move it away, or name another directory",
        options.directory.display()
    );
    Error::Unsuitable { why }
}

/// Names the file and the kind of record; the rest of a key may name a person.
fn in_file(error: Error, options: &Options, key: &str) -> Error {
    let Error::Unreadable { why } = error else { return error };
    let kind = key.split(':').next().unwrap_or_default();
    Error::Unreadable { why: format!("{why} (one of kind {kind:?} in {})", options.directory.display()) }
}

fn made_for_other(options: &Options, name: &str, stored: &[u8], configured: &[u8]) -> Error {
    let directory = options.directory.display();
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let why = match name {
        "format" => format!(
            "directory {directory} has layout {}, this process reads layout {}: run the version that wrote it, or a later \
             one",
            number(stored),
            number(configured)
        ),
        "partitions" => format!(
            "directory {directory} was made with {} partitions and cannot be opened with {}",
            number(stored),
            number(configured)
        ),
        _ => format!("directory {directory} was made under another install key"),
    };
    Error::Unsuitable { why }
}

pub(crate) fn unavailable(
    doing: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Unavailable { doing, source: Some(Box::new(source)) }
}
