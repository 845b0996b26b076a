//! What the suites share: the tree and files that tests hold to the code, and a whole installation with the real binary,
//! a vendor with handsets, and a caller.
#![allow(clippy::missing_panics_doc, reason = "a harness panics where a test has to fail")]

mod client;
mod details;
mod golden;
mod process;
mod tree;
mod world;

pub use client::{API_KEY, Client, login};
pub use details::{reason, retry_after, violations};
pub use golden::assert_golden;
pub use process::{Addresses, Otter, binary};
pub use tree::{files_below, read, root};
pub use world::{Kept, World, configuration, scrape, vendor};
