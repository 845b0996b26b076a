//! The command line.
//!
//! Exit codes of the client commands, which scripts may rely on: 0, yes or done; 1, the answer is no (not verified,
//! nobody may send), or rates are old or incomplete (not with `--watch`); 2, the command or the request is wrong; 3, the
//! server refused; 4, no answer, or none in time.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client;
use crate::config::ConfigOptions;
use crate::dev::DevOptions;
use crate::serve::ServeOptions;
use crate::show::{Format, Screen};

const EXIT_CODES: &str = "\
Exit codes of the commands that talk to a server, and of config:
  0  yes, or done
  1  the answer is no: not verified, nobody may send; or rates (without --watch) are old or incomplete
  2  the command or the request is wrong
  3  the server refused
  4  no answer, or none in time";

/// Gets one-time passcodes to people's phones by SMS, WhatsApp, RCS or voice, and checks what they type in
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `otter` does.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the whole system in one process with simulated providers and handsets, and show a tour
    Dev(DevOptions),
    /// Run one or more roles of an installation
    Serve(ServeOptions),
    /// Check a configuration, or show what it comes to
    Config(ConfigOptions),
    #[command(flatten)]
    Client(client::Command),
}

/// Reads the command line. What is wrong with it is said on standard error, without repeating what may be a number or
/// a code.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| {
        let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(client::INVALID));
        let text = error.render().ansi().to_string();
        let text = hide_numbers(&text, arguments);
        let mut screen =
            if error.use_stderr() { Screen::errors(Format::Human) } else { Screen::output(Format::Human) };
        // Whoever closed the stream does not want to know.
        let _ = screen.line(text.trim_end());
        code
    })
}

/// Takes out every argument that is long enough in digits to be a code or a number.
fn hide_numbers(text: &str, arguments: &[OsString]) -> String {
    let mut hidden = text.to_owned();
    for argument in arguments.iter().skip(1) {
        let argument = argument.to_string_lossy();
        let value = argument.split_once('=').map_or(argument.as_ref(), |(_, value)| value);
        if value.bytes().filter(u8::is_ascii_digit).count() >= 6 {
            hidden = hidden.replace(value, "[hidden]");
        }
    }
    hidden
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::*;

    fn complaint(line: &str) -> String {
        let arguments: Vec<_> = line.split(' ').map(OsString::from).collect();
        let error = Cli::try_parse_from(&arguments).err().unwrap();
        hide_numbers(&error.render().to_string(), &arguments)
    }

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn complaints_name_the_option_and_never_repeat_a_code_or_number() {
        for line in [
            "otter send --purpose login +4915112345678 042137",
            "otter check 018f2c5a 042137 042137 --purpose login",
            "otter send +4915112345678 --purpose login --kode=042137",
            "otter 042137",
        ] {
            let complaint = complaint(line);
            assert!(!complaint.contains("042137") && !complaint.contains("4915112345678"), "{complaint}");
        }
        assert!(complaint("otter send +4915112345678").contains("--purpose"));
        let complaint = complaint("otter send +4915112345678 --purpose login --ttl soon");
        assert!(complaint.contains("--ttl") && complaint.contains("300s"), "{complaint}");
    }
}
