//! What share of codes arrive and what share are typed in.

use std::ops::Range;

use comfy_table::Cell;
use otter_contract::admin::v1::{ListRatesResponse, Rate, Share, ShareBasis, WatchRatesResponse};
use prost_types::{Duration, Timestamp};

use super::screen::Width;
use super::table::{Head, table, widest_line};
use super::words::{Word as _, window};
use super::{Shown, Tone, time};

/// Below so many attempts a share says little and has no colour.
const TELLING: f64 = 20.0;

/// From this age on, in seconds, rates are old: they are read again every 2 s.
const OLD: i64 = 10;

const HEADS: [Head; 11] = [
    Head::Words("PROVIDER"),
    Head::Words("CHANNEL"),
    Head::Words("IN"),
    Head::Words("OVER"),
    Head::Figures("SENT"),
    Head::Figures("FAILED"),
    Head::Figures("ACCEPTED"),
    Head::Figures("MAYBE"),
    Head::Figures("SKIPPED"),
    Head::Figures("DELIVERED"),
    Head::Figures("VERIFIED"),
];

/// Which columns a narrow terminal does without.
const SPARE: Range<usize> = 6..9;

/// Before a share that rests on nothing but what is old.
const RAW: char = '~';

/// Before a share that is corrected by what others have taught.
const BORROWED: char = '*';

/// From where on a share is green, and from where on yellow. It colours the table and decides nothing.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    good: f64,
    fair: f64,
}

const DELIVERY: Bounds = Bounds { good: 0.9, fair: 0.75 };
const CONVERSION: Bounds = Bounds { good: 0.75, fair: 0.5 };

/// All rates that were asked for, and the moment for which they hold.
#[derive(Debug, Clone, Copy)]
struct Picture<'a> {
    rates: &'a [Rate],
    read_time: Option<&'a Timestamp>,
    age: Option<&'a Duration>,
}

/// Whether something that happened may be missing from rates of this age.
pub(crate) fn is_old(age: Option<&Duration>) -> bool {
    age.is_none_or(|age| age.seconds >= OLD)
}

impl Picture<'_> {
    /// The rates as a table, with the moment for which they hold and what its marks mean.
    fn text(self, width: Width) -> String {
        let mut lines = vec![self.title()];
        if self.rates.is_empty() {
            lines.push("no traffic".to_owned());
        } else {
            lines.push(self.table(width));
            lines.extend(self.legend().into_iter().map(|line| Tone::Faint.paint(line)));
        }
        lines.join("\n")
    }

    fn title(self) -> String {
        let at = self.read_time.map(time::moment).unwrap_or_default();
        match self.age {
            Some(age) if is_old(Some(age)) => {
                let age = age.seconds;
                Tone::Bad
                    .paint(format!("rates at {at}, which is {age} s ago: the store could not be read since"))
            }
            Some(_) => Tone::Faint.paint(format!("rates at {at}")),
            None => {
                Tone::Bad.paint(format!("rates at {at}, incomplete: the server has not read them all yet"))
            }
        }
    }

    fn table(self, width: Width) -> String {
        let whole = table(&HEADS, self.rates.iter().map(row), None);
        if width.is_none_or(|width| widest_line(&whole) <= width.into()) {
            return whole;
        }
        let mut heads = HEADS.to_vec();
        heads.drain(SPARE);
        let rows = self.rates.iter().map(|rate| {
            let mut row = row(rate);
            row.drain(SPARE);
            row
        });
        table(&heads, rows, width)
    }

    fn legend(self) -> Vec<String> {
        let shares = || self.rates.iter().flat_map(|rate| [&rate.delivery, &rate.conversion]).flatten();
        let has = |basis: ShareBasis| shares().any(|share| share.basis() == basis);
        let is_early = self.rates.iter().any(|rate| {
            rate.accepted + rate.ambiguous > 0 && (rate.delivery.is_none() || rate.conversion.is_none())
        });
        let lines = [
            (
                has(ShareBasis::Raw),
                format!("{RAW} of codes older than 300 s only: how fast they come in is not known yet"),
            ),
            (
                has(ShareBasis::Borrowed),
                format!("{BORROWED} corrected for young codes by how fast others on the channel come in"),
            ),
            (is_early, "- not known yet: the codes are too young, or too few".to_owned()),
            (
                self.rates.iter().any(|rate| rate.uncredited > 0),
                "+n? more whose code others carried too: nobody can tell, so they are left out of the share"
                    .to_owned(),
            ),
        ];
        lines.into_iter().filter_map(|(is_needed, line)| is_needed.then_some(line)).collect()
    }
}

