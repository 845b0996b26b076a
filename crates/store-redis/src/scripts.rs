//! The scripts, one per operation. Each is a file that says what it takes and answers, put behind a common prelude.

use redis::Script;

/// The scripts. The server knows each by the hash of its text.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) commit: Script,
    pub(crate) claim: Script,
    pub(crate) renew: Script,
    pub(crate) check: Script,
    pub(crate) merge: Script,
    pub(crate) due: Script,
    pub(crate) load: Script,
    pub(crate) events: Script,
    pub(crate) evidence: Script,
    pub(crate) lanes: Script,
    pub(crate) take: Script,
    pub(crate) post: Script,
    pub(crate) read: Script,
    pub(crate) now: Script,
}

macro_rules! script {
    ($name:literal) => {
        Script::new(concat!(
            include_str!("scripts/prelude.lua"),
            "\n",
            include_str!(concat!("scripts/", $name, ".lua"))
        ))
    };
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            commit: script!("commit"),
            claim: script!("claim"),
            renew: script!("renew"),
            check: script!("check"),
            merge: script!("merge"),
            due: script!("due"),
            load: script!("load"),
            events: script!("events"),
            evidence: script!("evidence"),
            lanes: script!("lanes"),
            take: script!("take"),
            post: script!("post"),
            read: script!("read"),
            now: script!("now"),
        }
    }
}
