//! The scripts, one per operation. Each is a file that says what it takes and answers, put behind a common prelude, the
//! parts that it shares with some others, and the store's bounds.

use otter_store::{EvidenceCell, FORMAT, bounds};
use redis::Script;

use crate::argument::millis;

/// The scripts. The server knows each by the hash of its text.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub(crate) commit: Script,
    pub(crate) answered: Script,
    pub(crate) claim: Script,
    pub(crate) renew: Script,
    pub(crate) check: Script,
    pub(crate) counters: Script,
    pub(crate) lift: Script,
    pub(crate) merge: Script,
    pub(crate) due: Script,
    pub(crate) load: Script,
    pub(crate) events: Script,
    pub(crate) evidence: Script,
    pub(crate) lanes: Script,
    pub(crate) bury: Script,
    pub(crate) dead: Script,
    pub(crate) revive: Script,
    pub(crate) discard: Script,
    pub(crate) take: Script,
    pub(crate) post: Script,
    pub(crate) read: Script,
    pub(crate) now: Script,
}

/// A script of these files, after the prelude.
macro_rules! script {
    ($($name:literal),+) => {
        Script::new(&[
            bounds_in_lua().as_str(),
            include_str!("scripts/prelude.lua"),
            $(include_str!(concat!("scripts/", $name, ".lua")),)+
        ].join("\n"))
    };
}

/// Reads the clock; on a line that waits for replicas it is the least that writes something.
pub(crate) fn now() -> Script {
    script!("now")
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            commit: script!("letters", "request", "failed", "commit"),
            answered: script!("request", "answered"),
            claim: script!("letters", "grave", "claim"),
            renew: script!("renew"),
            check: script!("failed", "check"),
            counters: script!("failed", "counters"),
            lift: script!("failed", "lift"),
            merge: script!("merge"),
            due: script!("letters", "grave", "due"),
            load: script!("load"),
            events: script!("events"),
            evidence: script!("evidence"),
            lanes: script!("lanes"),
            bury: script!("letters", "grave", "bury"),
            dead: script!("dead"),
            revive: script!("letters", "revive"),
            discard: script!("letters", "grave", "discard"),
            take: script!("take"),
            post: script!("post"),
            read: script!("read"),
            now: now(),
        }
    }

    /// Whether what a script wrote, or found written, has to be as durable as the installation asks for before it is
    /// answered: that is so for whatever accepts, claims, judges and merges, and for what is told as accepted before.
    pub(crate) fn is_confirmed(&self, script: &Script) -> bool {
        let confirmed = [&self.commit, &self.answered, &self.claim, &self.check, &self.merge];
        confirmed.into_iter().any(|confirmed| std::ptr::eq(confirmed, script))
    }
}

/// The bounds that all engines share, as the scripts name them; spans are milliseconds.
fn bounds_in_lua() -> String {
    let bounds = [
        ("FORMAT", u64::from(FORMAT)),
        ("BUCKET", millis(EvidenceCell::BUCKET)),
        ("OUTLIVED", millis(bounds::OUTLIVED)),
        ("STALE_PER_CLAIM", bounds::STALE_PER_CLAIM as u64),
        ("SENDS_KEPT", bounds::SENDS_KEPT as u64),
        ("DEAD_LETTERS", bounds::DEAD_LETTERS as u64),
    ];
    let (names, values): (Vec<_>, Vec<_>) =
        bounds.into_iter().map(|(name, value)| (name, value.to_string())).unzip();
    format!("local {} = {}", names.join(", "), values.join(", "))
}
