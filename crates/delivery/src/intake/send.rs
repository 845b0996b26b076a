//! Accepting a code: admission, plan, code and the one commit that makes it durable.

use std::time::Duration;

use otter_decision::lifecycle::{self, Fresh, Opening};
use otter_decision::{admission, challenge};
use otter_domain::{
    Channel, ChoiceReason, Code, Considered, Context, Exclusion, Locale, Moment, Partition, PaymentPolicy,
    PhoneNumber, Plan, PurposeName, PurposePolicy, RequestId, Route, ShutClass, Subject, TenantId,
    TenantPolicy, Verification, VerificationId,
};
use otter_store::{CommitVerdict, Earlier, RequestKey};

use super::locks::{Person, add_shut};
use super::{Intake, Refusal};
use crate::books::Along;
use crate::planning::{self, Question};
use crate::{BooksError, Setup, drawing};

/// The longest that a code may live (SEC-02).
const LONGEST_TTL: Duration = Duration::from_secs(600);

/// How often an id is drawn again because it exists already.
const DRAWS: usize = 4;

/// How often a plan is made again because codes of some class could not be checked: once for each class.
const PLANS: usize = 3;

/// A code to be sent.
#[derive(Debug, Clone)]
pub struct SendRequest {
    /// Who asks.
    pub tenant: TenantId,
    /// To whom.
    pub number: PhoneNumber,
    /// What for.
    pub purpose: PurposeName,
    /// The account behind the number.
    pub subject: Option<Subject>,
    /// What the code is bound to.
    pub context: Context,
    /// The languages wanted, the most wanted first; empty leaves it to the purpose and the number's country.
    pub locales: Vec<Locale>,
    /// The only channels allowed; empty is all.
    pub allowed: Vec<Channel>,
    /// Channels to be tried first.
    pub preferred: Vec<Channel>,
    /// The caller's own code.
    pub code: Option<Code>,
    /// How long the code is to be valid; the purpose's time if not said.
    pub ttl: Option<Duration>,
    /// The caller's name for this call.
    pub request_id: Option<RequestId>,
    /// Only plan and explain.
    pub dry_run: bool,
}

/// What became of a code to be sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The verification; `None` for a dry run.
    pub verification: Option<Verification>,
    /// The plan as it was made; `None` only for a repeat of what was accepted before plans outlived the end.
    pub plan: Option<Plan>,
    /// The language that the message is in; `None` as with the plan.
    pub locale: Option<Locale>,
    /// When the codes expire; for a dry run, when they would.
    pub expires_at: Moment,
    /// When the first resend is allowed, if ever.
    pub resend_allowed_at: Option<Moment>,
    /// Whether a channel of the plan is a restricted authenticator (SEC-16).
    pub restricted: bool,
    /// Whether this answers a repeat.
    pub repeated: bool,
    /// The number as it may be shown.
    pub masked: String,
}

impl Intake {
    /// Accepts a code for sending. `Ok` means that the verification, its first job and its next instant are durable, or
    /// that they were before (SEC-13).
    pub async fn send(&self, request: SendRequest) -> Result<Sent, Refusal> {
        let setup = self.setup.load_full();
        let tenant = setup.tenants.get(&request.tenant).ok_or(Refusal::UnknownTenant)?;
        let purpose = tenant.purposes.get(&request.purpose).ok_or(Refusal::UnknownPurpose)?;
        admit(&request, tenant, purpose)?;
        match self.accept(&request, &setup, tenant, purpose).await {
            Err(
                refusal @ (Refusal::NoRoute(_) | Refusal::TenantLimited { .. } | Refusal::Overloaded { .. }),
            ) => self.sent_before(&request, tenant, purpose, refusal).await,
            answer => answer,
        }
    }

