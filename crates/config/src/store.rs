//! `[store]`.

use std::path::PathBuf;
use std::time::Duration;

use otter_domain::{PartitionCount, Secret};
use otter_provider::Lines;

use crate::certificates::{Needed, authorities, identity};
use crate::layers::Sources;
use crate::secret;
use crate::section::Section;
use crate::settings::{Durability, Engine, Redis, RedisTls, Retention, SentinelUser, Store};

const URL: &str = "memory:, embedded:PATH, redis://HOST:PORT/DATABASE, redis-sentinel://HOST:PORT,HOST:PORT/SERVICE or \
     redis-cluster://HOST:PORT,HOST:PORT, with rediss in place of redis for TLS, and USER:PASSWORD@ before the hosts";

/// The most replicas that can be waited for.
const MAX_REPLICAS: u8 = 16;

/// Reads the store; `None` after a problem with its URL.
pub(crate) fn store(section: Section<'_>, sources: &Sources<'_>) -> Option<Store> {
    let url = url(&section, sources);
    let partitions = section.number("partitions", 1..=PartitionCount::MAX, None);
    let durability = durability(&section);
    let tls = tls(section.section("tls"), sources);
    let sentinel = sentinel(section.section("sentinel"), sources);
    let retention = retention(section.section("retention"));
    let engine = match url? {
        Place::Memory => Engine::Memory,
        Place::Embedded(directory) => Engine::Embedded(directory),
        Place::Redis { url, encrypted } => {
            if !encrypted && tls != RedisTls::default() {
                section.problem("tls", "is given for an address without TLS; use rediss in store.url");
            }
            Engine::Redis(Box::new(Redis { url, durability, tls, sentinel }))
        }
    };
    if durability != Durability::Primary && !matches!(engine, Engine::Redis(_)) {
        section.problem("durability", "is a choice that only Redis offers; must be \"primary\" here");
    }
    section.done();
    Some(Store { engine, partitions: PartitionCount::new(partitions)?, retention })
}

/// What `store.url` names.
enum Place {
    Memory,
    Embedded(PathBuf),
    Redis { url: Secret, encrypted: bool },
}

fn url(section: &Section<'_>, sources: &Sources<'_>) -> Option<Place> {
    let value = section.value("url");
    if value.is_none() {
        section.missing("url", URL);
    }
    // Only a URL with a password in it is a secret worth a warning.
    let text = match value.and_then(|value| value.as_str()) {
        Some(plain) if !plain.contains('@') => Secret::new(plain),
        Some(_) | None => secret::read(section, "url", sources, Lines::One)?,
    };
    let place = place(&text);
    if place.is_none() {
        section.problem("url", format!("must be {URL}"));
    }
    place
}

fn place(url: &Secret) -> Option<Place> {
    match url.reveal().split_once(':')? {
        ("memory", "") => Some(Place::Memory),
        ("embedded", path) if !path.is_empty() => Some(Place::Embedded(PathBuf::from(path))),
        (scheme, rest) => {
            let encrypted = match scheme.strip_suffix("-sentinel").or(scheme.strip_suffix("-cluster")) {
                Some(scheme) => scheme,
                None => scheme,
            };
            let encrypted = match encrypted {
                "redis" => false,
                "rediss" => true,
                _ => return None,
            };
            is_well_formed(scheme, rest.strip_prefix("//")?)
                .then(|| Place::Redis { url: url.clone(), encrypted })
        }
    }
}

/// Whether hosts and path are as the scheme asks for; the engine reads them.
fn is_well_formed(scheme: &str, rest: &str) -> bool {
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let hosts: Vec<&str> = match authority.rsplit_once('@') {
        Some((credentials, hosts)) if credentials.contains(':') => hosts.split(',').collect(),
        Some(_) => return false,
        None => authority.split(',').collect(),
    };
    let is_database = |text: &str| text.is_empty() || text.parse::<u16>().is_ok();
    let path_fits = if scheme.ends_with("-sentinel") {
        let (service, database) = path.split_once('/').unwrap_or((path, ""));
        !service.is_empty() && is_database(database)
    } else if scheme.ends_with("-cluster") {
        path.is_empty() || path == "0"
    } else {
        hosts.len() == 1 && is_database(path)
    };
    path_fits && hosts.iter().all(|host| is_host(host))
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port_fits = match port.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok_and(|port| port != 0),
        None => port.is_empty(),
    };
    !host.is_empty() && port_fits && !host.contains(['?', '#', '@', ' '])
}

#[derive(Clone, Copy)]
enum Level {
    Primary,
    Replica,
    Fsync,
}

fn durability(section: &Section<'_>) -> Durability {
    let levels = [("primary", Level::Primary), ("replica", Level::Replica), ("fsync", Level::Fsync)];
    let level = section.word("durability", &levels, None);
    let replicas = section.number("replicas", 1..=MAX_REPLICAS, None);
    match level {
        Level::Primary => Durability::Primary,
        Level::Replica => Durability::Replica(replicas),
        Level::Fsync => Durability::Fsync,
    }
}

