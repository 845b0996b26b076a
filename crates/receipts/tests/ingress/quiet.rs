//! What logs and metrics say about callbacks.

use std::io;
use std::sync::{Arc, Mutex};

use crate::client::request;
use crate::house::House;
use crate::store::Mood;

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_token_query_header_or_body_is_logged_or_measured() {
    let written = Written::default();
    let writer = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // For all threads: whether an event is of interest is remembered for all of them together, so that a subscriber of
    // one thread misses events that another test was the first to cause. What other tests log may not tell either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let house = House::open().await;
    let (_, token) = house.sent().await;
    let target = format!("/receipts/acme/{token}?secret=query-canary");
    house.call(&target, "- delivered").await;
    let headers = [("x-signature", "header-canary"), ("traceparent", "trace-canary")];
    house.exchange(&request("POST", &target, &headers, b"body-canary")).await;
    house.set_mood(Mood::Fails);
    house.call(&target, "- read").await;
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    for expected in ["receipt booked", "callback refused", "could not book receipts"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    for canary in [&token[..20], "canary", "secret"] {
        assert!(!text.contains(canary), "{canary} in {text}");
        assert!(!house.metrics().contains(canary), "{canary} in the metrics");
    }
}
