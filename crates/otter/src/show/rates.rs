//! What share of codes arrive and what share are typed in.

use comfy_table::Cell;
use otter_contract::admin::v1::{ListRatesResponse, Rate, Share, WatchRatesResponse};
use prost_types::Timestamp;

use super::screen::Width;
use super::table::{Head, table};
use super::words::{Word as _, window};
use super::{Shown, Tone, time};

/// Below so many attempts a share says little and has no colour.
const TELLING: f64 = 20.0;

const HEADS: [Head; 11] = [
    Head::Words("PROVIDER"),
    Head::Words("CHANNEL"),
    Head::Words("COUNTRY"),
    Head::Words("WINDOW"),
    Head::Figures("SENT"),
    Head::Figures("ACCEPTED"),
    Head::Figures("MAYBE"),
    Head::Figures("DELIVERED"),
    Head::Figures("VERIFIED"),
    Head::Figures("DELIVERED %"),
    Head::Figures("VERIFIED %"),
];

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
    format!("{title}\n{}", table(&HEADS, rates.iter().map(row), width))
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
        Tone::Plain.figure(rate.delivered),
        Tone::Plain.figure(rate.verified),
        share(rate.delivery.as_ref(), DELIVERY),
        share(rate.conversion.as_ref(), CONVERSION),
    ]
}

/// The share with its interval: `97.1 (93.4-98.8)`.
fn share(share: Option<&Share>, bounds: Bounds) -> Cell {
    let Some(Share { value, low, high, denominator }) = share.copied() else {
        return Tone::Faint.figure("-");
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
    tone.figure(format!("{value:.1} ({low:.1}-{high:.1})"))
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
PROVIDER  CHANNEL  COUNTRY  WINDOW  SENT  ACCEPTED  MAYBE  DELIVERED  VERIFIED       DELIVERED %  VERIFIED %
sms-a     sms      DE       5m       100        98      1         95        60  96.0 (90.1-98.4)           -"
        );
    }

    #[test]
    fn a_share_is_coloured_only_when_it_says_something() {
        let of =
            |value, denominator| share(Some(&Share { value, low: 0.0, high: 1.0, denominator }), DELIVERY);
        assert_eq!(of(0.5, 19.0), Tone::Faint.figure("50.0 (0.0-100.0)"));
        assert_eq!(of(0.5, 20.0), Tone::Bad.figure("50.0 (0.0-100.0)"));
        assert_eq!(of(0.95, 20.0), Tone::Good.figure("95.0 (0.0-100.0)"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let drawn = rates(&[rate()], None, Some(80));
        let widest = plain(&drawn).lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}");
    }

    #[test]
    fn no_rates_are_no_traffic() {
        assert_eq!(plain(&rates(&[], None, None)), "\nno traffic");
    }
}
