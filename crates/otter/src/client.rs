//! The commands that talk to a running Otter over gRPC, as any other caller does.

mod admin;
mod cancel;
mod check;
mod connect;
mod events;
mod failure;
mod get;
mod providers;
mod rates;
mod report;
mod resend;
mod send;
mod values;
mod watch;

use std::process::ExitCode;

use clap::Subcommand;

use failure::Answer;
pub(crate) use failure::INVALID;

use crate::show::Screen;

/// What a client command is told.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Send a code to a phone
    Send(Box<send::Arguments>),
    /// Check a code that a person typed in
    Check(check::Arguments),
    /// Send again, over the next provider or a chosen channel
    Resend(resend::Arguments),
    /// End a verification: its codes are dead at once
    Cancel(cancel::Arguments),
    /// Show a verification with its attempts and the reasons for them
    Get(get::Arguments),
    /// Say what became of a code that you checked yourself
    Report(report::Arguments),
    /// Follow a verification until it ends
    Watch(watch::Arguments),
    /// Follow all events of the tenant
    Events(events::Arguments),
    /// Show what share of codes arrive and what share are typed in; exits with 1 if they are old
    Rates(rates::Arguments),
    /// Show how providers are doing; pause and resume them
    Providers(providers::Arguments),
    /// Look after the installation: what nobody could work on, and whom wrong codes keep back
    Admin(admin::Arguments),
}

/// Runs a client command. The exit codes are those of [`crate::cli`].
pub(crate) async fn run(command: Command) -> ExitCode {
    let format = command.connection().format();
    let mut screen = Screen::output(format);
    let outcome = match command {
        Command::Send(arguments) => send::run(*arguments, &mut screen).await,
        Command::Check(arguments) => check::run(arguments, &mut screen).await,
        Command::Resend(arguments) => resend::run(arguments, &mut screen).await,
        Command::Cancel(arguments) => cancel::run(arguments, &mut screen).await,
        Command::Get(arguments) => get::run(arguments, &mut screen).await,
        Command::Report(arguments) => report::run(arguments, &mut screen).await,
        Command::Watch(arguments) => watch::run(arguments, &mut screen).await,
        Command::Events(arguments) => events::run(arguments, &mut screen).await,
        Command::Rates(arguments) => rates::run(arguments, &mut screen).await,
        Command::Providers(arguments) => providers::run(arguments, &mut screen).await,
        Command::Admin(arguments) => admin::run(arguments, &mut screen).await,
    };
    match outcome {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(failure::ANSWER_IS_NO),
        Err(failure) => {
            if let Some(refusal) = failure.refusal() {
                refusal.complain(format);
            }
            failure.exit_code()
        }
    }
}

impl Command {
    fn connection(&self) -> &connect::Connection {
        match self {
            Self::Send(arguments) => &arguments.connection,
            Self::Check(arguments) => &arguments.connection,
            Self::Resend(arguments) => &arguments.connection,
            Self::Cancel(arguments) => &arguments.connection,
            Self::Get(arguments) => &arguments.connection,
            Self::Report(arguments) => &arguments.connection,
            Self::Watch(arguments) => &arguments.connection,
            Self::Events(arguments) => &arguments.connection,
            Self::Rates(arguments) => &arguments.connection,
            Self::Providers(arguments) => arguments.connection(),
            Self::Admin(arguments) => arguments.connection(),
        }
    }
}
