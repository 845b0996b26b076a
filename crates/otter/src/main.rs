//! Otter: gets one-time passcodes to people's phones.

mod cli;
mod client;
mod config;
mod dev;
mod run;
mod serve;
mod show;

use std::process::ExitCode;

use otter_runtime::hide_panic_payloads;

use cli::Command;

fn main() -> ExitCode {
    hide_panic_payloads();
    let arguments: Vec<_> = std::env::args_os().collect();
    match cli::parse(&arguments) {
        Ok(cli) => run(cli.command),
        Err(code) => code,
    }
}

#[tokio::main]
async fn run(command: Command) -> ExitCode {
    match command {
        Command::Dev(options) => dev::run(options).await,
        Command::Serve(options) => serve::run(options).await,
        Command::Config(options) => config::run(&options),
        Command::Client(command) => client::run(command).await,
    }
}
