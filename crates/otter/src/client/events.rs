//! `otter events`: follows all events of the tenant.

use clap::Args;
use otter_contract::v1::{StreamEventsRequest, StreamEventsResponse};
use tonic::{Status, Streaming};

use super::connect::Connection;
use super::failure::{Answer, Failure};
use crate::show::{Format, Screen, Tone};

/// What `otter events` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The token that an earlier run printed; without it, events from now on
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    resume: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Prints events until it is interrupted, then says how to go on from there.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    let request = StreamEventsRequest { resume_token: arguments.resume };
    let mut otp = caller.otp();
    let mut events = caller.begin(otp.stream_events(request)).await?.into_inner();
    let mut token = String::new();
    let ended = follow(&mut events, &mut token, screen).await;
    if screen.format() == Format::Human && !token.is_empty() {
        screen.line(&Tone::Faint.paint(format!("go on with: otter events --resume {token}")))?;
    }
    ended.map(|()| Answer::Yes)
}

async fn follow(
    events: &mut Streaming<StreamEventsResponse>,
    token: &mut String,
    screen: &mut Screen,
) -> Result<(), Failure> {
    while let Some(response) = next(events).await? {
        if screen.format() == Format::Json || response.event.is_some() {
            screen.answer(&response)?;
        }
        *token = response.resume_token;
    }
    Ok(())
}

/// The next response. `None` at the end, and when the person has seen enough.
async fn next(events: &mut Streaming<StreamEventsResponse>) -> Result<Option<StreamEventsResponse>, Status> {
    tokio::select! {
        response = events.message() => response,
        // Where interrupts cannot be listened to, they end the process as ever.
        Ok(()) = tokio::signal::ctrl_c() => Ok(None),
    }
}
