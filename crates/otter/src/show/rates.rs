//! What share of codes arrive and what share are typed in.

use std::ops::Range;

use comfy_table::Cell;
use otter_contract::admin::v1::{ListRatesResponse, Rate, Share, WatchRatesResponse};
use prost_types::Timestamp;

use super::screen::Width;
use super::table::{Head, table, widest_line};
use super::words::{Word as _, window};
use super::{Shown, Tone, time};

/// Below so many attempts a share says little and has no colour.
const TELLING: f64 = 20.0;

const HEADS: [Head; 9] = [
    Head::Words("PROVIDER"),
    Head::Words("CHANNEL"),
    Head::Words("IN"),
    Head::Words("OVER"),
    Head::Figures("SENT"),
    Head::Figures("ACCEPTED"),
    Head::Figures("MAYBE"),
    Head::Figures("DELIVERED"),
    Head::Figures("VERIFIED"),
];

/// Which columns a narrow terminal does without.
const SPARE: Range<usize> = 5..7;

/// From where on a share is green, and from where on yellow. It colours the table and decides nothing.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    good: f64,
    fair: f64,
}

const DELIVERY: Bounds = Bounds { good: 0.9, fair: 0.75 };
const CONVERSION: Bounds = Bounds { good: 0.75, fair: 0.5 };

/// The rates as a table, with the moment for which they hold.
pub(crate) fn rates(rates: &[Rate], read_time: Option<&Timestamp>, width: Width) -> String {
    let title = read_time.map(|at| format!("rates at {}", time::moment(at))).unwrap_or_default();
    let title = Tone::Faint.paint(title);
    if rates.is_empty() {
        return format!("{title}\nno traffic");
    }
    format!("{title}\n{}", fitting(rates, width))
}

fn fitting(rates: &[Rate], width: Width) -> String {
    let whole = table(&HEADS, rates.iter().map(row), None);
    if width.is_none_or(|width| widest_line(&whole) <= width.into()) {
        return whole;
    }
    let mut heads = HEADS.to_vec();
    heads.drain(SPARE);
    let rows = rates.iter().map(|rate| {
        let mut row = row(rate);
        row.drain(SPARE);
        row
    });
    table(&heads, rows, width)
}

fn row(rate: &Rate) -> Vec<Cell> {
    let maybe = if rate.ambiguous > 0 { Tone::Open } else { Tone::Faint };
    vec![
        Tone::Plain.cell(&rate.provider),
        Tone::Plain.cell(rate.channel().word()),
        Tone::Plain.cell(&rate.country),
        Tone::Plain.cell(window(rate.window())),
        Tone::Plain.figure(rate.submitted),
        Tone::Plain.figure(rate.accepted),
        maybe.figure(rate.ambiguous),
        share(rate.delivered, rate.delivery.as_ref(), DELIVERY),
        share(rate.verified, rate.conversion.as_ref(), CONVERSION),
    ]
}

/// The count, the share in percent, and its interval: `95  97.1 (93-99)`.
fn share(count: u64, share: Option<&Share>, bounds: Bounds) -> Cell {
    let Some(Share { value, low, high, denominator }) = share.copied() else {
        return Tone::Faint.figure(format!("{count}  {:>14}", "-"));
    };
    let tone = if denominator < TELLING {
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
    tone.figure(format!("{count}  {value:>5.1} {interval:>8}"))
}

impl Shown for ListRatesResponse {
    const NAME: &'static str = "otter.admin.v1.ListRatesResponse";

    fn text(&self, width: Width) -> String {
        rates(&self.rates, self.read_time.as_ref(), width)
    }
}

impl Shown for WatchRatesResponse {
    const NAME: &'static str = "otter.admin.v1.WatchRatesResponse";

    fn text(&self, width: Width) -> String {
        rates(&self.rates, self.read_time.as_ref(), width)
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::admin::v1::RateWindow;
    use otter_contract::v1::Channel;

    use super::super::tone::plain;
    use super::*;

    fn rate() -> Rate {
        Rate {
            provider: "sms-a".to_owned(),
            channel: Channel::Sms.into(),
            country: "DE".to_owned(),
            window: RateWindow::FiveMinutes.into(),
            submitted: 100,
            accepted: 98,
            ambiguous: 1,
            mature: 90,
            delivered: 95,
            verified: 60,
            acceptance: None,
            delivery: Some(Share { value: 0.9596, low: 0.9007, high: 0.9842, denominator: 99.0 }),
            conversion: None,
        }
    }

    #[test]
    fn shares_stand_with_their_intervals() {
        let drawn = rates(&[rate()], Some(&Timestamp { seconds: 1_785_153_600, nanos: 0 }), None);
        assert_eq!(
            plain(&drawn),
            "\
rates at 2026-07-27 12:00:00 UTC
PROVIDER  CHANNEL  IN  OVER  SENT  ACCEPTED  MAYBE           DELIVERED            VERIFIED
sms-a     sms      DE  5m     100        98      1  95   96.0  (90-98)  60               -"
        );
    }

    #[test]
    fn a_share_is_coloured_only_when_it_says_something() {
        let of =
            |value, denominator| share(5, Some(&Share { value, low: 0.0, high: 1.0, denominator }), DELIVERY);
        assert_eq!(of(0.5, 19.0), Tone::Faint.figure("5   50.0  (0-100)"));
        assert_eq!(of(0.5, 20.0), Tone::Bad.figure("5   50.0  (0-100)"));
        assert_eq!(of(0.95, 20.0), Tone::Good.figure("5   95.0  (0-100)"));
    }

    #[test]
    fn a_narrow_terminal_does_without_two_columns() {
        let drawn = plain(&rates(&[rate()], None, Some(80)));
        assert_eq!(
            drawn,
            "
PROVIDER  CHANNEL  IN  OVER  SENT           DELIVERED            VERIFIED
sms-a     sms      DE  5m     100  95   96.0  (90-98)  60               -"
        );
    }

    #[test]
    fn no_rates_are_no_traffic() {
        assert_eq!(plain(&rates(&[], None, None)), "\nno traffic");
    }
}
