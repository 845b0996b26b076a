//! Reading the configuration from where the operator keeps it.

use std::fmt;
use std::path::{Path, PathBuf};

use otter_config::{Loaded, Problem, Sources};
use otter_domain::Clock;
use otter_runtime::WallClock;

/// The configuration cannot be used.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// The file cannot be read.
    File(PathBuf, std::io::Error),
    /// It says something wrong.
    Problems(Vec<Problem>),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) => write!(f, "could not read {}: {error}", path.display()),
            Self::Problems(problems) => {
                for (place, problem) in problems.iter().enumerate() {
                    let line = if place == 0 { "" } else { "\n" };
                    write!(f, "{line}{problem}")?;
                }
                Ok(())
            }
        }
    }
}

/// Loads the file, or the reference alone, with the environment over it. Secrets in files are read too.
pub(crate) fn load(path: Option<&Path>) -> Result<Loaded, LoadError> {
    let text = match path {
        Some(path) => Some(read(path).map_err(|error| LoadError::File(path.to_owned(), error))?),
        None => None,
    };
    load_with(text.as_deref(), std::env::vars_os().filter_map(utf8).collect())
}

/// Loads a text and nothing else.
pub(crate) fn load_text(text: &str) -> Result<Loaded, LoadError> {
    load_with(Some(text), Vec::new())
}

fn load_with(text: Option<&str>, environment: Vec<(String, String)>) -> Result<Loaded, LoadError> {
    let sources = Sources { file: text, environment, read_file: &read };
    let loaded = otter_config::load(&sources, otter_providers::REGISTRATIONS).map_err(LoadError::Problems)?;
    Ok(loaded.at(WallClock::open().now()))
}

fn read(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

fn utf8((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}
