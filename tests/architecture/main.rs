//! Holds the tree to the design: who may know whom, what may come from outside, where clocks and dice are, and that
//! the pages about it are true. Every rule is data at the top of its file; to allow something new, add it there with
//! its reason.

mod catalogue;
mod code;
mod dependencies;
mod direction;
mod pages;
mod sources;
mod workspace;
