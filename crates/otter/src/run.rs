//! One process of Otter: some or all roles over one store.

mod admin;
mod assemble;
mod engine;
mod gauges;
mod node;
mod settings;

pub(crate) use node::{Node, Roles};
pub(crate) use settings::{LoadError, load, load_text};