fn tls(section: Section<'_>, sources: &Sources<'_>) -> RedisTls {
    let tls = RedisTls {
        ca: authorities(&section, "ca", sources),
        identity: identity(&section, sources, Needed::No),
    };
    section.done();
    tls
}

fn sentinel(section: Section<'_>, sources: &Sources<'_>) -> SentinelUser {
    let user = section.text("user").map(str::to_owned);
    let password = secret::read(&section, "password", sources, Lines::One);
    if user.is_some() && section.value("password").is_none() {
        section.missing("password", secret::EXPECTED);
    }
    section.done();
    SentinelUser { user, password }
}

fn retention(section: Section<'_>) -> Retention {
    let hours = |count: u64| Duration::from_secs(count * 3600);
    let retention = Retention {
        // Not shorter than request ids are kept: a repeat is answered by what it repeats.
        ended: section.span("ended", hours(24)..=hours(30 * 24), None),
        events: section.span("events", hours(1)..=hours(24), None),
    };
    section.done();
    retention
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Problem;
    use crate::fixture::{GOOD, loaded};

    fn with(store: &str) -> Result<Store, Vec<Problem>> {
        loaded(&format!("{GOOD}\n[store]\n{store}")).map(|loaded| loaded.settings.store)
    }

    fn redis(store: &str) -> Redis {
        match with(store).unwrap().engine {
            Engine::Redis(redis) => *redis,
            other @ (Engine::Memory | Engine::Embedded(_)) => panic!("{other:?}"),
        }
    }

    fn problem(store: &str, path: &str) -> String {
        let problems = with(store).unwrap_err();
        match problems.as_slice() {
            [problem] if problem.path == path => problem.message.clone(),
            other => panic!("{store}: {other:?}"),
        }
    }

    #[test]
    fn every_address_of_redis_is_taken_and_others_are_not() {
        for url in [
            "redis://redis:6379/3",
            "rediss://[::1]:6379",
            "redis-sentinel://a:26379,b,c:1/mymaster/2",
            "rediss-sentinel://a/mymaster",
            "redis-cluster://a:1,b:2",
            "rediss-cluster://a",
        ] {
            assert_eq!(redis(&format!("url = {url:?}")).url.reveal(), url);
        }
        for url in [
            "redis://",
            "redis://:hunter2@",
            "redis://hunter2@a",
            "redis://a,b",
            "redis://a:0",
            "redis://a:hunter2",
            "redis://a/hunter2",
            "redis://a/0?hunter2",
            "redis-sentinel://a,b",
            "redis-sentinel://a,/mymaster",
            "redis-cluster://a/1",
            "redis-ring://a",
            "valkey://a",
        ] {
            let message = problem(&format!("url = {url:?}"), "store.url");
            assert!(message.contains("redis-cluster://") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn levels_of_durability_are_read() {
        let level = |text: &str| redis(&format!("url = \"redis://a\"\n{text}")).durability;
        assert_eq!(level(""), Durability::Primary);
        assert_eq!(level("durability = \"replica\""), Durability::Replica(1));
        assert_eq!(level("durability = \"replica\"\nreplicas = 2"), Durability::Replica(2));
        assert_eq!(level("durability = \"fsync\""), Durability::Fsync);
        let message = problem("url = \"redis://a\"\nreplicas = 17", "store.replicas");
        assert!(message.contains("from 1 to 16, not 17"), "{message}");
        let message = problem("durability = \"fsync\"", "store.durability");
        assert!(message.contains("only Redis"), "{message}");
    }

    #[test]
    fn certificates_and_credentials_come_in_pairs_and_to_addresses_that_use_them() {
        let check = |store: &str, path: &str, part: &str| {
            let message = problem(store, path);
            assert!(message.contains(part), "{message}");
        };
        let pem = rcgen::generate_simple_self_signed(["redis".to_owned()]).unwrap().cert.pem();
        let certificate = format!("tls.certificate = '''{pem}'''");
        let tls = "url = \"rediss://a\"";
        check(&format!("{tls}\n{certificate}"), "store.tls.key", "is missing");
        check(&format!("{tls}\ntls.ca = \"nonsense\""), "store.tls.ca", "PEM file");
        check(
            &format!("url = \"redis://a\"\n{}", certificate.replace("certificate =", "ca =")),
            "store.tls",
            "rediss",
        );
        check(
            "url = \"redis-sentinel://a/b\"\nsentinel.user = \"x\"",
            "store.sentinel.password",
            "is missing",
        );
        let both =
            redis("url = \"redis-sentinel://a/b\"\nsentinel = { user = \"x\", password = \"sesame\" }");
        assert_eq!(both.sentinel.password.unwrap().reveal(), "sesame");
    }
}
