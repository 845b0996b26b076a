//! What scripts are given. Each script's own text says what the fields mean.

use std::time::Duration;

use otter_domain::{
    Attempt, AttemptNumber, ChannelClass, CheckScope, CheckSubmission, Effect, Happening, HappeningKind,
    Lift, MessageId, Moment, Phase, ProviderName, RecipientRef, Segment, Subject, TenantId, Verification,
    VerificationId, Version,
};
use otter_store::record::FailureRecord;
use otter_store::{
    Burial, Commit, Lease, LetterKey, LetterPlace, ReceiptMerge, ReceiptTarget, RequestKey, RequestScope,
    Retention, Sealer, event_record,
};
use serde::Serialize;
use serde_bytes::ByteBuf;

use crate::layout::Fields;

/// Retentions in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Keep {
    ended: u64,
    events: u64,
    requests: u64,
    evidence: u64,
    failed: u64,
    dead: u64,
}

impl From<Retention> for Keep {
    fn from(retention: Retention) -> Self {
        Self {
            ended: at_least_one(retention.ended),
            events: at_least_one(retention.events),
            requests: at_least_one(retention.requests),
            evidence: at_least_one(retention.evidence),
            failed: at_least_one(retention.failed_checks),
            dead: at_least_one(retention.dead),
        }
    }
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A life of nothing is an error to the server.
fn at_least_one(span: Duration) -> u64 {
    millis(span).max(1)
}

#[derive(Serialize)]
pub(crate) struct Items<T> {
    pub(crate) keep: Keep,
    pub(crate) items: Vec<T>,
}

#[derive(Serialize)]
pub(crate) struct CommitItem {
    id: String,
    version: Option<u64>,
    nonce: ByteBuf,
    r: Option<ByteBuf>,
    b: Option<ByteBuf>,
    c: Option<ByteBuf>,
    checks: u8,
    ranks: Vec<u8>,
    claims: Vec<u8>,
    is_over: bool,
    is_pending: bool,
    due: Option<u64>,
    request: Option<Request>,
    limits: Option<Limits>,
    jobs: Vec<(String, u8, &'static str)>,
    events: Vec<Vec<String>>,
    outcomes: Vec<(String, String, u64)>,
    refs: Vec<(String, String, u64)>,
    at_stake: Option<AtStake>,
}

#[derive(Serialize)]
struct Request {
    scope: String,
    id: String,
    value: ByteBuf,
}

/// The classes whose codes have to be checkable by a moment.
#[derive(Serialize)]
struct AtStake {
    counters: CountersArgument,
    by: u64,
}

#[derive(Serialize)]
struct Limits {
    key: String,
    rules: Vec<(u32, u64)>,
}

impl CommitItem {
    pub(crate) fn of(commit: Commit, sealer: &Sealer, retention: &Retention) -> Self {
        let Commit { expected, next, effects, due, nonce, request, limits, message_ids, at_stake } = commit;
        let next = Verification { version: expected.map_or(Version(1), Version::next), ..next };
        let fields = Fields::of(&next, nonce, sealer);
        let scope = scope_key(&next.tenant, &next.recipient);
        // A message id is written after its verification's creation and lives as long as that can be asked for.
        let life = next.expires_at.since(next.created_at) + retention.ended;
        let rules: Vec<_> = limits.iter().map(|rule| (rule.max, at_least_one(rule.window))).collect();
        let rank = |attempt: &Attempt| attempt.receipt.map_or(0, |receipt| receipt.status.rank());
        let is_claimed = |attempt: &&Attempt| matches!(attempt.phase, Phase::Claimed { .. });
        let mut item = Self {
            id: fields.id,
            version: expected.map(|version| version.0),
            nonce: ByteBuf::from(nonce.0.to_be_bytes()),
            r: fields.r,
            b: fields.b,
            c: fields.c,
            checks: next.checks,
            ranks: next.attempts.iter().map(rank).collect(),
            claims: next.attempts.iter().filter(is_claimed).map(|attempt| attempt.number.get()).collect(),
            is_over: !next.is_pending() && next.private.is_none(),
            is_pending: next.is_pending(),
            due: due.map(Moment::as_millis),
            request: request.map(|request| Request::of(request, next.id, scope.clone())),
            limits: (!rules.is_empty()).then_some(Limits { key: scope, rules }),
            jobs: Vec::new(),
            events: Vec::new(),
            outcomes: Vec::new(),
            refs: message_ids.iter().map(|named| reference(named, next.id, life)).collect(),
            at_stake: (!at_stake.is_empty()).then(|| AtStake {
                counters: CountersArgument::of(&CheckScope::of(&next), &at_stake),
                by: next.send_before.as_millis(),
            }),
        };
        for effect in effects {
            item.push(effect, &next);
        }
        item
    }

