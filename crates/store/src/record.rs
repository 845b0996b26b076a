//! Verifications as engines keep them.
//!
//! A [`Record`] has five parts, so that an engine whose steps are scripts can keep and change them apart:
//! [`PlainRecord`], the control fields that scripts compare; one [`AttemptRecord`] per send; up to three
//! [`SlotRecord`]s; the sealed body (number, code, context, language), which only [`crate::Sealer`] opens and which is gone
//! once the verification has ended and nothing has to be taken back; and what the caller was told (the plan), which stays.
//!
//! Moments of the plain part are milliseconds since 1970; those of attempts and slots are milliseconds since
//! `created_at`, which keeps a finished record within [`crate::bounds::FINISHED`]. Durations are whole milliseconds. Records say nothing
//! about who may read them: `masked` is all that is left of a number outside the body.

mod acceptance;
mod attempt;
mod plain;
mod private;

use otter_domain::{Moment, Verification};
use serde::{Deserialize, Serialize};

pub use attempt::{
    AttemptEndRecord, AttemptRecord, ChannelRecord, ClassRecord, FailureRecord, OriginRecord, PhaseRecord,
    ReceiptRecord, RetryRecord, RevocationRecord, SlotRecord, SpeaksOfRecord, SucceedOnRecord,
};
pub use plain::{PlainRecord, StateRecord};
pub(crate) use private::PrivateRecord;

use crate::Error;
use crate::format::{pack, unpack, unreadable};

/// A verification as engines keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The control fields.
    pub plain: PlainRecord,
    /// The sends, in order.
    pub attempts: Vec<AttemptRecord>,
    /// The valid codes' digests, oldest first.
    pub slots: Vec<SlotRecord>,
    /// The sealed private part.
    #[serde(with = "serde_bytes")]
    pub body: Option<Vec<u8>>,
    /// What the caller was told at the beginning, packed. Records of before have it in their body, as far as it was kept.
    #[serde(default, with = "serde_bytes")]
    pub acceptance: Option<Vec<u8>>,
}

impl Record {
    /// Everything but the private part; `body` is taken as it is.
    pub fn of(verification: &Verification, body: Option<Vec<u8>>) -> Self {
        let base = verification.created_at;
        Self {
            plain: PlainRecord::of(verification),
            attempts: verification.attempts.iter().map(|attempt| AttemptRecord::of(attempt, base)).collect(),
            slots: verification.slots.iter().map(|slot| SlotRecord::of(slot, base)).collect(),
            body,
            acceptance: verification.acceptance.as_ref().map(|told| acceptance::encode(told, base)),
        }
    }

    /// The verification without its private part.
    pub fn without_private(&self) -> Result<Verification, Error> {
        let base = Moment::from_millis(self.plain.created_at);
        let mut verification = self.plain.verification()?;
        verification.attempts =
            self.attempts.iter().map(|attempt| attempt.attempt(base)).collect::<Result<_, _>>()?;
        let told = self.acceptance.as_deref();
        verification.acceptance = told.map(|told| acceptance::decode(told, base)).transpose()?;
        verification.slots = self.slots.iter().map(|slot| slot.slot(base)).collect::<Result<_, _>>()?;
        Ok(verification)
    }

    /// The record as bytes, with the format in front.
    pub fn encode(&self) -> Vec<u8> {
        pack(self)
    }

    /// Reads bytes of any known format.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        unpack(bytes)
    }
}

/// Milliseconds from `base` to `moment`; any two moments have an exact offset.
fn offset(base: Moment, moment: Moment) -> i64 {
    moment.as_millis().wrapping_sub(base.as_millis()) as i64
}

/// The moment at an offset.
fn at(base: Moment, offset: i64) -> Moment {
    Moment::from_millis(base.as_millis().wrapping_add(offset as u64))
}

/// Reads a field whose value was checked before it was written.
fn field<T, E>(name: &str, parsed: Result<T, E>) -> Result<T, Error> {
    parsed.map_err(|_| unreadable(&format!("its field `{name}` is damaged")))
}

/// The same for parsers that answer with an option.
fn some<T>(name: &str, parsed: Option<T>) -> Result<T, Error> {
    field(name, parsed.ok_or(()))
}

/// A domain enum without data as a record: one letter per variant.
macro_rules! letters {
    ($(#[$doc:meta])* $record:ident for $domain:ident { $($variant:ident = $letter:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $record {
            $(
                #[doc = concat!("Written `", $letter, "`.")]
                #[serde(rename = $letter)]
                $variant,
            )+
        }

        impl From<$domain> for $record {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant,)+ }
            }
        }

        impl From<$record> for $domain {
            fn from(record: $record) -> Self {
                match record { $($record::$variant => Self::$variant,)+ }
            }
        }
    };
}
use letters;