fn row(rate: &Rate) -> Vec<Cell> {
    let failed = rate.submitted.saturating_sub(rate.accepted + rate.ambiguous);
    let tone = |count: u64, tone: Tone| if count > 0 { tone } else { Tone::Faint };
    let [delivered, verified] = match idle_since(rate) {
        Some(since) => [Tone::Faint.figure("no traffic since"), Tone::Faint.figure(since)],
        None => [
            share(rate.delivered.to_string(), rate.delivery.as_ref(), DELIVERY),
            share(verified(rate), rate.conversion.as_ref(), CONVERSION),
        ],
    };
    vec![
        Tone::Plain.cell(&rate.provider),
        Tone::Plain.cell(rate.channel().word()),
        Tone::Plain.cell(&rate.country),
        Tone::Plain.cell(window(rate.window())),
        Tone::Plain.figure(rate.submitted),
        tone(failed, Tone::Bad).figure(failed),
        Tone::Plain.figure(rate.accepted),
        tone(rate.ambiguous, Tone::Open).figure(rate.ambiguous),
        tone(rate.skipped, Tone::Open).figure(rate.skipped),
        delivered,
        verified,
    ]
}

/// When something was tried last, if it was before the window.
fn idle_since(rate: &Rate) -> Option<String> {
    let is_idle = rate.submitted + rate.skipped + rate.delivered + rate.verified == 0;
    rate.last_attempt_time.as_ref().filter(|_| is_idle).map(time::moment)
}

/// How many were verified, and of how many more nobody can tell.
fn verified(rate: &Rate) -> String {
    match rate.uncredited {
        0 => rate.verified.to_string(),
        uncredited => format!("{}+{uncredited}?", rate.verified),
    }
}

/// The count, the share in percent with its mark, and its interval: `95  97.1 (93-99)`.
fn share(count: String, share: Option<&Share>, bounds: Bounds) -> Cell {
    let Some(share) = share else {
        return Tone::Faint.figure(format!("{count}  {:>14}", "-"));
    };
    let Share { value, low, high, denominator, basis: _ } = *share;
    let mark = match share.basis() {
        ShareBasis::Raw => RAW,
        ShareBasis::Borrowed => BORROWED,
        ShareBasis::Own | ShareBasis::Unspecified => ' ',
    };
    let tone = if denominator < TELLING || mark != ' ' {
        Tone::Faint
    } else if value >= bounds.good {
        Tone::Good
    } else if value >= bounds.fair {
        Tone::Open
    } else {
        Tone::Bad
    };
    let [value, low, high] = [value, low, high].map(|share| share * 100.0);
    let interval = format!("({low:.0}-{high:.0})");
    tone.figure(format!("{count} {mark}{value:>5.1} {interval:>8}"))
}

impl Shown for ListRatesResponse {
    const NAME: &'static str = "otter.admin.v1.ListRatesResponse";

    fn text(&self, width: Width) -> String {
        let Self { rates, read_time, age, next_page_token: _ } = self;
        Picture { rates, read_time: read_time.as_ref(), age: age.as_ref() }.text(width)
    }
}

impl Shown for WatchRatesResponse {
    const NAME: &'static str = "otter.admin.v1.WatchRatesResponse";

