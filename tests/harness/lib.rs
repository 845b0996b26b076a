//! What the suites share: where the tree is, and files that tests hold to the code.

mod golden;
mod tree;

pub use golden::assert_golden;
pub use tree::{files_below, read, root};
