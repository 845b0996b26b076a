//! One more message for a person who waits.

use std::time::Duration;

use otter_decision::challenge;
use otter_decision::lifecycle::{self, Fresh, ResendRefusal, Step};
use otter_domain::{
    Attempt, Candidate, Channel, CheckScope, LifecyclePolicy, Moment, RequestId, ShutClass, TenantId,
    Verification, VerificationId,
};
use otter_store::{CommitVerdict, Earlier, RequestKey};

use super::locks::add_shut;
use super::send::is_shut;
use super::{Intake, Refusal};
use crate::books::Along;
use crate::scheduler::policy_of;
use crate::{BooksError, Setup, drawing, planning};

/// How often a resend is decided again because somebody else committed first.
const ROUNDS: usize = 16;

/// A wish for one more message.
#[derive(Debug, Clone)]
pub struct ResendRequest {
    /// Who asks.
    pub tenant: TenantId,
    /// Which verification.
    pub id: VerificationId,
    /// Over which channel, if it matters.
    pub channel: Option<Channel>,
    /// The caller's name for this call.
    pub request_id: Option<RequestId>,
}

/// What decides who may go.
struct Wish<'a> {
    channel: Option<Channel>,
    /// The classes whose codes could not be checked.
    shut: &'a [ShutClass],
}

/// What became of a resend.
#[derive(Debug, Clone)]
pub struct Resent {
    /// The verification with the new attempt, as it was when that was queued.
    pub verification: Verification,
    /// When the next resend is allowed, if ever.
    pub resend_allowed_at: Option<Moment>,
}

impl Intake {
    /// Sends one more message: ends the current wait and lets the next candidate go, or one of the asked channel. Counts
    /// as a send for the limits of recipient and tenant. A repeat with the same request id changes nothing.
    pub async fn resend(&self, request: ResendRequest) -> Result<Resent, Refusal> {
        let setup = self.setup.load_full();
        let tenant = setup.tenants.get(&request.tenant).ok_or(Refusal::UnknownTenant)?;
        let mut is_counted = false;
        let mut queued = None;
        let mut shut = Vec::new();
        for _ in 0..ROUNDS {
            let before = self.owned(&request.tenant, request.id).await?;
            let (policy, digits) = policy_of(&setup, &before);
            if queued.take().is_some_and(|queued| has_queued(&before, &queued)) {
                return Ok(resent(before, &policy));
            }
            let fresh = drawing::draw(&before, &policy, digits, &self.keys, self.books.dice());
            let wish = Wish { channel: request.channel, shut: &shut };
            let step = match self.decide_resend(&setup, &before, &wish, &fresh, &policy) {
                Ok(step) => step,
                Err(refusal) => {
                    let refusal = self.explained_by_checks(&before, &wish, refusal).await?;
                    return self.resent_before(&request, before, refusal, &policy).await;
                }
            };
            if let Some(home) = before.id.partition(self.books.store().partitions()) {
                self.expect_answers(home)?;
            }
            if !is_counted && let Err(refusal) = self.count_for_tenant(tenant).await {
                return self.resent_before(&request, before, refusal, &policy).await;
            }
            is_counted = true;
            let next = step.next.clone();
            let request_key = request.request_id.as_ref().map(|id| self.resend_key(id, &request));
            let along = Along { request: request_key, limits: tenant.recipient_limits.clone() };
            let verification = match self.books.commit(Some(&before), step, &policy, along).await? {
                CommitVerdict::Done => next,
                CommitVerdict::Repeated(id) => self.owned(&request.tenant, id).await?,
                CommitVerdict::RequestReused => return Err(Refusal::RequestReused),
                CommitVerdict::Limited { rule, retry_after } => {
                    let rule = tenant.recipient_limits[rule];
                    return Err(Refusal::RecipientLimited { rule, retry_after });
                }
                CommitVerdict::Shut(found) => {
                    let class = next.current().map(|attempt| attempt.channel.class());
                    if !found.iter().any(|shut| Some(shut.class) == class) {
                        // A code that is valid already keeps every check waiting: nobody else would help.
                        return Err(Refusal::Uncheckable(found));
                    }
                    add_shut(&mut shut, found);
                    continue;
                }
                CommitVerdict::Conflict => {
                    // The store knows by itself whether one with a name was done.
                    queued = request.request_id.is_none().then_some(next);
                    continue;
                }
            };
            return Ok(resent(verification, &policy));
        }
        Err(BooksError::Contended { id: request.id }.into())
    }

