//! Dates of the configuration as moments.

use otter_domain::Moment;
use toml::value::{Datetime, Offset};

/// Reads a date with time and offset, for example `2027-01-31T00:00:00Z`; `None` without an offset or before 1970.
pub(crate) fn from_datetime(datetime: &Datetime) -> Option<Moment> {
    let (date, time, offset) = (datetime.date?, datetime.time?, datetime.offset?);
    let minutes = match offset {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    let days = days_since_1970(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let of_day =
        (i64::from(time.hour) * 60 + i64::from(time.minute)) * 60 + i64::from(time.second.unwrap_or(0));
    let seconds = days * 86_400 + of_day - minutes * 60;
    u64::try_from(seconds).ok().map(|seconds| Moment::from_millis(seconds * 1000))
}

/// Counts in years that begin in March, so that the leap day is the last (the "days from civil" method).
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn dates_with_an_offset_are_moments() {
        let check = |text: &str, expected: Option<u64>| {
            let moment = from_datetime(&text.parse().unwrap());
            assert_eq!(moment, expected.map(|seconds| Moment::from_millis(seconds * 1000)), "{text}");
        };
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T12:30:05Z", Some(951_827_405));
        check("2027-01-31T00:00:00Z", Some(1_801_353_600));
        check("2027-01-31T02:00:00+02:00", Some(1_801_353_600));
        check("2027-01-31T00:00:00", None);
        check("2027-01-31", None);
        check("1969-12-31T23:59:59Z", None);
    }
}
