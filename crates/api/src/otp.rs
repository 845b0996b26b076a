//! `otter.v1.OtpService`.

use std::sync::Arc;

use otter_contract::v1::otp_service_server::OtpService;
use otter_contract::v1::{
    CancelOtpRequest, CancelOtpResponse, CheckOtpRequest, CheckOtpResponse, GetOtpRequest, GetOtpResponse,
    ReportOutcomeRequest, ReportOutcomeResponse, ResendOtpRequest, ResendOtpResponse, SendOtpRequest,
    SendOtpResponse, StreamEventsRequest, StreamEventsResponse, VerificationState, WatchOtpRequest,
    WatchOtpResponse,
};
use otter_delivery::{Feed, Intake, Refusal, ReportRequest, SendRequest, Sent};
use otter_domain::{
    Channel, Country, Ending, LifecyclePolicy, LineType, State, TenantId, TenantPolicy, Verification,
    VerificationId,
};
use otter_runtime::Phases;
use otter_telemetry::{Metrics, RequestOutcome};
use tonic::{Request, Response, Status};
use tracing::Span;

use crate::callers::Identity;
use crate::checked;
use crate::convert::verification::{Circumstances, attempts_remaining, current_attempt};
use crate::convert::{plan, request as read, timestamp, verification as write};
use crate::error::{self, About};
use crate::events;
use crate::gate::Hold;
use crate::streams::Answers;
use crate::watch;

/// Answers applications.
#[derive(Debug)]
pub(crate) struct Otp {
    pub(crate) intake: Arc<Intake>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) phases: Phases,
}

#[tonic::async_trait]
impl OtpService for Otp {
    type WatchOtpStream = Answers<WatchOtpResponse>;
    type StreamEventsStream = Answers<StreamEventsResponse>;

    async fn send_otp(&self, request: Request<SendOtpRequest>) -> Result<Response<SendOtpResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let setup = self.intake.setup();
        let policy = setup.tenants.get(&tenant).ok_or_else(error::tenant_unknown)?;
        let request = self.read_send(request.into_inner(), policy)?;
        let (country, line) = (request.number.country(), request.number.line());
        let (dry_run, chosen) = (request.dry_run, only(&request.allowed));
        let outcome = self.intake.send(request).await;
        if !dry_run {
            self.count(country, &outcome);
        }
        let sent = outcome.map_err(|refusal| {
            error::refused(&refusal, About { country, line: Some(line), channel: chosen, attempts: 0 })
        })?;
        note_sent(&sent, country);
        Ok(Response::new(answer_to_send(&sent, country, line)))
    }

    async fn check_otp(
        &self,
        request: Request<CheckOtpRequest>,
    ) -> Result<Response<CheckOtpResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let opaque = self.intake.setup().tenants.get(&tenant).is_some_and(|policy| policy.opaque_results);
        let request = read::check(request.into_inner(), tenant)?;
        note_id(request.id);
        let checked = self.intake.check(request).await.map_err(|refusal| plain(&refusal))?;
        checked::answer(&checked, opaque).map(Response::new)
    }

    async fn resend_otp(
        &self,
        request: Request<ResendOtpRequest>,
    ) -> Result<Response<ResendOtpResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let request = read::resend(&request.into_inner(), tenant.clone())?;
        let (id, channel) = (request.id, request.channel);
        note_id(id);
        match self.intake.resend(request).await {
            Ok(resent) => {
                let queued_at = resent.verification.current().map(|attempt| attempt.queued_at);
                let known = self.circumstances(&resent.verification);
                let known = Circumstances { now: queued_at.unwrap_or(known.now), ..known };
                Ok(Response::new(ResendOtpResponse {
                    attempt: current_attempt(&resent.verification),
                    resend_allowed_time: resent.resend_allowed_at.map(timestamp),
                    attempts_remaining: attempts_remaining(&resent.verification, &known),
                }))
            }
            Err(refusal) => Err(self.not_resent(&refusal, &tenant, id, channel).await),
        }
    }

    async fn cancel_otp(
        &self,
        request: Request<CancelOtpRequest>,
    ) -> Result<Response<CancelOtpResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let id = read::only_id(&request.into_inner().verification_id)?;
        note_id(id);
        let verification = self.intake.cancel(&tenant, id).await.map_err(|refusal| plain(&refusal))?;
        match verification.state_at(self.intake.books().now()) {
            State::Ended { how: Ending::Cancelled, .. } => {
                Ok(Response::new(CancelOtpResponse { verification: Some(self.told(&verification)) }))
            }
            State::Ended { how, .. } => Err(error::ended(how.as_str()).into()),
            State::Pending => Err(error::internal().into()),
        }
    }

    async fn get_otp(&self, request: Request<GetOtpRequest>) -> Result<Response<GetOtpResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let id = read::only_id(&request.into_inner().verification_id)?;
        note_id(id);
        let verification = self.intake.get(&tenant, id).await.map_err(|refusal| plain(&refusal))?;
        Ok(Response::new(GetOtpResponse { verification: Some(self.told(&verification)) }))
    }

    async fn watch_otp(
        &self,
        request: Request<WatchOtpRequest>,
    ) -> Result<Response<Self::WatchOtpStream>, Status> {
        let (tenant, hold) = (tenant_of(&request)?, hold_of(&request)?);
        let id = read::only_id(&request.into_inner().verification_id)?;
        note_id(id);
        // Listening begins before the snapshot is taken, so that nothing falls between them.
        let listening =
            self.feed.subscribe(tenant.clone(), None).await.map_err(|error| events::failed(&error))?;
        let verification = self.intake.get(&tenant, id).await.map_err(|refusal| plain(&refusal))?;
        let snapshot = self.told(&verification);
        let stream = watch::stream(Arc::clone(&self.intake), listening, verification, snapshot);
        Ok(Response::new(Answers::new(stream, hold, self.phases.clone())))
    }

    async fn report_outcome(
        &self,
        request: Request<ReportOutcomeRequest>,
    ) -> Result<Response<ReportOutcomeResponse>, Status> {
        let tenant = tenant_of(&request)?;
        let request = read::report(&request.into_inner(), tenant)?;
        note_id(request.id);
        let verification = self.report(request).await?;
        Ok(Response::new(ReportOutcomeResponse { verification: Some(self.told(&verification)) }))
    }

    async fn stream_events(
        &self,
        request: Request<StreamEventsRequest>,
    ) -> Result<Response<Self::StreamEventsStream>, Status> {
        let (tenant, hold) = (tenant_of(&request)?, hold_of(&request)?);
        let token = request.into_inner().resume_token;
        let stream = events::stream(&self.intake, &self.feed, tenant, &token).await?;
        Ok(Response::new(Answers::new(stream, hold, self.phases.clone())))
    }
}

