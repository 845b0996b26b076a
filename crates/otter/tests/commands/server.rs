//! A server of the contract with canned answers, over real gRPC on a free loopback port.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::Stream;
use otter_contract::admin::v1::dead_letter_service_server::{DeadLetterService, DeadLetterServiceServer};
use otter_contract::admin::v1::lock_service_server::{LockService, LockServiceServer};
use otter_contract::admin::v1::provider_service_server::{ProviderService, ProviderServiceServer};
use otter_contract::admin::v1::rate_service_server::{RateService, RateServiceServer};
use otter_contract::admin::v1::*;
use otter_contract::v1::otp_service_server::{OtpService, OtpServiceServer};
use otter_contract::v1::*;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Server as Transport, ServerTlsConfig};
use tonic::{Request, Response, Status, async_trait};

use crate::canned;

type Answer<M> = Result<Response<M>, Status>;
type Stories<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// What the server was asked.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) authorization: Option<String>,
    pub(crate) sends: Vec<SendOtpRequest>,
    pub(crate) checks: Vec<CheckOtpRequest>,
    pub(crate) resends: Vec<ResendOtpRequest>,
    pub(crate) reports: Vec<ReportOutcomeRequest>,
    pub(crate) tokens: Vec<String>,
    pub(crate) rates: Vec<ListRatesRequest>,
    pub(crate) pauses: Vec<PauseProviderRequest>,
    pub(crate) lifts: Vec<LiftLockRequest>,
}

/// A running server; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::listen(None)
    }

    pub(crate) fn start_with_tls(tls: ServerTlsConfig) -> Self {
        Self::listen(Some(tls))
    }

    fn listen(tls: Option<ServerTlsConfig>) -> Self {
        let runtime = Runtime::new().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let desk = Desk { seen: Arc::clone(&seen) };
        let address = runtime.block_on(async {
            let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = incoming.local_addr().unwrap();
            let mut transport = Transport::builder();
            if let Some(tls) = tls {
                transport = transport.tls_config(tls).unwrap();
            }
            let router = transport
                .add_service(OtpServiceServer::new(desk.clone()))
                .add_service(RateServiceServer::new(desk.clone()))
                .add_service(ProviderServiceServer::new(desk.clone()))
                .add_service(DeadLetterServiceServer::new(desk.clone()))
                .add_service(LockServiceServer::new(desk));
            tokio::spawn(router.serve_with_incoming(incoming));
            address
        });
        Self { address, seen, _runtime: runtime }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
}

#[derive(Clone)]
struct Desk {
    seen: Arc<Mutex<Seen>>,
}

impl Desk {
    /// Notes who asked, and what.
    fn note<M>(&self, request: Request<M>, note: impl FnOnce(&mut Seen, &M)) -> M {
        let mut seen = self.seen.lock().unwrap();
        let key = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        seen.authorization = key;
        let message = request.into_inner();
        note(&mut seen, &message);
        message
    }
}

fn story<M: Send + 'static>(parts: Vec<Result<M, Status>>) -> Response<Stories<M>> {
    Response::new(Box::pin(futures::stream::iter(parts)))
}

#[async_trait]
impl OtpService for Desk {
    type WatchOtpStream = Stories<WatchOtpResponse>;
    type StreamEventsStream = Stories<StreamEventsResponse>;

    async fn send_otp(&self, request: Request<SendOtpRequest>) -> Answer<SendOtpResponse> {
        let request = self.note(request, |seen, request| seen.sends.push(request.clone()));
        match request.purpose.as_str() {
            "bad" => Err(canned::bad_fields()),
            "slow-down" => Err(canned::rate_limited()),
            "silent" => std::future::pending().await,
            "nobody" => Ok(Response::new(SendOtpResponse {
                plan: Some(Plan::default()),
                ..canned::accepted(request.dry_run)
            })),
            _ => Ok(Response::new(canned::accepted(request.dry_run))),
        }
    }

    async fn check_otp(&self, request: Request<CheckOtpRequest>) -> Answer<CheckOtpResponse> {
        let request = self.note(request, |seen, request| seen.checks.push(request.clone()));
        let is_right = request.code == canned::CODE;
        Ok(Response::new(CheckOtpResponse {
            outcome: if is_right { CheckOutcome::Verified } else { CheckOutcome::WrongCode }.into(),
            checks_remaining: if is_right { 0 } else { 4 },
            state: VerificationState::Pending.into(),
            verified_attempt: 0,
        }))
    }

    async fn resend_otp(&self, request: Request<ResendOtpRequest>) -> Answer<ResendOtpResponse> {
        self.note(request, |seen, request| seen.resends.push(request.clone()));
        Ok(Response::new(ResendOtpResponse {
            attempt: Some(canned::attempt()),
            resend_allowed_time: None,
            attempts_remaining: 3,
        }))
    }

    async fn cancel_otp(&self, request: Request<CancelOtpRequest>) -> Answer<CancelOtpResponse> {
        self.note(request, |_, _| {});
        let verification = canned::verification(VerificationState::Cancelled);
        Ok(Response::new(CancelOtpResponse { verification: Some(verification) }))
    }

    async fn get_otp(&self, request: Request<GetOtpRequest>) -> Answer<GetOtpResponse> {
        let request = self.note(request, |_, _| {});
        if request.verification_id != canned::ID {
            return Err(canned::not_found());
        }
        let verification = canned::verification(VerificationState::Pending);
        Ok(Response::new(GetOtpResponse { verification: Some(verification) }))
    }

    async fn watch_otp(&self, request: Request<WatchOtpRequest>) -> Answer<Self::WatchOtpStream> {
        self.note(request, |_, _| {});
        Ok(story(canned::watched().into_iter().map(Ok).collect()))
    }