    /// Of those whose code could be checked, lets the next candidate go that may go now, or at least one whose lane has
    /// room.
    fn decide_resend(
        &self,
        setup: &Setup,
        before: &Verification,
        wish: &Wish<'_>,
        fresh: &Fresh,
        policy: &LifecyclePolicy,
    ) -> Result<Step, Refusal> {
        let (now, channel) = (self.books.now(), wish.channel);
        let is_open =
            |candidate: &Candidate| !wish.shut.iter().any(|shut| shut.class == candidate.channel.class());
        let has_room = |candidate: &Candidate| {
            let Some(home) = before.id.partition(self.books.store().partitions()) else { return true };
            let Candidate { provider, max_queue_wait, .. } = candidate;
            planning::full(setup, &self.view, provider, home, *max_queue_wait, now).is_none()
        };
        let may_send = |candidate: &Candidate| is_open(candidate) && has_room(candidate);
        let partitions = self.books.store().partitions();
        let goes_now = planning::who_may_go(setup, &self.view, partitions, before, now);
        let may_go = |candidate: &Candidate| is_open(candidate) && goes_now(candidate);
        let decided = match lifecycle::resend_by(before, channel, may_go, fresh, policy, now) {
            // Somebody who may not go now is better than nobody.
            Err(ResendRefusal::NoCandidate) => {
                lifecycle::resend_by(before, channel, may_send, fresh, policy, now)
            }
            decided => decided,
        };
        decided.map_err(|refusal| {
            let is_shed = refusal == ResendRefusal::NoCandidate
                && lifecycle::resend_by(before, channel, is_open, fresh, policy, now).is_ok();
            if is_shed {
                return Refusal::Overloaded { retry_after: self.come_back(Duration::ZERO) };
            }
            Refusal::Resend(refusal)
        })
    }

    /// A refusal for want of candidates, or what keeps those back whose code could not be checked.
    async fn explained_by_checks(
        &self,
        before: &Verification,
        wish: &Wish<'_>,
        refusal: Refusal,
    ) -> Result<Refusal, Refusal> {
        if !matches!(refusal, Refusal::Resend(ResendRefusal::NoCandidate)) {
            return Ok(refusal);
        }
        if !wish.shut.is_empty() {
            return Ok(Refusal::Uncheckable(wish.shut.to_vec()));
        }
        // They left the plan when it was made, or when their turn came.
        let considered = before.plan().into_iter().flat_map(|plan| &plan.considered);
        let left = considered
            .filter(|one| is_shut(one) && wish.channel.is_none_or(|channel| channel == one.channel))
            .map(|one| one.channel.class());
        let left: Vec<_> = left.collect();
        if left.is_empty() {
            return Ok(refusal);
        }
        let mut shut = self.shut_of(CheckScope::of(before), before.id, before.send_before).await?;
        shut.retain(|shut| left.contains(&shut.class));
        Ok(if shut.is_empty() { refusal } else { Refusal::Uncheckable(shut) })
    }

    /// A refused resend may be the repeat of one that was done; then the caller learns what came of that one.
    async fn resent_before(
        &self,
        request: &ResendRequest,
        before: Verification,
        refusal: Refusal,
        policy: &LifecyclePolicy,
    ) -> Result<Resent, Refusal> {
        let Some(id) = request.request_id.clone() else { return Err(refusal) };
        match self.books.answered(&before, self.resend_key(&id, request)).await? {
            Earlier::Answer(_) => Ok(resent(before, policy)),
            Earlier::OtherQuestion => Err(Refusal::RequestReused),
            Earlier::Nothing => Err(refusal),
        }
    }

    fn resend_key(&self, id: &RequestId, request: &ResendRequest) -> RequestKey {
        let channel = request.channel.map_or("", Channel::as_str);
        let fields: [&[u8]; 3] = [b"resend", request.id.as_bytes(), channel.as_bytes()];
        let fingerprint = challenge::fingerprint(&self.keys.install, &fields);
        RequestKey { id: self.keyed(&[b"request", id.as_str().as_bytes()]), fingerprint }
    }
}

/// The answer, which is the same for a repeat whatever has become of the attempt since.
fn resent(verification: Verification, policy: &LifecyclePolicy) -> Resent {
    let verification = lifecycle::as_resent(&verification);
    let resend_allowed_at = lifecycle::resend_allowed_at(&verification, policy);
    Resent { verification, resend_allowed_at }
}

/// Whether an attempt that conflicted was queued after all: the answer was lost, and others have built on it since. A code
/// of its own tells it from one that somebody else queued at the same moment.
fn has_queued(verification: &Verification, ours: &Verification) -> bool {
    let named = |attempt: &Attempt| (attempt.origin, attempt.candidate, attempt.queued_at);
    let Some(queued) = ours.current() else { return false };
    let digest = |of: &Verification| {
        let slot = of.slots.iter().find(|slot| slot.attempt == Some(queued.number));
        slot.map(|slot| slot.digest)
    };
    verification.attempt(queued.number).is_some_and(|attempt| named(attempt) == named(queued))
        && digest(verification).is_none_or(|found| digest(ours) == Some(found))
}
