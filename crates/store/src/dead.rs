//! Dead letters: what nobody can work on, put aside with the reason until an operator decides.
//!
//! A record is *buried* by whoever meets it at work: a claim whose pointer leads to no readable record, a look at what is
//! due, or a scheduler that failed at it again and again. Reads bury nothing. There is at most one letter per
//! verification; burying again keeps the moment of the first time.
//!
//! A buried verification stays where it is. Its plain part goes on counting: codes are checked, receipts are merged, and
//! past its deadline it reads as expired. What a claim buries keeps its timer, so that another process that can read it
//! goes on with the next candidate. What a scheduler buries is looked at again at its deadline and then ends as expired,
//! for which nothing sealed is needed; the number goes with that. A commit that leaves it pending takes the letter back:
//! somebody could work on it after all.
//!
//! A letter that nobody revives or discards is discarded [`crate::Retention::dead`] after it was written, or when there
//! are more than [`crate::bounds::DEAD_LETTERS`] in a partition, so that no sealed number stays for ever.

use std::fmt;

use otter_domain::{
    AttemptNumber, Ending, JobKind, Moment, Partition, ProviderName, TenantId, Verification, VerificationId,
};
use tracing::error;

/// Why something was buried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// A pointer names a verification that is not in the store.
    RecordMissing,
    /// The record, or a pointer, is damaged or was written by a later version.
    RecordUnreadable,
    /// The sealed part does not open here: its key is not configured, or it is damaged.
    SealUnopened,
    /// Working on it failed again and again.
    HandlingFailed,
}

impl DeadReason {
    /// Every reason.
    pub const ALL: [Self; 4] =
        [Self::RecordMissing, Self::RecordUnreadable, Self::SealUnopened, Self::HandlingFailed];

    /// The word that is stored and logged.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecordMissing => "record_missing",
            Self::RecordUnreadable => "record_unreadable",
            Self::SealUnopened => "seal_unopened",
            Self::HandlingFailed => "handling_failed",
        }
    }

    /// Reads the word of [`Self::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

impl fmt::Display for DeadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names a dead letter in its partition: the id of its verification, or a hash of a pointer that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterKey(String);

impl LetterKey {
    /// The longest key.
    const LONGEST: usize = 64;

    /// The key of a verification's letter.
    pub fn of(id: VerificationId) -> Self {
        Self(id.to_string())
    }

    /// Reads a key: 1 to 64 lower-case letters, digits and hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(is_fit);
        fits.then(|| Self(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LetterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was buried, and why. It holds neither number nor code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its name in the partition.
    pub key: LetterKey,
    /// Which verification, unless a damaged pointer hides it.
    pub verification: Option<VerificationId>,
    /// Whose, if the record says so.
    pub tenant: Option<TenantId>,
    /// On whose lane the pointer was, or whose the current attempt is.
    pub provider: Option<ProviderName>,
    /// Which attempt was to be worked on, if known.
    pub attempt: Option<AttemptNumber>,
    /// What its pointer asked for; `None` if it was found by its timer.
    pub job: Option<JobKind>,
    /// Why.
    pub reason: DeadReason,
    /// The same in our own words, for people.
    pub detail: String,
    /// When it was buried first.
    pub since: Moment,
}

/// What is to be buried by whoever failed at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burial {
    /// Which verification.
    pub id: VerificationId,
    /// Why.
    pub reason: DeadReason,
    /// The same for people: no code, no number, no text of others. Cut to [`Self::LONGEST_DETAIL`] characters.
    pub detail: String,
}

impl Burial {
    /// The longest detail that is kept, in characters.
    pub const LONGEST_DETAIL: usize = 200;

    /// The detail as it is kept.
    pub fn detail(&self) -> String {
        self.detail.chars().take(Self::LONGEST_DETAIL).collect()
    }
}

/// Where a page of dead letters begins: after the letter of this moment and key.
pub type LetterPlace = (Moment, LetterKey);

/// Dead letters of one partition, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetters {
    /// Those that were asked for.
    pub letters: Vec<DeadLetter>,
    /// How many there are in all.
    pub total: u64,
}

/// What became of a letter that was discarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discarded {
    /// The verification that ended with it and how, if it had not ended before.
    pub ended: Option<(Box<Verification>, Ending)>,
}

/// Tells people what was buried, loudly: a process with an old key ring could bury what all others can read.
pub fn announce(home: Partition, letters: &[DeadLetter]) {
    for letter in letters {
        error!(
            partition = %home,
            verification_id = letter.verification.map(tracing::field::display),
            tenant = letter.tenant.as_ref().map(tracing::field::display),
            provider = letter.provider.as_ref().map(tracing::field::display),
            reason = letter.reason.as_str(),
            why = letter.detail,
            "a record was put aside as a dead letter"
        );
    }
}
