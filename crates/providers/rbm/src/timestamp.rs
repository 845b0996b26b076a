//! Timestamps in protobuf's JSON form, a profile of RFC 3339.

use otter_domain::Moment;

/// Reads for example `2014-10-02T15:01:23.045123456Z` or `2014-10-02T15:01:23+05:30`, to the millisecond; `None` if it
/// is of another form or before 1970.
pub(crate) fn parse(text: &str) -> Option<Moment> {
    let (date, time) = text.split_once('T')?;
    let (time, offset_minutes) = split_offset(time)?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let minutes = (days_since_epoch(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    let millis = (minutes * 60 + second) * 1000 + milliseconds(fraction)?;
    u64::try_from(millis).ok().map(Moment::from_millis)
}

/// Splits the zone off, as minutes east of Greenwich.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[at + 1..], ':', [2, 2])?;
    if hours >= 24 || minutes >= 60 {
        return None;
    }
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    Some((&time[..at], sign * (hours * 60 + minutes)))
}

/// Reads exactly `N` numbers of the given widths.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width && is_digits(part))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn milliseconds(fraction: &str) -> Option<i64> {
    if !is_digits(fraction) || !(1..=9).contains(&fraction.len()) {
        return None;
    }
    format!("{fraction:0<3}")[..3].parse().ok()
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Counts in years that begin in March, so that the leap day is a year's last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days_before_year = year * 365 + year / 4 - year / 100 + year / 400;
    let days_before_month = (month * 153 + 2) / 5;
    days_before_year + days_before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_timestamp_is_read_to_the_millisecond() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(parse(text).map(Moment::as_millis), millis, "{text}");
        };
        check("1970-01-01T00:00:00Z", Some(0));
        check("2014-10-02T15:01:23Z", Some(1_412_262_083_000));
        check("2014-10-02T15:01:23.045123456Z", Some(1_412_262_083_045));
        check("2014-10-02T15:01:23.5Z", Some(1_412_262_083_500));
        check("2014-10-02T15:01:23+05:30", Some(1_412_242_283_000));
        check("2024-02-29T23:59:59.999-01:00", Some(1_709_254_799_999));
        check("2000-03-01T00:00:00Z", Some(951_868_800_000));
    }

    #[test]
    fn what_is_not_a_timestamp_is_not_guessed_at() {
        let check = |text: &str| assert_eq!(parse(text), None, "{text}");
        check("");
        check("2014-10-02");
        check("2014-10-02T15:01:23");
        check("2014-10-02 15:01:23Z");
        check("2023-02-29T00:00:00Z");
        check("2014-13-02T15:01:23Z");
        check("2014-10-02T24:01:23Z");
        check("2014-10-02T15:01:23.Z");
        check("2014-10-02T15:01:23.0000000001Z");
        check("2014-10-02T15:01:23+0530");
        check("1969-12-31T23:59:59Z");
        check("1970-01-01T00:00:00+01:00");
        check("2014-1٠-02T15:01:23Z");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn nothing_of_nearly_the_form_makes_it_panic(text in "[0-9TZ:.+é-]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn later_seconds_are_later_moments(minute in 0u64..60, second in 0u64..59, day in 1u64..29) {
            let at = |second: u64| parse(&format!("2026-02-{day:02}T10:{minute:02}:{second:02}Z"));
            prop_assert!(at(second).is_some());
            prop_assert!(at(second) < at(second + 1));
        }
    }
}
