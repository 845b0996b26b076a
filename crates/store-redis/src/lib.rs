//! The store engine on Redis or Valkey.
//!
//! Each operation of [`otter_store::Store`] is one Lua script that runs in one partition, reads the server's clock and
//! takes a batch. Scripts move bytes and compare; the two that change state by themselves, *check* and *merge*, repeat the
//! executable specifications of `decision`, and the tests run both. Nothing here decides policy, and neither a number nor
//! a code leaves this crate unsealed.
//!
//! # Keys
//!
//! All keys begin with `<prefix>:{pNN}:`, so everything of a partition has one hash tag and lives in one slot.
//!
//! | key | type | content | written by | ends |
//! |---|---|---|---|---|
//! | `v:<id>` | hash | a verification, see `layout` | commit, claim, renew, check, merge, due, bury, revive, discard | `retention.ended` after it has ended and its number was erased |
//! | `timers` | sorted set | one entry per verification that somebody must look at: id by instant | commit, claim, renew, check, due, bury, revive, discard | with the last instant |
//! | `lane:<provider>` | list | pointers: id, attempt, job, moment | commit, revive | by a claim |
//! | `letters` | hash | dead letters by their key, see `letters.lua` | claim, due, bury | by a revival, a discard, or a commit that leaves the verification pending; `retention.dead` after it was written |
//! | `buried` | sorted set | their keys by the moment they were written | the same | the same |
//! | `events` | stream | flat fields, see `otter_store::event_record` | commit, check, merge, lift; of what is discarded also claim, due, bury, discard | `retention.events` |
//! | `forgotten` | string | the id of the last event that was trimmed | the same | – |
//! | `ev:<bucket>:<segment>` | hash | counts by measure | commit, check, merge | `retention.evidence` after the bucket began |
//! | `evs` | sorted set | evidence cells by their last change | the same | the same |
//! | `idem:<tenant>:<recipient>:<hash>` | string | id and fingerprint of a request | commit | `retention.requests` |
//! | `limit:<tenant>:<recipient>` | string | moments of sends | commit | the longest window |
//! | `fail:<tenant>:<recipient>:<subject>:<class>` | string | failed checks in a row: count, last moment, last verification | check | `retention.failed_checks`, by a success, or by lift |
//! | `ref:<provider>:<message>` | string | id and attempt | commit | life of the code and `retention.ended` |
//! | `clock` | string | how far the store's clock is ahead of the server's, and when that was noted | all scripts, once a second; claim of a lane that is not empty, and what waits for replicas, each time | – |
//! | `bucket:<key>` | string | tokens and moment | take | when it is full |
//! | `board:<board>` | hash | entries with the end of their lives | post, read | – |
//! | `probe` | string | nothing; whether commands are allowed is tried on it | rights | at once |
//!
//! `<prefix>:{pNN}:wake` is a channel: scripts publish there what there is to look at.

mod address;
mod answer;
mod argument;
mod call;
mod cluster;
mod connection;
mod facts;
mod failure;
mod layout;
mod line;
mod options;
mod pack;
mod pauses;
mod primary;
mod refusals;
mod rights;
mod scripts;
mod sentinel;
mod slots;
mod startup;
mod store;
#[cfg(feature = "test-server")]
pub mod test_server;
mod wake;
mod work;

pub use options::{Credentials, Durability, Identity, Options, Require, Tls};
pub use store::RedisStore;
