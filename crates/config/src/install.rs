//! `[install]`, `[keys]` and `[store]`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use otter_domain::{KeyId, PartitionCount, Secret};
use url::Url;

use crate::key::{self, Key};
use crate::layers::Sources;
use crate::secret;
use crate::section::Section;
use crate::settings::{Engine, Keys, Retention, Store};

/// How many keys a ring may hold.
const MAX_RING: usize = 8;

/// Reads the keys; `None` after a problem with any of them.
pub(crate) fn keys(install: Section<'_>, keys: Section<'_>, sources: &Sources<'_>) -> Option<Keys> {
    let install_key = needed_key(&install, "key", sources);
    let pepper = ring(&keys, "pepper", Length::AtLeast32, sources);
    let sealing = ring(&keys, "sealing", Length::Exactly32, sources);
    let token = ring(&keys, "token", Length::AtLeast32, sources);
    warn_of_reuse(
        &keys,
        install_key.iter().chain([&pepper, &sealing, &token].into_iter().flatten().map(|(_, key)| key)),
    );
    install.done();
    keys.done();
    Some(Keys { install: install_key?, pepper, sealing, token })
}

fn needed_key(section: &Section<'_>, name: &'static str, sources: &Sources<'_>) -> Option<Key> {
    if section.value(name).is_none() {
        section.missing(name, secret::EXPECTED);
    }
    let text = secret::read(section, name, sources)?;
    let parsed = Key::parse(text.reveal());
    if parsed.is_none() {
        section.problem(name, format!("must be {}", key::EXPECTED));
    }
    parsed
}

#[derive(Clone, Copy, PartialEq)]
enum Length {
    AtLeast32,
    Exactly32,
}

fn ring(
    section: &Section<'_>,
    name: &'static str,
    length: Length,
    sources: &Sources<'_>,
) -> Vec<(KeyId, Key)> {
    let mut ring = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, entry) in section.tables(name) {
        let id = entry.number("id", 0..=u8::MAX, None);
        if !seen.insert(id) {
            entry.problem(
                "id",
                format!("stands twice in this ring; give each key an id of its own, not {id} again"),
            );
        }
        if let Some(key) = needed_key(&entry, "secret", sources) {
            let bytes = key.reveal().len();
            if length == Length::Exactly32 && bytes != 32 {
                entry
                    .problem("secret", format!("must be exactly 32 random bytes for this ring, not {bytes}"));
            }
            ring.push((KeyId(id), key));
        }
        entry.done();
    }
    if seen.is_empty() {
        let expected = "a list of keys, the current one first: [{ id = 1, secret = { env = \"NAME\" } }]";
        section.problem(name, format!("holds no key; must be {expected}"));
    } else if seen.len() > MAX_RING {
        section.problem(name, format!("must hold at most {MAX_RING} keys; take away those that are retired"));
    }
    ring
}

fn warn_of_reuse<'a>(section: &Section<'_>, keys: impl Iterator<Item = &'a Key>) {
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    for key in keys {
        if !seen.insert(key.reveal()) {
            section
                .notes()
                .warning("keys", "uses one key for two things or twice; give each use a key of its own");
            return;
        }
    }
}

/// Reads the store; `None` after a problem with its URL.
pub(crate) fn store(section: Section<'_>, sources: &Sources<'_>) -> Option<Store> {
    let engine = engine(&section, sources);
    let partitions = section.number("partitions", 1..=PartitionCount::MAX, None);
    let kept = section.section("retention");
    let hours = |count: u64| Duration::from_secs(count * 3600);
    let retention = Retention {
        // Not shorter than request ids are kept: a repeat is answered by what it repeats.
        ended: kept.span("ended", hours(24)..=hours(30 * 24), None),
        events: kept.span("events", hours(1)..=hours(24), None),
    };
    kept.done();
    section.done();
    Some(Store { engine: engine?, partitions: PartitionCount::new(partitions)?, retention })
}

fn engine(section: &Section<'_>, sources: &Sources<'_>) -> Option<Engine> {
    const EXPECTED: &str = "memory:, embedded:PATH, redis://HOST:PORT or rediss://HOST:PORT";
    let value = section.value("url");
    if value.is_none() {
        section.missing("url", EXPECTED);
    }
    // Only a URL with a password in it is a secret worth a warning.
    let text = match value.and_then(|value| value.as_str()) {
        Some(plain) if !plain.contains('@') => Secret::new(plain),
        Some(_) | None => secret::read(section, "url", sources)?,
    };
    let engine = match text.reveal().split_once(':') {
        Some(("memory", "")) => Some(Engine::Memory),
        Some(("embedded", path)) if !path.is_empty() => Some(Engine::Embedded(PathBuf::from(path))),
        Some(("redis" | "rediss", _)) => {
            let url = Url::parse(text.reveal()).ok().filter(Url::has_host);
            url.map(|_| Engine::Redis(text.clone()))
        }
        Some(_) | None => None,
    };
    if engine.is_none() {
        section.problem("url", format!("must be {EXPECTED}"));
    }
    engine
}
