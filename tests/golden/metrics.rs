//! The list of metrics, from the catalogue of `telemetry`.

use std::fmt::Write as _;

use otter_telemetry::catalogue::{ALL, Kind, Metric};
use otter_tests::assert_golden;

const OPENING: &str = "# Metrics

Rendered from `crates/telemetry/src/catalogue.rs`; `make docs` writes it again.

Names are as in `/metrics` on the admin port, which is the only place where metrics are read: OTLP carries spans. The last
column has the names that OpenTelemetry's conventions give them. No label ever holds an id, a code or a number: labels are
words of the configuration and short lists. *Limit* is the most label sets of one process; what comes after them is counted
in one overflow series.

| name | kind | labels | limit | what it tells | OpenTelemetry |
|---|---|---|---|---|---|
";

const EDGES: &str = "
## Buckets

The upper edges of each histogram, in seconds.

";

fn kind(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    }
}

fn row(metric: &Metric) -> String {
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!(
        "| `{}` | {} | {} | {} | {} | `{}` |",
        metric.exposed,
        kind(metric),
        labels.join(", "),
        metric.limit,
        metric.about,
        metric.name
    )
}

#[test]
fn metrics_are_listed_as_the_catalogue_has_them() {
    let mut page = OPENING.to_owned();
    for metric in ALL {
        writeln!(page, "{}", row(metric)).expect("a string takes all");
    }
    page.push_str(EDGES);
    for metric in ALL {
        if let Kind::Histogram(edges) = metric.kind {
            let edges: Vec<_> = edges.iter().map(ToString::to_string).collect();
            writeln!(page, "- `{}`: {}", metric.exposed, edges.join(" · ")).expect("a string takes all");
        }
    }
    assert_golden("docs/metrics.md", &page);
}
