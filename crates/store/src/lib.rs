//! What durable state is.
//!
//! One trait, [`Store`], that every engine implements and `store-testkit` examines; the records that engines keep and
//! their sealing. Engines move bytes, compare versions and carry out what was decided; policy stays in `decision`,
//! whose executable specifications of *check* and *receipt merge* the in-memory reference runs directly.

pub mod bounds;
pub mod dead;
mod engine;
pub mod event_record;
mod format;
mod machine;
mod memory;
pub mod record;
mod seal;
mod shared;
mod store;

pub use dead::{Burial, DeadLetter, DeadLetters, DeadReason, Discarded, LetterKey, LetterPlace};
pub use engine::MachineEngine;
pub use format::FORMAT;
pub use machine::{Changes, Key, PartitionState};
pub use memory::MemoryStore;
pub use record::Record;
pub use seal::{Keyring, NonceSource, Opened, Sealer};
pub use shared::{SharedKey, SharedState};
pub use store::{
    Board, BoardEntry, CheckAnswer, Claim, Claimed, Commit, CommitVerdict, Earlier, Error, Events,
    EvidenceCell, Grant, LaneDepth, Lease, MergeVerdict, Nonce, Position, ReceiptMerge, ReceiptTarget,
    RequestKey, RequestScope, Retention, Stamped, Store, Wake, WakeReason,
};
