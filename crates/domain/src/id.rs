//! Names and ids: short values that are checked once and then trusted.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::Moment;

/// A name in the configuration is not of the form that it must have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be 1 to 40 characters of a-z, 0-9 and -, starting with a letter")]
pub struct InvalidName;

/// An id from outside is not of the form that it must have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidId {
    /// Not a UUID of the kind that Otter gives out.
    #[error("must be the id of a verification as returned by SendOtp")]
    Verification,
    /// Not printable ASCII of a bounded length.
    #[error("must be 1 to {max} printable ASCII characters")]
    Text {
        /// The longest that is allowed, in characters.
        max: usize,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts 1 to 40 characters of `a-z`, `0-9` and `-`, starting with a letter.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let head = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
                let rest = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
                if head && rest && text.len() <= 40 { Ok(Self(text.into())) } else { Err(InvalidName) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// Who calls: has keys, quotas and purposes.
    TenantId
);
name!(
    /// What a code is for: login, payment … each with its own policy.
    PurposeName
);
name!(
    /// A configured vendor account, for example `twilio-eu`. Its lane has the same name.
    ProviderName
);
name!(
    /// A configured list of steps.
    RouteName
);

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The longest that is accepted, in characters.
            pub const MAX: usize = $max;

            /// Accepts 1 to [`Self::MAX`] printable ASCII characters.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                let fits = !text.is_empty() && text.len() <= Self::MAX;
                if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId::Text { max: Self::MAX })
                }
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(
    /// The caller's name for one call, so that a repeat is not a second message (SEC-13). Scoped to tenant and
    /// recipient and kept 24 h.
    RequestId,
    128
);
text!(
    /// The caller's opaque name for the account behind the number. Never shown; only its keyed hash is stored.
    Subject,
    128
);
text!(
    /// What a vendor calls a message of ours, for example a Twilio `sid`.
    ProviderReference,
    256
);
text!(
    /// One process that claims work.
    WorkerId,
    64
);

/// A keyed hash of a number: the first 16 hex digits of an HMAC. It may appear in keys and logs; the number may not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecipientRef(Arc<str>);

impl RecipientRef {
    /// Takes the first 8 bytes of a keyed hash.
    pub fn from_hash(hash: [u8; 8]) -> Self {
        Self(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// Accepts exactly 16 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let hex = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if hex && text.len() == 16 { Ok(Self(text.into())) } else { Err(InvalidId::Text { max: 16 }) }
    }

    /// The 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecipientRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the parts that durable state is divided into; everything about one recipient is in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u16);

impl Partition {
    /// The partition's number, from 0.
    pub fn index(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:02}", self.0)
    }
}

/// How many partitions an installation has: 1 to 4096, fixed at install.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionCount(u16);

impl PartitionCount {
    /// The most that an id can name: 12 bits.
    pub const MAX: u16 = 4096;
    /// What an installation has unless told otherwise.
    pub const DEFAULT: Self = Self(16);

    /// Accepts 1 to [`Self::MAX`].
    pub fn new(count: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&count).then_some(Self(count))
    }

    /// The count as a number.
    pub fn get(self) -> u16 {
        self.0
    }

    /// The partition that a keyed hash falls into.
    pub fn of_hash(self, hash: u64) -> Partition {
        Partition((hash % u64::from(self.0)) as u16)
    }

    /// The partition with this index, if there is one.
    pub fn at(self, index: u16) -> Option<Partition> {
        (index < self.0).then_some(Partition(index))
    }

    /// All partitions in order.
    pub fn all(self) -> impl Iterator<Item = Partition> + Clone {
        (0..self.0).map(Partition)
    }
}

/// The id of one verification: a version 7 UUID whose 12 bits after the version hold the partition, so that any id
/// finds its home without a lookup.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerificationId(Uuid);

impl VerificationId {
    /// Builds an id from the moment of creation, the partition and 8 random bytes (62 bits of which are used).
    pub fn new(now: Moment, partition: Partition, random: [u8; 8]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&now.as_millis().to_be_bytes()[2..]);
        bytes[6] = 0x70 | (partition.0 >> 8) as u8;
        bytes[7] = partition.0 as u8;
        bytes[8..].copy_from_slice(&random);
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads the canonical lower- or upper-case form with dashes.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() != 36 {
            return Err(InvalidId::Verification);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| InvalidId::Verification)?;
        Self::from_bytes(*uuid.as_bytes())
    }

    /// Reads the 16 bytes; refuses other UUID versions.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidId> {
        let shaped = bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10;
        if shaped { Ok(Self(Uuid::from_bytes(bytes))) } else { Err(InvalidId::Verification) }
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The partition's bits. They come from whoever named the id, so ask [`PartitionCount::at`] whether it exists.
    pub fn partition_index(&self) -> u16 {
        let bytes = self.0.as_bytes();
        u16::from(bytes[6] & 0x0f) << 8 | u16::from(bytes[7])
    }

    /// The home of this verification, unless the id is not one of this installation's.
    pub fn partition(&self, count: PartitionCount) -> Option<Partition> {
        count.at(self.partition_index())
    }
}

impl fmt::Display for VerificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for VerificationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An id of ours that we give to a vendor as the message's id (a version 8 UUID). Its 12 bits after the version hold
/// the partition; the rest comes from a keyed hash of the verification and the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Builds the id from the partition and a keyed hash.
    pub fn from_hash(partition: Partition, hash: [u8; 16]) -> Self {
        let mut bytes = hash;
        bytes[6] = 0x80 | (partition.0 >> 8) as u8;
        bytes[7] = partition.0 as u8;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(Uuid::from_bytes(bytes))
    }

    /// Reads the canonical form with dashes.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text).ok()?;
        (text.len() == 36 && uuid.get_version_num() == 8).then_some(Self(uuid))
    }

    /// The partition's bits; ask [`PartitionCount::at`] whether it exists.
    pub fn partition_index(&self) -> u16 {
        let bytes = self.0.as_bytes();
        u16::from(bytes[6] & 0x0f) << 8 | u16::from(bytes[7])
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Which send of a verification, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptNumber(u8);

impl AttemptNumber {
    /// The first attempt.
    pub const FIRST: Self = Self(1);

    /// Accepts 1 to 255.
    pub fn new(number: u8) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number, from 1.
    pub fn get(self) -> u8 {
        self.0
    }

    /// The place in a list of attempts, from 0.
    pub fn index(self) -> usize {
        usize::from(self.0) - 1
    }

    /// The number of the attempt at this place in a list of fewer than 255.
    pub fn at_index(index: usize) -> Self {
        Self(u8::try_from(index + 1).unwrap_or(u8::MAX))
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Counts the committed changes of one verification; a commit names the version that it was decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
