//! Who sends through the vendor.

use otter_domain::Secret;

/// One account with the vendor; to Otter it is one provider.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name that scripts use.
    pub name: String,
    /// The bearer key of its requests.
    pub key: Secret,
    /// Signs its receipts.
    pub signing_key: Secret,
    /// Whether numbers steer it. An account that they do not steer can be the one that takes over.
    pub obeys_numbers: bool,
}

impl Account {
    /// An account that numbers steer.
    pub fn new(name: impl Into<String>, key: Secret, signing_key: Secret) -> Self {
        Self { name: name.into(), key, signing_key, obeys_numbers: true }
    }

    /// The same, but every number is ordinary.
    pub fn ignoring_numbers(self) -> Self {
        Self { obeys_numbers: false, ..self }
    }
}
