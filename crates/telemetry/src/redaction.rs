//! Which fields of events and spans may be told, and how (OPERATIONS section 8).
//!
//! A field that is not named here does not exist for logs and spans. Of those named, ids and measures are told as they
//! are; words and texts have every longer run of digits hidden, in case somebody formatted a number or a code into an
//! error. Libraries may warn, but their words are withheld: they print addresses, headers and bodies.

use std::borrow::Cow;

use tracing::{Level, Metadata};

/// How a field may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// As it is: an id, a count, a time, an address of ours.
    Plain,
    /// With longer runs of digits hidden.
    Masked,
}

const PLAIN: &[&str] = &[
    "address",
    "admin",
    "attempt",
    "bytes",
    "count",
    "deadline",
    "delay",
    "depth",
    "elapsed",
    "event_id",
    "every",
    "grpc",
    "http.response.status_code",
    "key_id",
    "lag",
    "late",
    "limit",
    "line",
    "listen",
    "location",
    "max",
    "min",
    "otter.attempt",
    "otter.queue_wait_ms",
    "otter.verification.id",
    "partition",
    "partitions",
    "pid",
    "port",
    "position",
    "receipts",
    "recipient_ref",
    "remaining",
    "retry_after",
    "revision",
    "server",
    "server.address",
    "server.port",
    "span_id",
    "timeout",
    "took",
    "total",
    "trace_id",
    "tries",
    "vendor_code",
    "verification",
    "verification_id",
    "version",
    "wait",
    "waited",
    "what",
    "worker",
];

const MASKED: &[&str] = &[
    "action",
    "board",
    "by",
    "channel",
    "class",
    "component",
    "country",
    "doing",
    "engine",
    "error",
    "error.type",
    "error_class",
    "file",
    "from",
    "http.request.method",
    "http.route",
    "job",
    "key",
    "kind",
    "lane",
    "level",
    "messaging.batch.message_count",
    "messaging.destination.name",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.system",
    "method",
    "mode",
    "origin",
    "otel.kind",
    "otel.name",
    "otel.status_code",
    "otter.channel",
    "otter.country",
    "otter.provider",
    "otter.purpose",
    "otter.receipt.status",
    "otter.tenant",
    "otter.verify.outcome",
    "outcome",
    "path",
    "phase",
    "problem",
    "provider",
    "purpose",
    "reason",
    "role",
    "roles",
    "route",
    "rpc.method",
    "rpc.response.status_code",
    "rpc.status_code",
    "rpc.system",
    "rpc.system.name",
    "scope",
    "service",
    "setting",
    "signal",
    "speaks_of",
    "state",
    "status",
    "step",
    "store",
    "target",
    "template",
    "tenant",
    "thread",
    "to",
    "unfinished",
    "url.template",
    "warning",
    "why",
    "witness",
];

/// How a field may be told, if at all.
pub(crate) fn telling(field: &str) -> Option<Telling> {
    if PLAIN.binary_search(&field).is_ok() {
        Some(Telling::Plain)
    } else if MASKED.binary_search(&field).is_ok() {
        Some(Telling::Masked)
    } else {
        None
    }
}

/// Whether an event or span is one of ours.
pub(crate) fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let root = target.split("::").next().unwrap_or(target);
    root == "otter" || root.starts_with("otter_")
}

/// Whether it may be looked at, whatever the configured filter says: a library only from a warning on.
pub(crate) fn is_audible(metadata: &Metadata<'_>) -> bool {
    is_ours(metadata) || (metadata.is_event() && *metadata.level() <= Level::WARN)
}

/// The shortest run of digits that is hidden: that of the shortest code.
const RUN: usize = 6;

/// Replaces every run of at least [`RUN`] digits by `[digits]`. Blanks, dashes, dots, parentheses and `+` between digits
/// do not break a run, because people write numbers with them.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    if text.chars().filter(|letter| is_digit(*letter)).count() < RUN {
        return Cow::Borrowed(text);
    }
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_digit) {
        let (before, run) = rest.split_at(start);
        told.push_str(before);
        let run = &run[..run_length(run)];
        if run.chars().filter(|letter| is_digit(*letter)).count() >= RUN {
            told.push_str("[digits]");
        } else {
            told.push_str(run);
        }
        rest = &rest[start + run.len()..];
    }
    told.push_str(rest);
    Cow::Owned(told)
}

/// Other scripts have digits too: a text in Arabic may show a code in them.
fn is_digit(letter: char) -> bool {
    letter.is_numeric()
}

/// The bytes from the first digit to the last one of the run that begins the text.
fn run_length(text: &str) -> usize {
    text.char_indices()
        .take_while(|(_, letter)| is_digit(*letter) || matches!(letter, ' ' | '-' | '.' | '(' | ')' | '+'))
        .filter(|(_, letter)| is_digit(*letter))
        .map(|(place, letter)| place + letter.len_utf8())
        .last()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lists_are_sorted_so_that_they_can_be_searched() {
        assert!(PLAIN.is_sorted());
        assert!(MASKED.is_sorted());
    }

    #[test]
    fn names_that_could_hold_a_secret_are_not_listed() {
        for name in
            ["code", "number", "phone", "text", "body", "url", "headers", "token", "secret", "authorization"]
        {
            assert_eq!(telling(name), None, "{name}");
        }
    }

    #[test]
    fn longer_runs_of_digits_are_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(masked(text), expected);
        check("no such number +49 (151) 234-5678.", "no such number +[digits].");
        check("code 918273", "code [digits]");
        check("code 9 1 8 2 7 3 was wrong", "code [digits] was wrong");
        check("status 503 after 3 tries", "status 503 after 3 tries");
        check("٩١٨٢٧٣", "[digits]");
        check("", "");
    }

    proptest! {
        #[test]
        fn no_code_survives(before in "\\PC{0,12}", code in "[0-9]{6,10}", after in "\\PC{0,12}") {
            let text = format!("{before}{code}{after}");
            prop_assert!(!masked(&text).contains(&code));
        }
    }
}
