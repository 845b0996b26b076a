//! `otter config`: checks a configuration and shows what it comes to, without starting anything.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use otter_config::Problem;
use serde::Serialize;

use crate::client::INVALID;
use crate::run::{LoadError, load};
use crate::show::{Format, Refusal, Screen, Tone};

/// What `otter config` is told.
#[derive(Args)]
pub(crate) struct ConfigOptions {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a file, with the environment over it; exits with 2 if anything is wrong
    Check {
        /// The configuration
        #[arg(env = "OTTER_CONFIG")]
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show the settings in effect, secrets masked: the reference, the file over it, the environment over both
    Show {
        /// The configuration; without one the reference and the environment count alone
        #[arg(env = "OTTER_CONFIG")]
        file: Option<PathBuf>,
        /// Print one JSON object instead of TOML
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. Exits with 0 if the configuration can be used and with 2 if it cannot.
pub(crate) fn run(options: &ConfigOptions) -> ExitCode {
    let (written, format) = match &options.command {
        Command::Check { file, json } => (check(file, format(*json)), format(*json)),
        Command::Show { file, json } => (show(file.as_deref(), format(*json)), format(*json)),
    };
    match written {
        Ok(code) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("could not write the answer: {error}"), format),
    }
}

fn format(is_json: bool) -> Format {
    if is_json { Format::Json } else { Format::Human }
}

fn check(file: &Path, format: Format) -> io::Result<ExitCode> {
    let (problems, warnings) = match load(Some(file)) {
        Ok(loaded) => (Vec::new(), loaded.warnings),
        Err(LoadError::Problems(problems)) => (problems, Vec::new()),
        Err(error @ LoadError::File(..)) => return Ok(complain(&error.to_string(), format)),
    };
    let mut screen = Screen::output(format);
    match format {
        Format::Json => screen.line(&Findings::of(&problems, &warnings).json())?,
        Format::Human => {
            for problem in &problems {
                screen.line(&format!("{} {problem}", Tone::Bad.paint("error:")))?;
            }
            for warning in &warnings {
                screen.line(&format!("{} {warning}", Tone::Open.paint("warning:")))?;
            }
            if problems.is_empty() {
                screen.line(&format!("{} {}", Tone::Good.paint("can be used:"), file.display()))?;
            }
        }
    }
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { INVALID.into() })
}

fn show(file: Option<&Path>, format: Format) -> io::Result<ExitCode> {
    let loaded = match load(file) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(complain(&error.to_string(), format)),
    };
    let shown = loaded.settings.show();
    let mut screen = Screen::output(format);
    match format {
        Format::Human => screen.line(shown.trim_end())?,
        Format::Json => {
            let table: toml::Table = shown.parse().map_err(io::Error::other)?;
            screen.line(&serde_json::to_string(&table).map_err(io::Error::other)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn complain(message: &str, format: Format) -> ExitCode {
    Refusal::local(message).complain(format);
    INVALID.into()
}

/// What a check found, for scripts.
#[derive(Serialize)]
struct Findings<'a> {
    problems: Vec<Finding<'a>>,
    warnings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    path: &'a str,
    /// `line 7`, or the name of a variable; absent if nothing was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    message: &'a str,
}

impl<'a> Findings<'a> {
    fn of(problems: &'a [Problem], warnings: &'a [Problem]) -> Self {
        let finding = |problem: &'a Problem| Finding {
            path: &problem.path,
            origin: problem.origin.as_ref().map(ToString::to_string),
            message: &problem.message,
        };
        Self {
            problems: problems.iter().map(finding).collect(),
            warnings: warnings.iter().map(finding).collect(),
        }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("texts and lists of texts are JSON")
    }
}
