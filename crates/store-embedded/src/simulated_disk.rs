//! A disk for tests, whose power can be cut and which can be full.
#![allow(clippy::unwrap_used)]

use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// What a disk guarantees to write wholly or not at all, at best.
const SECTOR: usize = 512;

/// Numbers from a seed (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// A file on that disk. Clones are the same file.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<File>>);

#[derive(Debug, Default)]
struct File {
    /// What reads give.
    seen: Vec<u8>,
    /// What a power cut leaves for certain.
    synced: Vec<u8>,
    /// What was changed since, in order.
    unsynced: Vec<Change>,
    /// How many changes and syncs there were.
    operations: usize,
    fault: Option<Fault>,
}

#[derive(Debug, Clone)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// From this many operations on, changes and syncs fail in this way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) from: usize,
    pub(crate) kind: ErrorKind,
}

impl SimulatedDisk {
    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        self.lock().fault = fault;
    }

    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// What is left of the file after the power was cut: what was synced, and of each later change nothing, all, some
    /// of its sectors or some of its bytes, in any order.
    pub(crate) fn after_a_power_cut(&self, draws: &mut Draws) -> Self {
        let file = self.lock();
        let mut left = file.synced.clone();
        let mut changes = file.unsynced.clone();
        let keeps = draws.below(5);
        while !changes.is_empty() {
            let change = changes.swap_remove(draws.below(changes.len()));
            // A cut may come before or after nearly everything, too.
            let is_kept = match keeps {
                0 => false,
                1 => true,
                _ => draws.below(2) == 0,
            };
            if is_kept {
                torn(change, draws).iter().for_each(|part| apply(&mut left, part));
            }
        }
        let file = File { seen: left.clone(), synced: left, ..File::default() };
        Self(Arc::new(Mutex::new(file)))
    }

    /// The same bytes on another disk, changed by hand.
    pub(crate) fn copy(&self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut bytes = self.lock().seen.clone();
        change(&mut bytes);
        Self(Arc::new(Mutex::new(File { seen: bytes.clone(), synced: bytes, ..File::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap()
    }
}

/// The parts of a change that reached the disk.
fn torn(change: Change, draws: &mut Draws) -> Vec<Change> {
    let Change::Bytes(offset, bytes) = change else { return vec![change] };
    let unit = match draws.below(3) {
        0 => return vec![Change::Bytes(offset, bytes)],
        1 => SECTOR,
        // Not even sectors: a few cuts anywhere.
        _ => 1 + draws.below(bytes.len()),
    };
    let parts = bytes.chunks(unit).enumerate();
    let kept = parts.filter(|_| draws.below(2) == 0);
    kept.map(|(place, part)| Change::Bytes(offset + place * unit, part.to_vec())).collect()
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => file.resize(*length, 0),
        Change::Bytes(offset, bytes) => {
            // Where the new length was lost, so is what was written behind the old one.
            let end = (offset + bytes.len()).min(file.len());
            if let Some(place) = file.get_mut(*offset..end) {
                place.copy_from_slice(&bytes[..end - offset]);
            }
        }
    }
}

impl File {
    fn operate(&mut self) -> Result<()> {
        self.operations += 1;
        match self.fault {
            Some(Fault { from, kind }) if self.operations >= from => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change) -> Result<()> {
        self.operate()?;
        apply(&mut self.seen, &change);
        self.unsynced.push(change);
        Ok(())
    }
}

impl StorageBackend for SimulatedDisk {
    fn len(&self) -> Result<u64> {
        Ok(self.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let start = offset as usize;
        let file = self.lock();
        let bytes = file.seen.get(start..start + out.len()).ok_or(Error::from(ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<()> {
        self.lock().change(Change::Length(length as usize))
    }

    fn sync_data(&self) -> Result<()> {
        let mut file = self.lock();
        file.operate()?;
        file.synced = file.seen.clone();
        file.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.lock().change(Change::Bytes(offset as usize, data.to_vec()))
    }
}
