//! The store engine on one directory, without a server.
//!
//! For a small installation and for dev mode: one process owns the directory, and `otter` outgrows it by one line of
//! configuration. All state is in memory, in the state machines of `otter-store`; one file, `otter.redb`, holds it on disk.
//!
//! One thread owns both. It takes whatever steps wait, runs them, writes everything that they touched in one transaction,
//! syncs, and only then answers them (group commit): what was answered survives `kill -9` and a power cut, and nobody
//! reads what is not yet durable. If a write fails, memory is ahead of the disk, so the engine answers nothing any more
//! until it is opened again.

mod disk;
mod options;
mod store;
mod time;
mod writer;

pub use options::Options;
pub use store::EmbeddedStore;