    async fn accept(
        &self,
        request: &SendRequest,
        setup: &Setup,
        tenant: &TenantPolicy,
        purpose: &PurposePolicy,
    ) -> Result<Sent, Refusal> {
        let route =
            setup.routes.get(&purpose.route).expect("the configuration has every route that a purpose names");
        let ttl = request.ttl.unwrap_or(purpose.ttl);
        let (usual, country) = (purpose.locale.as_ref(), request.number.country());
        let locale = setup.catalogue.locale(&request.tenant, &request.locales, usual, country);
        let home = self.home(&request.number);
        let by = self.books.now() + ttl - purpose.lifecycle.min_useful;
        if request.dry_run {
            let shut = self.shut(&person(request), by).await?;
            let plan = self.plan(setup, request, purpose, route, &locale, ttl, shut);
            return Ok(self.explained(request, plan, locale, ttl));
        }
        // Usually nothing is, and only the commit can tell: then the plan is made again without it.
        let mut shut = self.shut_before(&person(request), by).await?;
        for round in 0..PLANS {
            let plan = self.plan(setup, request, purpose, route, &locale, ttl, shut.clone());
            let Some(first) = plan.candidates.first() else {
                return Err(self.nobody(setup, route, plan, &shut, home));
            };
            if round == 0 {
                self.expect_answers(home)?;
                self.count_for_tenant(tenant).await?;
            }
            let provider = first.provider.clone();
            // Counted before it is there, so that many at the same moment do not all find room.
            self.view.lanes.begin(&provider);
            let sent = self.open_drawn(request, tenant, purpose, &plan, &locale, ttl).await;
            if !sent.as_ref().is_ok_and(|sent| !sent.repeated) {
                self.view.lanes.undo(&provider);
            }
            match sent {
                Err(Refusal::Uncheckable(found)) => add_shut(&mut shut, found),
                sent => return sent,
            }
        }
        Err(Refusal::Uncheckable(shut))
    }

    /// Why a plan is empty.
    fn nobody(
        &self,
        setup: &Setup,
        route: &Route,
        plan: Plan,
        shut: &[ShutClass],
        home: Partition,
    ) -> Refusal {
        if let Some(retry_after) = self.relief(setup, route, &plan, home) {
            return Refusal::Overloaded { retry_after };
        }
        let keeps_back = |shut: &&ShutClass| {
            plan.considered.iter().any(|one| is_shut(one) && one.channel.class() == shut.class)
        };
        let shut: Vec<_> = shut.iter().filter(keeps_back).copied().collect();
        if shut.is_empty() { Refusal::NoRoute(Box::new(plan)) } else { Refusal::Uncheckable(shut) }
    }

    /// Commits the opening under an id that does not exist yet.
    async fn open_drawn(
        &self,
        request: &SendRequest,
        tenant: &TenantPolicy,
        purpose: &PurposePolicy,
        plan: &Plan,
        locale: &Locale,
        ttl: Duration,
    ) -> Result<Sent, Refusal> {
        let mut id = self.draw_id(&request.number);
        for _ in 0..DRAWS {
            let opening = self.opening(id, request, purpose, plan.clone(), locale.clone(), ttl);
            if let Some(sent) = self.open(opening, request, tenant, purpose).await? {
                return Ok(sent);
            }
            id = self.draw_id(&request.number);
        }
        Err(Refusal::Books(BooksError::Contended { id }))
    }

    /// A request that nobody could serve now may be the repeat of one that was served; then it is answered as before.
    async fn sent_before(
        &self,
        request: &SendRequest,
        tenant: &TenantPolicy,
        purpose: &PurposePolicy,
        refusal: Refusal,
    ) -> Result<Sent, Refusal> {
        let Some(id) = request.request_id.clone() else { return Err(refusal) };
        let plan =
            Plan { route: purpose.route.clone(), seed: 0, candidates: Vec::new(), considered: Vec::new() };
        let opening = self.opening(
            self.draw_id(&request.number),
            request,
            purpose,
            plan,
            Locale::english(),
            purpose.ttl,
        );
        let fresh = self.fresh(&opening, request, purpose);
        let unsent = lifecycle::open(opening, &fresh, &purpose.lifecycle, self.books.now()).next;
        match self.books.answered(&unsent, self.send_key(&id, request)).await? {
            Earlier::Answer(id) => Ok(answer(self.owned(&tenant.id, id).await?, true)),
            Earlier::OtherQuestion => Err(Refusal::RequestReused),
            Earlier::Nothing => Err(refusal),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "everything that a plan depends on")]
    fn plan(
        &self,
        setup: &Setup,
        request: &SendRequest,
        purpose: &PurposePolicy,
        route: &Route,
        locale: &Locale,
        ttl: Duration,
        shut: Vec<ShutClass>,
    ) -> Plan {
        let question = Question {
            tenant: &request.tenant,
            purpose,
            route,
            number: &request.number,
            context: &request.context,
            locale,
            allowed: (!request.allowed.is_empty()).then(|| request.allowed.clone()),
            preferred: request.preferred.clone(),
            shut,
            ttl,
            home: self.home(&request.number),
            seed: self.books.dice().u64(),
        };
        planning::plan(setup, &self.view, &question, self.books.now())
    }

