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

fn run(command: Command) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return serve::complain(1, &format!("could not start: {problem}")),
    };
    let status = runtime.block_on(async {
        match command {
            Command::Dev(options) => dev::run(options).await,
            Command::Serve(options) => serve::run(options).await,
            Command::Config(options) => config::run(&options),
            Command::Client(command) => client::run(command).await,
        }
    });
    // The process owns its end: a name lookup or a disk that hangs in a thread of its own must not hold it.
    runtime.shutdown_background();
    status
}
