//! `otter rates`: what share of codes arrive and what share are typed in.

use std::time::Duration;

use clap::{Args, ValueEnum};
use otter_contract::admin::v1::{ListRatesRequest, ListRatesResponse, RateWindow, WatchRatesRequest};

use super::connect::{Caller, Connection};
use super::failure::{Answer, Failure};
use super::values::{ChannelName, channel, contract_span, span};
use crate::show::{Format, Screen, Shown as _, is_old};

/// The most rates of a page; the server refuses more.
const PAGE: i32 = 1000;

/// What `otter rates` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Go on showing them, in place on a terminal
    #[arg(long)]
    watch: bool,
    /// How often, with --watch: 1s to 60s
    #[arg(long, value_name = "SPAN", value_parser = span, requires = "watch")]
    every: Option<Duration>,
    /// Only this window; without it, all
    #[arg(long, value_name = "SPAN")]
    window: Option<Window>,
    /// Only this provider
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    provider: String,
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<ChannelName>,
    /// Only this country, for example DE; ZZ for numbers of no country
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    country: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// How far back a rate looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Window {
    #[value(name = "1m")]
    OneMinute,
    #[value(name = "5m")]
    FiveMinutes,
    #[value(name = "1h")]
    OneHour,
}

impl From<Window> for RateWindow {
    fn from(window: Window) -> Self {
        match window {
            Window::OneMinute => Self::OneMinute,
            Window::FiveMinutes => Self::FiveMinutes,
            Window::OneHour => Self::OneHour,
        }
    }
}

/// Prints the rates once, or again and again. Old ones are no answer to what the rates are.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    if arguments.watch {
        follow(&caller, arguments, screen).await?;
    } else {
        let listed = list(&caller, arguments).await?;
        screen.answer(&listed)?;
        if is_old(listed.age.as_ref()) {
            return Ok(Answer::No);
        }
    }
    Ok(Answer::Yes)
}

/// All pages as one.
async fn list(caller: &Caller, arguments: Arguments) -> Result<ListRatesResponse, Failure> {
    let mut request = ListRatesRequest {
        window: window(arguments.window),
        provider: arguments.provider,
        channel: channel(arguments.channel),
        country: arguments.country,
        page_size: PAGE,
        page_token: String::new(),
    };
    let mut all = ListRatesResponse::default();
    loop {
        let page = caller.rates().list_rates(caller.request(request.clone())).await?.into_inner();
        all.rates.extend(page.rates);
        (all.read_time, all.age) = (page.read_time, page.age);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

async fn follow(caller: &Caller, arguments: Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let request = WatchRatesRequest {
        window: window(arguments.window),
        provider: arguments.provider,
        channel: channel(arguments.channel),
        country: arguments.country,
        interval: arguments.every.map(contract_span),
    };
    let mut rates = caller.rates();
    let mut pictures = caller.begin(rates.watch_rates(request)).await?.into_inner();
    while let Some(picture) = pictures.message().await? {
        match screen.format() {
            Format::Json => screen.answer(&picture)?,
            Format::Human => screen.redraw(&picture.text(screen.width()))?,
        }
    }
    Ok(())
}

fn window(window: Option<Window>) -> i32 {
    window.map_or(RateWindow::Unspecified, RateWindow::from).into()
}