    fn text(&self, width: Width) -> String {
        let Self { rates, read_time, age } = self;
        Picture { rates, read_time: read_time.as_ref(), age: age.as_ref() }.text(width)
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::admin::v1::RateWindow;
    use otter_contract::v1::Channel;

    use super::super::tone::plain;
    use super::*;

    fn share_of(value: f64, denominator: f64, basis: ShareBasis) -> Share {
        Share { value, low: 0.9007, high: 0.9842, denominator, basis: basis.into() }
    }

    fn rate() -> Rate {
        Rate {
            provider: "sms-a".to_owned(),
            channel: Channel::Sms.into(),
            country: "DE".to_owned(),
            window: RateWindow::FiveMinutes.into(),
            submitted: 100,
            accepted: 97,
            ambiguous: 1,
            mature: 90,
            delivered: 95,
            verified: 60,
            acceptance: None,
            delivery: Some(share_of(0.9596, 99.0, ShareBasis::Own)),
            conversion: None,
            uncredited: 0,
            skipped: 7,
            last_attempt_time: Some(Timestamp { seconds: 1_785_153_590, nanos: 0 }),
        }
    }

    fn drawn(rates: Vec<Rate>, age: Option<i64>, width: Width) -> String {
        let age = age.map(|seconds| Duration { seconds, nanos: 0 });
        let read_time = Some(Timestamp { seconds: 1_785_153_600, nanos: 0 });
        plain(&WatchRatesResponse { rates, read_time, age }.text(width))
    }

    #[test]
    fn shares_stand_with_their_intervals() {
        assert_eq!(
            drawn(vec![rate()], Some(1), None),
            "\
rates at 2026-07-27 12:00:00 UTC
PROVIDER  CHANNEL  IN  OVER  SENT  FAILED  ACCEPTED  MAYBE  SKIPPED           DELIVERED            VERIFIED
sms-a     sms      DE  5m     100       2        97      1        7  95   96.0  (90-98)  60               -
- not known yet: the codes are too young, or too few"
        );
    }

    #[test]
    fn what_is_not_corrected_by_what_the_segment_taught_is_marked() {
        let marked = Rate {
            delivery: Some(share_of(0.95, 60.0, ShareBasis::Borrowed)),
            conversion: Some(share_of(0.8, 60.0, ShareBasis::Raw)),
            uncredited: 4,
            ..rate()
        };
        let drawn = drawn(vec![marked], Some(1), Some(80));
        assert!(drawn.contains("95 * 95.0  (90-98)  60+4? ~ 80.0  (90-98)"), "{drawn}");
        for line in ["~ of codes older", "* corrected", "+n? more"] {
            assert!(drawn.contains(&format!("\n{line}")), "{drawn}");
        }
        assert!(!drawn.contains("\n- not known"), "{drawn}");
    }

    #[test]
    fn a_row_without_traffic_says_since_when() {
        let counts = Rate { submitted: 0, accepted: 0, ambiguous: 0, skipped: 0, ..rate() };
        let idle = Rate { delivered: 0, verified: 0, delivery: None, ..counts };
        let drawn = drawn(vec![idle], Some(1), None);
        assert!(drawn.ends_with("0  no traffic since  2026-07-27 11:59:50 UTC"), "{drawn}");
    }

    #[test]
    fn old_rates_say_so_first() {
        let first = |age| drawn(Vec::new(), age, None).lines().next().map(str::to_owned);
        let at = "rates at 2026-07-27 12:00:00 UTC";
        assert_eq!(first(Some(9)).as_deref(), Some(at));
        assert_eq!(
            first(Some(73)),
            Some(format!("{at}, which is 73 s ago: the store could not be read since"))
        );
        assert_eq!(first(None), Some(format!("{at}, incomplete: the server has not read them all yet")));
        assert!(is_old(None) && is_old(Some(&Duration { seconds: 10, nanos: 0 })));
    }

    #[test]
    fn a_share_is_coloured_only_when_it_says_something() {
        let of = |value, denominator, basis| {
            let it = Share { low: 0.0, high: 1.0, ..share_of(value, denominator, basis) };
            share("5".to_owned(), Some(&it), DELIVERY)
        };
        assert_eq!(of(0.5, 19.0, ShareBasis::Own), Tone::Faint.figure("5   50.0  (0-100)"));
        assert_eq!(of(0.5, 20.0, ShareBasis::Own), Tone::Bad.figure("5   50.0  (0-100)"));
        assert_eq!(of(0.95, 20.0, ShareBasis::Own), Tone::Good.figure("5   95.0  (0-100)"));
        assert_eq!(of(0.95, 20.0, ShareBasis::Raw), Tone::Faint.figure("5 ~ 95.0  (0-100)"));
        assert_eq!(of(0.95, 20.0, ShareBasis::Borrowed), Tone::Faint.figure("5 * 95.0  (0-100)"));
    }

    #[test]
    fn a_narrow_terminal_does_without_three_columns() {
        let narrow = Rate { conversion: Some(share_of(0.6, 99.0, ShareBasis::Own)), ..rate() };
        assert_eq!(
            drawn(vec![narrow], Some(1), Some(80)),
            "\
rates at 2026-07-27 12:00:00 UTC
PROVIDER  CHANNEL  IN  OVER  SENT  FAILED           DELIVERED            VERIFIED
sms-a     sms      DE  5m     100       2  95   96.0  (90-98)  60   60.0  (90-98)"
        );
    }

    #[test]
    fn no_rates_are_no_traffic() {
        assert_eq!(drawn(Vec::new(), Some(0), None), "rates at 2026-07-27 12:00:00 UTC\nno traffic");
    }
}
