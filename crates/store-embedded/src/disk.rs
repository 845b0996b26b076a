//! The file: tables, what is checked at open, and the one transaction that each batch of steps is.
//!
//! | table | key | value |
//! |---|---|---|
//! | `about` | `format`, `partitions`, `install`, `clock` | what the file is; the moment of the last write |
//! | `partitions` | partition, [`otter_store::Key::name`] | the state machines' values, sealed |
//! | `shared` | [`otter_store::SharedKey::name`] | token buckets and boards |

use std::fs::File;
use std::path::Path;

use otter_domain::{Moment, Partition};
use otter_store::{Error, Sealer};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};

use crate::Options;
use crate::writer::State;

const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const PARTITIONS: TableDefinition<'_, (u16, &str), &[u8]> = TableDefinition::new("partitions");
const SHARED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("shared");

const FILE: &str = "otter.redb";

/// The layout of the tables; values have their own format byte.
const FORMAT: u8 = 1;

/// All state is in memory, so the file's pages need not be.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

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

impl Disk {
    /// Opens or makes the file and reads everything: the state, and the moment of the last write.
    pub(crate) fn open(options: &Options) -> Result<(Self, State, Moment), Error> {
        let directory = &options.directory;
        make_directory(directory).map_err(|source| unavailable("making its directory", source))?;
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create(directory.join(FILE))
            .map_err(|error| cannot_open(directory, error))?;
        // The file's own entry in the directory has to survive a power cut too.
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| unavailable("syncing its directory", source))?;
        Self::with_database(database, options)
    }

    pub(crate) fn with_database(
        database: Database,
        options: &Options,
    ) -> Result<(Self, State, Moment), Error> {
        let disk = Self { database, sealer: options.sealer.clone() };
        disk.claim_for(options)?;
        let (state, mark) = disk.load(options)?;
        Ok((disk, state, mark))
    }

    /// Writes down what the file is when it is new, and compares it with what is configured when it is not.
    fn claim_for(&self, options: &Options) -> Result<(), Error> {
        let doing = "reading what it was made for";
        let transaction = self.database.begin_write().map_err(|source| unavailable(doing, source))?;
        let configured: [(&str, &[u8]); 3] = [
            ("format", &[FORMAT]),
            ("partitions", &options.partitions.get().to_be_bytes()),
            ("install", &options.install),
        ];
        {
            let mut about = transaction.open_table(ABOUT).map_err(|source| unavailable(doing, source))?;
            transaction.open_table(PARTITIONS).map_err(|source| unavailable(doing, source))?;
            transaction.open_table(SHARED).map_err(|source| unavailable(doing, source))?;
            for (name, value) in configured {
                let stored = about.get(name).map_err(|source| unavailable(doing, source))?;
                let stored = stored.map(|stored| stored.value().to_vec());
                match stored {
                    None => {
                        about.insert(name, value).map_err(|source| unavailable(doing, source))?;
                    }
                    Some(stored) if stored == value => {}
                    Some(stored) => return Err(made_for_other(&options.directory, name, &stored, value)),
                }
            }
        }
        transaction.commit().map_err(|source| unavailable(doing, source))
    }

    fn load(&self, options: &Options) -> Result<(State, Moment), Error> {
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
            partition.restore(name, value.value(), &self.sealer)?;
        }
        let rows = transaction.open_table(SHARED).map_err(|source| unavailable(doing, source))?;
        for row in rows.iter().map_err(|source| unavailable(doing, source))? {
            let (key, value) = row.map_err(|source| unavailable(doing, source))?;
            state.shared.restore(key.value(), value.value())?;
        }
        Ok((state, clock_mark(&transaction)?))
    }

    /// Writes a batch in one transaction; it is on disk when this returns. After an error the file holds either all of
    /// it or nothing.
    pub(crate) fn write(&self, entries: &[Entry], now: Moment) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
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

#[cfg(unix)]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)
}

fn cannot_open(directory: &Path, error: DatabaseError) -> Error {
    let directory = directory.display();
    if let DatabaseError::DatabaseAlreadyOpen = error {
        let why = format!(
            "directory {directory} is in use by another process; an embedded store belongs to one process: stop the \
             other one, give this one a directory of its own, or share a Redis"
        );
        return Error::Unsuitable { why };
    }
    if let DatabaseError::UpgradeRequired(version) = error {
        let why =
            format!("the file in {directory} has the older format {version}, which is not read any more");
        return Error::Unsuitable { why };
    }
    unavailable("opening its file", error)
}

fn made_for_other(directory: &Path, name: &str, stored: &[u8], configured: &[u8]) -> Error {
    let directory = directory.display();
    let number = |bytes: &[u8]| bytes.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    let why = match name {
        "format" => format!(
            "directory {directory} has layout {}, this process reads layout {}",
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

fn unavailable(doing: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable { doing, source: Some(Box::new(source)) }
}
