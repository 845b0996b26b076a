//! The store engine on one directory, without a server.
//!
//! For a small installation and for dev mode: one process owns the directory, and `otter` outgrows it by one line of
//! configuration. All state is in memory, in the state machines of `otter-store`; one file, `otter.redb`, holds it on disk.
//!
//! One thread owns both. It takes whatever steps wait, runs them, writes everything that they touched in one transaction,
//! syncs, and only then answers them (group commit): what was answered survives `kill -9` and a power cut, and nobody
//! reads what is not yet durable.
//!
//! If a write fails (a full disk, most often), memory is ahead of the disk, so the batch is refused, memory is thrown
//! away, and the file is opened again: after 1 s, then after twice as long each time, up to 30 s. Until that works
//! everything is refused with the reason, readiness with it; nothing that was acknowledged is lost, and no restart is
//! needed. A refused step may nevertheless have been written, wholly, as [`otter_store::Error::Unavailable`] says.

mod directory;
mod disk;
mod options;
#[cfg(test)]
mod simulated_disk;
mod store;
mod time;
#[cfg(test)]
mod workload;
mod writer;

pub use options::Options;
pub use store::EmbeddedStore;
