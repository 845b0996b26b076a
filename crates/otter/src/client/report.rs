//! `otter report`: says what became of a code that the caller checked.

use clap::Args;
use otter_contract::v1::{ReportOutcomeRequest, ReportedOutcome};

use super::connect::Connection;
use super::failure::{Answer, Failure};
use crate::show::Screen;

/// What `otter report` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    #[command(flatten)]
    outcome: Outcome,
    /// The attempt whose code was typed in, from 1
    #[arg(long, value_name = "NUMBER", default_value_t = 0, hide_default_value = true)]
    attempt: u32,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Outcome {
    /// The person typed in the right code
    #[arg(long)]
    verified: bool,
    /// The person did not
    #[arg(long)]
    not_verified: bool,
}

/// Reports and prints the verification.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let outcome =
        if arguments.outcome.verified { ReportedOutcome::Verified } else { ReportedOutcome::NotVerified };
    let caller = arguments.connection.open().await?;
    let request = caller.request(ReportOutcomeRequest {
        verification_id: arguments.id,
        outcome: outcome.into(),
        attempt: arguments.attempt,
    });
    screen.answer(&caller.otp().report_outcome(request).await?.into_inner())?;
    Ok(Answer::Yes)
}