    fn push(&mut self, effect: Effect, next: &Verification) {
        match effect {
            Effect::Dispatch { provider, attempt, job } => {
                self.jobs.push((provider.to_string(), attempt.get(), job.as_str()));
            }
            Effect::Observe(observation) => self.outcomes.push((
                segment(&observation.segment),
                observation.measure.key(),
                observation.attempted_at.as_millis(),
            )),
            Effect::Publish(kind) => self.events.push(event(next.id, &next.tenant, kind)),
        }
    }
}

fn scope_key(tenant: &TenantId, recipient: &RecipientRef) -> String {
    format!("{tenant}:{recipient}")
}

#[derive(Serialize)]
pub(crate) struct AnsweredArgument {
    request: Request,
}

impl AnsweredArgument {
    pub(crate) fn of(scope: &RequestScope, request: RequestKey) -> Self {
        let scope = scope_key(&scope.tenant, &scope.recipient);
        Self { request: Request::new(&request, [0; 16], scope) }
    }
}

impl Request {
    fn of(request: RequestKey, id: VerificationId, scope: String) -> Self {
        Self::new(&request, *id.as_bytes(), scope)
    }

    fn new(request: &RequestKey, by: [u8; 16], scope: String) -> Self {
        // Half of the fingerprint tells two questions of one caller apart.
        let value = [by.as_slice(), &request.fingerprint[..16]].concat();
        Self { scope, id: request.id.to_string(), value: ByteBuf::from(value) }
    }
}

fn reference(
    (provider, message, attempt): &(ProviderName, MessageId, AttemptNumber),
    id: VerificationId,
    life: Duration,
) -> (String, String, u64) {
    (reference_key(provider, *message), format!("{id} {attempt}"), at_least_one(life))
}

fn reference_key(provider: &ProviderName, message: MessageId) -> String {
    format!("{provider}:{message}")
}

fn segment(segment: &Segment) -> String {
    format!("{}:{}:{}", segment.provider, segment.channel, segment.country)
}

/// The fields of an event but its moment, which the script knows.
fn event(verification: VerificationId, tenant: &TenantId, kind: HappeningKind) -> Vec<String> {
    let happening = Happening { verification, tenant: tenant.clone(), at: Moment::EPOCH, kind };
    let fields = event_record::fields(&happening).into_iter().filter(|(name, _)| name != "at");
    fields.flat_map(|(name, value)| [name, value]).collect()
}

#[derive(Serialize)]
pub(crate) struct ClaimArgument {
    pub(crate) keep: Keep,
    pub(crate) keys: Vec<u8>,
    pub(crate) lane: String,
    pub(crate) worker: String,
    pub(crate) lease: u64,
    pub(crate) max: usize,
}

#[derive(Serialize)]
pub(crate) struct RenewArgument {
    pub(crate) lease: u64,
    pub(crate) items: Vec<LeaseItem>,
}

#[derive(Serialize)]
pub(crate) struct LeaseItem {
    id: String,
    attempt: u8,
    worker: String,
}

impl From<Lease> for LeaseItem {
    fn from(lease: Lease) -> Self {
        Self { id: lease.id.to_string(), attempt: lease.attempt.get(), worker: lease.worker.to_string() }
    }
}

#[derive(Serialize)]
pub(crate) struct CheckItem {
    id: String,
    tenant: String,
    digests: Vec<(u8, ByteBuf)>,
    request_id: Option<String>,
}

impl From<CheckSubmission> for CheckItem {
    fn from(submission: CheckSubmission) -> Self {
        let digests = submission.digests.iter();
        Self {
            id: submission.id.to_string(),
            tenant: submission.tenant.to_string(),
            digests: digests.map(|presented| (presented.key.0, ByteBuf::from(presented.digest.0))).collect(),
            request_id: submission.request_id.map(|id| id.to_string()),
        }
    }
}

/// Which counters of failed checks.
#[derive(Serialize)]
pub(crate) struct CountersArgument {
    scope: String,
    subject: Option<String>,
    classes: Vec<&'static str>,
}

impl CountersArgument {
    pub(crate) fn of(scope: &CheckScope, classes: &[ChannelClass]) -> Self {
        let CheckScope { tenant, recipient, subject } = scope;
        let asked = ChannelClass::ALL.into_iter().filter(|class| classes.contains(class));
        Self {
            scope: scope_key(tenant, recipient),
            subject: subject.as_ref().map(Subject::to_string),
            classes: asked.map(class_letter).collect(),
        }
    }
}

/// As records keep it.
pub(crate) fn class_letter(class: ChannelClass) -> &'static str {
    match class {
        ChannelClass::Pstn => "p",
        ChannelClass::App => "a",
    }
}

#[derive(Serialize)]
pub(crate) struct LiftArgument {
    keep: Keep,
    counters: CountersArgument,
    tenant: String,
    author: String,
    reason: String,
}

impl LiftArgument {
    pub(crate) fn of(lift: Lift, keep: Keep) -> Self {
        let counters = CountersArgument::of(&lift.scope, &lift.classes);
        let tenant = lift.scope.tenant.to_string();
        Self { keep, counters, tenant, author: lift.author, reason: lift.reason }
    }
}

#[derive(Serialize)]
pub(crate) struct MergeItem {
    id: Option<String>,
    attempt: Option<u8>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    provider: String,
    rank: u8,
    status: &'static str,
    because: Option<FailureRecord>,
}

impl From<ReceiptMerge> for MergeItem {
    fn from(report: ReceiptMerge) -> Self {
        let (id, attempt, reference) = match report.target {
            ReceiptTarget::Attempt(id, attempt) => (Some(id.to_string()), Some(attempt.get()), None),
            ReceiptTarget::Message(message) => (None, None, Some(reference_key(&report.provider, message))),
        };
        Self {
            id,
            attempt,
            reference,
            provider: report.provider.to_string(),
            rank: report.status.rank(),
            status: report.status.as_str(),
            because: report.because.as_ref().map(FailureRecord::from),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct BurialItem {
    id: String,
    reason: &'static str,
    detail: String,
}

impl From<Burial> for BurialItem {
    fn from(burial: Burial) -> Self {
        Self { id: burial.id.to_string(), reason: burial.reason.as_str(), detail: burial.detail() }
    }
}

/// Which dead letters to read: one by its key, or some after a place.
#[derive(Serialize, Default)]
pub(crate) struct DeadArgument {
    pub(crate) key: Option<String>,
    pub(crate) after: Option<(u64, String)>,
    pub(crate) max: usize,
}

impl DeadArgument {
    pub(crate) fn after(place: Option<LetterPlace>, max: usize) -> Self {
        let after = place.map(|(moment, key)| (moment.as_millis(), key.to_string()));
        Self { key: None, after, max }
    }
}

#[derive(Serialize)]
pub(crate) struct LetterArgument<'a> {
    keep: Keep,
    key: &'a str,
}

impl<'a> LetterArgument<'a> {
    pub(crate) fn of(key: &'a LetterKey, keep: Keep) -> Self {
        Self { keep, key: key.as_str() }
    }
}

#[derive(Serialize)]
pub(crate) struct DueArgument {
    pub(crate) keep: Keep,
    pub(crate) keys: Vec<u8>,
    pub(crate) max: usize,
    pub(crate) hide: u64,
}

#[derive(Serialize)]
pub(crate) struct LoadArgument {
    pub(crate) ids: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct EventsArgument {
    pub(crate) keep: Keep,
    pub(crate) after: Option<String>,
    pub(crate) max: usize,
}

#[derive(Serialize)]
pub(crate) struct EvidenceArgument {
    pub(crate) keep: Keep,
    pub(crate) since: u64,
}

#[derive(Serialize)]
pub(crate) struct LanesArgument {
    pub(crate) lanes: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct TakeArgument<'a> {
    pub(crate) key: &'a str,
    pub(crate) rate: f64,
    pub(crate) burst: u32,
    pub(crate) want: u32,
}

#[derive(Serialize)]
pub(crate) struct PostArgument<'a> {
    pub(crate) board: &'static str,
    pub(crate) key: &'a str,
    pub(crate) value: ByteBuf,
    pub(crate) life: Option<u64>,
    /// Leaves an entry of the same key as it is.
    pub(crate) once: bool,
}

#[derive(Serialize)]
pub(crate) struct ReadArgument {
    pub(crate) board: &'static str,
}
