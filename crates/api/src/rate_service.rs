//! `otter.admin.v1.RateService`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use otter_contract::admin::v1::rate_service_server::RateService;
use otter_contract::admin::v1::{ListRatesRequest, ListRatesResponse, WatchRatesRequest, WatchRatesResponse};
use otter_decision::rates::SegmentRates;
use otter_delivery::Intake;
use otter_domain::{Channel, Country, InvalidCountry, Moment, ProviderName, Segment};
use otter_evidence::{Freshness, Rates, Window};
use otter_runtime::Phases;
use tokio::time::sleep;
use tonic::{Request, Response, Status};

use crate::convert::rate::{rate, windows};
use crate::convert::request::channel_or_any;
use crate::convert::{duration, timestamp};
use crate::fields::{Fields, READ};
use crate::otp::hold_of;
use crate::page::{self, Pages};
use crate::streams::Answers;

/// The rows of a page unless asked otherwise.
const PAGE: usize = 200;

/// The most rows of a page, and of one message of a stream.
const LARGEST_PAGE: usize = 1000;

/// How often a stream tells unless asked otherwise.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often a stream may be asked to tell.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(60);

/// Answers operators who look at rates.
#[derive(Debug, Clone)]
pub(crate) struct RateDesk {
    pub(crate) rates: Arc<Rates>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) phases: Phases,
}

/// Which rates are wanted.
#[derive(Debug, Clone)]
struct Filter {
    windows: Vec<Window>,
    provider: Option<ProviderName>,
    channel: Option<Channel>,
    country: Option<Country>,
}

/// One row of the answer.
struct Row {
    segment: Segment,
    window: Window,
    rates: SegmentRates,
    last_attempt: Option<Moment>,
}

impl Row {
    /// By what rows are ordered and pages go on.
    fn key(&self) -> (&Segment, Window) {
        (&self.segment, self.window)
    }

    /// The key as a page token carries it.
    fn name(&self) -> String {
        let Segment { provider, channel, country } = &self.segment;
        format!("{provider}|{channel}|{country}|{}", self.window.as_str())
    }

    fn told(&self) -> otter_contract::admin::v1::Rate {
        rate(&self.segment, self.window, &self.rates, self.last_attempt)
    }
}

#[tonic::async_trait]
impl RateService for RateDesk {
    type WatchRatesStream = Answers<WatchRatesResponse>;

    async fn list_rates(
        &self,
        request: Request<ListRatesRequest>,
    ) -> Result<Response<ListRatesResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let filter =
            Filter::read(&mut fields, request.window, &request.provider, request.channel, &request.country);
        let size = page::size(&mut fields, request.page_size, PAGE, LARGEST_PAGE);
        fields.verdict()?;
        let (window, channel) = (request.window.to_be_bytes(), request.channel.to_be_bytes());
        let question: Vec<&[u8]> =
            vec![b"rates", &window, request.provider.as_bytes(), &channel, request.country.as_bytes()];
        let pages = Pages::new(&self.intake.keys().install, question);
        let after = pages.read(&request.page_token)?;
        let freshness = self.rates.freshness(self.intake.books().now());
        let rows = self.rows(&filter.expect(READ), freshness.at);
        let begin = after.and_then(|name| after_name(&rows, &name)).unwrap_or(0);
        let page = &rows[begin..rows.len().min(begin + size)];
        let is_last = begin + page.len() == rows.len();
        let next = page.last().filter(|_| !is_last).map(|row| pages.after(&row.name()));
        Ok(Response::new(ListRatesResponse {
            rates: page.iter().map(Row::told).collect(),
            next_page_token: next.unwrap_or_default(),
            read_time: Some(timestamp(freshness.at)),
            age: freshness.age.map(duration),
        }))
    }

    async fn watch_rates(
        &self,
        request: Request<WatchRatesRequest>,
    ) -> Result<Response<Self::WatchRatesStream>, Status> {
        let hold = hold_of(&request)?;
        let request = request.into_inner();
        let mut fields = Fields::default();
        let filter =
            Filter::read(&mut fields, request.window, &request.provider, request.channel, &request.country);
        let interval = request.interval.map_or(Some(INTERVAL), |asked| interval(&mut fields, asked));
        fields.verdict()?;
        let (filter, interval) = (filter.expect(READ), interval.expect(READ));
        let state = (self.clone(), filter, Duration::ZERO);
        let told = stream::unfold(state, move |(desk, filter, wait)| async move {
            sleep(wait).await;
            let freshness = desk.rates.freshness(desk.intake.books().now());
            let response = watched(desk.rows(&filter, freshness.at), freshness);
            Some((Ok(response), (desk, filter, interval)))
        });
        Ok(Response::new(Answers::new(told, hold, self.phases.clone())))
    }
}

