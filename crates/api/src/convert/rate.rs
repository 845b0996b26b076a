//! Rates as the wire tells them.

use otter_contract::admin::v1 as admin;
use otter_decision::rates::{Basis, Rate, SegmentRates};
use otter_domain::{FailureClass, Moment, Segment};
use otter_evidence::Window;

use super::{channel, timestamp};

pub(crate) fn rate(
    segment: &Segment,
    over: Window,
    rates: &SegmentRates,
    last_attempt: Option<Moment>,
) -> admin::Rate {
    admin::Rate {
        provider: segment.provider.to_string(),
        channel: channel(segment.channel).into(),
        country: segment.country.to_string(),
        window: window(over).into(),
        submitted: rates.submitted,
        accepted: rates.accepted,
        ambiguous: rates.failed.get(&FailureClass::Ambiguous).copied().unwrap_or_default(),
        mature: rates.mature,
        delivered: rates.delivered,
        verified: rates.verified,
        acceptance: share(&rates.acceptance),
        delivery: share(&rates.delivery),
        conversion: share(&rates.conversion),
        uncredited: rates.uncredited,
        skipped: rates.skipped,
        last_attempt_time: last_attempt.map(timestamp),
    }
}

fn share(rate: &Rate) -> Option<admin::Share> {
    let Rate { count: _, of: _, denominator, value, low, high, basis: rests_on } = *rate;
    value.map(|value| admin::Share { value, low, high, denominator, basis: basis(rests_on).into() })
}

fn basis(basis: Basis) -> admin::ShareBasis {
    match basis {
        Basis::Own => admin::ShareBasis::Own,
        Basis::Borrowed => admin::ShareBasis::Borrowed,
        Basis::Raw => admin::ShareBasis::Raw,
    }
}

fn window(window: Window) -> admin::RateWindow {
    match window {
        Window::OneMinute => admin::RateWindow::OneMinute,
        Window::FiveMinutes => admin::RateWindow::FiveMinutes,
        Window::OneHour => admin::RateWindow::OneHour,
    }
}

/// The windows that a request asks for; `None` if there is no such window.
pub(crate) fn windows(number: i32) -> Option<Vec<Window>> {
    match admin::RateWindow::try_from(number).ok()? {
        admin::RateWindow::Unspecified => Some(Window::ALL.to_vec()),
        admin::RateWindow::OneMinute => Some(vec![Window::OneMinute]),
        admin::RateWindow::FiveMinutes => Some(vec![Window::FiveMinutes]),
        admin::RateWindow::OneHour => Some(vec![Window::OneHour]),
    }
}
