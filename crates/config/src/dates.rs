//! What is good for some time only: certificates and keys. The loader has no clock, so it remembers the dates, and whoever
//! has one asks.

use std::time::Duration;

use otter_domain::Moment;

use crate::problem::Problem;

/// From when on and until when something is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: Option<Moment>,
    pub(crate) until: Option<Moment>,
}

/// Something with a date.
#[derive(Debug)]
pub(crate) struct Dated {
    pub(crate) span: Span,
    /// Where it stands; its message names the thing itself.
    pub(crate) place: Problem,
    /// What to do when its time is over.
    pub(crate) advice: String,
}

impl Dated {
    /// The warning that it deserves at a moment.
    pub(crate) fn at(&self, now: Moment) -> Option<Problem> {
        let what = &self.place.message;
        let message = match self.span {
            Span { until: Some(until), .. } if until <= now => {
                format!("{what} expired {} ago; {}", roughly(now.since(until)), self.advice)
            }
            Span { from: Some(from), .. } if now < from => {
                let wait = roughly(from.since(now));
                format!("{what} is not valid yet, for another {wait}; see whether the clock is right")
            }
            Span { .. } => return None,
        };
        Some(Problem { message, ..self.place.clone() })
    }
}

fn roughly(span: Duration) -> String {
    let hours = span.as_secs() / 3600;
    match hours {
        0 => "less than an hour".to_owned(),
        1 => "1 hour".to_owned(),
        2..=47 => format!("{hours} hours"),
        _ => format!("{} days", hours / 24),
    }
}