impl RateDesk {
    /// All rows that a filter lets through, in order: those of the windows' traffic, and of what was tried before.
    fn rows(&self, filter: &Filter, now: Moment) -> Vec<Row> {
        let setup = self.intake.setup();
        let mut seen = self.rates.seen();
        seen.retain(|segment, _| filter.lets_through(segment));
        let mut rows = Vec::new();
        for window in filter.windows.iter().copied() {
            let table = self.rates.table(window, now).into_iter();
            let table = table.filter(|row| filter.lets_through(&row.segment));
            let mut busy: BTreeMap<_, _> = table.map(|row| (row.segment, row.rates)).collect();
            for (segment, last) in &seen {
                if setup.providers.contains_key(&segment.provider) {
                    busy.entry(segment.clone()).or_insert_with(SegmentRates::none);
                }
                if let Some(rates) = busy.remove(segment) {
                    let (segment, last_attempt) = (segment.clone(), Some(*last));
                    rows.push(Row { segment, window, rates, last_attempt });
                }
            }
        }
        rows.sort_by(|one, other| one.key().cmp(&other.key()));
        rows
    }
}

impl Filter {
    fn read(fields: &mut Fields, window: i32, provider: &str, channel: i32, country: &str) -> Option<Self> {
        let windows = windows(window);
        if windows.is_none() {
            fields.bad("window", "must be a window of the contract, or unspecified");
        }
        let provider = fields.optional("provider", provider, ProviderName::parse);
        let channel = channel_or_any(fields, channel);
        let country = fields.optional("country", country, country_or_none);
        Some(Self { windows: windows?, provider, channel, country })
    }

    fn lets_through(&self, segment: &Segment) -> bool {
        self.provider.as_ref().is_none_or(|provider| segment.provider == *provider)
            && self.channel.is_none_or(|channel| segment.channel == channel)
            && self.country.is_none_or(|country| segment.country == country)
    }
}

/// A country, or `ZZ` as rates name numbers of no country.
fn country_or_none(text: &str) -> Result<Country, InvalidCountry> {
    if text == Country::NONE.as_str() { Ok(Country::NONE) } else { Country::parse(text) }
}

fn interval(fields: &mut Fields, asked: prost_types::Duration) -> Option<Duration> {
    let read = Duration::try_from(asked).ok().filter(|interval| INTERVALS.contains(interval));
    if read.is_none() {
        let (least, most) = (duration(*INTERVALS.start()).seconds, duration(*INTERVALS.end()).seconds);
        fields.bad("interval", format!("must be {least} s to {most} s"));
    }
    read
}

/// Where the rows after a named one begin; the row itself may have gone since.
fn after_name(rows: &[Row], name: &str) -> Option<usize> {
    let mut parts = name.split('|');
    let segment = Segment {
        provider: ProviderName::parse(parts.next()?).ok()?,
        channel: Channel::parse(parts.next()?)?,
        country: Country::recorded(parts.next()?)?,
    };
    let word = parts.next()?;
    let window = Window::ALL.into_iter().find(|window| window.as_str() == word)?;
    Some(rows.partition_point(|row| row.key() <= (&segment, window)))
}

fn watched(mut rows: Vec<Row>, freshness: Freshness) -> WatchRatesResponse {
    if rows.len() > LARGEST_PAGE {
        rows.sort_by_key(|row| Reverse(row.rates.submitted));
        rows.truncate(LARGEST_PAGE);
        rows.sort_by(|one, other| one.key().cmp(&other.key()));
    }
    WatchRatesResponse {
        rates: rows.iter().map(Row::told).collect(),
        read_time: Some(timestamp(freshness.at)),
        age: freshness.age.map(duration),
    }
}
