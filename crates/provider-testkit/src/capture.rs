//! Finding what nobody may read.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use url::form_urlencoded::byte_serialize;

/// Everything that is traced or logged on this thread at any level while it lives.
#[derive(Debug)]
pub struct Capture {
    written: Written,
    _guard: DefaultGuard,
}

impl Capture {
    /// Starts capturing at TRACE, spans with all their fields and the events of the `log` crate included.
    pub fn start() -> Self {
        // The number parser logs national numbers at TRACE, and no vendor can help it: whoever bridges `log` in earnest
        // has to leave it out too. A second test in the same process finds the bridge in place.
        let _ = tracing_log::LogTracer::builder().ignore_crate("rlibphonenumber").init();
        let written = Written::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_ansi(false)
            .with_writer(written.clone())
            .finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The text so far.
    pub fn text(&self) -> String {
        let bytes = self.written.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Written {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Fails if a text shows something secret: as it is, URL-encoded, inside base64 at any alignment, or, for digits, with
/// anything between them. The failure names the place and the form, never the text.
#[track_caller]
pub fn assert_silent(place: &str, text: &str, secret: &str) {
    assert!(!text.contains(secret), "{place} shows a secret in plain text");
    let encoded: String = byte_serialize(secret.as_bytes()).collect();
    assert!(!text.contains(&encoded), "{place} shows a secret URL-encoded");
    for core in base64_cores(secret) {
        assert!(!text.contains(&core), "{place} shows a secret in base64");
    }
    let digits = only_digits(secret);
    let is_number = digits.len() >= 6 && secret.bytes().all(|byte| byte.is_ascii_digit() || byte == b'+');
    let shown = is_number && text.lines().any(|line| only_digits(line).contains(&digits));
    assert!(!shown, "{place} shows the digits of a secret");
}

fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The letters that a text's base64 has in common whatever stands before and after it, for each of three alignments.
fn base64_cores(text: &str) -> Vec<String> {
    let core = |before: usize| {
        let padded = [&b"\0\0"[..before], text.as_bytes()].concat();
        let encoded = BASE64_STANDARD_NO_PAD.encode(&padded);
        let (from, until) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        encoded[from..until].to_owned()
    };
    (0..3).map(core).filter(|core| core.len() >= 6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_form() {
        let shown =
            |text: &str| std::panic::catch_unwind(|| assert_silent("here", text, "+4915112345678")).is_err();
        assert!(shown("to +4915112345678"));
        assert!(shown("to=%2B4915112345678&x"));
        assert!(shown("49 151 1234-5678"));
        for prefix in ["", "a", "ab"] {
            assert!(shown(&BASE64_STANDARD_NO_PAD.encode(format!("{prefix}+4915112345678 hello"))));
        }
        assert!(!shown("to +49*********78, 12 parts"));
    }

    #[test]
    fn spans_and_events_at_every_level_are_captured() {
        let capture = Capture::start();
        let span = tracing::trace_span!("quiet", late = tracing::field::Empty);
        span.in_scope(|| tracing::trace!(field = "inside", "whisper"));
        span.record("late", "afterwards");
        drop(span);
        for word in ["quiet", "inside", "whisper", "afterwards"] {
            assert!(capture.text().contains(word), "{word}");
        }
    }
}
