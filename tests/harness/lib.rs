//! What the suites share: the tree and files that tests hold to the code, and a whole installation with the real binary,
//! a vendor with handsets, and a caller; for runs with faults a fleet of processes, a crowd, and a ledger.
#![allow(clippy::missing_panics_doc, reason = "a harness panics where a test has to fail")]

mod callers;
mod client;
mod details;
mod draws;
mod fleet;
mod golden;
mod ledger;
mod listener;
mod load;
mod people;
mod process;
mod reach;
mod stopwatch;
mod tree;
mod trial;
mod visit;
mod wall;
mod world;

pub use callers::{Callers, REACHED_NOBODY};
pub use client::{API_KEY, Client, login};
pub use details::{reason, retry_after, violations};
pub use draws::Draws;
pub use fleet::{Blow, BlowKind, Fleet, Process, Role, Shape};
pub use golden::assert_golden;
pub use ledger::{Breach, BreachKind, Figures, Judgement, Ledger};
pub use listener::{Listener, Stories};
pub use load::Load;
pub use process::{Addresses, Otter, binary};
pub use reach::reached_nobody;
pub use stopwatch::Stopwatch;
pub use tree::{files_below, read, root};
pub use trial::{Going, Trial};
pub use visit::{Check, Told};
pub use wall::Wall;
pub use world::{Kept, World, configuration, configuration_of, scrape, vendor, vendor_with_journal};
