//! The control fields of a verification.

use otter_domain::{
    AttemptNumber, Country, Ending, Moment, PurposeName, RecipientRef, State, Subject, TenantId,
    Verification, VerificationId, Version,
};
use serde::{Deserialize, Serialize};

use super::{field, some};
use crate::Error;

/// The control fields of a verification; moments are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainRecord {
    /// The 16 bytes of the id.
    #[serde(with = "serde_bytes")]
    pub id: [u8; 16],
    /// Counts committed changes.
    pub version: u64,
    /// Who called.
    pub tenant: String,
    /// What the code is for.
    pub purpose: String,
    /// The keyed hash of the number, 16 hex digits.
    pub recipient: String,
    /// The number's country, two letters.
    pub country: String,
    /// The number as it may be shown.
    pub masked: String,
    /// The account that the caller named.
    pub subject: Option<String>,
    /// When it was accepted.
    pub created_at: u64,
    /// From here on it reads as expired.
    pub expires_at: u64,
    /// From here on nothing is sent.
    pub send_before: u64,
    /// Where it stands.
    pub state: StateRecord,
    /// How many checks were counted.
    pub checks: u8,
    /// How many are allowed.
    pub budget: u8,
}

/// Where a verification stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateRecord {
    /// A code may still be sent or entered.
    #[serde(rename = "p")]
    Pending,
    /// It has ended.
    #[serde(rename = "e")]
    Ended {
        /// The word of [`Ending::as_str`].
        how: String,
        /// The attempt that was verified, if known.
        by: Option<u8>,
        /// When, in milliseconds since 1970.
        at: u64,
    },
}

impl From<&State> for StateRecord {
    fn from(state: &State) -> Self {
        match *state {
            State::Pending => Self::Pending,
            State::Ended { how, at } => {
                let by = match how {
                    Ending::Verified { by } => by.map(AttemptNumber::get),
                    Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled => None,
                };
                Self::Ended { how: how.as_str().to_owned(), by, at: at.as_millis() }
            }
        }
    }
}

impl StateRecord {
    /// The state in domain terms.
    pub fn state(&self) -> Result<State, Error> {
        match self {
            Self::Pending => Ok(State::Pending),
            Self::Ended { how, by, at } => {
                let how = some("state", Ending::parse(how, by.and_then(AttemptNumber::new)))?;
                Ok(State::Ended { how, at: Moment::from_millis(*at) })
            }
        }
    }
}

impl PlainRecord {
    /// The control fields of a verification.
    pub fn of(verification: &Verification) -> Self {
        Self {
            id: *verification.id.as_bytes(),
            version: verification.version.0,
            tenant: verification.tenant.as_str().to_owned(),
            purpose: verification.purpose.as_str().to_owned(),
            recipient: verification.recipient.as_str().to_owned(),
            country: verification.country.as_str().to_owned(),
            masked: verification.masked.clone(),
            subject: verification.subject.as_ref().map(|subject| subject.as_str().to_owned()),
            created_at: verification.created_at.as_millis(),
            expires_at: verification.expires_at.as_millis(),
            send_before: verification.send_before.as_millis(),
            state: StateRecord::from(&verification.state),
            checks: verification.checks,
            budget: verification.budget,
        }
    }

    /// A verification with these control fields and nothing else.
    pub(super) fn verification(&self) -> Result<Verification, Error> {
        Ok(Verification {
            id: field("id", VerificationId::from_bytes(self.id))?,
            version: Version(self.version),
            tenant: field("tenant", TenantId::parse(&self.tenant))?,
            purpose: field("purpose", PurposeName::parse(&self.purpose))?,
            recipient: field("recipient", RecipientRef::parse(&self.recipient))?,
            country: some("country", Country::recorded(&self.country))?,
            masked: self.masked.clone(),
            subject: self
                .subject
                .as_deref()
                .map(|text| field("subject", Subject::parse(text)))
                .transpose()?,
            created_at: Moment::from_millis(self.created_at),
            expires_at: Moment::from_millis(self.expires_at),
            send_before: Moment::from_millis(self.send_before),
            state: self.state.state()?,
            checks: self.checks,
            budget: self.budget,
            attempts: Vec::new(),
            slots: Vec::new(),
            private: None,
            acceptance: None,
        })
    }
}