impl Otp {
    fn read_send(&self, request: SendOtpRequest, policy: &TenantPolicy) -> Result<SendRequest, Status> {
        let dry_run = request.dry_run;
        read::send(request, policy).inspect_err(|_| {
            if !dry_run {
                self.metrics.request(None, Country::NONE, RequestOutcome::Invalid);
            }
        })
    }

    fn count(&self, country: Country, outcome: &Result<Sent, Refusal>) {
        let (channel, outcome) = match outcome {
            Ok(sent) if sent.repeated => (first_channel(sent), RequestOutcome::Duplicate),
            Ok(sent) => (first_channel(sent), RequestOutcome::Accepted),
            Err(refusal) => (None, outcome_of(refusal)),
        };
        self.metrics.request(channel, country, outcome);
    }

    /// Books a report, unless it contradicts what is known.
    async fn report(&self, request: ReportRequest) -> Result<Verification, Status> {
        let before = self.intake.get(&request.tenant, request.id).await.map_err(|refusal| plain(&refusal))?;
        if let Some(number) = request.attempt.filter(|number| before.attempt(*number).is_none()) {
            return Err(read::no_attempt(number).into());
        }
        let verified = request.verified;
        let after = self.intake.report(request).await.map_err(|refusal| plain(&refusal))?;
        let agrees = match after.state_at(self.intake.books().now()) {
            // Taken for the record.
            State::Pending | State::Ended { how: Ending::Expired | Ending::Failed, .. } => None,
            State::Ended { how: how @ Ending::Verified { .. }, .. } => Some((how, verified)),
            State::Ended { how: how @ Ending::Cancelled, .. } => Some((how, !verified)),
            State::Ended { how: how @ Ending::Exhausted, .. } => Some((how, false)),
        };
        match agrees {
            Some((how, false)) => Err(error::ended(how.as_str()).into()),
            Some((_, true)) | None => Ok(after),
        }
    }

