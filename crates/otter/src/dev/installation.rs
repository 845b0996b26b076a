//! The installation that dev mode is: its accounts, its vendor's habits and its configuration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use otter_domain::Secret;
use otter_sandbox_vendor::{Account, Rule, Script};
use tempfile::TempDir;

/// The key that callers of dev mode use. Dev mode listens on loopback only, and there is nothing to protect.
pub(crate) const API_KEY: &str = "otter-dev";

/// The accounts of the sandbox vendor, each one provider.
pub(crate) const ACCOUNTS: [&str; 5] = ["north-sms", "south-sms", "chat", "rich", "call"];

/// What dev mode runs on.
#[derive(Debug)]
pub(crate) struct Installation {
    store: String,
    place: String,
    /// Deleted when dev mode ends.
    _temporary: Option<TempDir>,
}

impl Installation {
    /// Chooses where state is kept; a temporary directory unless told otherwise.
    pub(crate) fn prepare(redis: Option<&str>, data: Option<&Path>) -> Result<Self, String> {
        if let Some(url) = redis {
            let place = format!("in Redis at {}", without_password(url));
            return Ok(Self { store: url.to_owned(), place, _temporary: None });
        }
        let (directory, temporary): (PathBuf, _) = match data {
            Some(directory) => (directory.to_owned(), None),
            None => {
                let made = TempDir::with_prefix("otter-dev-");
                let made =
                    made.map_err(|problem| format!("could not make a temporary directory: {problem}"))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let place = match &temporary {
            Some(_) => "in a temporary directory that goes with this process".to_owned(),
            None => format!("in {}", directory.display()),
        };
        Ok(Self { store: format!("embedded:{}", directory.display()), place, _temporary: temporary })
    }

    /// Where state is kept, for people.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The whole configuration, as an operator would write it.
    pub(crate) fn configuration(&self, vendor: &str, grpc: SocketAddr, admin: SocketAddr) -> String {
        let template = include_str!("dev.toml");
        template
            .replace("{store}", &toml_text(&self.store))
            .replace("{vendor}", vendor)
            .replace("{grpc}", &grpc.to_string())
            .replace("{admin}", &admin.to_string())
            .replace("{digest}", &digest(API_KEY))
    }
}

/// The accounts as the vendor knows them.
pub(crate) fn accounts() -> Vec<Account> {
    let account = |name: &str| {
        Account::new(name, Secret::new(format!("{name}-key")), Secret::new(format!("{name}-signing-key")))
    };
    ACCOUNTS.map(account).to_vec()
}

/// An ordinary day: answers in tens of milliseconds, messages arrive within a second.
pub(crate) fn everyday() -> Script {
    let rule = Rule {
        latency: Duration::from_millis(40),
        arrival: Duration::from_millis(150),
        arrival_spread: Duration::from_millis(450),
        receipt: Duration::from_millis(80),
        read: 0.5,
        ..Rule::default()
    };
    Script { rules: vec![rule] }
}

/// The same with a few messages lost, as it is when there are many.
pub(crate) fn busy() -> Script {
    let rules = everyday().rules.into_iter().map(|rule| Rule { loss: 0.02, ..rule }).collect();
    Script { rules }
}

fn digest(key: &str) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text between the quotes of a TOML basic string.
fn toml_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn without_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}{}", &url[..scheme + 3], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_configuration_is_one_that_an_operator_could_use() {
        let installation = Installation::prepare(None, None).unwrap();
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let text = installation.configuration("http://127.0.0.1:7700", nowhere, nowhere);
        let loaded = crate::run::load_text(&text).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(loaded.settings.providers.len(), ACCOUNTS.len());
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("redis://otter:sesame@localhost:6379/1"), "redis://localhost:6379/1");
        assert_eq!(without_password("redis://localhost"), "redis://localhost");
    }
}
