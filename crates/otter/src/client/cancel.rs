//! `otter cancel`: ends a verification.

use clap::Args;
use otter_contract::v1::CancelOtpRequest;

use super::connect::Connection;
use super::failure::{Answer, Failure};
use crate::show::Screen;

/// What `otter cancel` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Cancels and prints what is left.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    let request = caller.request(CancelOtpRequest { verification_id: arguments.id });
    screen.answer(&caller.otp().cancel_otp(request).await?.into_inner())?;
    Ok(Answer::Yes)
}
