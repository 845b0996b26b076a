//! The life of a verification, seen from outside: scenarios, properties that hold for every history, and the table in
//! `docs/lifecycle.md`.
#![allow(clippy::unwrap_used)]

mod lifecycle_suite {
    mod evidence;
    pub(crate) mod history;
    mod properties;
    mod scenarios;
    mod scopes;
    mod table;
    mod turns;
}
