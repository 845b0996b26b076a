//! What is wrong with a configuration, and where.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use crate::dates::{Dated, Span};

/// One thing that is wrong, or for a warning questionable: where, what, and what would be right. Never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, for example `routes.main.steps[0].wait`; empty for the file as a whole.
    pub path: String,
    /// Where its value, or that of the nearest setting around it, was given.
    pub origin: Option<Origin>,
    /// What is wrong and what would be right: the second half of a sentence about the setting.
    pub message: String,
}

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// A variable of the environment.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the file" } else { &self.path };
        match &self.origin {
            Some(origin) => write!(f, "{path} ({origin}): {}", self.message),
            None => write!(f, "{path}: {}", self.message),
        }
    }
}

/// What was found so far, and where each value came from.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    origins: BTreeMap<String, Origin>,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    dated: RefCell<Vec<Dated>>,
}

impl Notes {
    pub(crate) fn came_from(&mut self, path: String, origin: Origin) {
        self.origins.insert(path, origin);
    }

    pub(crate) fn problem(&self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.borrow_mut().push(self.about(path.into(), message.into()));
    }

    pub(crate) fn problem_at(&self, origin: Origin, message: impl Into<String>) {
        let problem = Problem { path: String::new(), origin: Some(origin), message: message.into() };
        self.problems.borrow_mut().push(problem);
    }

    pub(crate) fn warning(&self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.borrow_mut().push(self.about(path.into(), message.into()));
    }

    /// Remembers from when on and until when something is good; `advice` is for when its time is over.
    pub(crate) fn dated(&self, path: impl Into<String>, span: Span, what: &str, advice: &str) {
        let place = self.about(path.into(), what.to_owned());
        self.dated.borrow_mut().push(Dated { span, place, advice: advice.to_owned() });
    }

    /// Where the value at exactly this path was given.
    pub(crate) fn origin(&self, path: &str) -> Option<&Origin> {
        self.origins.get(path)
    }

    pub(crate) fn has_problems(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    pub(crate) fn has_problem_at(&self, path: &str) -> bool {
        self.problems.borrow().iter().any(|problem| problem.path == path)
    }

    pub(crate) fn has_problem_below(&self, path: &str) -> bool {
        let within = |problem: &Problem| {
            problem.path.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.problems.borrow().iter().any(within)
    }

    /// What has dates, in the order in which it was found.
    pub(crate) fn take_dated(&self) -> Vec<Dated> {
        self.dated.take()
    }

    /// Every problem and every warning, in the order in which they were found.
    pub(crate) fn into_findings(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems.into_inner(), self.warnings.into_inner())
    }

    fn about(&self, path: String, message: String) -> Problem {
        let mut around = path.as_str();
        let origin = loop {
            if let Some(origin) = self.origins.get(around) {
                break Some(origin.clone());
            }
            match around.rfind(['.', '[']) {
                Some(end) => around = &around[..end],
                None => break None,
            }
        };
        Problem { path, origin, message }
    }
}

/// The path of a key below a path. A key that needs quotes in TOML is quoted; a very long one is cut.
pub(crate) fn below(path: &str, key: &str) -> String {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let segment = if !key.is_empty() && key.len() <= 64 && key.chars().all(bare) {
        key.to_owned()
    } else {
        format!("{:?}", key.chars().take(64).collect::<String>())
    };
    if path.is_empty() { segment } else { format!("{path}.{segment}") }
}
