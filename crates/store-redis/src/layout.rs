//! A verification in Redis: the hash `v:<id>`.
//!
//! | field | content | who writes it |
//! |---|---|---|
//! | `r` | what scripts read: control fields, attempts and digests, as one MessagePack map; in it what the caller was told, which they carry along unread | every script that changes something |
//! | `b` | the sealed body: number, context and language | commits; a check that ends the verification deletes it |
//! | `c` | the sealed code, apart from the body so that a script can erase it and keep the number | the same |
//!
//! The map has a name of one letter per field and leaves out what has no value: scripts can read a field, set it and
//! pack the map again without knowing the others, and a pending verification stays small. Moments are milliseconds
//! since the verification's creation. A new field takes a new letter and a default; anything else a new format.

use otter_domain::{Code, Context, Locale, Private, Verification, VerificationId};
use otter_store::record::{
    AttemptEndRecord, AttemptRecord, ChannelRecord, ClassRecord, FailureRecord, OriginRecord, PhaseRecord,
    PlainRecord, ReceiptRecord, RetryRecord, RevocationRecord, SlotRecord, StateRecord, SucceedOnRecord,
};
use otter_store::{Error, FORMAT, Nonce, Record, Sealer};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::pack::pack;

/// The fields of the hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fields {
    /// The id in its canonical form; the key's, not a field.
    pub id: String,
    /// What scripts read.
    #[serde(default)]
    pub r: Option<ByteBuf>,
    /// The sealed body.
    #[serde(default)]
    pub b: Option<ByteBuf>,
    /// The sealed code.
    #[serde(default)]
    pub c: Option<ByteBuf>,
}

impl Fields {
    /// The fields of a verification whose last commit was this one.
    pub(crate) fn of(verification: &Verification, nonce: Nonce, sealer: &Sealer) -> Self {
        let id = verification.id;
        let readable = Readable::of(Record::of(verification, None), nonce);
        let packed = pack(&readable).expect("MessagePack can express every record");
        let body = verification.private.as_ref().map(|private| {
            let body = Private { code: None, ..private.clone() };
            ByteBuf::from(sealer.seal(id, &body))
        });
        let code = verification.private.as_ref().and_then(|private| {
            let code = private.code.as_ref()?;
            Some(ByteBuf::from(sealer.seal(id, &only(code, private))))
        });
        Self { id: id.to_string(), r: Some(ByteBuf::from(packed)), b: body, c: code }
    }

    /// The verification without its private part; `None` if there is no such record.
    pub(crate) fn without_private(&self) -> Result<Option<Verification>, Error> {
        let Some(packed) = &self.r else { return Ok(None) };
        let id = VerificationId::parse(&self.id).map_err(|_| unreadable("its id is damaged"))?;
        let readable: Readable =
            rmp_serde::from_slice(packed).map_err(|_| unreadable("its readable part is damaged"))?;
        if readable.format != FORMAT {
            let format = readable.format;
            return Err(unreadable(&format!("its format is {format}, this process reads up to {FORMAT}")));
        }
        readable.record(id).without_private().map(Some)
    }

    /// The verification, without its private part if that does not open; `None` if there is no such record.
    pub(crate) fn legible(&self, sealer: &Sealer) -> Result<Option<Verification>, Error> {
        let Some(mut verification) = self.without_private()? else { return Ok(None) };
        if self.unseal(&mut verification, sealer).is_err() {
            verification.private = None;
        }
        Ok(Some(verification))
    }

    /// Puts the private part into its verification, if there is one.
    pub(crate) fn unseal(&self, verification: &mut Verification, sealer: &Sealer) -> Result<(), Error> {
        let id = verification.id;
        let open =
            |sealed: &Option<ByteBuf>| sealed.as_ref().map(|sealed| sealer.open(id, sealed)).transpose();
        let code = open(&self.c)?.and_then(|opened| opened.private.code);
        if let Some(opened) = open(&self.b)? {
            opened.into_verification(verification);
        }
        if let Some(private) = &mut verification.private {
            private.code = code;
        }
        Ok(())
    }
}