    pub(super) fn home(&self, number: &PhoneNumber) -> Partition {
        let hash = challenge::partition_hash(&self.keys.install, number);
        self.books.store().partitions().of_hash(hash)
    }

    fn draw_id(&self, number: &PhoneNumber) -> VerificationId {
        VerificationId::new(self.books.now(), self.home(number), self.books.dice().u64().to_be_bytes())
    }

    /// When a plan that is empty only because lanes are full would not be any more; `None` if it is empty anyway.
    fn relief(&self, setup: &Setup, route: &Route, plan: &Plan, home: Partition) -> Option<Duration> {
        if !otter_decision::plan::is_shed(plan) {
            return None;
        }
        let full = |considered: &Considered| {
            if considered.reason != ChoiceReason::Excluded(Exclusion::LaneFull) {
                return None;
            }
            let step = route.steps.get(usize::from(considered.step))?;
            let (provider, now) = (&considered.provider, self.books.now());
            planning::full(setup, &self.view, provider, home, step.max_queue_wait, now)
        };
        // A lane may have got room since the plan was made.
        let soonest = plan.considered.iter().filter_map(full).min();
        Some(self.come_back(soonest.unwrap_or_default()))
    }

    /// What stands in for an account that a caller names: only the keyed hash is stored, and counts failed checks as well.
    pub(super) fn subject(&self, tenant: &TenantId, subject: Option<&Subject>) -> Option<Subject> {
        let fields: [&[u8]; 3] = [b"subject", tenant.as_str().as_bytes(), subject?.as_str().as_bytes()];
        let hash = challenge::fingerprint(&self.keys.install, &fields);
        let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Subject::parse(&digits).expect("32 hex digits are a subject"))
    }

    fn opening(
        &self,
        id: VerificationId,
        request: &SendRequest,
        purpose: &PurposePolicy,
        plan: Plan,
        locale: Locale,
        ttl: Duration,
    ) -> Opening {
        Opening {
            id,
            tenant: request.tenant.clone(),
            purpose: request.purpose.clone(),
            number: request.number.clone(),
            recipient: challenge::recipient_ref(&self.keys.install, &request.number),
            subject: self.subject(&request.tenant, request.subject.as_ref()),
            context: request.context.clone(),
            locale,
            plan,
            callers_code: request.code.is_some(),
            ttl,
            budget: purpose.budget,
        }
    }

    /// Commits the opening; `None` if its id exists already.
    async fn open(
        &self,
        opening: Opening,
        request: &SendRequest,
        tenant: &TenantPolicy,
        purpose: &PurposePolicy,
    ) -> Result<Option<Sent>, Refusal> {
        let fresh = self.fresh(&opening, request, purpose);
        let step = lifecycle::open(opening, &fresh, &purpose.lifecycle, self.books.now());
        let opened = step.next.clone();
        let key = request.request_id.as_ref().map(|id| self.send_key(id, request));
        let along = Along { request: key, limits: tenant.recipient_limits.clone() };
        match self.books.commit(None, step, &purpose.lifecycle, along).await? {
            CommitVerdict::Done => Ok(Some(answer(opened, false))),
            CommitVerdict::Repeated(id) => {
                let before = self.owned(&request.tenant, id).await?;
                Ok(Some(answer(before, true)))
            }
            CommitVerdict::RequestReused => Err(Refusal::RequestReused),
            CommitVerdict::Limited { rule, retry_after } => {
                let rule = tenant.recipient_limits[rule];
                Err(Refusal::RecipientLimited { rule, retry_after })
            }
            CommitVerdict::Shut(shut) => Err(Refusal::Uncheckable(shut)),
            CommitVerdict::Conflict => self.opened_before(&opened).await,
        }
    }

    /// An id holds 62 random bits: one that exists is that of our own commit, whose answer was lost, as long as everything
    /// else about it says so.
    async fn opened_before(&self, opened: &Verification) -> Result<Option<Sent>, Refusal> {
        let found = self.books.load(opened.id).await?;
        let ours = found.filter(|found| {
            (&found.tenant, &found.recipient, found.created_at)
                == (&opened.tenant, &opened.recipient, opened.created_at)
        });
        Ok(ours.map(|found| answer(found, false)))
    }

    /// The code that travels first: the caller's own or a new one.
    fn fresh(&self, opening: &Opening, request: &SendRequest, purpose: &PurposePolicy) -> Fresh {
        let code = request.code.clone();
        let code = code.unwrap_or_else(|| drawing::new_code(purpose.code_digits, self.books.dice()));
        drawing::fresh(code, opening.id, &opening.purpose, &opening.context, &self.keys)
    }

    fn explained(&self, request: &SendRequest, plan: Plan, locale: Locale, ttl: Duration) -> Sent {
        Sent {
            verification: None,
            restricted: is_restricted(&plan),
            plan: Some(plan),
            locale: Some(locale),
            expires_at: self.books.now() + ttl,
            resend_allowed_at: None,
            repeated: false,
            masked: request.number.masked(),
        }
    }

    fn send_key(&self, id: &RequestId, request: &SendRequest) -> RequestKey {
        let words = |channels: &[Channel]| channels.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(",");
        let (allowed, preferred) = (words(&request.allowed), words(&request.preferred));
        let ttl = request.ttl.map_or(0, |ttl| ttl.as_millis()).to_be_bytes();
        let payee = match &request.context {
            Context::Payment(payment) => payment.payee_name.as_str(),
            Context::None | Context::Text(_) => "",
        };
        let context = request.context.canonical();
        let locales = request.locales.iter().map(Locale::as_str).collect::<Vec<_>>().join(",");
        let fields: [&[u8]; 10] = [
            b"send",
            request.purpose.as_str().as_bytes(),
            context.as_bytes(),
            payee.as_bytes(),
            request.subject.as_ref().map_or("", Subject::as_str).as_bytes(),
            locales.as_bytes(),
            allowed.as_bytes(),
            preferred.as_bytes(),
            request.code.as_ref().map_or("", |code| code.reveal()).as_bytes(),
            &ttl,
        ];
        let fingerprint = challenge::fingerprint(&self.keys.install, &fields);
        RequestKey { id: self.keyed(&[b"request", id.as_str().as_bytes()]), fingerprint }
    }
}

