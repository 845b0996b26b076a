//! What listens, how it stops, and what it reports: `[grpc]`, `[receipts]`, `[admin]`, `[shutdown]`, `[metrics]` and
//! `[telemetry]`.

use std::net::SocketAddr;
use std::time::Duration;

use otter_domain::Country;
use otter_provider::country;
use url::Url;

use crate::certificates::{Needed, authorities, identity};
use crate::layers::Sources;
use crate::public_url::public_url;
use crate::section::{Section, shown};
use crate::settings::{Admin, Grpc, LogFormat, Metrics, Otlp, Receipts, Shutdown, Telemetry, Tls};

const SECOND: Duration = Duration::from_secs(1);

/// An address that nobody listens on, after a problem.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) fn grpc(section: Section<'_>, sources: &Sources<'_>) -> Grpc {
    let grpc = Grpc {
        listen: listen(&section),
        tls: section.optional_section("tls").and_then(|section| tls(section, sources)),
        max_message_bytes: section.number("max_message_bytes", 4096..=4_194_304_u32, None) as usize,
        max_connection_age: section.span("max_connection_age", 30 * SECOND..=86_400 * SECOND, None),
        max_connections: section.number("max_connections", 1..=65_536_u32, None) as usize,
        max_concurrent_streams: section.number("max_concurrent_streams", 1..=65_536_u32, None),
        max_calls: section.number("max_calls", 2..=65_536_u32, None) as usize,
        max_sends: section.number("max_sends", 1..=65_535_u32, None) as usize,
        max_streams: section.number("max_streams", 1..=65_536_u32, None) as usize,
    };
    if grpc.max_sends >= grpc.max_calls {
        section.problem("max_sends", "must be less than max_calls, so that checks find room".to_owned());
    }
    if section.value("tls").is_none() && !grpc.listen.ip().is_loopback() {
        section.warning(
            "listen",
            "is reachable from other machines without TLS; set grpc.tls, or let a mesh encrypt and authenticate",
        );
    }
    section.done();
    grpc
}

fn tls(section: Section<'_>, sources: &Sources<'_>) -> Option<Tls> {
    let client_ca = authorities(&section, "client_ca", sources);
    let identity = identity(&section, sources, Needed::Yes);
    section.done();
    let (certificate, key) = identity?;
    Some(Tls { certificate, key, client_ca })
}

pub(crate) fn receipts(section: Section<'_>) -> Receipts {
    let receipts = Receipts {
        listen: listen(&section),
        public_url: public_url(&section),
        max_body_bytes: section.number("max_body_bytes", 4096..=4_194_304_u32, None) as usize,
    };
    section.done();
    receipts
}

pub(crate) fn admin(section: Section<'_>) -> Admin {
    let admin = Admin { listen: listen(&section) };
    section.done();
    admin
}

pub(crate) fn shutdown(section: Section<'_>) -> Shutdown {
    let minutes = |count: u64| Duration::from_secs(count * 60);
    let shutdown = Shutdown {
        delay: section.span("delay", Duration::ZERO..=minutes(1), None),
        drain: section.span("drain", Duration::ZERO..=minutes(10), None),
        flush: section.span("flush", Duration::ZERO..=minutes(1), None),
    };
    section.done();
    shutdown
}

/// How many countries labels may tell apart: more would overflow the counters that have them.
const MAX_COUNTRIES: usize = 60;

pub(crate) fn metrics(section: Section<'_>) -> Metrics {
    let countries = countries(&section, "countries", "labels call every country `other`").unwrap_or_default();
    if countries.len() > MAX_COUNTRIES {
        section.problem(
            "countries",
            format!("must name at most {MAX_COUNTRIES} countries; the others are `other`"),
        );
    }
    section.done();
    Metrics { countries }
}

/// A list of countries. `if_empty` says what follows when there is none in it.
pub(crate) fn countries(section: &Section<'_>, key: &'static str, if_empty: &str) -> Option<Vec<Country>> {
    let items = section.items(key, "a list of two-letter country codes such as [\"DE\", \"FR\"]")?;
    if items.is_empty() {
        section.warning(key, format!("is empty, so {if_empty}"));
    }
    let mut countries = Vec::with_capacity(items.len());
    for (place, item) in items.iter().enumerate() {
        match country(item) {
            Ok(country) if countries.contains(&country) => {
                section
                    .notes()
                    .warning(section.item_path(key, place), format!("names {country} a second time"));
            }
            Ok(country) => countries.push(country),
            Err(error) => {
                let message = format!("is {}; {error}", shown(item));
                section.notes().problem(section.item_path(key, place), message);
            }
        }
    }
    Some(countries)
}

pub(crate) fn telemetry(section: Section<'_>) -> Telemetry {
    let formats = [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
    let log_filter = section.text("log_filter").unwrap_or_default().to_owned();
    let log_format = section.word("log_format", &formats, None);
    let otlp = section.section("otlp");
    let endpoint = otlp.parsed("endpoint", "an address such as \"http://127.0.0.1:4317\"", |text| {
        let url = Url::parse(text).ok()?;
        (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| text.to_owned())
    });
    let sample = otlp.real("sample", 0.0..=1.0, None);
    otlp.done();
    section.done();
    Telemetry { log_filter, log_format, otlp: endpoint.map(|endpoint| Otlp { endpoint, sample }) }
}

fn listen(section: &Section<'_>) -> SocketAddr {
    let expected = "an address and a port such as \"0.0.0.0:8080\" or \"[::]:8080\"";
    if section.value("listen").is_none() {
        section.missing("listen", expected);
    }
    section.parsed("listen", expected, |text| text.parse().ok()).unwrap_or(NOWHERE)
}
