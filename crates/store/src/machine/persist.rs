//! The state as keys and values, for engines that write it down, and back.

use std::collections::VecDeque;

use otter_domain::{
    AttemptNumber, ChannelClass, FailedChecks, JobKind, Measure, MessageId, Moment, ProviderName, RequestId,
    Subject, TenantId, VerificationId,
};
use serde::{Deserialize, Serialize};

use super::{Answered, Cell, Damaged, FailedScope, Held, Key, PartitionState, Pointer, Sends, Unopened};
use crate::format::{pack, unpack, unreadable};
use crate::record::ClassRecord;
use crate::{DeadLetter, DeadReason, Error, LetterKey, Nonce, Record, Sealer, event_record};

/// A verification with what belongs to it alone.
#[derive(Serialize, Deserialize)]
struct HeldRecord {
    record: Record,
    nonce: u64,
    winner: Option<String>,
    due: Option<u64>,
    expires_at: Option<u64>,
    references: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct IdRecord(#[serde(with = "serde_bytes")] [u8; 16]);

#[derive(Serialize, Deserialize)]
struct PointerRecord {
    id: IdRecord,
    attempt: u8,
    job: String,
    queued_at: u64,
}

#[derive(Serialize, Deserialize)]
struct AnsweredRecord {
    by: IdRecord,
    #[serde(with = "serde_bytes")]
    fingerprint: [u8; 32],
    until: u64,
}

#[derive(Serialize, Deserialize)]
struct SendsRecord {
    at: Vec<u64>,
    until: u64,
}

#[derive(Serialize, Deserialize)]
struct FailedRecord {
    class: ClassRecord,
    count: u16,
    last_at: u64,
    last_in: IdRecord,
}

#[derive(Serialize, Deserialize)]
struct LetterRecord {
    verification: Option<IdRecord>,
    tenant: Option<String>,
    provider: Option<String>,
    attempt: Option<u8>,
    job: Option<String>,
    reason: String,
    detail: String,
    since: u64,
}

#[derive(Serialize, Deserialize)]
struct CellRecord {
    counts: Vec<(String, u64)>,
    changed_at: u64,
}

impl PartitionState {
    /// The present value of a key, sealed; `None` when it does not exist (any more).
    pub fn value(&self, key: &Key, sealer: &Sealer) -> Option<Vec<u8>> {
        match key {
            Key::Verification(id) => match self.verifications.get(id) {
                Some(held) => Some(pack(&held_record(held, sealer))),
                None => self.damaged.get(id).map(|damaged| damaged.value.clone()),
            },
            Key::Pointer(lane, sequence) => {
                let pointers = self.lanes.get(lane)?;
                let place = pointers.binary_search_by_key(sequence, |(sequence, _)| *sequence).ok()?;
                pointers.get(place).map(|(_, pointer)| pack(&pointer_record(pointer)))
            }
            Key::Request(tenant, recipient, id) => {
                let scope = (tenant.clone(), recipient.clone(), id.clone());
                self.requests.get(&scope).map(|answered| pack(&answered_record(answered)))
            }
            Key::Sends(tenant, recipient) => {
                let sends = self.sends.get(&(tenant.clone(), recipient.clone()))?;
                let at = sends.at.iter().map(|moment| moment.as_millis()).collect();
                Some(pack(&SendsRecord { at, until: sends.until.as_millis() }))
            }
            Key::Failed(tenant, recipient, subject) => {
                let counters = self.failed.get(&(tenant.clone(), recipient.clone(), subject.clone()))?;
                Some(pack(&counters.iter().map(failed_record).collect::<Vec<_>>()))
            }
            Key::Reference(provider, message) => {
                let (id, attempt) = self.references.get(&(provider.clone(), *message))?;
                Some(pack(&(IdRecord(*id.as_bytes()), attempt.get())))
            }
            Key::Event(sequence) => {
                let place = self.events.binary_search_by_key(sequence, |(sequence, _)| *sequence).ok()?;
                self.events.get(place).map(|(_, event)| pack(&event_record::fields(event)))
            }
            Key::Evidence(bucket, segment) => {
                let cell = self.evidence.get(&(*bucket, segment.clone()))?;
                let counts = cell.counts.iter().map(|(measure, count)| (measure.key(), *count)).collect();
                Some(pack(&CellRecord { counts, changed_at: cell.changed_at.as_millis() }))
            }
            Key::Letter(key) => self.letters.get(key).map(|letter| pack(&letter_record(letter))),
            Key::Sequence => (self.forgotten_event > 0).then(|| pack(&self.forgotten_event)),
        }
    }

    /// Every key that has a value; for dumps.
    pub fn keys(&self) -> Vec<Key> {
        let pointers = self.lanes.iter().flat_map(|(lane, pointers)| {
            pointers.iter().map(|(sequence, _)| Key::Pointer(lane.clone(), *sequence))
        });
        let requests = self.requests.keys().cloned().map(|(tenant, to, id)| Key::Request(tenant, to, id));
        let sends = self.sends.keys().cloned().map(|(tenant, to)| Key::Sends(tenant, to));
        let failed =
            self.failed.keys().cloned().map(|(tenant, to, subject)| Key::Failed(tenant, to, subject));
        let references = self.references.keys().cloned().map(|(provider, id)| Key::Reference(provider, id));
        let evidence = self.evidence.keys().cloned().map(|(bucket, segment)| Key::Evidence(bucket, segment));
        self.verifications
            .keys()
            .chain(self.damaged.keys())
            .copied()
            .map(Key::Verification)
            .chain(pointers)
            .chain(requests)
            .chain(sends)
            .chain(failed)
            .chain(references)
            .chain(self.events.iter().map(|(sequence, _)| Key::Event(*sequence)))
            .chain(evidence)
            .chain(self.letters.keys().cloned().map(Key::Letter))
            .chain((self.forgotten_event > 0).then_some(Key::Sequence))
            .collect()
    }

    /// Takes back one key and value that [`Self::value`] gave. Keys have to come in the order of their names.
    ///
    /// A verification that cannot be read is kept as it is and buried by the first look at what is due; one whose private
    /// part does not open lives on without it and is buried when somebody needs it.
    pub fn restore(&mut self, name: &str, value: &[u8], sealer: &Sealer) -> Result<(), Error> {
        let key = Key::parse(name).ok_or_else(|| unreadable("its key is of an unknown kind"))?;
        match key {
            Key::Verification(id) => {
                let restored = unpack(value).and_then(|record| self.restore_verification(id, record, sealer));
                if let Err(error) = restored {
                    self.unburied.push(id);
                    self.damaged.insert(id, Damaged { value: value.to_vec(), why: why(error) });
                }
            }
            Key::Pointer(lane, sequence) => {
                let pointer = pointer(&unpack(value)?)?;
                self.last_pointer = self.last_pointer.max(sequence);
                self.lanes.entry(lane).or_default().push_back((sequence, pointer));
            }
            Key::Request(tenant, recipient, id) => {
                let answered = answered(&unpack(value)?)?;
                let key = Key::Request(tenant.clone(), recipient.clone(), id.clone());
                self.expiries.insert((answered.until, key));
                self.requests.insert((tenant, recipient, id), answered);
            }
            Key::Sends(tenant, recipient) => {
                let record: SendsRecord = unpack(value)?;
                let at: VecDeque<_> = record.at.into_iter().map(Moment::from_millis).collect();
                let until = Moment::from_millis(record.until);
                self.expiries.insert((until, Key::Sends(tenant.clone(), recipient.clone())));
                self.sends.insert((tenant, recipient), Sends { at, until });
            }
            Key::Failed(tenant, recipient, subject) => {
                self.restore_failed((tenant, recipient, subject), unpack(value)?)?;
            }
            Key::Reference(provider, message) => {
                let (id, attempt): (IdRecord, u8) = unpack(value)?;
                self.references.insert((provider, message), (id.id()?, attempt_number(attempt)?));
            }
            Key::Event(sequence) => {
                let fields: event_record::Fields = unpack(value)?;
                let pairs = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                self.events.push_back((sequence, event_record::happening(pairs)?));
                self.last_event = self.last_event.max(sequence);
            }
            Key::Evidence(bucket, segment) => {
                let cell = cell(unpack(value)?)?;
                self.changed_evidence.insert((cell.changed_at, (bucket, segment.clone())));
                self.evidence.insert((bucket, segment), cell);
            }
            Key::Letter(key) => {
                let letter = letter(key.clone(), unpack(value)?)?;
                self.letters_by_age.insert((letter.since, key.clone()));
                self.letters.insert(key, letter);
            }
            Key::Sequence => {
                self.forgotten_event = unpack(value)?;
                self.last_event = self.last_event.max(self.forgotten_event);
            }
        }
        Ok(())
    }

    fn restore_verification(
        &mut self,
        id: VerificationId,
        record: HeldRecord,
        sealer: &Sealer,
    ) -> Result<(), Error> {
        let expires_at = record.expires_at.map(Moment::from_millis);
        let winner = record.winner.map(|id| RequestId::parse(&id)).transpose();
        let references = record.references.iter().map(|(provider, message)| {
            Some((ProviderName::parse(provider).ok()?, MessageId::parse(message)?))
        });
        let mut verification = record.record.without_private()?;
        let mut unopened = None;
        if let Some(body) = record.record.body {
            match sealer.open(id, &body) {
                Ok(opened) => opened.into_verification(&mut verification),
                Err(error) => unopened = Some(Unopened { body, why: why(error) }),
            }
        }
        let held = Held {
            verification,
            unopened,
            nonce: Nonce(record.nonce),
            winner: winner.map_err(|_| unreadable("its winner is damaged"))?,
            due: None,
            timer: None,
            expires_at,
            references: references
                .collect::<Option<_>>()
                .ok_or_else(|| unreadable("its message id is damaged"))?,
        };
        self.verifications.insert(id, held);
        self.set_due(id, record.due.map(Moment::from_millis));
        self.expiries.extend(expires_at.map(|moment| (moment, Key::Verification(id))));
        Ok(())
    }

    fn restore_failed(&mut self, scope: FailedScope, records: Vec<FailedRecord>) -> Result<(), Error> {
        let counters: Vec<_> =
            records.iter().map(|record| failed_checks(&scope, record)).collect::<Result<_, _>>()?;
        if let Some(last) = counters.iter().map(|counter| counter.last_at).max() {
            let key = Key::Failed(scope.0.clone(), scope.1.clone(), scope.2.clone());
            self.expiries.insert((last + self.retention.failed_checks, key));
        }
        self.failed.insert(scope, counters);
        Ok(())
    }
}

fn held_record(held: &Held, sealer: &Sealer) -> HeldRecord {
    let name = |(provider, message): &(ProviderName, MessageId)| (provider.to_string(), message.to_string());
    let record = match &held.unopened {
        Some(unopened) => Record::of(&held.verification, Some(unopened.body.clone())),
        None => sealer.record(&held.verification),
    };
    HeldRecord {
        record,
        nonce: held.nonce.0,
        winner: held.winner.as_ref().map(RequestId::to_string),
        due: held.due.map(Moment::as_millis),
        expires_at: held.expires_at.map(Moment::as_millis),
        references: held.references.iter().map(name).collect(),
    }
}

impl IdRecord {
    fn id(&self) -> Result<VerificationId, Error> {
        VerificationId::from_bytes(self.0).map_err(|_| unreadable("its id is damaged"))
    }
}

fn attempt_number(number: u8) -> Result<AttemptNumber, Error> {
    AttemptNumber::new(number).ok_or_else(|| unreadable("its attempt is damaged"))
}

fn pointer_record(pointer: &Pointer) -> PointerRecord {
    PointerRecord {
        id: IdRecord(*pointer.id.as_bytes()),
        attempt: pointer.attempt.get(),
        job: pointer.job.as_str().to_owned(),
        queued_at: pointer.queued_at.as_millis(),
    }
}

fn pointer(record: &PointerRecord) -> Result<Pointer, Error> {
    Ok(Pointer {
        id: record.id.id()?,
        attempt: attempt_number(record.attempt)?,
        job: JobKind::parse(&record.job).ok_or_else(|| unreadable("its job is damaged"))?,
        queued_at: Moment::from_millis(record.queued_at),
    })
}

fn answered_record(answered: &Answered) -> AnsweredRecord {
    AnsweredRecord {
        by: IdRecord(*answered.by.as_bytes()),
        fingerprint: answered.fingerprint,
        until: answered.until.as_millis(),
    }
}

fn answered(record: &AnsweredRecord) -> Result<Answered, Error> {
    let until = Moment::from_millis(record.until);
    Ok(Answered { by: record.by.id()?, fingerprint: record.fingerprint, until })
}

fn failed_record(counter: &FailedChecks) -> FailedRecord {
    FailedRecord {
        class: counter.class.into(),
        count: counter.count,
        last_at: counter.last_at.as_millis(),
        last_in: IdRecord(*counter.last_in.as_bytes()),
    }
}

fn failed_checks(scope: &FailedScope, record: &FailedRecord) -> Result<FailedChecks, Error> {
    let (tenant, recipient, subject): (_, _, Option<Subject>) = scope.clone();
    Ok(FailedChecks {
        tenant,
        recipient,
        subject,
        class: ChannelClass::from(record.class),
        count: record.count,
        last_at: Moment::from_millis(record.last_at),
        last_in: record.last_in.id()?,
    })
}

fn letter_record(letter: &DeadLetter) -> LetterRecord {
    LetterRecord {
        verification: letter.verification.map(|id| IdRecord(*id.as_bytes())),
        tenant: letter.tenant.as_ref().map(TenantId::to_string),
        provider: letter.provider.as_ref().map(ProviderName::to_string),
        attempt: letter.attempt.map(AttemptNumber::get),
        job: letter.job.map(|job| job.as_str().to_owned()),
        reason: letter.reason.as_str().to_owned(),
        detail: letter.detail.clone(),
        since: letter.since.as_millis(),
    }
}

fn letter(key: LetterKey, record: LetterRecord) -> Result<DeadLetter, Error> {
    Ok(DeadLetter {
        key,
        verification: record.verification.map(|id| id.id()).transpose()?,
        tenant: record.tenant.and_then(|tenant| TenantId::parse(&tenant).ok()),
        provider: record.provider.and_then(|provider| ProviderName::parse(&provider).ok()),
        attempt: record.attempt.and_then(AttemptNumber::new),
        job: record.job.and_then(|job| JobKind::parse(&job)),
        reason: DeadReason::parse(&record.reason).ok_or_else(|| unreadable("its reason is damaged"))?,
        detail: record.detail,
        since: Moment::from_millis(record.since),
    })
}

/// What is wrong, without the words around it.
fn why(error: Error) -> String {
    match error {
        Error::Unreadable { why } | Error::Unsuitable { why } => why,
        Error::Unavailable { .. } => error.to_string(),
    }
}

fn cell(record: CellRecord) -> Result<Cell, Error> {
    let counts = record.counts.into_iter().map(|(key, count)| Some((Measure::parse(&key)?, count)));
    let counts = counts.collect::<Option<_>>().ok_or_else(|| unreadable("its evidence is damaged"))?;
    Ok(Cell { counts, changed_at: Moment::from_millis(record.changed_at) })
}