    /// The status of a refused resend.
    async fn not_resent(
        &self,
        refusal: &Refusal,
        tenant: &TenantId,
        id: VerificationId,
        channel: Option<Channel>,
    ) -> Status {
        let looked_up = async {
            let (country, line, attempts) = match self.intake.get(tenant, id).await {
                Ok(verification) => {
                    let policy = self.circumstances(&verification).policy;
                    let line = verification.private.as_ref().map(|private| private.number.line());
                    (verification.country, line, policy.resend.max_attempts)
                }
                Err(_) => (Country::NONE, None, LifecyclePolicy::default().resend.max_attempts),
            };
            About { country, line, channel, attempts }
        };
        error::refused_about(refusal, looked_up).await
    }

    fn told(&self, verification: &Verification) -> otter_contract::v1::Verification {
        write::verification(verification, &self.circumstances(verification))
    }

    fn circumstances(&self, verification: &Verification) -> Circumstances {
        let setup = self.intake.setup();
        let purpose = setup.purpose(&verification.tenant, &verification.purpose);
        Circumstances {
            now: self.intake.books().now(),
            resend_allowed_at: self.intake.resend_allowed_at(verification),
            policy: purpose.map(|purpose| purpose.lifecycle.clone()).unwrap_or_default(),
        }
    }
}

/// Whom the gate let in.
fn tenant_of<T>(request: &Request<T>) -> Result<TenantId, Status> {
    let identity = request.extensions().get::<Identity>();
    identity.map(|identity| identity.tenant.clone()).ok_or_else(|| error::internal().into())
}

/// What the gate holds for a stream.
pub(crate) fn hold_of<T>(request: &Request<T>) -> Result<Hold, Status> {
    request.extensions().get::<Hold>().cloned().ok_or_else(|| error::internal().into())
}

/// The status of a refusal that is about nothing in particular.
pub(crate) fn plain(refusal: &Refusal) -> Status {
    error::refused(refusal, About::NOTHING)
}

fn only(channels: &[Channel]) -> Option<Channel> {
    match channels {
        [channel] => Some(*channel),
        [] | [..] => None,
    }
}

fn answer_to_send(sent: &Sent, country: Country, line: LineType) -> SendOtpResponse {
    let accepted = sent.verification.as_ref();
    let state = accepted.map_or(VerificationState::Unspecified, |_| VerificationState::Pending);
    SendOtpResponse {
        verification_id: accepted.map_or_else(String::new, |verification| verification.id.to_string()),
        state: state.into(),
        masked_recipient: sent.masked.clone(),
        locale: sent.locale.as_ref().map(ToString::to_string).unwrap_or_default(),
        country: country.to_string(),
        plan: sent.plan.as_ref().map(|chosen| plan::plan(chosen, Some(line))),
        expire_time: accepted.map(|_| timestamp(sent.expires_at)),
        resend_allowed_time: accepted.and(sent.resend_allowed_at).map(timestamp),
        restricted: sent.restricted,
    }
}

fn first_channel(sent: &Sent) -> Option<Channel> {
    sent.plan.as_ref().and_then(|plan| plan.candidates.first()).map(|candidate| candidate.channel)
}

fn outcome_of(refusal: &Refusal) -> RequestOutcome {
    match refusal {
        Refusal::RecipientLimited { .. } | Refusal::TenantLimited { .. } | Refusal::Uncheckable(_) => {
            RequestOutcome::RateLimited
        }
        Refusal::Overloaded { .. } | Refusal::StoreStalled { .. } | Refusal::Books(_) => RequestOutcome::Shed,
        Refusal::UnknownTenant
        | Refusal::UnknownPurpose
        | Refusal::PaymentMissing
        | Refusal::PaymentUnexpected
        | Refusal::Number(_)
        | Refusal::Ttl { .. }
        | Refusal::NoRoute(_)
        | Refusal::RequestReused
        | Refusal::NotFound
        | Refusal::Resend(_) => RequestOutcome::Invalid,
    }
}

fn note_sent(sent: &Sent, country: Country) {
    let span = Span::current();
    span.record("otter.country", country.as_str());
    if let Some(channel) = first_channel(sent) {
        span.record("otter.channel", channel.as_str());
    }
    if let Some(verification) = &sent.verification {
        note_id(verification.id);
    }
}

fn note_id(id: VerificationId) {
    Span::current().record("otter.verification.id", tracing::field::display(id));
}
