//! How a vendor joins the build.

use std::fmt;
use std::sync::Arc;

use otter_domain::ProviderName;
use toml::Table;

use crate::{Capabilities, ReceiptDecoder, Revoker, Sender};

/// A vendor as the catalogue lists it: one constant per vendor crate.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// The vendor's word in the configuration: `kind = "twilio"`.
    pub kind: &'static str,
    /// Reads one account's settings.
    pub configure: Configure,
}

/// Reads the settings of one account. Secrets are plain text by then; every problem is reported at once. Does no I/O.
pub type Configure = fn(&ProviderName, &Table) -> Result<Provider, Vec<Problem>>;

/// A configured vendor account.
#[derive(Debug, Clone)]
pub struct Provider {
    /// What it can do.
    pub capabilities: Capabilities,
    /// Sends; `None` when only the secrets for verifying callbacks are configured.
    pub sender: Option<Arc<dyn Sender>>,
    /// Takes messages back, where the vendor can.
    pub revoker: Option<Arc<dyn Revoker>>,
    /// Reads callbacks; `None` when the vendor has none or its verification secret is not configured.
    pub receipts: Option<Arc<dyn ReceiptDecoder>>,
}

/// What is wrong with one setting. The message never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's path below the account's table, for example `auth_token`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}
