//! What callers ask for: sending, checking, resending, cancelling, reading, reporting.

mod locks;
pub(crate) mod refusal;
mod resend;
mod send;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use otter_decision::{backlog, challenge, lifecycle};
use otter_domain::{
    AttemptNumber, CheckSubmission, CheckVerdict, Code, Context, Event, Moment, Partition, PurposeName,
    RequestId, TenantId, TenantPolicy, Verification, VerificationId,
};

use crate::scheduler::policy_of;
use crate::{Books, Keys, Setup, Slices, View, drawing, tally};

pub use locks::Person;
pub use refusal::Refusal;
pub use resend::{ResendRequest, Resent};
pub use send::{SendRequest, Sent};

/// Answers callers.
#[derive(Debug, Clone)]
pub struct Intake {
    books: Arc<Books>,
    setup: Arc<ArcSwap<Setup>>,
    keys: Arc<Keys>,
    view: Arc<View>,
    slices: Arc<Slices>,
}

/// A typed code to be checked.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// Who asks.
    pub tenant: TenantId,
    /// Which verification.
    pub id: VerificationId,
    /// What was typed.
    pub code: Code,
    /// What the code is for; must be what it was sent for (SEC-14).
    pub purpose: PurposeName,
    /// What the code is bound to; must be what it was sent with (CMP-20).
    pub context: Context,
    /// The caller's name for this call.
    pub request_id: Option<RequestId>,
}

/// What a check learnt.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The verdict.
    pub verdict: CheckVerdict,
    /// The verification as it is now, when the caller may know it.
    pub verification: Option<Verification>,
    /// The store's clock.
    pub now: Moment,
}

/// How a check went that the caller made itself.
#[derive(Debug, Clone)]
pub struct ReportRequest {
    /// Who reports.
    pub tenant: TenantId,
    /// Which verification.
    pub id: VerificationId,
    /// Whether the code was right.
    pub verified: bool,
    /// The attempt whose code was entered, if known.
    pub attempt: Option<AttemptNumber>,
}

impl Intake {
    /// Answers from these books.
    pub fn new(
        books: Arc<Books>,
        setup: Arc<ArcSwap<Setup>>,
        keys: Arc<Keys>,
        view: Arc<View>,
        slices: Arc<Slices>,
    ) -> Self {
        Self { books, setup, keys, view, slices }
    }

    /// The books, for reading.
    pub fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// The configuration in force.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// What this process knows of providers.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The keys of the installation.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// When a caller that is refused for lack of room is to come back, about `after` from now: not all at once.
    pub fn come_back(&self, after: Duration) -> Duration {
        backlog::come_back(after, self.books.dice().u64())
    }

    /// Refuses what would only wait for a store that does not answer.
    fn expect_answers(&self, home: Partition) -> Result<(), Refusal> {
        if self.books.is_stalled(home) {
            return Err(Refusal::StoreStalled { retry_after: self.come_back(Duration::ZERO) });
        }
        Ok(())
    }

    /// Judges a typed code. Refused and wrong codes are verdicts, not refusals.
    pub async fn check(&self, request: CheckRequest) -> Result<Checked, Refusal> {
        let CheckRequest { tenant, id, code, purpose, context, request_id } = request;
        let now = self.books.now();
        let Some(home) = id.partition(self.books.store().partitions()) else {
            return Ok(Checked { verdict: CheckVerdict::Unknown, verification: None, now });
        };
        let digests = drawing::presented(&code, id, &purpose, &context, &self.keys);
        let request_id = request_id.map(|name| self.check_name(&name, id, &purpose, &context, &code));
        let answer = self.books.check(home, CheckSubmission { id, tenant, digests, request_id }).await?;
        let now = self.books.now();
        tally::checked(self.books.metrics(), &answer.verdict, answer.verification.as_ref(), now);
        Ok(Checked { verdict: answer.verdict, verification: answer.verification, now })
    }

    /// The name under which a check can be repeated: keyed, and bound to all that was submitted, so that the winner's name
    /// with another code, purpose or payment is not a repeat (SEC-14, CMP-20).
    fn check_name(
        &self,
        name: &RequestId,
        id: VerificationId,
        purpose: &PurposeName,
        context: &Context,
        code: &Code,
    ) -> RequestId {
        let context = context.canonical();
        let fields: [&[u8]; 6] = [
            b"check",
            name.as_str().as_bytes(),
            id.as_bytes(),
            purpose.as_str().as_bytes(),
            context.as_bytes(),
            code.reveal().as_bytes(),
        ];
        self.keyed(&fields)
    }

    /// A name that tells nothing of what it was made of: callers put numbers into their names.
    fn keyed(&self, fields: &[&[u8]]) -> RequestId {
        let hash = challenge::fingerprint(&self.keys.install, fields);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        RequestId::parse(&hex).expect("64 hex digits are visible ASCII")
    }

    /// Takes a verification back. One that has ended stays as it ended.
    pub async fn cancel(&self, tenant: &TenantId, id: VerificationId) -> Result<Verification, Refusal> {
        self.follow(tenant, id, &Event::Cancelled).await
    }

    /// Books how a check went that the caller made itself. One that has ended stays as it ended.
    pub async fn report(&self, request: ReportRequest) -> Result<Verification, Refusal> {
        let ReportRequest { tenant, id, verified, attempt } = request;
        self.follow(&tenant, id, &Event::Reported { verified, attempt }).await
    }

    /// Reads a verification.
    pub async fn get(&self, tenant: &TenantId, id: VerificationId) -> Result<Verification, Refusal> {
        self.owned(tenant, id).await
    }

    /// When one more message may be asked for, by the policy in force.
    pub fn resend_allowed_at(&self, verification: &Verification) -> Option<Moment> {
        let (policy, _) = policy_of(&self.setup.load(), verification);
        lifecycle::resend_allowed_at(verification, &policy)
    }

    async fn follow(
        &self,
        tenant: &TenantId,
        id: VerificationId,
        event: &Event,
    ) -> Result<Verification, Refusal> {
        let held = self.owned(tenant, id).await?;
        let setup = self.setup.load_full();
        let (policy, digits) = policy_of(&setup, &held);
        let decided = self.books.decide(id, Some(held), &policy, |before, now| {
            let fresh = drawing::draw(before, &policy, digits, &self.keys, self.books.dice());
            lifecycle::step(before, event, &fresh, &policy, now)
        });
        decided.await?.ok_or(Refusal::NotFound)
    }

    /// Counts a send for the tenant's limit, if it has one.
    async fn count_for_tenant(&self, tenant: &TenantPolicy) -> Result<(), Refusal> {
        let Some(rate) = tenant.rate else { return Ok(()) };
        let key = format!("tenant:{}", tenant.id);
        let taken = self.slices.take(&self.books, &key, rate.per_second, rate.burst).await?;
        taken.map_err(|retry_after| Refusal::TenantLimited { retry_after })
    }

    async fn owned(&self, tenant: &TenantId, id: VerificationId) -> Result<Verification, Refusal> {
        let found = self.books.load(id).await?;
        found.filter(|verification| verification.tenant == *tenant).ok_or(Refusal::NotFound)
    }
}
