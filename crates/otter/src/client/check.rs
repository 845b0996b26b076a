//! `otter check`: checks a code that a person typed in.

use std::io::{self, IsTerminal as _};

use clap::Args;
use console::Term;
use otter_contract::v1::{CheckOtpRequest, CheckOutcome, Payment};
use otter_domain::Secret;

use super::connect::Connection;
use super::failure::{Answer, Failure};
use super::values::{payment, secret};
use crate::show::Screen;

/// What `otter check` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    /// The code; without it, it is asked for unseen, or read from standard input
    #[arg(value_parser = secret)]
    code: Option<Secret>,
    /// The purpose that the code was sent for; a check for another one is wrong, and counted
    #[arg(long, value_name = "NAME")]
    purpose: String,
    /// The context that the code was sent with
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    context: String,
    /// The payment that the code was sent for: CURRENCY:MINOR_UNITS:PAYEE_ID
    #[arg(long, value_name = "PAYMENT", value_parser = payment, conflicts_with = "context")]
    payment: Option<Payment>,
    /// The name of this call: a repeat of the successful check with the same name is verified again
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Checks, and says whether the code is right.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let code = match arguments.code {
        Some(code) => code,
        None => ask().await?,
    };
    let caller = arguments.connection.open().await?;
    let request = caller.request(CheckOtpRequest {
        verification_id: arguments.id,
        code: code.reveal().to_owned(),
        purpose: arguments.purpose,
        context: arguments.context,
        payment: arguments.payment,
        request_id: arguments.request_id,
    });
    let checked = caller.otp().check_otp(request).await?.into_inner();
    screen.answer(&checked)?;
    Ok(if checked.outcome() == CheckOutcome::Verified { Answer::Yes } else { Answer::No })
}

/// Asks on the terminal without showing what is typed, or reads the first line of standard input.
async fn ask() -> Result<Secret, Failure> {
    let typed = tokio::task::spawn_blocking(read_line).await.map_err(io::Error::other);
    let typed = typed.and_then(|line| line);
    let line = typed.map_err(|error| Failure::Invalid(format!("cannot read the code: {error}")))?;
    let code = Secret::new(line.reveal().trim());
    if code.is_empty() {
        return Err(Failure::Invalid("there is no code: give it as CODE, or on standard input".to_owned()));
    }
    Ok(code)
}

fn read_line() -> io::Result<Secret> {
    if io::stdin().is_terminal() {
        let terminal = Term::stderr();
        terminal.write_str("code: ")?;
        return terminal.read_secure_line().map(Secret::new);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(Secret::new(line))
}