    async fn report_outcome(&self, request: Request<ReportOutcomeRequest>) -> Answer<ReportOutcomeResponse> {
        self.note(request, |seen, request| seen.reports.push(request.clone()));
        let verification = canned::verification(VerificationState::Verified);
        Ok(Response::new(ReportOutcomeResponse { verification: Some(verification) }))
    }

    async fn stream_events(&self, request: Request<StreamEventsRequest>) -> Answer<Self::StreamEventsStream> {
        self.note(request, |seen, request| seen.tokens.push(request.resume_token.clone()));
        let mut parts: Vec<_> = canned::events().into_iter().map(Ok).collect();
        parts.push(Err(canned::draining()));
        Ok(story(parts))
    }
}

#[async_trait]
impl RateService for Desk {
    type WatchRatesStream = Stories<WatchRatesResponse>;

    async fn list_rates(&self, request: Request<ListRatesRequest>) -> Answer<ListRatesResponse> {
        let request = self.note(request, |seen, request| seen.rates.push(request.clone()));
        let is_first = request.page_token.is_empty();
        Ok(Response::new(ListRatesResponse {
            rates: vec![canned::rate(if is_first { "sms-a" } else { "sms-b" })],
            next_page_token: if is_first { "second" } else { "" }.to_owned(),
            read_time: Some(canned::at(0)),
            // A provider of this name is asked for by the test of a store that is away.
            age: Some(canned::age(if request.provider == "away" { 73 } else { 1 })),
        }))
    }

    async fn watch_rates(&self, request: Request<WatchRatesRequest>) -> Answer<Self::WatchRatesStream> {
        self.note(request, |_, _| {});
        let picture = |provider, seconds| {
            Ok(WatchRatesResponse {
                rates: vec![canned::rate(provider)],
                read_time: Some(canned::at(seconds)),
                age: Some(canned::age(1)),
            })
        };
        Ok(story(vec![picture("sms-a", 0), picture("sms-b", 2), Err(canned::draining())]))
    }
}

#[async_trait]
impl ProviderService for Desk {
    async fn list_providers(&self, request: Request<ListProvidersRequest>) -> Answer<ListProvidersResponse> {
        self.note(request, |_, _| {});
        let providers = vec![canned::provider(ProviderState::Active)];
        Ok(Response::new(ListProvidersResponse { providers, next_page_token: String::new() }))
    }

    async fn pause_provider(&self, request: Request<PauseProviderRequest>) -> Answer<PauseProviderResponse> {
        self.note(request, |seen, request| seen.pauses.push(request.clone()));
        let provider = Some(canned::provider(ProviderState::Paused));
        Ok(Response::new(PauseProviderResponse { provider }))
    }

    async fn resume_provider(
        &self,
        request: Request<ResumeProviderRequest>,
    ) -> Answer<ResumeProviderResponse> {
        self.note(request, |_, _| {});
        let provider = Some(canned::provider(ProviderState::Active));
        Ok(Response::new(ResumeProviderResponse { provider }))
    }
}

#[async_trait]
impl DeadLetterService for Desk {
    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Answer<ListDeadLettersResponse> {
        let is_first = request.get_ref().page_token.is_empty();
        self.note(request, |_, _| {});
        let dead_letters = vec![canned::dead_letter(if is_first { "p00:first" } else { "p01:second" })];
        let next_page_token = if is_first { "more".to_owned() } else { String::new() };
        Ok(Response::new(ListDeadLettersResponse { dead_letters, next_page_token }))
    }

    async fn get_dead_letter(&self, request: Request<GetDeadLetterRequest>) -> Answer<GetDeadLetterResponse> {
        let dead_letter = canned::known_dead_letter(&request.get_ref().id)?;
        self.note(request, |_, _| {});
        Ok(Response::new(GetDeadLetterResponse { dead_letter: Some(dead_letter) }))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Answer<RetryDeadLetterResponse> {
        let dead_letter = canned::known_dead_letter(&request.get_ref().id)?;
        self.note(request, |_, _| {});
        Ok(Response::new(RetryDeadLetterResponse { dead_letter: Some(dead_letter) }))
    }

    async fn drop_dead_letter(
        &self,
        request: Request<DropDeadLetterRequest>,
    ) -> Answer<DropDeadLetterResponse> {
        let dead_letter = canned::known_dead_letter(&request.get_ref().id)?;
        self.note(request, |_, _| {});
        Ok(Response::new(DropDeadLetterResponse { dead_letter: Some(dead_letter) }))
    }
}

#[async_trait]
impl LockService for Desk {
    async fn get_locks(&self, request: Request<GetLocksRequest>) -> Answer<GetLocksResponse> {
        let locks = if request.get_ref().subject.is_empty() { vec![canned::lock()] } else { Vec::new() };
        self.note(request, |_, _| {});
        Ok(Response::new(GetLocksResponse { masked_recipient: "+4915*******78".to_owned(), locks }))
    }

    async fn lift_lock(&self, request: Request<LiftLockRequest>) -> Answer<LiftLockResponse> {
        if !request.get_ref().subject.is_empty() {
            return Err(canned::because(
                tonic::Code::NotFound,
                "LOCK_NOT_FOUND",
                "no wrong codes are counted for this tenant, recipient, subject and class (any more)",
            ));
        }
        self.note(request, |seen, lift| seen.lifts.push(lift.clone()));
        let masked_recipient = "+4915*******78".to_owned();
        Ok(Response::new(LiftLockResponse { masked_recipient, locks: vec![canned::lock()] }))
    }
}
