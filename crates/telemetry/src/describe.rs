//! Instruments and views from the catalogue's entries.

use opentelemetry::metrics::{AsyncInstrument, Counter, Gauge, Histogram, Meter};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, Stream};

use crate::catalogue::{self, Kind, Metric};

pub(crate) fn counter(meter: &Meter, metric: &Metric) -> Counter<u64> {
    meter.u64_counter(metric.name).with_description(metric.about).with_unit(metric.unit).build()
}

pub(crate) fn gauge(meter: &Meter, metric: &Metric) -> Gauge<f64> {
    meter.f64_gauge(metric.name).with_description(metric.about).with_unit(metric.unit).build()
}

pub(crate) fn histogram(meter: &Meter, metric: &Metric) -> Histogram<f64> {
    meter.f64_histogram(metric.name).with_description(metric.about).with_unit(metric.unit).build()
}

pub(crate) fn observed(
    meter: &Meter,
    metric: &Metric,
    read: impl Fn(&dyn AsyncInstrument<f64>) + Send + Sync + 'static,
) {
    meter
        .f64_observable_gauge(metric.name)
        .with_description(metric.about)
        .with_unit(metric.unit)
        .with_callback(read)
        .build();
}

/// Gives each instrument the buckets and the limit of its entry; instruments without an entry are dropped.
pub(crate) fn view(instrument: &Instrument) -> Option<Stream> {
    let metric = catalogue::ALL.into_iter().find(|metric| metric.name == instrument.name());
    let stream = Stream::builder();
    let stream = match metric.map(|metric| (metric.kind, metric.limit)) {
        None => stream.with_aggregation(Aggregation::Drop),
        Some((Kind::Counter | Kind::Gauge, limit)) => stream.with_cardinality_limit(limit),
        Some((Kind::Histogram(buckets), limit)) => {
            let boundaries = buckets.to_vec();
            stream
                .with_aggregation(Aggregation::ExplicitBucketHistogram { boundaries, record_min_max: false })
                .with_cardinality_limit(limit)
        }
    };
    Some(stream.build().expect("the catalogue's buckets rise and its limits are positive"))
}
