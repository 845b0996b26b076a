//! Lines on standard error: for people on a terminal, one JSON object each otherwise.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Map, json};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::kept::{Kept, Value};
use crate::redaction::is_ours;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Colour,
    Human,
    Json,
}

/// Writes each event as one line, with the fields of the spans around it.
#[derive(Debug)]
pub(crate) struct LogLayer<W> {
    style: Style,
    writer: W,
}

impl<W> LogLayer<W> {
    pub(crate) fn new(style: Style, writer: W) -> Self {
        Self { style, writer }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut kept = Kept::default();
        attributes.record(&mut kept);
        span.extensions_mut().insert(kept);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(kept) = span.extensions_mut().get_mut::<Kept>() {
            values.record(kept);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Line { metadata, kept: Kept::default(), around: Vec::new() };
        if is_ours(metadata) {
            event.record(&mut line.kept);
            for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
                if let Some(kept) = span.extensions().get::<Kept>() {
                    line.around.extend(kept.fields.iter().cloned());
                }
            }
        } else {
            line.kept.message = Some("a library warns; its words are withheld".to_owned());
            let place = format!("{}:{}", metadata.module_path().unwrap_or("?"), metadata.line().unwrap_or(0));
            line.kept.fields.push(("location", Value::Text(place)));
        }
        let mut text = match self.style {
            Style::Colour => line.human(true),
            Style::Human => line.human(false),
            Style::Json => line.json(),
        };
        text.push('\n');
        // Nobody is left to tell if the log cannot be written.
        let _ = self.writer.make_writer_for(metadata).write_all(text.as_bytes());
    }
}

struct Line<'a> {
    metadata: &'a Metadata<'static>,
    kept: Kept,
    around: Vec<(&'static str, Value)>,
}

impl Line<'_> {
    fn message(&self) -> &str {
        self.kept.message.as_deref().unwrap_or_default()
    }

    fn human(&self, colour: bool) -> String {
        let (dim, level, end) =
            if colour { ("\x1b[2m", paint(*self.metadata.level()), "\x1b[0m") } else { ("", "", "") };
        let mut text = format!(
            "{dim}{}{end} {level}{:>5}{end} {} {dim}{}{end}",
            timestamp(),
            self.metadata.level(),
            self.message(),
            self.metadata.target(),
        );
        for (name, value) in self.kept.fields.iter().chain(&self.around) {
            // Writing to a string cannot fail.
            let _ = write!(text, " {dim}{name}={end}{}", one_line(&value.to_string()));
        }
        text
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        for (name, value) in self.around.iter().chain(&self.kept.fields) {
            object.insert((*name).to_owned(), as_json(value));
        }
        object.insert("time".to_owned(), json!(timestamp()));
        object.insert("level".to_owned(), json!(self.metadata.level().as_str()));
        object.insert("target".to_owned(), json!(self.metadata.target()));
        object.insert("message".to_owned(), json!(self.message()));
        serde_json::Value::Object(object).to_string()
    }
}

fn timestamp() -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut text));
    text
}

fn paint(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}

/// Nobody forges a line or moves the cursor by what stands in a field.
fn one_line(text: &str) -> String {
    let bare = !text.is_empty() && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    if bare { text.to_owned() } else { format!("{text:?}") }
}

fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => json!(text),
        Value::Whole(number) => {
            i64::try_from(*number).map_or_else(|_| json!(number.to_string()), |number| json!(number))
        }
        Value::Real(number) => json!(number),
        Value::Switch(on) => json!(on),
    }
}
