//! The directory: who owns it, how its file is made, and what is said when either cannot be used.
//!
//! | file | what it is | written by |
//! |---|---|---|
//! | `otter.lock` | locked while a process owns the directory; says which | whoever owns it |
//! | `otter.redb` | the state | its owner |
//! | `otter.redb.new` | a first creation that is not finished, or was not | its owner |
//!
//! A file appears under its name only when it is complete and on disk, so one that is there and cannot be read is
//! damaged: it is never begun anew in silence.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use otter_store::Error;
use redb::{CompactionError, Database, DatabaseError, StorageError};

use crate::Options;
use crate::disk::{self, Disk, unavailable};

const LOCK: &str = "otter.lock";
const FILE: &str = "otter.redb";
const UNFINISHED: &str = "otter.redb.new";

/// What a file of redb begins with.
const MAGIC: [u8; 4] = *b"redb";

/// All state is in memory, so the file's pages need not be.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// A file below this size is not worth compacting.
const SMALL_BYTES: u64 = 16 * 1024 * 1024;

/// A file that is this many times what it holds is compacted when it is opened.
const SPARSE: u64 = 4;

/// The directory, owned by this process until it is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Makes the directory if it is missing, readable for its owner only, and takes it for this process.
    pub(crate) fn take(path: &Path) -> Result<Self, Error> {
        make(path).map_err(|error| cannot_use(path, "making its directory", error))?;
        let lock = path.join(LOCK);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock);
        let mut lock = opened.map_err(|error| cannot_use(path, "opening its lock", error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(path, &mut lock)),
            Err(TryLockError::Error(error)) => return Err(cannot_use(path, "locking its directory", error)),
        }
        // Only what another process is told; without it that process is told less.
        let _ = lock.set_len(0).and_then(|()| lock.write_all(myself().as_bytes()));
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Opens the file, made first if there is none, and examines all of it.
    pub(crate) fn open(&self, options: &Options) -> Result<Disk, Error> {
        let path = self.path.join(FILE);
        let is_there = path.try_exists().map_err(|error| self.cannot_use("looking for its file", error))?;
        if !is_there {
            self.make_file(options)?;
        }
        self.is_ours(&path)?;
        let opened = builder().set_check_integrity_on_open(true).open(&path);
        let mut database = opened.map_err(|error| self.cannot_open(error))?;
        self.compact(&mut database, &path)?;
        Disk::of(database, options)
    }

    /// Writes an empty store beside and gives it its name last: a power cut leaves all of it or none.
    fn make_file(&self, options: &Options) -> Result<(), Error> {
        let (unfinished, path) = (self.path.join(UNFINISHED), self.path.join(FILE));
        let made = match std::fs::remove_file(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => File::create(&unfinished),
        };
        drop(made.map_err(|error| self.cannot_use("making its file", error))?);
        let database = builder().create(&unfinished).map_err(|error| self.cannot_open(error))?;
        disk::initialize(&database, options)?;
        database.close().map_err(|error| self.cannot_open(error))?;
        let named = File::open(&unfinished)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&unfinished, &path))
            // The file's entry in the directory has to survive a power cut too.
            .and_then(|()| File::open(&self.path)?.sync_all());
        named.map_err(|error| self.cannot_use("making its file", error))
    }

    /// Refuses what redb never wrote, which it would call an invalid database.
    fn is_ours(&self, path: &Path) -> Result<(), Error> {
        let mut start = Vec::new();
        let opened = OpenOptions::new().read(true).write(true).open(path);
        opened
            .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
            .map_err(|error| self.cannot_use("opening its file", error))?;
        if start == MAGIC {
            return Ok(());
        }
        let path = path.display();
        let why = if start.is_empty() || start.iter().all(|byte| *byte == 0) {
            format!("{path} is damaged (it is empty): {BEGIN_ANEW}")
        } else {
            format!("{path} is no store of Otter's: move it away, or name another directory")
        };
        Err(Error::Unsuitable { why })
    }

    /// Gives space back that a busier past has left in the file.
    fn compact(&self, database: &mut Database, path: &Path) -> Result<(), Error> {
        let doing = "measuring its file";
        let bytes = std::fs::metadata(path).map_err(|error| unavailable(doing, error))?.len();
        if bytes < SMALL_BYTES || bytes < SPARSE * disk::stored_bytes(database)? {
            return Ok(());
        }
        match database.compact() {
            Ok(_) => Ok(()),
            Err(CompactionError::Storage(error)) => Err(self.cannot_open(error.into())),
            Err(error) => Err(unavailable("compacting its file", error)),
        }
    }

    fn cannot_use(&self, doing: &'static str, error: io::Error) -> Error {
        cannot_use(&self.path, doing, error)
    }

    fn cannot_open(&self, error: DatabaseError) -> Error {
        let path = self.path.join(FILE);
        let path = path.display();
        let damaged = |what: &str| format!("{path} is damaged ({what}): {BEGIN_ANEW}");
        let why = if let DatabaseError::Storage(StorageError::Corrupted(what)) = &error {
            damaged(what)
        } else if let DatabaseError::Storage(StorageError::Io(error)) = error {
            if error.kind() != ErrorKind::UnexpectedEof {
                return self.cannot_use("opening its file", error);
            }
            damaged("it ends too soon")
        } else if let DatabaseError::UpgradeRequired(version) = error {
            format!("{path} has the older format {version}, which is not read any more")
        } else if let DatabaseError::DatabaseAlreadyOpen = error {
            format!("{path} is in use by another process: {ONE_OWNER}")
        } else {
            return unavailable("opening its file", error);
        };
        Error::Unsuitable { why }
    }
}

const BEGIN_ANEW: &str = "bring back a copy of the directory, or move it away to begin with an empty store";
const ONE_OWNER: &str = "an embedded store belongs to one process: stop the other one, give this one a directory of \
                         its own, or share a Redis";

fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

#[cfg(unix)]
fn make(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(not(unix))]
fn make(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)
}

/// Who owns the directory, in words for whoever finds it taken. The host matters where containers share a volume.
fn myself() -> String {
    let process = std::process::id();
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => format!("process {process} on {}", host.trim()),
        Err(_) => format!("process {process}"),
    }
}

fn in_use(directory: &Path, lock: &mut File) -> Error {
    let mut owner = String::new();
    let is_named = lock.read_to_string(&mut owner).is_ok() && !owner.is_empty();
    let owner = if is_named { owner.as_str() } else { "another process" };
    Error::Unsuitable { why: format!("directory {} is in use by {owner}: {ONE_OWNER}", directory.display()) }
}

/// Says what would be right, where the system's own words do not.
pub(crate) fn cannot_use(directory: &Path, doing: &'static str, error: io::Error) -> Error {
    let directory = directory.display();
    let kind = error.kind();
    let why = if kind == ErrorKind::PermissionDenied {
        format!(
            "directory {directory} may not be read and written by this process ({error}): give it and its files to the \
             user that runs it, or name another directory"
        )
    } else if kind == ErrorKind::ReadOnlyFilesystem {
        format!(
            "directory {directory} is on a read-only file system: mount it to be written, or name another directory"
        )
    } else if kind == ErrorKind::NotADirectory || kind == ErrorKind::AlreadyExists {
        format!("{directory} is not a directory: name one, or one that can be made")
    } else {
        return unavailable(doing, io::Error::new(kind, format!("directory {directory}: {error}")));
    };
    Error::Unsuitable { why }
}
