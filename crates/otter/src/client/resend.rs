//! `otter resend`: sends again.

use clap::Args;
use otter_contract::v1::ResendOtpRequest;

use super::connect::Connection;
use super::failure::{Answer, Failure};
use super::values::{ChannelName, channel};
use crate::show::Screen;

/// What `otter resend` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    /// The channel that the person asked for; without it, the next of the plan
    #[arg(long, value_name = "NAME")]
    channel: Option<ChannelName>,
    /// The name of this call: a repeat with the same name sends nothing
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Sends again and prints the new attempt.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    let request = caller.request(ResendOtpRequest {
        verification_id: arguments.id,
        channel: channel(arguments.channel),
        request_id: arguments.request_id,
    });
    screen.answer(&caller.otp().resend_otp(request).await?.into_inner())?;
    Ok(Answer::Yes)
}