/// A private part that is there only for its code: what is sealed is always a whole one.
fn only(code: &Code, private: &Private) -> Private {
    Private {
        number: private.number.clone(),
        code: Some(code.clone()),
        callers_code: private.callers_code,
        context: Context::None,
        locale: Locale::english(),
    }
}

fn unreadable(why: &str) -> Error {
    Error::Unreadable { why: why.to_owned() }
}

/// What scripts read of a verification.
#[derive(Serialize, Deserialize)]
struct Readable {
    #[serde(rename = "f")]
    format: u8,
    #[serde(rename = "v")]
    version: u64,
    /// Of the last commit.
    #[serde(rename = "n", with = "serde_bytes")]
    nonce: [u8; 8],
    #[serde(rename = "t")]
    tenant: String,
    #[serde(rename = "p")]
    purpose: String,
    #[serde(rename = "r")]
    recipient: String,
    #[serde(rename = "y")]
    country: String,
    #[serde(rename = "m")]
    masked: String,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// Milliseconds since 1970; all other moments are counted from here.
    #[serde(rename = "c")]
    created_at: u64,
    #[serde(rename = "x")]
    expires_at: i64,
    #[serde(rename = "s")]
    send_before: i64,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
    #[serde(rename = "k")]
    checks: u8,
    #[serde(rename = "l")]
    budget: u8,
    #[serde(rename = "a")]
    attempts: Vec<Attempt>,
    #[serde(rename = "d")]
    slots: Vec<Slot>,
    /// What the caller was told at the beginning, in the store's form.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    acceptance: Option<ByteBuf>,
    /// The `request_id` of the check that succeeded; only the check script writes it.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    winner: Option<String>,
    /// There is a dead letter of it; only scripts write it, and a commit takes it away.
    #[serde(rename = "z", default, skip_serializing_if = "std::ops::Not::not")]
    is_buried: bool,
}

#[derive(Serialize, Deserialize)]
struct Ended {
    #[serde(rename = "h")]
    how: String,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    by: Option<u8>,
    #[serde(rename = "t")]
    at: i64,
}

impl Readable {
    fn of(record: Record, nonce: Nonce) -> Self {
        let PlainRecord { created_at, .. } = record.plain;
        let since = |moment: u64| moment.wrapping_sub(created_at) as i64;
        let plain = record.plain;
        Self {
            format: FORMAT,
            version: plain.version,
            nonce: nonce.0.to_be_bytes(),
            tenant: plain.tenant,
            purpose: plain.purpose,
            recipient: plain.recipient,
            country: plain.country,
            masked: plain.masked,
            subject: plain.subject,
            created_at,
            expires_at: since(plain.expires_at),
            send_before: since(plain.send_before),
            ended: match plain.state {
                StateRecord::Pending => None,
                StateRecord::Ended { how, by, at } => Some(Ended { how, by, at: since(at) }),
            },
            checks: plain.checks,
            budget: plain.budget,
            attempts: record.attempts.into_iter().map(Attempt).collect(),
            slots: record.slots.into_iter().map(Slot).collect(),
            acceptance: record.acceptance.map(ByteBuf::from),
            winner: None,
            is_buried: false,
        }
    }

