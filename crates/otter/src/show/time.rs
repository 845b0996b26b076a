//! Moments and spans of the contract, as people read them.

use std::time::Duration;

use prost_types::Timestamp;

/// A moment to the second: `2026-07-27 12:08:44 UTC`.
pub(crate) fn moment(timestamp: &Timestamp) -> String {
    let (date, time) = parts(timestamp);
    format!("{date} {} UTC", &time[..8])
}

/// The time of day to the millisecond: `12:08:44.250`.
pub(crate) fn time_of_day(timestamp: &Timestamp) -> String {
    let (_, time) = parts(timestamp);
    let (seconds, fraction) = time.split_once('.').unwrap_or((&time, ""));
    format!("{seconds}.{fraction:0<3.3}")
}

/// How long after the first the second moment is: `+12.250 s`.
pub(crate) fn offset(from: &Timestamp, to: &Timestamp) -> String {
    let nanos =
        |timestamp: &Timestamp| i128::from(timestamp.seconds) * 1_000_000_000 + i128::from(timestamp.nanos);
    let millis = (nanos(to) - nanos(from)) / 1_000_000;
    let sign = if millis < 0 { '-' } else { '+' };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03} s", millis / 1_000, millis % 1_000)
}

/// A span of the contract in seconds, without digits that say nothing: `30 s`, `2.5 s`. Negative ones read as zero.
pub(crate) fn contract_span(span: &prost_types::Duration) -> String {
    self::span(Duration::try_from(*span).unwrap_or_default())
}

/// A span in seconds, without digits that say nothing: `30 s`, `2.5 s`.
pub(crate) fn span(span: Duration) -> String {
    let millis = span.as_millis();
    let text = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Date and time of day, as RFC 3339 writes them.
fn parts(timestamp: &Timestamp) -> (String, String) {
    let text = timestamp.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, "00:00:00"));
    (date.to_owned(), time.trim_end_matches('Z').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64, millis: i32) -> Timestamp {
        Timestamp { seconds, nanos: millis * 1_000_000 }
    }

    #[test]
    fn moments_are_read_to_the_second_and_times_to_the_millisecond() {
        assert_eq!(moment(&at(1_785_153_600, 250)), "2026-07-27 12:00:00 UTC");
        assert_eq!(time_of_day(&at(1_785_153_600, 250)), "12:00:00.250");
        assert_eq!(time_of_day(&at(1_785_153_600, 0)), "12:00:00.000");
    }

    #[test]
    fn offsets_may_be_negative() {
        assert_eq!(offset(&at(10, 0), &at(12, 34)), "+2.034 s");
        assert_eq!(offset(&at(10, 0), &at(9, 900)), "-0.100 s");
    }

    #[test]
    fn spans_drop_digits_that_say_nothing() {
        assert_eq!(span(Duration::from_secs(30)), "30 s");
        assert_eq!(span(Duration::from_millis(2_500)), "2.5 s");
        assert_eq!(span(Duration::ZERO), "0 s");
    }
}
