//! The behaviours, one function each; [`crate::store_suite`] makes tests of them.

mod model;

pub mod checks;
pub mod commits;
pub mod dead;
pub mod durability;
pub mod evidence;
pub mod jobs;
pub mod locks;
pub mod news;
pub mod receipts;
pub mod requests;
pub mod shared;
pub mod timers;
