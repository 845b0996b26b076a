//! `otter watch`: follows a verification until it ends.

use clap::Args;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{WatchOtpRequest, WatchOtpResponse};

use super::connect::{Caller, Connection};
use super::failure::{Answer, Failure};
use crate::show::{Format, Screen, Timeline};

/// What `otter watch` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Follows one verification.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    follow(&caller, arguments.id, screen).await
}

/// Prints the story of a verification as it happens, until the server ends it.
pub(super) async fn follow(
    caller: &Caller,
    verification_id: String,
    screen: &mut Screen,
) -> Result<Answer, Failure> {
    let mut otp = caller.otp();
    let mut updates = caller.begin(otp.watch_otp(WatchOtpRequest { verification_id })).await?.into_inner();
    let mut timeline = None;
    while let Some(news) = updates.message().await? {
        match screen.format() {
            Format::Json => screen.answer(&news)?,
            Format::Human => tell(news, &mut timeline, screen)?,
        }
    }
    Ok(Answer::Yes)
}

fn tell(news: WatchOtpResponse, timeline: &mut Option<Timeline>, screen: &mut Screen) -> Result<(), Failure> {
    match news.update {
        Some(Update::Snapshot(snapshot)) => {
            let (begun, past) = Timeline::begin(&snapshot);
            *timeline = Some(begun);
            screen.line(&past)?;
        }
        Some(Update::Event(event)) => {
            if let Some(line) = timeline.as_mut().and_then(|timeline| timeline.tell(&event)) {
                screen.line(&line)?;
            }
        }
        None => {}
    }
    Ok(())
}