    fn record(self, id: VerificationId) -> Record {
        let at = |offset: i64| self.created_at.wrapping_add(offset as u64);
        Record {
            plain: PlainRecord {
                id: *id.as_bytes(),
                version: self.version,
                expires_at: at(self.expires_at),
                send_before: at(self.send_before),
                state: match self.ended {
                    None => StateRecord::Pending,
                    Some(Ended { how, by, at: ended_at }) => StateRecord::Ended { how, by, at: at(ended_at) },
                },
                tenant: self.tenant,
                purpose: self.purpose,
                recipient: self.recipient,
                country: self.country,
                masked: self.masked,
                subject: self.subject,
                created_at: self.created_at,
                checks: self.checks,
                budget: self.budget,
            },
            attempts: self.attempts.into_iter().map(|attempt| attempt.0).collect(),
            slots: self.slots.into_iter().map(|slot| slot.0).collect(),
            body: None,
            acceptance: self.acceptance.map(ByteBuf::into_vec),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Attempt(#[serde(with = "AttemptLayout")] AttemptRecord);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Slot(#[serde(with = "SlotLayout")] SlotRecord);

#[derive(Serialize, Deserialize)]
#[serde(remote = "AttemptRecord")]
struct AttemptLayout {
    #[serde(rename = "n")]
    number: u8,
    #[serde(rename = "p")]
    provider: String,
    #[serde(rename = "c")]
    channel: ChannelRecord,
    #[serde(rename = "i")]
    candidate: u8,
    #[serde(rename = "o")]
    origin: OriginRecord,
    #[serde(rename = "q")]
    queued_at: i64,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    claimed_at: Option<i64>,
    #[serde(rename = "f", with = "PhaseLayout")]
    phase: PhaseRecord,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none", with = "receipt")]
    receipt: Option<ReceiptRecord>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(rename = "t")]
    tries: u8,
    #[serde(rename = "k")]
    revocation: RevocationRecord,
    #[serde(rename = "s")]
    succeed_on: SucceedOnRecord,
    #[serde(rename = "w")]
    wait: u64,
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    retry: Option<RetryRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "PhaseRecord")]
enum PhaseLayout {
    #[serde(rename = "q")]
    Queued {
        #[serde(rename = "w")]
        withdraw_at: i64,
    },
    #[serde(rename = "c")]
    Claimed {
        #[serde(rename = "b")]
        by: String,
        #[serde(rename = "l")]
        lease_until: i64,
    },
    #[serde(rename = "r")]
    Retrying {
        #[serde(rename = "t")]
        at: i64,
        #[serde(rename = "b")]
        because: String,
    },
    #[serde(rename = "a")]
    Accepted {
        #[serde(rename = "t")]
        at: i64,
        #[serde(rename = "w")]
        wait_until: i64,
    },
    #[serde(rename = "m")]
    Ambiguous {
        #[serde(rename = "t")]
        at: i64,
        #[serde(rename = "w")]
        wait_until: i64,
        #[serde(rename = "e")]
        error: String,
    },
    #[serde(rename = "e")]
    Ended {
        #[serde(rename = "t")]
        at: i64,
        #[serde(rename = "h")]
        how: AttemptEndRecord,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ReceiptRecord")]
struct ReceiptLayout {
    #[serde(rename = "r")]
    rank: u8,
    #[serde(rename = "t")]
    at: i64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    because: Option<FailureRecord>,
}

/// An optional [`ReceiptRecord`] in the form of [`ReceiptLayout`].
mod receipt {
    use otter_store::record::ReceiptRecord;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::ReceiptLayout;

    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Receipt(#[serde(with = "ReceiptLayout")] ReceiptRecord);

    #[derive(Serialize)]
    #[serde(transparent)]
    struct Borrowed<'a>(#[serde(with = "ReceiptLayout")] &'a ReceiptRecord);

    pub(super) fn serialize<S: Serializer>(
        receipt: &Option<ReceiptRecord>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        receipt.as_ref().map(Borrowed).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ReceiptRecord>, D::Error> {
        Ok(Option::<Receipt>::deserialize(deserializer)?.map(|receipt| receipt.0))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SlotRecord")]
struct SlotLayout {
    #[serde(rename = "k")]
    key: u8,
    #[serde(rename = "d", with = "serde_bytes")]
    digest: [u8; 32],
    #[serde(rename = "u")]
    until: i64,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u8>,
    #[serde(rename = "c")]
    class: ClassRecord,
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
