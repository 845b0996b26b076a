//! Spans by OTLP, with the same allow-list as logs as the last thing before they leave.

use std::time::Duration;

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_otlp::{SpanExporter as OtlpExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanExporter};

use crate::redaction::{Telling, masked, telling};
use crate::start::{Error, Otlp};

/// Builds the pipeline. Must be called inside the runtime that will carry the connection.
pub(crate) fn provider(
    otlp: &Otlp,
    component: &str,
    version: &'static str,
) -> Result<SdkTracerProvider, Error> {
    let exporter = OtlpExporter::builder()
        .with_tonic()
        .with_endpoint(otlp.endpoint.clone())
        .with_timeout(Duration::from_secs(5))
        .build()
        .map_err(Error::Exporter)?;
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", format!("otter-{component}")),
            KeyValue::new("service.version", version),
            KeyValue::new("service.instance.id", otlp.instance.clone()),
        ])
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sample)));
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(sampler)
        .with_batch_exporter(Redacting(exporter))
        .build())
}

/// Removes from each span what may not be told.
#[derive(Debug)]
pub(crate) struct Redacting<E>(pub(crate) E);

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.export(batch.into_iter().map(redacted).collect())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn redacted(mut span: SpanData) -> SpanData {
    span.name = masked(&span.name).into_owned().into();
    span.attributes = told(span.attributes);
    for event in &mut span.events.events {
        event.name = masked(&event.name).into_owned().into();
        event.attributes = told(std::mem::take(&mut event.attributes));
    }
    for link in &mut span.links.links {
        link.attributes = told(std::mem::take(&mut link.attributes));
    }
    if let Status::Error { description } = &mut span.status {
        *description = masked(description).into_owned().into();
    }
    span
}

fn told(attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes
        .into_iter()
        .filter_map(|attribute| match telling(attribute.key.as_str())? {
            Telling::Plain => Some(attribute),
            Telling::Masked => Some(KeyValue::new(attribute.key, hidden(attribute.value))),
        })
        .collect()
}

fn hidden(value: Value) -> Value {
    if let Value::Array(Array::String(texts)) = value {
        let texts = texts.iter().map(|text| masked(text.as_str()).into_owned().into());
        return Value::Array(Array::String(texts.collect()));
    }
    let text = value.as_str().into_owned();
    let told = masked(&text).into_owned();
    if told == text { value } else { Value::String(told.into()) }
}