/// Whose checks a code of this request would count among.
fn person(request: &SendRequest) -> Person {
    let SendRequest { tenant, number, subject, .. } = request;
    Person { tenant: tenant.clone(), number: number.clone(), subject: subject.clone() }
}

/// Whether only checks that wait or are locked keep somebody out of a plan.
pub(super) fn is_shut(considered: &Considered) -> bool {
    let reasons = [Exclusion::ChecksLocked, Exclusion::ChecksWaiting].map(ChoiceReason::Excluded);
    reasons.contains(&considered.reason)
}

/// Everything that speaks against a request before anybody looks at providers.
fn admit(request: &SendRequest, tenant: &TenantPolicy, purpose: &PurposePolicy) -> Result<(), Refusal> {
    match (purpose.payment, &request.context) {
        (PaymentPolicy::Required, Context::None | Context::Text(_)) => return Err(Refusal::PaymentMissing),
        (PaymentPolicy::NotAPayment, Context::Payment(_)) => return Err(Refusal::PaymentUnexpected),
        (PaymentPolicy::Required, Context::Payment(_))
        | (PaymentPolicy::NotAPayment, Context::None | Context::Text(_)) => {}
    }
    admission::admit(&request.number, tenant.countries.as_deref()).map_err(Refusal::Number)?;
    let least = purpose.least_ttl();
    match request.ttl {
        Some(ttl) if ttl < least || ttl > LONGEST_TTL => Err(Refusal::Ttl { least, most: LONGEST_TTL }),
        Some(_) | None => Ok(()),
    }
}

/// The answer, which is the same for a repeat whatever has become of the verification since.
fn answer(verification: Verification, repeated: bool) -> Sent {
    let plan = verification.plan().cloned();
    let told = verification.acceptance.as_ref();
    Sent {
        restricted: plan.as_ref().is_some_and(is_restricted),
        plan,
        locale: told.map(|told| told.locale.clone()),
        expires_at: verification.expires_at,
        resend_allowed_at: told.and_then(|told| told.resend_allowed_at),
        repeated,
        masked: verification.masked.clone(),
        verification: Some(verification),
    }
}

/// Whether a channel of the plan is a restricted authenticator (SEC-16).
fn is_restricted(plan: &Plan) -> bool {
    plan.candidates.iter().any(|candidate| candidate.channel.is_restricted())
}
