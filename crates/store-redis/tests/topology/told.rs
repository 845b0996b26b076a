//! What is told in the log while a test runs on this thread.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// Hears everything from its start until it is dropped.
pub(crate) struct Told {
    lines: Lines,
    _guard: DefaultGuard,
}

impl Told {
    pub(crate) fn start() -> Self {
        let lines = Lines::default();
        let guard = tracing::subscriber::set_default(lines.clone());
        Self { lines, _guard: guard }
    }

    /// How many lines hold all of these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let lines = self.lines.0.lock().unwrap();
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until a line holds all of these words.
    pub(crate) async fn until(&self, words: &[&str]) {
        let told = async {
            while self.count(words) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(in_time.is_ok(), "{words:?} in {:#?}", self.lines.0.lock().unwrap());
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("otter")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}
