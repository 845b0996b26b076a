//! `[install]` and `[keys]`.

use std::collections::BTreeSet;

use otter_domain::KeyId;
use otter_provider::Lines;

use crate::key::{self, Key};
use crate::layers::Sources;
use crate::secret;
use crate::section::Section;
use crate::settings::Keys;

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
    let text = secret::read(section, name, sources, Lines::One)?;
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
