//! Making the reports of one callback durable, and counting what they say.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{StreamExt, future, stream};
use otter_delivery::{BooksError, Desk, Reported};
use otter_domain::{Channel, Clock, Moment, ProviderName, ReceiptStatus};
use otter_provider::Report;
use otter_telemetry::{Metrics, RejectedReceipt};

/// How many reports of one callback are booked at once.
const AT_ONCE: usize = 32;

/// A report of something longer ago, or this far ahead of our clock, has a vendor's clock to blame: what is booked was
/// sent within the last day.
const OLDEST: Duration = Duration::from_secs(24 * 3600);
const AHEAD: Duration = Duration::from_secs(60);

/// Books the reports of one provider.
#[derive(Debug, Clone)]
pub(crate) struct Booking {
    pub(crate) desk: Desk,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) provider: ProviderName,
}

impl Booking {
    /// Books all reports; their order does not matter, as the strongest of a message wins. After a failure no more are
    /// begun and those that were begun are finished.
    pub(crate) async fn book(self, reports: Vec<Report>) -> Result<(), BooksError> {
        let failure = OnceLock::new();
        stream::iter(reports)
            .take_while(|_| future::ready(failure.get().is_none()))
            .for_each_concurrent(AT_ONCE, |report| {
                let (booking, failure) = (&self, &failure);
                async move {
                    match booking.desk.book(&booking.provider, &report).await {
                        Ok(reported) => booking.count(&report, reported),
                        // One failure is enough to have the callback repeated.
                        Err(error) => drop(failure.set(error)),
                    }
                }
            })
            .await;
        failure.into_inner().map_or(Ok(()), Err)
    }

    fn count(&self, report: &Report, reported: Reported) {
        match reported {
            Reported::Unknown => {
                self.metrics.receipt_rejected(&self.provider, RejectedReceipt::UnknownMessage)
            }
            Reported::Stale { channel } => {
                if let Some(channel) = channel {
                    self.metrics.receipt(&self.provider, channel, report.status);
                }
            }
            Reported::Booked { accepted_at, channel } => self.count_booked(report, accepted_at, channel),
        }
    }

    fn count_booked(&self, report: &Report, accepted_at: Moment, channel: Channel) {
        let now = self.clock.now();
        self.metrics.receipt(&self.provider, channel, report.status);
        if let Some(lag) = report.occurred_at.and_then(|occurred_at| lag(occurred_at, now)) {
            self.metrics.receipt_lag(&self.provider, lag);
        }
        if report.status == ReceiptStatus::Delivered {
            self.metrics.time_to_deliver(&self.provider, channel, now.since(accepted_at));
        }
    }
}

/// How late a report is, if the vendor's clock can be believed. One that is a little ahead is not late.
fn lag(occurred_at: Moment, now: Moment) -> Option<Duration> {
    let lag = now.since(occurred_at);
    (lag <= OLDEST && now.until(occurred_at) <= AHEAD).then_some(lag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_only_where_the_clocks_agree() {
        let now = Moment::from_millis(1_800_000_000_000);
        let seconds = Duration::from_secs;
        assert_eq!(lag(now - seconds(3), now), Some(seconds(3)));
        assert_eq!(lag(now + seconds(2), now), Some(Duration::ZERO));
        assert_eq!(lag(now + seconds(61), now), None);
        assert_eq!(lag(now - seconds(90_000), now), None);
        assert_eq!(lag(Moment::EPOCH, now), None);
    }
}
