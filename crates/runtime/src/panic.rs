//! Panics without what they were about to say.

use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

/// Makes every panic report where it happened and nothing else: its message may have been formatted from a code or a
/// number (SEC-10). Reported as a log event, or on standard error as long as no subscriber is set.
///
/// Process-wide; call it first thing in `main`.
pub fn hide_panic_payloads() {
    set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    if tracing::dispatcher::has_been_set() {
        tracing::error!(location = place, thread, "a thread panicked; its message is withheld");
    } else {
        // Nobody is left to tell if standard error is gone as well.
        let _ = writeln!(std::io::stderr(), "thread {thread} panicked at {place}; its message is withheld");
    }
}
